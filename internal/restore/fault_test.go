package restore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/engine/enginetest"
	"github.com/memsys/docker-memsys/internal/journal"
	"github.com/memsys/docker-memsys/internal/quiesce"
	"github.com/memsys/docker-memsys/internal/tree/treetest"
)

// eventful is a project with something of everything that a restore meets: kept entries at several depths, the backups directory inside
// a source, a single file, a source that is gone, a running, a stopped and an unconcerned container.
type eventful struct {
	*bed
	path             string // of the archive
	app, web, off    string // containers
	data, conf, lost string // sources
}

func newEventful(t *testing.T) *eventful {
	t.Helper()
	e := &eventful{bed: newBed(t)}
	e.data, e.conf, e.lost = e.source("data"), e.source("conf.yaml"), e.source("lost")
	write(t, e.data, "a.json", "1", "b/c.json", "2", "b/d/e.json", "3", "b/d/kept.log", "log", "logs/today", "log",
		"old/only", "4", "gone/x", "5", "links/one", "6", "empty/", "")
	assert.NilError(t, os.Link(e.data+"/links/one", e.data+"/links/two"))
	assert.NilError(t, os.Symlink("nowhere", e.data+"/links/dangling"))
	write(t, e.dir, "conf.yaml", "before: true\n", "lost/deep/file", "7")
	assert.NilError(t, os.Mkdir(e.data+"/backups", 0o700))
	e.backupsIn = e.data + "/backups"
	e.path = e.backup(t)
	clone(t, e.data, e.bed.path("new-data"))
	clone(t, e.conf, e.bed.path("new-conf.yaml"))
	clone(t, e.lost, e.bed.path("new-lost"))

	assert.NilError(t, os.RemoveAll(e.data+"/gone"))
	assert.NilError(t, os.RemoveAll(e.lost))
	write(t, e.data, "a.json", "changed", "extra/y", "new", "b/d/e.json", "changed too", "b/new.json", "n")
	write(t, e.dir, "conf.yaml", "after: longer than before\n")
	clone(t, e.data, e.bed.path("old-data"))
	clone(t, e.conf, e.bed.path("old-conf.yaml"))
	e.app = e.bed.app("app", e.data, e.conf)
	e.web = e.bed.app("web", e.dir)
	e.off = e.engine.Add(engine.Container{Project: "notes", Service: "job", Number: "1", State: engine.Exited})
	return e
}

// state tells which state the data is in: old, new, or a list of differences to both.
func (e *eventful) state() string {
	isOld := append(treetest.Diff(e.bed.path("old-data"), e.data), treetest.Diff(e.bed.path("old-conf.yaml"), e.conf)...)
	if _, err := os.Lstat(e.lost); err == nil {
		isOld = append(isOld, "lost is there")
	}
	isNew := append(treetest.Diff(e.bed.path("new-data"), e.data), treetest.Diff(e.bed.path("new-conf.yaml"), e.conf)...)
	isNew = append(isNew, treetest.Diff(e.bed.path("new-lost"), e.lost)...)
	switch {
	case len(isOld) == 0:
		return "old"
	case len(isNew) == 0:
		return "new"
	}
	return fmt.Sprintf("neither old (%q) nor new (%q)", isOld, isNew)
}

func (e *eventful) checkServices(t *testing.T) {
	t.Helper()
	assert.Equal(t, e.engine.State(e.app), engine.Running)
	assert.Equal(t, e.engine.State(e.web), engine.Running)
	assert.Equal(t, e.engine.State(e.off), engine.Exited)
}

// recover does what the next command does: it ends what is on record. It returns whether something was.
func (e *eventful) recover(t *testing.T) bool {
	t.Helper()
	j := e.openJournal(t)
	pending, err := j.Pending()
	assert.NilError(t, err)
	if pending == nil {
		return false
	}
	recoverPending(t, e.bed, j, pending)
	return true
}

func recoverPending(t *testing.T, b *bed, j *journal.Journal, pending *journal.Interrupted) {
	t.Helper()
	rec, err := PlanRecovery(pending.Steps)
	assert.NilError(t, err)
	if rec != nil {
		assert.NilError(t, b.runner(j).Recover(t.Context(), rec))
	}
	again, err := j.Pending()
	assert.NilError(t, err)
	_, err = quiesce.Recover(t.Context(), b.engine, again.Steps)
	assert.NilError(t, err)
	assert.NilError(t, j.End("recovered"))
}

// failing is a journal whose steps fail from a number on; 0 never.
type failing struct {
	Journal
	n, from int
	once    bool
}

var errPlanted = errors.New("planted")

func (f *failing) Step(name string, data any) error {
	f.n++
	if f.from > 0 && (f.n == f.from || f.n > f.from && !f.once) {
		return fmt.Errorf("%s: %w", name, errPlanted)
	}
	return f.Journal.Step(name, data)
}

