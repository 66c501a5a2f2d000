//go:build e2e && unix

package e2e

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/icmd"
)

// A killed import, and a restore that is killed while it makes an archive of ours, leave nothing after recover: no temporary file, no
// half archive, and the data as it was or as the archive has it.
func TestKilledImportsLeaveNothing(t *testing.T) {
	p, above := newFormerProject(t)
	noise(t, rand.New(rand.NewPCG(7, 7)), p.Path("data/embeddings/v.bin"), 24<<20)
	file := filepath.Join(above, "former.tar.gz")
	run(t, above, nil, "tar", "-czf", file, "memory-system/data", "memory-system/docker-compose.yml").Assert(t, icmd.Success)
	whole := time.Now()
	p.Standalone("import", file).Assert(t, icmd.Success)
	took := time.Since(whole)
	hits := map[string]int{}
	rounds, random := Campaign(t, 60, 5)
	for _, moment := range moments(rounds, random) {
		verb := []string{"import", file}
		if random.IntN(2) == 0 {
			verb = []string{"restore", "--yes", file}
			p.Write("data/memories/m1.json", "changed")
		}
		victim := p.Start(PluginPath(), verb...)
		if _, hit := (weapon{}).strike(t, victim, verb[0], time.Duration(moment*float64(took))); hit {
			hits[verb[0]]++
		}
		p.Standalone("recover").Assert(t, icmd.Success)
		left, err := filepath.Glob(p.Path("backups", ".memory_backup_*"))
		assert.NilError(t, err)
		assert.Equal(t, len(left), 0, "%v", left)
		p.Standalone("verify", "--all").Assert(t, icmd.Success)
		m1 := p.Read("data/memories/m1.json")
		assert.Assert(t, m1 == "changed" || m1 == `{"id":1}`, m1)
		assert.Equal(t, p.State("app"), "running")
	}
	enough(t, rounds, hits)
	assert.NilError(t, os.RemoveAll(p.Path("backups")))
}
