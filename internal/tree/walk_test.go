package tree_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/memsys/docker-memsys/internal/tree"
	"github.com/memsys/docker-memsys/internal/tree/treetest"
	"gotest.tools/v3/assert"
)

func walkAll(t *testing.T, root string, o tree.WalkOptions) (map[string]*tree.Entry, map[string]tree.Opener) {
	t.Helper()
	entries, openers := map[string]*tree.Entry{}, map[string]tree.Opener{}
	err := tree.Walk(t.Context(), root, o, func(_ context.Context, e *tree.Entry, open tree.Opener) error {
		entries[e.Path], openers[e.Path] = e, open
		return nil
	})
	assert.NilError(t, err)
	return entries, openers
}

func TestAFirstNameThatIsSkippedLeavesTheSecondAFile(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no link counts")
	}
	root := t.TempDir()
	touch(t, root, "a.log")
	for _, name := range []string{"b", "c"} {
		assert.NilError(t, os.Link(filepath.Join(root, "a.log"), filepath.Join(root, name)))
	}
	entries, _ := walkAll(t, root, tree.WalkOptions{Skip: keepRule})
	assert.Equal(t, len(entries), 3)
	assert.Equal(t, entries["b"].Kind, tree.File)
	assert.Equal(t, entries["c"].Kind, tree.Hardlink)
	assert.Equal(t, entries["c"].Link, "b")
}

func TestASingleFileIsATree(t *testing.T) {
	root := filepath.Join(t.TempDir(), "memory.json")
	assert.NilError(t, os.WriteFile(root, []byte("{}"), 0o640))
	entries, openers := walkAll(t, root, tree.WalkOptions{})
	assert.Equal(t, len(entries), 1)
	assert.Equal(t, entries["."].Size, int64(2))
	_, r, err := openers["."](t.Context())
	assert.NilError(t, err)
	defer r.Close()
	data, err := io.ReadAll(r)
	assert.NilError(t, err)
	assert.Equal(t, string(data), "{}")
}

func TestARootThatIsALinkIsRefused(t *testing.T) {
	link := filepath.Join(t.TempDir(), "link")
	assert.NilError(t, os.Symlink(t.TempDir(), link))
	err := tree.Walk(t.Context(), link, tree.WalkOptions{}, nil)
	assert.ErrorIs(t, err, tree.ErrUnsafe)
	err = tree.Walk(t.Context(), link+"-missing", tree.WalkOptions{}, nil)
	assert.ErrorIs(t, err, fs.ErrNotExist)
}

func TestWhatVanishesIsAProblemAndTheWalkGoesOn(t *testing.T) {
	root := t.TempDir()
	touch(t, root, "a", "b", "c/d", "e")
	var problems []tree.Problem
	var seen []string
	o := tree.WalkOptions{OnProblem: func(p tree.Problem) { problems = append(problems, p) }}
	err := tree.Walk(t.Context(), root, o, func(_ context.Context, e *tree.Entry, _ tree.Opener) error {
		seen = append(seen, e.Path)
		if e.Path == "a" {
			return os.Remove(filepath.Join(root, "b"))
		}
		if e.Path == "c" {
			return os.RemoveAll(filepath.Join(root, "c"))
		}
		return nil
	})
	assert.NilError(t, err)
	assert.DeepEqual(t, seen, []string{".", "a", "c", "e"})
	assert.Equal(t, len(problems), 2)
	for _, p := range problems {
		assert.ErrorIs(t, p.Err, fs.ErrNotExist)
	}
	touch(t, root, "b")
	err = tree.Walk(t.Context(), root, tree.WalkOptions{}, func(_ context.Context, e *tree.Entry, _ tree.Opener) error {
		if e.Path == "a" {
			return os.Remove(filepath.Join(root, "b"))
		}
		return nil
	})
	assert.ErrorIs(t, err, fs.ErrNotExist, "without OnProblem the first one ends the walk")
}

