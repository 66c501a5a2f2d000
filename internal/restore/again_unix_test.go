//go:build unix

package restore

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/tree"
)

// unable is a journal that cannot take one step.
type unable struct {
	Journal
	step string
}

func (u unable) Step(name string, data any) error {
	if name == u.step {
		return fmt.Errorf("%s: %w", name, errPlanted)
	}
	return u.Journal.Step(name, data)
}

// TestARecoveryThatDiedInTheLastRemovalIsDoneAgain: what an undo had taken from was given back, and the staging has the name under which it
// is removed.
func TestARecoveryThatDiedInTheLastRemovalIsDoneAgain(t *testing.T) {
	e := newEventful(t)
	req := e.undone(t, "no space")
	p, err := prepareUndo(t, req)
	assert.NilError(t, err)
	j := e.openJournal(t)
	assert.NilError(t, j.Begin("restore", nil))
	x := e.recorded(j).begin(p)
	for _, step := range []func(context.Context) error{x.stop, x.save, x.makeRoots, x.stage, x.swap} {
		assert.NilError(t, step(t.Context()))
	}
	pending, err := j.Pending()
	assert.NilError(t, err)
	rec, err := PlanRecovery(pending.Steps)
	assert.NilError(t, err)
	assert.NilError(t, e.recorded(j).Recover(t.Context(), rec))
	for _, w := range x.work {
		left := string(w.swap.Staging) + ".finished"
		assert.NilError(t, os.MkdirAll(filepath.Join(left, "old"), 0o700))
	}
	e.recoverWith(t, j, pending)
	e.isState(t, "new", "after the second recovery")
	for _, w := range x.work {
		gone(t, string(w.swap.Staging)+".finished")
	}
	e.checkServices(t)
}

// TestARecoveryLeavesWhatServicesHaveDoneToARootSince: the data was in order, and they run again, before the run died.
func TestARecoveryLeavesWhatServicesHaveDoneToARootSince(t *testing.T) {
	later := time.Date(2026, 11, 23, 7, 0, 0, 0, time.UTC)
	for _, aside := range []string{"", "no space"} {
		for _, fails := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s fails %v", aside, fails), func(t *testing.T) {
				e := newEventful(t)
				req := e.request(t, e.path)
				req.NoSafety = aside
				p, err := prepare(t, req)
				assert.NilError(t, err)
				j := e.openJournal(t)
				assert.NilError(t, j.Begin("restore", nil))
				r := e.recorded(unable{j, stepDone})
				r.onMove = func() error { return map[bool]error{true: errPlanted}[fails] }
				_, err = r.Run(t.Context(), p)
				assert.ErrorIs(t, err, errPlanted)
				e.checkServices(t)
				assert.NilError(t, os.Chmod(e.data, 0o711))
				assert.NilError(t, os.Chtimes(e.data, later, later))
				assert.NilError(t, j.Close())
				e.recoverRecorded(t)
				info, err := os.Stat(e.data)
				assert.NilError(t, err)
				assert.Equal(t, info.Mode().Perm(), os.FileMode(0o711))
				assert.Assert(t, info.ModTime().Equal(later), "%s", info.ModTime())
			})
		}
	}
}

// TestWhatCannotBeSeenIsNotTakenForReturned: the staging is removed next, with what was taken into it.
func TestWhatCannotBeSeenIsNotTakenForReturned(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "from/", "", "file", "in the way")
	staging := tree.RawPath(filepath.Join(dir, "file", "staging")) // neither there nor missing
	k := take{From: tree.RawPath(filepath.Join(dir, "from")), Staging: staging}
	assert.ErrorContains(t, k.back(), "not a directory")
	u := &undo{takes: []take{k}}
	assert.ErrorContains(t, u.giveBack(&tree.Swap{Staging: staging}), "not a directory")
	assert.ErrorContains(t, u.keepAside(t.Context(), &tree.Swap{Staging: staging}), "not a directory")
}
