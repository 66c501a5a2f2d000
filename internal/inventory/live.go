package inventory

import (
	"context"
	"fmt"
	"io"
	"sync"

	"github.com/memsys/docker-memsys/internal/tree"
)

// LiveTree is the tree at root, a folder or a single file of this machine. skip is as in tree.WalkOptions; nil leaves nothing out. Access times stay
// as they are where the system allows it.
func LiveTree(root string, skip func(*tree.Entry) string) Tree {
	return &liveTree{root: root, skip: skip}
}

type liveTree struct {
	root string
	skip func(*tree.Entry) string

	mu     sync.Mutex
	linked map[string]Open // files with several names, by the first
}

// Walk implements Tree.
func (t *liveTree) Walk(ctx context.Context, visit func(*tree.Entry, Open) error, problem func(string, error)) error {
	t.mu.Lock()
	t.linked = map[string]Open{}
	t.mu.Unlock()
	o := tree.WalkOptions{Skip: t.skip, OnProblem: func(p tree.Problem) { problem(p.Path, p.Err) }, Bare: true}
	return tree.Walk(ctx, t.root, o, func(_ context.Context, e *tree.Entry, opener tree.Opener) error {
		return visit(e, t.open(e, opener))
	})
}

// Find implements Finder.
func (t *liveTree) Find(ctx context.Context, path string) (*tree.Entry, Open) {
	opener := tree.FileOpener(t.root, path)
	e, r, err := opener(ctx)
	if err != nil {
		return nil, nil
	}
	_ = r.Close()
	return e, func(ctx context.Context) (File, error) { return openLive(ctx, opener) }
}

func (t *liveTree) open(e *tree.Entry, opener tree.Opener) Open {
	if opener != nil {
		open := func(ctx context.Context) (File, error) { return openLive(ctx, opener) }
		if e.Links > 1 {
			t.mu.Lock()
			t.linked[e.Path] = open
			t.mu.Unlock()
		}
		return open
	}
	if e.Kind != tree.Hardlink {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.linked[e.Link]
}

// liveFile is an open file of a live source.
type liveFile struct {
	tree.Reader
	at    io.ReaderAt
	entry *tree.Entry
}

func openLive(ctx context.Context, opener tree.Opener) (File, error) {
	e, r, err := opener(ctx)
	if err != nil {
		return nil, err
	}
	at, ok := r.(io.ReaderAt)
	if !ok {
		_ = r.Close()
		return nil, fmt.Errorf("open %s: cannot be read at a place", e.Path)
	}
	return &liveFile{r, at, e}, nil
}

// ReadAt implements io.ReaderAt.
func (f *liveFile) ReadAt(p []byte, off int64) (int, error) { return f.at.ReadAt(p, off) }

// Size implements File.
func (f *liveFile) Size() int64 { return f.entry.Size }

// stamp says which content of which file this is.
func (f *liveFile) stamp() stamp {
	e := f.entry
	return stamp{e.Device, e.Inode, e.Size, e.ModTime.UnixNano(), e.ChangeTime.UnixNano()}
}
