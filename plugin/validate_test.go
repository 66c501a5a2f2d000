package plugin

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"os"
	"path/filepath"
	"testing"
	"time"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/golden"

	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/inventory"
	"github.com/memsys/docker-memsys/internal/journal"
	"github.com/memsys/docker-memsys/internal/validate"
)

// sampleReport has a result of every status, and names that want to be escaped.
func sampleReport() *validate.Report {
	check := func(id, title string) inventory.Check { return inventory.Check{ID: id, Title: title} }
	find := func(c inventory.Check, status inventory.Status, f inventory.Finding) []inventory.Finding {
		f.Check, f.Status = c.ID, status
		return []inventory.Finding{f}
	}
	files, tables, health := check("memories.json", "JSON memory files"), check("databases.integrity", "SQLite tables"), check("connections.health", "health of the services")
	return &validate.Report{
		Project: "notes", Began: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC), Seconds: 1.5, Depth: inventory.Full, Status: inventory.Damaged,
		Inventories: map[string]inventory.Inventory{"data": {Files: 3, Collections: []inventory.Collection{{Kind: inventory.KindJSON, Name: ".", Records: 12}}}},
		Results: []inventory.Result{
			{Check: files, Source: "data", Status: inventory.Damaged, Checked: 3, More: 2, Findings: find(files, inventory.Damaged, inventory.Finding{
				Source: "data", Path: "a <b>&\x1b[31m.json", Line: 3, Column: 7, Text: "ends in the middle of a string",
			})},
			{Check: files, Source: "more", Status: inventory.OK, Checked: 1},
			{Check: tables, Source: "data", Status: inventory.Unchecked, Why: "volume cache is out of reach", Findings: find(tables, inventory.Unchecked, inventory.Finding{
				Source: "data", Path: "x.db", Object: "t", Text: "it is written to while it is read",
			})},
			{Check: health, Status: inventory.Warning, Findings: find(health, inventory.Warning, inventory.Finding{Object: "http://localhost:3000/health", Text: "answers 503"})},
		},
	}
}

func TestAReportForAPerson(t *testing.T) {
	var out bytes.Buffer
	a := newApp(&world{Out: stream{Writer: &out}, Err: stream{Writer: &out}})
	assert.NilError(t, a.printValidation(sampleReport(), validateOptions{}))
	golden.Assert(t, out.String(), "validate.txt")
}

func TestAJUnitReport(t *testing.T) {
	for failOn, name := range map[string]string{failOnDamaged: "validate.junit.xml", failOnWarning: "validate.warnings.junit.xml"} {
		var out bytes.Buffer
		a := newApp(&world{Out: stream{Writer: &out}, Err: stream{Writer: &out}})
		assert.NilError(t, a.printValidation(sampleReport(), validateOptions{format: formatJUnit, failOn: failOn}))
		golden.Assert(t, out.String(), name)
		assert.NilError(t, xml.Unmarshal(out.Bytes(), &junitReport{}))
	}
}

func TestHowAValidationEnds(t *testing.T) {
	for name, c := range map[string]struct {
		spoil  func(*validate.Report)
		failOn string
		code   int
		hint   string
	}{
		"damaged": {func(*validate.Report) {}, failOnDamaged, exitDamaged, `docker memsys restore --last-good --source data --path 'a <b>&\x1b[31m.json'`},
		"several damaged files": {func(r *validate.Report) {
			r.Results[2].Findings[0].Status = inventory.Damaged
		}, failOnDamaged, exitDamaged, `docker memsys validate --repair, or docker memsys restore --last-good --source data --path 'a <b>&\x1b[31m.json'`},
		"not read":                {func(r *validate.Report) { r.Results, r.Status = r.Results[1:], inventory.Warning }, failOnDamaged, exitIncomplete, ""},
		"a warning":               {func(r *validate.Report) { r.Results, r.Status = r.Results[3:], inventory.Warning }, failOnDamaged, exitDone, ""},
		"a warning that counts":   {func(r *validate.Report) { r.Results, r.Status = r.Results[3:], inventory.Warning }, failOnWarning, exitDamaged, "docker memsys validate --format json has all of it"},
		"damage in a backup":      {func(r *validate.Report) { r.Backup = "b" }, failOnDamaged, exitDamaged, "docker memsys list: latest is a backup in which no damage was found"},
		"damaged bytes of backup": {func(r *validate.Report) { r.Backup, r.Results[0] = "b", *validate.BytesResult("b", []string{"x"}) }, failOnDamaged, exitDamaged, "docker memsys verify b, and restore from a backup that is verified: docker memsys list"},
	} {
		t.Run(name, func(t *testing.T) {
			r := sampleReport()
			c.spoil(r)
			opts := validateOptions{failOn: c.failOn}
			v := judge(opts.validated(r), false, false)
			assert.Equal(t, v.Code, c.code, v.Message)
			assert.Equal(t, v.Hint, c.hint)
		})
	}
}

