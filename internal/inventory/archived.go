package inventory

import (
	"context"
	"fmt"
	"io/fs"
	"strings"

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
}

// Walk implements Tree. What does not stand in the order of a walk is told in the order of the archive.
func (t *archiveTree) Walk(ctx context.Context, visit func(*tree.Entry, Open) error, _ func(string, error)) error {
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
		if err := visit(&entry, t.opener(e)); err != nil {
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
	for e, err := range t.reader.Entries(ctx) {
		if err != nil {
			return nil, err
		}
		if e.Path == first && e.Kind == tree.File {
			return t.files.Open(ctx, e)
		}
	}
	return nil, fmt.Errorf("open %s: %w", first, fs.ErrNotExist)
}
