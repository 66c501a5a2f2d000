package inventory

import (
	"context"
	"fmt"
	"io/fs"
	"strings"
	"sync"

	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/tree"
)

// ArchiveTree is a source as an archive holds it. r may be of an archive that is being written. It and its files may be used as long as r.
func ArchiveTree(r *archive.Reader, source string) Tree {
	return &archiveTree{reader: r, files: r.Files(), root: "data/" + source}
}

type archiveTree struct {
	reader *archive.Reader
	files  *archive.Files
	root   string

	mu     sync.Mutex
	firsts map[string]*archive.Entry // files with several names, once they were asked for
}

// Walk implements Tree. What does not stand in the order of a walk is told in the order of the archive.
func (t *archiveTree) Walk(ctx context.Context, visit func(*tree.Entry, Open) error, _ func(string, error)) error {
	others := map[string]bool{} // links and nodes may have second names too
	for e, err := range t.reader.Entries(ctx) {
		if err != nil {
			return err
		}
		path, ok := t.inside(e.Path)
		if !ok {
			continue
		}
		entry := e.Entry
		entry.Path = path
		if entry.Kind == tree.Hardlink {
			entry.Link, _ = t.inside(e.Link)
		}
		if e.Kind != tree.File && e.Kind != tree.Dir && e.Kind != tree.Hardlink {
			others[e.Path] = true
		}
		open := t.opener(e)
		if e.Kind == tree.Hardlink && others[e.Link] {
			open = nil
		}
		if err := visit(&entry, open); err != nil {
			return err
		}
	}
	return nil
}

// inside is a name of the archive as a path of the source, "." for its root.
func (t *archiveTree) inside(name string) (string, bool) {
	if name == t.root {
		return ".", true
	}
	return strings.CutPrefix(name, t.root+"/")
}

func (t *archiveTree) opener(e *archive.Entry) Open {
	switch e.Kind {
	case tree.File:
		return func(ctx context.Context) (File, error) { return t.files.Open(ctx, e) }
	case tree.Hardlink:
		return func(ctx context.Context) (File, error) { return t.linked(ctx, e.Link) }
	}
	return nil
}

// linked opens the file that a hard link is another name of.
func (t *archiveTree) linked(ctx context.Context, first string) (File, error) {
	e, err := t.first(ctx, first)
	if err != nil {
		return nil, err
	}
	if e == nil {
		return nil, fmt.Errorf("open %s: %w", first, fs.ErrNotExist)
	}
	return t.files.Open(ctx, e)
}

// first is a file that has further names. The contents table is gone through for the first of them, and no more than those are kept.
func (t *archiveTree) first(ctx context.Context, name string) (*archive.Entry, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.firsts != nil {
		return t.firsts[name], nil
	}
	names := map[string]bool{}
	for e, err := range t.reader.Entries(ctx) {
		if err != nil {
			return nil, err
		}
		if e.Kind == tree.Hardlink {
			names[e.Link] = true
		}
	}
	firsts := map[string]*archive.Entry{}
	for e, err := range t.reader.Entries(ctx) {
		if err != nil {
			return nil, err
		}
		if e.Kind == tree.File && names[e.Path] {
			firsts[e.Path] = e
		}
	}
	t.firsts = firsts
	return firsts[name], nil
}
