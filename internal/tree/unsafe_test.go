package tree_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/memsys/docker-memsys/internal/tree"
	"gotest.tools/v3/assert"
)

func newWriter(t *testing.T, o tree.WriteOptions) (*tree.Writer, string) {
	t.Helper()
	root := filepath.Join(t.TempDir(), "in", "root")
	assert.NilError(t, os.MkdirAll(root, 0o755))
	o.SkipOwners = true
	w, err := tree.NewWriter(root, o)
	assert.NilError(t, err)
	return w, root
}

func write(t *testing.T, w *tree.Writer, path, content string) {
	t.Helper()
	c, err := w.File(fileEntry(path, int64(len(content))))
	assert.NilError(t, err)
	_, err = c.WriteAt([]byte(content), 0)
	assert.NilError(t, err)
	assert.NilError(t, c.Close())
}

func fileEntry(path string, size int64) *tree.Entry {
	return &tree.Entry{Path: path, Kind: tree.File, Mode: 0o644, Size: size, UID: os.Getuid(), GID: os.Getgid(), ModTime: time.Unix(1e9, 5)}
}

// outside holds that nothing but the root lies around it.
func outside(t *testing.T, root string) {
	t.Helper()
	for dir, want := range map[string]string{filepath.Dir(root): "root", filepath.Dir(filepath.Dir(root)): "in"} {
		names, err := os.ReadDir(dir)
		assert.NilError(t, err)
		assert.Equal(t, len(names), 1, "%v", names)
		assert.Equal(t, names[0].Name(), want)
	}
}

func TestPathsThatLeaveTheRootAreRefused(t *testing.T) {
	for _, path := range []string{
		"", "/", "/etc/passwd", "..", "../x", "a/../../x", "a/..", "a/./b", "./a", "a//b", "a/", "nul\x00", "a\x00/b", "../in/root/x",
	} {
		w, root := newWriter(t, tree.WriteOptions{})
		_, err := w.File(fileEntry(path, 1))
		assert.ErrorIs(t, err, tree.ErrUnsafe, "file %q", path)
		for _, kind := range []tree.Kind{tree.Dir, tree.Symlink, tree.Hardlink, tree.FIFO} {
			err = w.Create(t.Context(), &tree.Entry{Path: path, Kind: kind, Link: "x"})
			assert.ErrorIs(t, err, tree.ErrUnsafe, "%s %q", kind, path)
		}
		_, err = w.Finish(t.Context())
		assert.NilError(t, err)
		outside(t, root)
	}
}

func TestEntriesThatMayNotBeAreRefused(t *testing.T) {
	for name, e := range map[string]*tree.Entry{
		"device":            {Path: "d", Kind: tree.CharDevice, Major: 1, Minor: 3},
		"block device":      {Path: "d", Kind: tree.BlockDevice},
		"socket":            {Path: "s", Kind: tree.Socket},
		"unknown kind":      {Path: "u", Kind: "door"},
		"link without end":  {Path: "l", Kind: tree.Symlink},
		"link with NUL":     {Path: "l", Kind: tree.Symlink, Link: "a\x00b"},
		"root as a link":    {Path: ".", Kind: tree.Symlink, Link: "/etc"},
		"hard link outside": {Path: "h", Kind: tree.Hardlink, Link: "../../x"},
		"absolute":          {Path: "h", Kind: tree.Hardlink, Link: "/etc/passwd"},
		"to itself":         {Path: "h", Kind: tree.Hardlink, Link: "h"},
	} {
		w, root := newWriter(t, tree.WriteOptions{})
		assert.ErrorIs(t, w.Create(t.Context(), e), tree.ErrUnsafe, name)
		outside(t, root)
	}
}

func TestHardLinksToNothingFoldersAndThroughLinksAreRefused(t *testing.T) {
	for _, link := range []string{"missing", "folder", "file/below", "symlink/x"} {
		w, root := newWriter(t, tree.WriteOptions{})
		write(t, w, "file", "x")
		assert.NilError(t, w.Create(t.Context(), &tree.Entry{Path: "folder", Kind: tree.Dir, Mode: 0o755}))
		assert.NilError(t, w.Create(t.Context(), &tree.Entry{Path: "symlink", Kind: tree.Symlink, Link: ".."}))
		assert.NilError(t, w.Create(t.Context(), &tree.Entry{Path: "hard", Kind: tree.Hardlink, Link: link}))
		_, err := w.Finish(t.Context())
		assert.ErrorIs(t, err, tree.ErrUnsafe, link)
		outside(t, root)
	}
}

func TestNothingIsWrittenBelowAFileOrThroughALink(t *testing.T) {
	w, root := newWriter(t, tree.WriteOptions{})
	victim := t.TempDir()
	write(t, w, "file", "x")
	assert.NilError(t, os.Symlink(victim, filepath.Join(root, "planted")))
	assert.NilError(t, os.Symlink(filepath.Join(victim, "new"), filepath.Join(root, "dangling")))
	for _, path := range []string{"file/below", "planted/x", "planted/a/b"} {
		_, err := w.File(fileEntry(path, 1))
		assert.ErrorIs(t, err, tree.ErrUnsafe, path)
		err = w.Create(t.Context(), &tree.Entry{Path: path, Kind: tree.Dir})
		assert.ErrorIs(t, err, tree.ErrUnsafe, path)
	}
	assert.ErrorIs(t, w.Create(t.Context(), &tree.Entry{Path: "planted", Kind: tree.Dir}), tree.ErrUnsafe)
	_, err := w.File(fileEntry("dangling", 1))
	assert.ErrorIs(t, err, fs.ErrExist)
	assert.NilError(t, w.Create(t.Context(), &tree.Entry{Path: "planted/link", Kind: tree.Symlink, Link: "x"}))
	_, err = w.Finish(t.Context())
	assert.ErrorIs(t, err, tree.ErrUnsafe)
	names, err := os.ReadDir(victim)
	assert.NilError(t, err)
	assert.Equal(t, len(names), 0)
}