func (e *eventful) run(t *testing.T, change func(*Runner)) (*Result, error) {
	t.Helper()
	p, err := prepare(t, e.request(t, e.path))
	assert.NilError(t, err)
	assert.Equal(t, len(p.Refusals), 0, "%v", p.Refusals)
	j := e.openJournal(t)
	assert.NilError(t, j.Begin("restore", nil))
	r := e.runner(j)
	if change != nil {
		change(r)
	}
	return r.Run(t.Context(), p)
}

func TestUndisturbedRestoreReachesTheNewState(t *testing.T) {
	e := newEventful(t)
	res, err := e.run(t, nil)
	assert.NilError(t, err)
	assert.Equal(t, e.state(), "new")
	assert.Assert(t, res.Complete)
	e.checkServices(t)
	assert.Assert(t, e.recover(t), "the command ends the record, not the operation")
	assert.Equal(t, e.state(), "new")
	e.checkServices(t)
}

// outcome checks a failed run: everything is as it was, or the next command brings it there.
func (e *eventful) outcome(t *testing.T, err error) {
	t.Helper()
	var reverted *RevertedError
	var stuck *StuckError
	switch {
	case errors.As(err, &reverted):
		assert.Equal(t, e.state(), "old")
		e.checkServices(t)
	case errors.As(err, &stuck):
	default:
		t.Fatalf("unexpected outcome %v", err)
	}
	e.recover(t)
	state := e.state()
	assert.Assert(t, state == "old" || state == "new", state)
	e.checkServices(t)
}

func TestEveryFailingRecordPutsEverythingBack(t *testing.T) {
	for _, once := range []bool{true, false} {
		for n := 1; ; n++ {
			e := newEventful(t)
			f := &failing{from: n, once: once}
			_, err := e.run(t, func(r *Runner) { f.Journal = r.Journal; r.Journal = f })
			if f.n < n {
				assert.NilError(t, err)
				assert.Assert(t, n > 8, "too few steps: %d", n)
				break
			}
			assert.ErrorIs(t, err, errPlanted, "step %d", n)
			e.outcome(t, err)
		}
	}
}

func TestEveryFailingMovePutsEverythingBack(t *testing.T) {
	for n := 1; ; n++ {
		e := newEventful(t)
		moves := 0
		_, err := e.run(t, func(r *Runner) {
			r.onMove = func() error {
				if moves++; moves == n {
					return errPlanted
				}
				return nil
			}
		})
		if moves < n {
			assert.NilError(t, err)
			assert.Assert(t, n > 8, "too few moves: %d", n)
			return
		}
		var reverted *RevertedError
		assert.Assert(t, errors.As(err, &reverted), "move %d: %v", n, err)
		e.outcome(t, err)
	}
}

func TestEveryFailingCallOfTheEnginePutsEverythingBack(t *testing.T) {
	for _, after := range []bool{false, true} {
		for n := int64(1); ; n++ {
			e := newEventful(t)
			var calls atomic.Int64
			hook := func(enginetest.Call) error {
				if calls.Add(1) == n {
					return errPlanted
				}
				return nil
			}
			_, err := e.run(t, func(*Runner) {
				if after {
					e.engine.After(hook)
				} else {
					e.engine.Before(hook)
				}
			})
			e.engine.Before(nil)
			e.engine.After(nil)
			if calls.Load() < n {
				assert.NilError(t, err)
				assert.Assert(t, n > 5, "too few calls: %d", n)
				break
			}
			if err == nil { // a call on the way back is tried again
				assert.Equal(t, e.state(), "new")
				e.checkServices(t)
				continue
			}
			e.outcome(t, err)
		}
	}
}

func TestFailingSafetyBackupPutsEverythingBack(t *testing.T) {
	e := newEventful(t)
	_, err := e.run(t, func(r *Runner) {
		r.Safety = func(context.Context) (Saved, error) { return Saved{}, errPlanted }
	})
	assert.ErrorIs(t, err, errPlanted)
	e.outcome(t, err)
	assert.Equal(t, e.state(), "old")
}

func TestInterruptionPutsEverythingBack(t *testing.T) {
	e := newEventful(t)
	p, err := prepare(t, e.request(t, e.path))
	assert.NilError(t, err)
	j := e.openJournal(t)
	assert.NilError(t, j.Begin("restore", nil))
	ctx, cancel := context.WithCancel(t.Context())
	r := e.runner(j)
	r.onMove = func() error { cancel(); return nil }
	_, err = r.Run(ctx, p)
	assert.ErrorIs(t, err, context.Canceled)
	e.outcome(t, err)
	assert.Equal(t, e.state(), "old")
}
