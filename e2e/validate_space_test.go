//go:build e2e && unix

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/icmd"
)

// TestAFullDiskOfTheBackupsHidesNoGoodOne: the result of proving a backup cannot be kept there, and the newest good one is taken all the same.
func TestAFullDiskOfTheBackupsHidesNoGoodOne(t *testing.T) {
	p := Box(t, `["./data:/data"]`, "")
	p.Write("data/memories/a.json", `{"id":"a","text":"old"}`)
	p.Up()
	Tmpfs(t, p.Path("backups"), "1m")
	p.Backup()
	p.Write("data/memories/a.json", `{"id":"a","text":"new"}`)
	newest := p.Backup()
	p.Write("data/memories/a.json", `{"id":"a","te`)
	fill := run(t, "", nil, "dd", "if=/dev/zero", "of="+p.Path("backups", "fill"), "bs=1024", "count=4096")
	assert.Assert(t, strings.Contains(fill.Combined(), "No space left"), fill.Combined())
	Code(t, p.Memsys("validate", "--repair", "--yes"), 0, "restored "+filepath.Base(newest), "no safety backup can be made")
	assert.Equal(t, p.Read("data/memories/a.json"), `{"id":"a","text":"new"}`)
	assert.Equal(t, p.State("app"), "running")
	assert.NilError(t, os.Remove(p.Path("backups", "fill"))) // room for the audit log
	p.Memsys("restore", "--undo", "--yes").Assert(t, icmd.Success)
	assert.Equal(t, p.Read("data/memories/a.json"), `{"id":"a","te`)
}
