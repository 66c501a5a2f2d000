package restore

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"gotest.tools/v3/assert"
)

// TestASingleFileIsChosenByItsName: --path matches a source that is one file by its name.
func TestASingleFileIsChosenByItsName(t *testing.T) {
	b := newBed(t)
	file, other := b.source("conf.yaml"), b.source("other.txt")
	write(t, b.dir, "conf.yaml", "1", "other.txt", "1")
	path := b.backup(t)
	write(t, b.dir, "conf.yaml", "2", "other.txt", "2")
	req := b.request(t, path)
	req.Paths = []string{"*.yaml"}
	b.do(t, req)
	assert.Equal(t, read(t, file), "1")
	assert.Equal(t, read(t, other), "2")
	b.do(t, b.undoRequest(t))
	assert.Equal(t, read(t, file), "2")
}

// TestSingleFilesOfOneFolderAreRestoredTogether: each has a staging of its own beside it.
func TestSingleFilesOfOneFolderAreRestoredTogether(t *testing.T) {
	b := newBed(t)
	write(t, b.dir, "data/one.txt", "1", "data/two.txt", "1", "data/rest", "1")
	for _, name := range []string{"data", "data/one.txt", "data/two.txt"} {
		b.source(name)
		b.sources[len(b.sources)-1].Name = filepath.Base(name)
	}
	path := b.backup(t)
	write(t, b.dir, "data/one.txt", "2", "data/two.txt", "2", "data/rest", "2")
	b.do(t, b.request(t, path))
	assert.Equal(t, read(t, b.dir, "data/one.txt")+read(t, b.dir, "data/two.txt")+read(t, b.dir, "data/rest"), "111")
}

// TestACommitThatWasNotKnownOfLosesNoSingleFile: the commit's record stands on the disk although its flush had failed; the way back from it
// died in the middle of a file that is rewritten in place, where no moves tell which state it is in.
func TestACommitThatWasNotKnownOfLosesNoSingleFile(t *testing.T) {
	for _, left := range []string{"", "befo", "before: the restore, and longer\n"} {
		b := newBed(t)
		file := b.source("conf.yaml")
		write(t, b.dir, "conf.yaml", "restored\n")
		path := b.backup(t)
		write(t, b.dir, "conf.yaml", "before: the restore, and longer\n")
		p, err := prepare(t, b.request(t, path))
		assert.NilError(t, err)
		j := b.openJournal(t)
		assert.NilError(t, j.Begin("restore", nil))
		x := b.runner(j).begin(p)
		for _, step := range []func(context.Context) error{x.stop, x.save, x.makeRoots, x.stage, x.swap, x.check, x.commit} {
			assert.NilError(t, step(t.Context()))
		}
		write(t, b.dir, "conf.yaml", left)
		assert.NilError(t, os.Chmod(file, 0o600))
		pending, err := j.Pending()
		assert.NilError(t, err)
		recoverPending(t, b, j, pending)
		assert.Equal(t, read(t, file), "restored\n")
		info, err := os.Stat(file)
		assert.NilError(t, err)
		assert.Equal(t, info.Mode().Perm(), os.FileMode(0o644))
		left, err := filepath.Glob(b.path(".memsys-*"))
		assert.NilError(t, err)
		assert.Equal(t, len(left), 0)
	}
}