func TestSecondEntriesAreRefused(t *testing.T) {
	w, root := newWriter(t, tree.WriteOptions{})
	write(t, w, "a/file", "first")
	_, err := w.File(fileEntry("a/file", 1))
	assert.ErrorIs(t, err, fs.ErrExist)
	assert.NilError(t, w.Create(t.Context(), &tree.Entry{Path: "a", Kind: tree.Dir, Mode: 0o755}), "a folder after what is in it")
	assert.ErrorIs(t, w.Create(t.Context(), &tree.Entry{Path: "a", Kind: tree.Dir, Mode: 0o755}), fs.ErrExist)
	assert.NilError(t, w.Create(t.Context(), &tree.Entry{Path: "a/file", Kind: tree.Symlink, Link: "/etc/passwd"}))
	_, err = w.Finish(t.Context())
	assert.ErrorIs(t, err, fs.ErrExist)
	data, err := os.ReadFile(filepath.Join(root, "a/file"))
	assert.NilError(t, err)
	assert.Equal(t, string(data), "first")
}

func TestAFolderThatHoldsSomethingIsNotMerged(t *testing.T) {
	root := t.TempDir()
	assert.NilError(t, os.WriteFile(filepath.Join(root, "old"), nil, 0o600))
	_, err := tree.NewWriter(root, tree.WriteOptions{})
	assert.ErrorIs(t, err, tree.ErrNotEmpty)
	link := filepath.Join(t.TempDir(), "link")
	assert.NilError(t, os.Symlink(t.TempDir(), link))
	_, err = tree.NewWriter(link, tree.WriteOptions{})
	assert.ErrorIs(t, err, tree.ErrUnsafe)
}

func TestContentStaysInsideItsSize(t *testing.T) {
	w, root := newWriter(t, tree.WriteOptions{})
	c, err := w.File(fileEntry("f", 10))
	assert.NilError(t, err)
	for _, at := range []int64{-1, 8, 1 << 62} {
		_, err = c.WriteAt([]byte("abc"), at)
		assert.ErrorIs(t, err, tree.ErrUnsafe)
	}
	_, err = c.WriteAt([]byte("abc"), 2)
	assert.NilError(t, err)
	assert.NilError(t, c.Close())
	data, err := os.ReadFile(filepath.Join(root, "f"))
	assert.NilError(t, err)
	assert.Equal(t, string(data), "\x00\x00abc\x00\x00\x00\x00\x00")
	for _, holes := range [][]tree.Extent{{{Offset: 5, Length: 6}}, {{Offset: -1, Length: 2}}, {{Offset: 4, Length: 2}, {Offset: 5, Length: 1}}, {{Offset: 3, Length: 1 << 62}}} {
		e := fileEntry("g", 10)
		e.Holes = holes
		_, err = w.File(e)
		assert.ErrorIs(t, err, tree.ErrUnsafe)
	}
}

func TestAbortLeavesNothing(t *testing.T) {
	w, root := newWriter(t, tree.WriteOptions{})
	c, err := w.File(fileEntry("f", 10))
	assert.NilError(t, err)
	assert.NilError(t, c.Abort())
	assert.NilError(t, c.Abort())
	assert.ErrorIs(t, c.Close(), fs.ErrClosed)
	_, err = os.Lstat(filepath.Join(root, "f"))
	assert.ErrorIs(t, err, fs.ErrNotExist)
}

// A folder of the target turns into a link to outside and back again while files are written into it.
func TestALinkSwappedInDuringTheRestoreIsNotFollowed(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("renames of open folders are refused there")
	}
	w, root := newWriter(t, tree.WriteOptions{})
	victim := t.TempDir()
	dir, aside := filepath.Join(root, "d"), filepath.Join(root, "aside")
	stop, stopped := make(chan bool), make(chan bool)
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				turnIntoLink(dir, aside, victim)
			}
		}
	}()
	written, refused := 0, 0
	for i := 0; i < 50_000 && (written < 300 || refused < 300); i++ {
		c, err := w.File(fileEntry(fmt.Sprintf("d/%d/%d", i%50, i), 1))
		if err == nil {
			written++
			assert.NilError(t, c.Close())
		} else if errors.Is(err, tree.ErrUnsafe) {
			refused++
		}
		w.Forget()
	}
	close(stop)
	<-stopped
	assert.Assert(t, written > 0 && refused > 0, "the race took place: %d written, %d refused", written, refused)
	names, err := os.ReadDir(victim)
	assert.NilError(t, err)
	assert.Equal(t, len(names), 0)
}

// turnIntoLink makes dir a link to victim for a moment.
func turnIntoLink(dir, aside, victim string) {
	if os.Rename(dir, aside) != nil {
		_ = os.RemoveAll(aside)
		return
	}
	if os.Symlink(victim, dir) == nil {
		for range 100 {
			runtime.Gosched()
		}
		_ = os.Remove(dir)
	}
	_ = os.Rename(aside, dir)
}
