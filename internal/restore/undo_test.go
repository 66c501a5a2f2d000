package restore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/journal"
	"github.com/memsys/docker-memsys/internal/tree"
	"github.com/memsys/docker-memsys/internal/tree/treetest"
)

// records are those of the bed's project.
func (b *bed) records() Records { return Records{Dir: b.path("records")} }

// recorded is a runner that keeps records, as the command's does.
func (b *bed) recorded(j Journal) *Runner {
	r := b.runner(j)
	r.Keep, r.Forget = b.records().Save, b.records().Drop
	return r
}

// lastRecord is the record of the last restore.
func (b *bed) lastRecord(t *testing.T) Record {
	t.Helper()
	all, err := b.records().List()
	assert.NilError(t, err)
	assert.Assert(t, len(all) > 0, "no restore is on record")
	return all[0]
}

// undoRequest asks for the undo of the last restore.
func (b *bed) undoRequest(t *testing.T) Request {
	t.Helper()
	rec := b.lastRecord(t)
	req := b.request(t, "")
	req.Backup = Backup{}
	if rec.NeedsBackup() {
		req.Backup = Backup{Name: rec.Safety.Name, Path: rec.Safety.Path}
	}
	b.undos++
	req.Undo, req.ID = &rec, fmt.Sprintf("undo%d", b.undos)
	return req
}

func prepareUndo(t *testing.T, req Request) (*Plan, error) {
	t.Helper()
	if req.Backup.Path != "" {
		return prepare(t, req)
	}
	return Prepare(t.Context(), nil, req)
}

// do plans and runs with a journal that is ended, and records.
func (b *bed) do(t *testing.T, req Request) *Result {
	t.Helper()
	p, err := prepareUndo(t, req)
	assert.NilError(t, err)
	assert.Equal(t, len(p.Refusals), 0, "%v", p.Refusals)
	j := b.openJournal(t)
	assert.NilError(t, j.Begin("restore", nil))
	res, err := b.recorded(j).Run(t.Context(), p)
	assert.NilError(t, err)
	assert.NilError(t, errors.Join(j.End("done"), j.Close()))
	return res
}

// TestUndoGoesBackAndForth: from the safety backup, and again.
func TestUndoGoesBackAndForth(t *testing.T) {
	e := newEventful(t)
	e.do(t, e.request(t, e.path))
	assert.Equal(t, e.state(), "new")
	for _, want := range []string{"old", "new", "old"} {
		res := e.do(t, e.undoRequest(t))
		assert.Assert(t, res.Complete, "%+v %+v", res.Problems, res.Skipped)
		if want == "old" { // the source that did not exist stays, empty
			entries, err := os.ReadDir(e.lost)
			assert.NilError(t, err)
			assert.Equal(t, len(entries), 0)
			assert.NilError(t, os.Remove(e.lost))
		}
		assert.Equal(t, e.state(), want)
		if want == "old" {
			assert.NilError(t, os.Mkdir(e.lost, 0o755))
		}
		e.checkServices(t)
	}
}

// TestUndoFromWhatWasSetAside: no safety backup could be made. It goes forth again from what the undo has set aside.
func TestUndoFromWhatWasSetAside(t *testing.T) {
	e := newEventful(t)
	req := e.request(t, e.path)
	req.Only, req.NoSafety = []string{"data", "conf.yaml"}, "no space"
	write(t, e.dir, "lost/deep/file", "7")
	e.do(t, req)
	assert.Assert(t, len(treetest.Diff(e.bed.path("old-data"), e.data)) > 0)
	for i := range 4 {
		found, err := FindAside(t.Context(), e.places())
		assert.NilError(t, err)
		assert.Equal(t, len(found), 2, "%+v", found)
		undo := e.undoRequest(t)
		undo.NoSafety = "no space"
		res := e.do(t, undo)
		assert.Assert(t, res.Complete, "%+v %+v", res.Problems, res.Skipped)
		want := map[bool]string{true: "old", false: "new"}[i%2 == 0]
		e.without(t, ".memsys-", func() {
			same(t, e.bed.path(want+"-data"), e.data)
			same(t, e.bed.path(want+"-conf.yaml"), e.conf)
		})
		e.checkServices(t)
	}
}