func TestAnErrorOfVisitEndsTheWalk(t *testing.T) {
	root := t.TempDir()
	touch(t, root, "a", "b")
	boom := errors.New("boom")
	err := tree.Walk(t.Context(), root, tree.WalkOptions{}, func(context.Context, *tree.Entry, tree.Opener) error { return boom })
	assert.ErrorIs(t, err, boom)
}

func TestAFileThatIsReplacedBeforeItIsOpenedIsGone(t *testing.T) {
	root := t.TempDir()
	touch(t, root, "link", "dir", "gone", "below/x")
	_, openers := walkAll(t, root, tree.WalkOptions{})
	for _, name := range []string{"link", "dir", "gone", "below"} {
		assert.NilError(t, os.RemoveAll(filepath.Join(root, name)))
	}
	assert.NilError(t, os.Symlink("/etc/hostname", filepath.Join(root, "link")))
	assert.NilError(t, os.Mkdir(filepath.Join(root, "dir"), 0o755))
	assert.NilError(t, os.Symlink("/etc", filepath.Join(root, "below")))
	for _, name := range []string{"link", "dir", "gone", "below/x"} {
		_, _, err := openers[name](t.Context())
		assert.ErrorIs(t, err, fs.ErrNotExist, name)
	}
}

func TestReaderTellsAChange(t *testing.T) {
	root := t.TempDir()
	touch(t, root, "a")
	_, openers := walkAll(t, root, tree.WalkOptions{})
	_, r, err := openers["a"](t.Context())
	assert.NilError(t, err)
	defer r.Close()
	changed, err := r.Changed()
	assert.NilError(t, err)
	assert.Assert(t, !changed)
	assert.NilError(t, os.WriteFile(filepath.Join(root, "a"), []byte("more"), 0o644))
	changed, err = r.Changed()
	assert.NilError(t, err)
	assert.Assert(t, changed)
}

func TestSocketsAreLeftOut(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no sockets in folders")
	}
	root, err := os.MkdirTemp("", "s") // short: a socket's path has few bytes
	assert.NilError(t, err)
	defer os.RemoveAll(root)
	l, err := net.Listen("unix", filepath.Join(root, "s"))
	assert.NilError(t, err)
	defer l.Close()
	found := map[string]string{}
	entries, _ := walkAll(t, root, tree.WalkOptions{OnSkip: func(e *tree.Entry, rule string) { found[e.Path] = rule }})
	assert.Equal(t, len(entries), 1)
	assert.DeepEqual(t, found, map[string]string{"s": tree.RuleSocket})
}

func TestAnUnreadableFolderIsAProblem(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("folders have no such modes")
	}
	root := t.TempDir()
	touch(t, root, "a", "locked/x", "z")
	assert.NilError(t, os.Chmod(filepath.Join(root, "locked"), 0))
	defer os.Chmod(filepath.Join(root, "locked"), 0o755)
	var problems []tree.Problem
	var entries map[string]*tree.Entry
	treetest.WithoutRights(t, root, func() {
		entries, _ = walkAll(t, root, tree.WalkOptions{OnProblem: func(p tree.Problem) { problems = append(problems, p) }})
	})
	assert.Equal(t, len(entries), 4)
	assert.Equal(t, len(problems), 1)
	assert.Equal(t, problems[0].Path, "locked")
	assert.ErrorIs(t, problems[0].Err, fs.ErrPermission)
}

func TestLazyXattrsAreInTheOpenedEntry(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the generator sets attributes on Linux only")
	}
	root := filepath.Join(tempDir(t), "root")
	assert.NilError(t, treetest.Make(root, treetest.Options{Seed: 3, Files: 1, Plain: true}))
	entries, openers := walkAll(t, root, tree.WalkOptions{LazyXattrs: true})
	assert.Equal(t, len(entries["xattr/file"].Xattrs), 0)
	assert.Equal(t, string(entries["xattr/dir"].Xattrs["user.dir"]), "folder")
	e, r, err := openers["xattr/file"](t.Context())
	assert.NilError(t, err)
	defer r.Close()
	assert.Equal(t, string(e.Xattrs["user.text"]), "value")
}