// TestWhatAKilledValidationLeftGoesWithTheNext: that of one at work stays, and so does what is nobody's of ours.
func TestWhatAKilledValidationLeftGoesWithTheNext(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	a := newApp(&world{Now: time.Now, UID: os.Getuid()})
	own, err := a.makeScratch()
	assert.NilError(t, err)
	info, err := os.Stat(own)
	assert.NilError(t, err)
	assert.Equal(t, info.Mode().Perm(), os.FileMode(0o700))

	dead, err := os.MkdirTemp("", scratchPrefix)
	assert.NilError(t, err)
	holder := journal.Self("docker memsys validate", time.Now())
	holder.Start = "long ago"
	text, err := json.Marshal(holder)
	assert.NilError(t, err)
	assert.NilError(t, os.WriteFile(filepath.Join(dead, scratchHolder), text, 0o600))
	unmarked, err := os.MkdirTemp("", scratchPrefix)
	assert.NilError(t, err)

	next, err := a.makeScratch() // as diff and restore --last-good do too
	assert.NilError(t, err)
	left, err := filepath.Glob(filepath.Join(os.TempDir(), "*"))
	assert.NilError(t, err)
	assert.Equal(t, len(left), 3, "%v", left)
	assert.NilError(t, removeScratch(next))
	later := time.Now().Add(2 * strayTime)
	a.world.Now = func() time.Time { return later }
	a.sweepScratch()
	_, err = os.Stat(unmarked)
	assert.ErrorIs(t, err, os.ErrNotExist)
	_, err = os.Stat(own)
	assert.NilError(t, err, "it is at work")
	assert.NilError(t, removeScratch(own))
}

func TestAFolderForCopiesThatCannotBeWrittenIsNamed(t *testing.T) {
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "gone"))
	_, err := newApp(&world{Now: time.Now}).makeScratch()
	v := judge(err, false, false)
	assert.Equal(t, v.Code, exitFailed)
	assert.Equal(t, v.Hint, "free some room there, or name another folder in the variable TMPDIR")
}

// TestSomebodyIsHeldStillOnlyWhereSomebodyWrites: a lock is taken for that alone.
func TestSomebodyIsHeldStillOnlyWhereSomebodyWrites(t *testing.T) {
	s, fake := openTestSession(t)
	data := filepath.Join(s.WorkingDir, "data")
	fake.AddVolume(engine.Volume{Name: "other", Driver: "local", Mountpoint: "/volumes/other"})
	fake.AddVolume(engine.Volume{
		Name: "bound", Driver: "local", Mountpoint: "/volumes/bound", Options: map[string]string{"type": "none", "o": "bind", "device": data},
	})
	for name, c := range map[string]struct {
		state engine.State
		mount engine.Mount
		want  bool
	}{
		"writes":      {engine.Running, engine.Mount{Type: "bind", Source: data}, true},
		"the parent":  {engine.Restarting, engine.Mount{Type: "bind", Source: s.WorkingDir}, true},
		"reads":       {engine.Running, engine.Mount{Type: "bind", Source: data, ReadOnly: true}, false},
		"elsewhere":   {engine.Running, engine.Mount{Type: "bind", Source: filepath.Join(s.WorkingDir, "data2")}, false},
		"is stopped":  {engine.Exited, engine.Mount{Type: "bind", Source: data}, false},
		"by a volume": {engine.Running, engine.Mount{Type: "volume", Name: "bound", Source: "/volumes/bound"}, true},
		"some volume": {engine.Running, engine.Mount{Type: "volume", Name: "other", Source: "/volumes/other"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			s.Containers = []engine.Container{{ID: "1", State: c.state, Mounts: []engine.Mount{c.mount}}}
			assert.Equal(t, s.mayHold(t.Context()), c.want)
		})
	}
	s.Config.Quiesce = "none"
	assert.Assert(t, !s.mayHold(t.Context()))
}
