//go:build e2e && unix

package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/icmd"
	"gotest.tools/v3/poll"
)

// WriterImage is the image of the program that writes as fast as it can.
const WriterImage = "memsystest/writer:latest"

// writerProgram is the same program for this machine, to check copies.
func writerProgram() string { return filepath.Join(os.Getenv("DOCKER_CONFIG"), "tools", "writer") }

// newWriter is a project of one service that writes the subjects in the folder data, once all of them are there.
func newWriter(t *testing.T, what string, files ...string) *Project {
	t.Helper()
	NeedImage(t, WriterImage)
	p := NewProject(t, `
services:
  writer:
    image: `+WriterImage+`
    command: [-what, "`+what+`"]
    volumes: ["./data:/data"]
`)
	p.Write("data/.keep", "")
	p.Up()
	for _, file := range files {
		poll.WaitOn(t, func(poll.LogT) poll.Result {
			if info, err := os.Stat(p.Path("data", file)); err != nil || info.Size() == 0 {
				return poll.Continue("no %s yet", file)
			}
			return poll.Success()
		})
	}
	return p
}

// held is what a backup's JSON says of its holds.
type held struct {
	Path     string
	Complete bool
	Tries    int
	Seconds  struct{ Longest float64 }
	Held     []struct {
		Service, Mode    string
		Seconds, Longest float64
	}
}

// backupHeld makes a backup and returns what it says.
func backupHeld(t *testing.T, p *Project, mode string) held {
	t.Helper()
	result := p.Memsys("backup", "--quiesce", mode, "--format", "json")
	result.Assert(t, icmd.Success)
	var h held
	assert.NilError(t, json.Unmarshal([]byte(result.Stdout()), &h))
	return h
}

// checkCopy extracts an archive and lets the program look at it, which knows what may stand beside what.
func checkCopy(t *testing.T, p *Project, archive string) *icmd.Result {
	t.Helper()
	dir, err := os.MkdirTemp(t.TempDir(), "copy")
	assert.NilError(t, err)
	defer os.RemoveAll(dir)
	p.Run("tar", "-xzf", archive, "-C", dir).Assert(t, icmd.Success)
	return p.Run(writerProgram(), "check", filepath.Join(dir, "data", "data"))
}

// TestBackupsOfAFuriousWriterAreWhole: JSON replaced and JSON overwritten, lines appended, SQLite with a log and with a journal. Every
// backup must be as if the program had stopped between two changes, and the service must run after each.
func TestBackupsOfAFuriousWriterAreWhole(t *testing.T) {
	rounds, _ := Campaign(t, 50, 4)
	p := newWriter(t, "atomic,inplace,lines,wal,rollback", "atomic.json", "inplace.json", "lines.jsonl", "wal.db", "delete.db")
	var longest float64
	var tries, stops int
	for range rounds {
		h := backupHeld(t, p, "auto")
		assert.Assert(t, h.Complete)
		checkCopy(t, p, h.Path).Assert(t, icmd.Success)
		assert.Equal(t, p.State("writer"), "running")
		tries += h.Tries
		if h.Held[0].Mode == "stop" {
			stops++
			continue
		}
		longest = max(longest, h.Seconds.Longest)
		assert.NilError(t, os.Remove(h.Path))
	}
	t.Logf("%d backups, %d holds, %d ended by a stop; longest pause %.3f s", rounds, tries, stops, longest)
}

// TestWithoutAHoldCopiesAreTorn: the check above would see it.
func TestWithoutAHoldCopiesAreTorn(t *testing.T) {
	p := newWriter(t, "inplace,lines,wal,rollback", "inplace.json", "lines.jsonl", "wal.db", "delete.db")
	const rounds = 10
	var torn int
	for range rounds {
		result := p.Memsys("backup", "--quiesce", "none", "--format", "json")
		assert.Assert(t, slices.Contains([]int{0, 3, 4}, result.ExitCode), result.Combined()) // 4: the copy is seen to be torn
		assert.Assert(t, strings.Contains(result.Stderr(), "may write while its data is read"))
		var h held
		assert.NilError(t, json.Unmarshal([]byte(result.Stdout()), &h))
		if checkCopy(t, p, h.Path).ExitCode != 0 {
			torn++
		}
	}
	assert.Assert(t, torn > 0, "the writer is too tame: the test of whole backups shows nothing")
	t.Logf("%d of %d copies are torn", torn, rounds)
}
