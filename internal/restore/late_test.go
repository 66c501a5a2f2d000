package restore

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"gotest.tools/v3/assert"
)

// lateBed is a project whose host changes a file after the safety backup has read it.
func lateBed(t *testing.T) (*bed, *Plan, *Runner) {
	t.Helper()
	b := newBed(t)
	root := b.source("data")
	write(t, root, "a", "1", "sub/b", "1", "same", "1")
	path := b.backup(t)
	write(t, root, "a", "2", "sub/b", "2")
	p, err := prepare(t, b.request(t, path))
	assert.NilError(t, err)
	j := b.openJournal(t)
	assert.NilError(t, j.Begin("restore", nil))
	r := b.recorded(j)
	r.Safety = func(context.Context) (Saved, error) {
		saved := b.safety()
		write(t, root, "sub/b", "3", "sub/later", "new")
		return saved, nil
	}
	return b, p, r
}

// TestWhatTheHostChangesAfterTheSafetyBackupIsKept: no container did it, so nothing was stopped; its last version is in no backup.
func TestWhatTheHostChangesAfterTheSafetyBackupIsKept(t *testing.T) {
	b, p, r := lateBed(t)
	res, err := r.Run(t.Context(), p)
	assert.NilError(t, err)
	assert.Assert(t, !res.Complete)
	var named []string
	for _, problem := range res.Problems {
		named = append(named, problem.Path)
	}
	assert.DeepEqual(t, named, []string{"sub/b", "sub/later"})
	assert.Equal(t, read(t, res.Aside[0], "sub/b"), "3")
	assert.Equal(t, read(t, b.dir, "data/sub/b"), "1")

	j := b.openJournal(t)
	assert.NilError(t, errors.Join(j.End("done"), j.Close()))
	b.do(t, b.undoRequest(t)) // and comes back as it was last
	assert.Equal(t, read(t, b.dir, "data/a")+read(t, b.dir, "data/sub/b")+read(t, b.dir, "data/sub/later"), "23new")
}

// TestWithoutTheSecondLookWhatTheHostChangedIsLost: the guard is not vacuous.
func TestWithoutTheSecondLookWhatTheHostChangedIsLost(t *testing.T) {
	b, p, r := lateBed(t)
	x := r.begin(p)
	for _, step := range []func(context.Context) error{x.stop, x.save, x.makeRoots, x.stage, x.swap, x.check, x.commit} {
		assert.NilError(t, step(t.Context()))
	}
	assert.NilError(t, x.finish(t.Context()))
	found, err := FindAside(t.Context(), b.places())
	assert.NilError(t, err)
	assert.Equal(t, len(found), 0)
	assert.Equal(t, read(t, b.dir, "data/sub/b"), "1")
	gone(t, b.dir, "data/sub/later")
}

// TestFilesWrittenJustBeforeARestoreAreNotTakenForLateOnes: content decides, whatever the times are.
func TestFilesWrittenJustBeforeARestoreAreNotTakenForLateOnes(t *testing.T) {
	e := newEventful(t)
	p, err := prepare(t, e.request(t, e.path))
	assert.NilError(t, err)
	j := e.openJournal(t)
	assert.NilError(t, j.Begin("restore", nil))
	r := e.recorded(j)
	r.Safety = func(context.Context) (Saved, error) {
		saved := e.safety()
		for _, path := range []string{"a.json", "links/one", "b/d/e.json"} {
			info, err := os.Stat(filepath.Join(e.data, path))
			assert.NilError(t, err)
			assert.NilError(t, os.Chmod(filepath.Join(e.data, path), info.Mode())) // its change time is now
		}
		return saved, nil
	}
	res, err := r.Run(t.Context(), p)
	assert.NilError(t, err)
	assert.Equal(t, len(res.Problems), 0, "%v", res.Problems)
	assert.Equal(t, e.state(), "new")
}
