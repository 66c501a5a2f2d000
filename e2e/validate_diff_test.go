//go:build e2e && unix

package e2e

import (
	"os"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/icmd"
)

// TestADiffWithLiveDataIsTheSameThroughAHelper: memories and rows of a database that somebody could write are compared, and the service runs on as before.
func TestADiffWithLiveDataIsTheSameThroughAHelper(t *testing.T) {
	NeedImage(t, Busybox)
	for _, way := range []string{"never", "always"} {
		t.Run(way, func(t *testing.T) {
			p := NewProject(t, boxFile(`["./home/data:/data", "./backups:/backups"]`, ""))
			assert.NilError(t, os.MkdirAll(p.Path("backups"), 0o755))
			p.Setenv("MEMSYS_HELPER", way)
			p.Write("home/data/memories/a.json", `{"id":"a"}`)
			p.Write("home/data/memories/b.json", `{"id":"b"}`)
			addDatabase(t, p)
			p.Up()
			p.Backup()
			Code(t, p.Memsys("diff", "--quiet", "latest"), 0)
			p.Write("home/data/memories/b.json", `{"id":"b","text":"edited"}`)
			assert.NilError(t, os.Remove(p.Path("home/data/memories/a.json")))
			query(t, p, "DELETE FROM notes WHERE id = 'note 7'")
			said := p.Memsys("diff", "latest").Assert(t, icmd.Success).Stdout()
			for _, line := range []string{"gone      data     a in memories/a.json", "changed   data     b in memories/b.json", "note 7 in extra/notes.db#notes"} {
				assert.Assert(t, strings.Contains(said, line), "%q:\n%s", line, said)
			}
			Code(t, p.Memsys("diff", "--quiet", "latest"), 9)
			p.Write("home/data/picture.bin", "1")
			p.Backup()
			Code(t, p.Memsys("diff", "--quiet", "latest"), 0)
			p.Write("home/data/picture.bin", "2")
			Code(t, p.Memsys("diff", "latest"), 0, "picture.bin")
			assert.Equal(t, string(p.State("app")), "running")
		})
	}
}