// places are the sources of the bed.
func (b *bed) places() []Place {
	var all []Place
	for _, s := range b.sources {
		all = append(all, Place{Source: s.Name, Root: s.Path})
	}
	return all
}

// without looks at the data with the folders of entries set aside out of the way.
func (e *eventful) without(t *testing.T, prefix string, look func()) {
	t.Helper()
	var before tree.Entry
	entry, err := tree.Lstat(e.data)
	assert.NilError(t, err)
	before = *entry
	found, err := filepath.Glob(filepath.Join(e.data, prefix+"*"))
	assert.NilError(t, err)
	for i, path := range found {
		assert.NilError(t, os.Rename(path, e.bed.path(fmt.Sprint("away", i))))
	}
	assert.NilError(t, os.Chtimes(e.data, before.ModTime, before.ModTime))
	look()
	for i, path := range found {
		assert.NilError(t, os.Rename(e.bed.path(fmt.Sprint("away", i)), path))
	}
	assert.NilError(t, os.Chtimes(e.data, before.ModTime, before.ModTime))
}

// TestUndoOfAPartialRestoreTouchesNothingElse: what the restore added goes, what others did since in the rest stays.
func TestUndoOfAPartialRestoreTouchesNothingElse(t *testing.T) {
	for _, aside := range []string{"", "no space"} {
		b := newBed(t)
		root := b.source("data")
		write(t, root, "memories/a.json", "1", "memories/gone.json", "1", "deep/er/b.json", "1", "rest", "1")
		path := b.backup(t)
		assert.NilError(t, errors.Join(os.RemoveAll(root+"/deep"), os.Remove(root+"/memories/gone.json")))
		write(t, root, "memories/a.json", "2", "memories/only-now.json", "2", "rest", "2")
		req := b.request(t, path)
		req.Paths, req.NoSafety = []string{"*.json"}, aside
		b.do(t, req)
		assert.Equal(t, read(t, root, "memories/a.json")+read(t, root, "memories/gone.json")+read(t, root, "deep/er/b.json"), "111")
		write(t, root, "rest", "3", "later", "3", "memories/later.txt", "3")

		undo := b.undoRequest(t)
		undo.NoSafety = aside
		res := b.do(t, undo)
		assert.Assert(t, res.Complete, "%+v", res)
		assert.Equal(t, read(t, root, "memories/a.json"), "2")
		gone(t, root, "memories/gone.json")
		gone(t, root, "deep")
		assert.Equal(t, read(t, root, "memories/only-now.json"), "2")
		assert.Equal(t, read(t, root, "rest")+read(t, root, "later")+read(t, root, "memories/later.txt"), "333")

		again := b.undoRequest(t)
		again.NoSafety = aside
		b.do(t, again)
		assert.Equal(t, read(t, root, "memories/a.json")+read(t, root, "memories/gone.json")+read(t, root, "deep/er/b.json"), "111")
		assert.Equal(t, read(t, root, "rest")+read(t, root, "later"), "33")
	}
}

// TestUndoTellsWhatWasChangedSince, and where that cannot be told.
func TestUndoTellsWhatWasChangedSince(t *testing.T) {
	b := newBed(t)
	root := b.source("data")
	write(t, root, "a", "1", "b", "1", "sub/c", "1", "logs/x", "1")
	path := b.backup(t)
	write(t, root, "a", "2")
	req := b.request(t, path)
	req.Backup.ID = "0123456789abcdef0123456789abcdef"
	b.do(t, req)
	p, err := prepareUndo(t, b.undoRequest(t))
	assert.NilError(t, err)
	assert.Equal(t, len(p.ChangedSince), 0, "%+v", p.ChangedSince)

	assert.NilError(t, os.Remove(root+"/b"))
	write(t, root, "a", "longer", "sub/new", "x", "logs/y", "2")
	p, err = prepareUndo(t, b.undoRequest(t))
	assert.NilError(t, err)
	assert.DeepEqual(t, p.ChangedSince, []Since{{Source: "data", Paths: []string{"a", "b", "sub/new"}}})

	assert.NilError(t, os.Remove(path))
	p, err = prepareUndo(t, b.undoRequest(t))
	assert.NilError(t, err)
	assert.Assert(t, p.ChangedSince[0].Unknown != "")
}

