//go:build e2e && unix

package e2e

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/icmd"
)

// TestARescueThatIsKilledLosesNothing: whenever it dies, the data is in the container still, the source is empty or has all of it, and the next
// command starts what was stopped.
func TestARescueThatIsKilledLosesNothing(t *testing.T) {
	t.Parallel()
	p := Box(t, `["./data:/data"]`, "")
	p.Write("compose.yaml", boxFile(`[]`, ""))
	p.Up()
	p.Exec("app", "sh", "-c", "mkdir -p /data/sub && for i in $(seq 200); do head -c 50000 /dev/zero >/data/sub/$i.bin; done")
	p.remember("app", "/data/memory.json")
	p.Write("compose.yaml", boxFile(`["./data:/data"]`, ""))
	rounds, chance := Campaign(t, 30, 6)
	length := time.Second
	for range rounds {
		assert.NilError(t, os.RemoveAll(p.Path("data")))
		p.Docker("start", p.Container("app")).Assert(t, icmd.Success)
		begin := time.Now()
		run := p.Start(PluginPath(), "rescue", "--yes")
		killed := run.KillAfter(time.Duration(chance.Int64N(int64(length))))
		if !killed {
			assert.Equal(t, run.Wait(), 0, run.Output())
			length = time.Since(begin)
		}
		p.Memsys("recover").Assert(t, icmd.Success)
		kept := filepath.Join(t.TempDir(), "memory.json")
		p.Docker("cp", p.Container("app")+":/data/memory.json", kept).Assert(t, icmd.Success)
		assert.Assert(t, there(t, kept))
		entries, err := os.ReadDir(p.Path("data"))
		if err == nil && len(entries) > 0 {
			assert.Assert(t, there(t, p.Path("data/memory.json")))
			many, err := os.ReadDir(p.Path("data/sub"))
			assert.NilError(t, err)
			assert.Equal(t, len(many), 200)
		}
		if killed && len(entries) == 0 {
			assert.Equal(t, p.State("app"), "running", run.Output())
		}
		Tidy(t, p.Dir)
	}
	assert.NilError(t, os.RemoveAll(p.Path("data")))
	p.Docker("start", p.Container("app")).Assert(t, icmd.Success)
	p.Memsys("rescue", "--yes").Assert(t, icmd.Success)
	p.Memsys("up", "--detach").Assert(t, icmd.Success)
	assert.Assert(t, p.knows("app", "/data/memory.json"))
}
