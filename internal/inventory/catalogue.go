package inventory

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/memsys/docker-memsys/internal/tree"
)

// Checks are all that are made of the data of a source, each once, in the order of the output.
func Checks() []Check {
	all := []Check{readable}
	for _, v := range validators(Options{}) {
		all = append(all, v.Checks()...)
	}
	for _, s := range stores() {
		all = append(all, s.Checks()...)
	}
	for _, o := range observers(Options{}) {
		all = append(all, o.Checks()...)
	}
	return Ordered(all)
}

// Ordered are checks by group, then by ID, each once.
func Ordered(checks []Check) []Check {
	out := slices.Clone(checks)
	slices.SortStableFunc(out, compareChecks)
	return slices.CompactFunc(out, func(a, b Check) bool { return a.ID == b.ID })
}

func compareChecks(a, b Check) int {
	return cmp.Or(cmp.Compare(slices.Index(Groups(), a.Group()), slices.Index(Groups(), b.Group())), strings.Compare(a.ID, b.ID))
}

// Order sorts results by group, then by check, then by source.
func Order(results []Result) {
	slices.SortStableFunc(results, func(a, b Result) int {
		return cmp.Or(compareChecks(a.Check, b.Check), strings.Compare(a.Source, b.Source))
	})
}

// FindStores are the folders and files of a tree that Inspect looks at as stores and databases, a database with the files that belong to
// it: who copies no more than these copies all that is needed. "." is the whole tree.
func FindStores(ctx context.Context, t Tree) ([]tree.RawPath, error) {
	f := finder{folders: map[string]bool{}}
	err := t.Walk(ctx, func(e *tree.Entry, open Open) error { return f.visit(ctx, e, open) }, func(string, error) {})
	return f.paths(), err
}

type finder struct {
	folders map[string]bool
	files   []string
}

func (f *finder) visit(ctx context.Context, e *tree.Entry, open Open) error {
	if e.Kind != tree.File || open == nil {
		return ctx.Err()
	}
	for _, s := range stores() {
		if dir, ok := s.Belongs(e.Path); ok {
			f.folders[dir] = true
			return nil
		}
	}
	// A database is made of pages; all else need not be opened.
	if e.Size == 0 || e.Size%leastPage != 0 {
		return ctx.Err()
	}
	head, err := begin(ctx, open, len(sqliteMagic))
	switch found := err == nil && bytes.Equal(head, []byte(sqliteMagic)); {
	case found && e.Path == ".":
		f.folders["."] = true // the source is that file
	case found:
		f.files = append(f.files, e.Path)
	}
	return ctx.Err() // what cannot be read is told when it is inspected
}

// begin reads the first bytes of a file.
func begin(ctx context.Context, open Open, n int) ([]byte, error) {
	file, err := open(ctx)
	if err != nil {
		return nil, err
	}
	head := make([]byte, n)
	_, err = io.ReadFull(file, head)
	return head, errors.Join(err, file.Close())
}

// paths leaves out what lies in a folder that is whole.
func (f *finder) paths() []tree.RawPath {
	var out []tree.RawPath
	for folder := range f.folders {
		if !f.inside(path.Dir(folder)) || folder == "." {
			out = append(out, tree.RawPath(folder))
		}
	}
	for _, file := range f.files {
		if f.inside(path.Dir(file)) {
			continue
		}
		for _, suffix := range []string{"", "-journal", "-wal", "-shm"} {
			out = append(out, tree.RawPath(file+suffix))
		}
	}
	slices.Sort(out)
	return out
}

// inside tells whether a folder, or one around it, is a store.
func (f *finder) inside(folder string) bool {
	for {
		if f.folders[folder] {
			return true
		}
		if folder == "." || folder == "/" {
			return false
		}
		folder = path.Dir(folder)
	}
}