func TestNothingToUndoWith(t *testing.T) {
	b := newBed(t)
	root := b.source("data")
	write(t, root, "a", "1")
	path := b.backup(t)
	write(t, root, "a", "2")
	var none *NoUndoError

	req := b.request(t, path)
	req.Safety = false
	b.do(t, req)
	_, err := prepareUndo(t, b.undoRequest(t))
	assert.Assert(t, errors.As(err, &none), "%v", err)
	assert.ErrorContains(t, err, "--no-safety-backup")

	req.ID, req.Safety, req.NoSafety = "test2", true, "no space"
	write(t, root, "a", "3")
	b.do(t, req)
	found, err := FindAside(t.Context(), b.places())
	assert.NilError(t, err)
	assert.Equal(t, len(found), 1)
	before, err := os.Stat(root)
	assert.NilError(t, err)
	assert.NilError(t, RemoveAside(t.Context(), found[0]))
	after, err := os.Stat(root)
	assert.NilError(t, err)
	assert.Equal(t, after.ModTime(), before.ModTime())
	_, err = prepareUndo(t, b.undoRequest(t))
	assert.Assert(t, errors.As(err, &none), "%v", err)
	assert.ErrorContains(t, err, "is gone")
}

// TestARestoreThatFailsLeavesNoRecord: the one before counts.
func TestARestoreThatFailsLeavesNoRecord(t *testing.T) {
	e := newEventful(t)
	p, err := prepare(t, e.request(t, e.path))
	assert.NilError(t, err)
	j := e.openJournal(t)
	assert.NilError(t, j.Begin("restore", nil))
	r := e.recorded(j)
	kept := 0
	r.Keep = func(rec Record) error {
		kept++
		return errors.Join(e.records().Save(rec), errPlanted)
	}
	_, err = r.Run(t.Context(), p)
	assert.ErrorIs(t, err, errPlanted)
	assert.Equal(t, kept, 1)
	assert.Equal(t, e.state(), "old")
	all, err := e.records().List()
	assert.NilError(t, err)
	assert.Equal(t, len(all), 0)
}

func TestRecordsAreOrderedAndFew(t *testing.T) {
	r := Records{Dir: filepath.Join(t.TempDir(), "records")}
	for i := range 8 {
		assert.NilError(t, r.Save(Record{ID: fmt.Sprint("id", i)})) // all at the same time
	}
	all, err := r.List()
	assert.NilError(t, err)
	assert.Equal(t, len(all), recordsKept)
	assert.Equal(t, all[0].ID, "id7")
	assert.NilError(t, os.WriteFile(filepath.Join(r.Dir, "id9.json"), []byte(`{"version":9,"id":"id9"}`), 0o600))
	all, err = r.List()
	assert.NilError(t, err)
	assert.Equal(t, all[0].ID, "id7")
	damaged, err := r.Damaged()
	assert.NilError(t, err)
	assert.DeepEqual(t, damaged, []string{filepath.Join(r.Dir, "id9.json")})
}

func TestAsideIsDueAfterAGoodBackupAndAWeek(t *testing.T) {
	a := Aside{Time: now()}
	week := now().Add(AsideTime)
	assert.Assert(t, !a.Due(week, now().Add(-1)), "the backup is older")
	assert.Assert(t, !a.Due(week.Add(-1), week), "too young")
	assert.Assert(t, a.Due(week, now().Add(1)))
	a.Unknown = true
	assert.Assert(t, !a.Due(week, week))
}

// undoVictim is an undo that can be killed, failed and recovered, from the safety backup and from what was set aside.
func (e *eventful) undone(t *testing.T, aside string) Request {
	t.Helper()
	req := e.request(t, e.path)
	req.Only, req.NoSafety = []string{"data", "conf.yaml"}, aside
	write(t, e.dir, "lost/deep/file", "7")
	e.do(t, req)
	undo := e.undoRequest(t)
	undo.NoSafety = aside
	return undo
}

