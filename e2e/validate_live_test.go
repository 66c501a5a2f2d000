//go:build e2e && unix

package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/icmd"
	"gotest.tools/v3/poll"
)

// looks is what docker memsys validate says of data.
type looks struct {
	Status  string
	Seconds float64
	Results []struct {
		Check    struct{ ID string }
		Status   string
		Checked  int
		Findings []struct{ Status, Source, Path, Object, Text string }
	}
	Copies []struct {
		Mode    string
		Tries   int
		Longest float64
		Held    []struct{ Mode string }
	}
}

// validateData looks at the data, live or in a backup, with an exit code.
func validateData(t *testing.T, p *Project, code int, args ...string) looks {
	t.Helper()
	result := p.Memsys(append([]string{"validate", "--checks", "structure.readable,structure.sources,memories,databases,vectors,backups.bytes", "--format", "json"}, args...)...)
	assert.Equal(t, result.ExitCode, code, result.Combined())
	var l looks
	assert.NilError(t, json.Unmarshal([]byte(result.Stdout()), &l), result.Combined())
	return l
}

// checked is how many things a check has looked at.
func (l looks) checked(id string) int {
	for _, r := range l.Results {
		if r.Check.ID == id {
			return r.Checked
		}
	}
	return 0
}

// finds tells whether a file is named with a status.
func (l looks) finds(status, path string) bool {
	for _, r := range l.Results {
		for _, f := range r.Findings {
			if f.Status == status && f.Path == path {
				return true
			}
		}
	}
	return false
}

// newLooked is a project of a furious writer, with a folder of its own for private copies, of which nothing may be left.
func newLooked(t *testing.T) (p *Project, scratch string) {
	t.Helper()
	p = newWriter(t, "atomic,inplace,lines,wal,rollback", "atomic.json", "inplace.json", "lines.jsonl", "wal.db", "delete.db")
	scratch = t.TempDir()
	p.Setenv("TMPDIR", scratch)
	return p, scratch
}

func isEmpty(t *testing.T, dir string) {
	t.Helper()
	left, err := os.ReadDir(dir)
	assert.NilError(t, err)
	assert.Equal(t, len(left), 0, "%v", left)
}

// TestAFuriousWriterIsNoDamage: neither what is read as it is, nor what is copied; directly and through a helper.
func TestAFuriousWriterIsNoDamage(t *testing.T) {
	rounds, _ := Campaign(t, 50, 4)
	p, scratch := newLooked(t)
	for round := range rounds {
		p.Setenv("MEMSYS_HELPER", []string{"auto", "always"}[round%2])
		l := validateData(t, p, 0)
		assert.Assert(t, l.checked("databases.integrity") == 2, "%+v", l)
		assert.Assert(t, len(l.Copies) > 0 && l.Copies[0].Mode != "none", "%+v", l.Copies)
		assert.Equal(t, p.State("writer"), "running")
	}
	for range rounds {
		result := p.Memsys("validate", "--no-pause", "--checks", "databases")
		assert.Assert(t, result.ExitCode == 0 || result.ExitCode == 3, result.Combined()) // what keeps changing is not checked
	}
	isEmpty(t, scratch)
	p.nothingOfHelpersIsLeft()
}

// TestPlantedDamageIsFoundWhileOthersWrite: live, through a helper, without a hold, and in a backup; nothing that is looked at changes.
func TestPlantedDamageIsFoundWhileOthersWrite(t *testing.T) {
	p, scratch := newLooked(t)
	page := 4096
	p.Compose("stop").Assert(t, icmd.Success)
	content := []byte(p.Read("data/delete.db"))
	for i := range page {
		content[len(content)-page+i] = 0xff
	}
	p.Write("data/quiet.db", string(content))
	before, err := os.Stat(p.Path("data", "quiet.db"))
	assert.NilError(t, err)
	p.Compose("start").Assert(t, icmd.Success)
	for _, args := range [][]string{{}, {"--no-pause"}, {"--depth", "quick"}} {
		l := validateData(t, p, 4, args...)
		assert.Assert(t, l.finds("damaged", "quiet.db"), "%v: %+v", args, l)
		assert.Assert(t, !l.finds("damaged", "delete.db") && !l.finds("damaged", "wal.db"), "%v: %+v", args, l)
		assert.Assert(t, len(l.Copies) == 2, "damage counts only if two copies show it")
	}
	p.Setenv("MEMSYS_HELPER", "always")
	assert.Assert(t, validateData(t, p, 4).finds("damaged", "quiet.db"))
	p.Setenv("MEMSYS_HELPER", "auto")
	after, err := os.Stat(p.Path("data", "quiet.db"))
	assert.NilError(t, err)
	assert.Assert(t, after.ModTime().Equal(before.ModTime()) && p.Read("data/quiet.db") == string(content), "it was changed")

	archive := p.Backup("--validate", "none")
	assert.Assert(t, validateData(t, p, 4, archive).finds("damaged", "quiet.db"))
	Code(t, p.Memsys("validate", "latest"), 8, "no backup") // it is never latest again
	isEmpty(t, scratch)
}

// TestAValidationKilledWhileItHoldsLeavesNothing: the service runs again at once, and the next command removes the copy.
func TestAValidationKilledWhileItHoldsLeavesNothing(t *testing.T) {
	rounds, random := Campaign(t, 30, 3)
	p, scratch := newLooked(t)
	for range rounds {
		killed := p.Start(PluginPath(), "validate", "--checks", "databases", "--progress", "plain")
		after := time.Duration(random.IntN(60)) * time.Millisecond
		killed.WaitFor("pause writer")
		killed.KillAfter(after)
		poll.WaitOn(t, func(poll.LogT) poll.Result {
			if state := p.State("writer"); state != "running" {
				return poll.Continue("the writer is %s", state)
			}
			return poll.Success()
		}, poll.WithTimeout(resumeLimit))
		result := p.Memsys("validate", "--checks", "databases")
		result.Assert(t, icmd.Success)
		isEmpty(t, scratch)
	}
}

// TestAFullFolderForCopiesIsSaid: and nobody stays held.
func TestAFullFolderForCopiesIsSaid(t *testing.T) {
	p, _ := newLooked(t)
	small := filepath.Join(t.TempDir(), "small")
	assert.NilError(t, os.Mkdir(small, 0o700))
	Tmpfs(t, small, "64k")
	p.Setenv("TMPDIR", small)
	result := p.Memsys("validate", "--checks", "databases")
	Code(t, result, 1, "the folder for temporary files", "TMPDIR")
	assert.Equal(t, p.State("writer"), "running")
	isEmpty(t, small)
	assert.Assert(t, !strings.Contains(result.Combined(), "panic"))
}