// TestEveryFailingStepOfAnUndoPutsEverythingBack: with a journal that fails from a step on and then works again, and one that stays broken
// until the next command. Each undo begins where the one before, which failed, was put back to: what was set aside is there for it.
func TestEveryFailingStepOfAnUndoPutsEverythingBack(t *testing.T) {
	for _, aside := range []string{"", "no space"} {
		for _, once := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s once %v", aside, once), func(t *testing.T) {
				t.Parallel()
				e := newEventful(t)
				e.undone(t, aside)
				at := "new"
				for n := 1; ; n++ {
					var failed bool
					if at, failed = e.failingUndo(t, aside, &failing{from: n, once: once}, at); !failed {
						assert.Assert(t, n > 8, "too few steps: %d", n)
						return
					}
				}
			})
		}
	}
}

// failingUndo undoes the last restore with a journal that fails and recovers; it returns the state that the data is in, and whether a step
// has failed. Data and record agree: the undo is on record where it counts, else the restore before it is.
func (e *eventful) failingUndo(t *testing.T, aside string, f *failing, at string) (string, bool) {
	t.Helper()
	req := e.undoRequest(t)
	req.NoSafety = aside
	p, err := prepareUndo(t, req)
	assert.NilError(t, err)
	j := e.openJournal(t)
	assert.NilError(t, j.Begin("restore", nil))
	f.Journal = j
	r := e.recorded(j)
	r.Journal, r.Quiescer = f, e.runner(f).Quiescer
	_, err = r.Run(t.Context(), p)
	failed := f.n >= f.from
	if failed {
		assert.ErrorIs(t, err, errPlanted)
	} else {
		assert.NilError(t, err)
	}
	assert.NilError(t, j.Close())
	e.recoverRecorded(t)
	if e.lastRecord(t).ID == req.ID {
		at = map[string]string{"old": "new", "new": "old"}[at]
	}
	e.isState(t, at, fmt.Sprintf("step %d, aside %q", f.from, aside))
	e.checkServices(t)
	return at, failed
}

// recoverRecorded is what the next command does.
func (e *eventful) recoverRecorded(t *testing.T) {
	t.Helper()
	j := e.openJournal(t)
	defer j.Close()
	pending, err := j.Pending()
	assert.NilError(t, err)
	if pending == nil {
		return
	}
	e.recoverWith(t, j, pending)
}

func (e *eventful) recoverWith(t *testing.T, j *journal.Journal, pending *journal.Interrupted) {
	t.Helper()
	rec, err := PlanRecovery(pending.Steps)
	assert.NilError(t, err)
	if rec != nil {
		assert.NilError(t, e.recorded(j).Recover(t.Context(), rec))
	}
	recoverPending(t, e.bed, j, pending)
}

// isState holds that the data is in a state, and that what the last record needs is there.
func (e *eventful) isState(t *testing.T, want, what string) {
	t.Helper()
	e.without(t, ".memsys-", func() {
		diff := append(treetest.Diff(e.bed.path(want+"-data"), e.data), treetest.Diff(e.bed.path(want+"-conf.yaml"), e.conf)...)
		assert.Equal(t, len(diff), 0, "%s: not %s: %q", what, want, diff)
	})
	for _, s := range e.lastRecord(t).Targets {
		if s.From == FromAside {
			assert.Assert(t, exists(filepath.Join(s.Aside, "old")), "%s: %s is gone", what, s.Aside)
		}
	}
}

// TestUndoOfASourceThatWasMade leaves it, empty: a container may be made of it.
func TestUndoOfASourceThatWasMade(t *testing.T) {
	e := newEventful(t)
	req := e.request(t, e.path)
	req.Only = []string{"lost"}
	e.do(t, req)
	assert.Equal(t, read(t, e.lost, "deep/file"), "7")
	e.do(t, e.undoRequest(t))
	entries, err := os.ReadDir(e.lost)
	assert.NilError(t, err)
	assert.Equal(t, len(entries), 0)
	e.do(t, e.undoRequest(t))
	assert.Equal(t, read(t, e.lost, "deep/file"), "7")
}
