package inventory

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/memsys/docker-memsys/internal/tree"
)

// owner is a store with its files.
type owner struct {
	dir   string
	store Store
	files map[string]*Subject // by their path relative to dir
}

// owners are the stores of a source.
type owners map[ownerKey]*owner

type ownerKey struct {
	dir   string
	store int // its place among all
}

// take hands a file to the store that it belongs to; false where there is none.
func (o owners) take(s *Subject, stores []Store) bool {
	for i, store := range stores {
		dir, ok := store.Belongs(s.Entry.Path)
		if !ok {
			continue
		}
		key := ownerKey{dir, i}
		if o[key] == nil {
			o[key] = &owner{dir: dir, store: store, files: map[string]*Subject{}}
		}
		o[key].files[below(dir, s.Entry.Path)] = s
		return true
	}
	return false
}

func (o owners) sorted() []*owner {
	return slices.SortedFunc(maps.Values(o), func(a, b *owner) int { return tree.ComparePaths(a.dir, b.dir) })
}

// later are files that are looked at once all are known: databases, and what lies beside them.
type later struct {
	mu     sync.Mutex
	files  map[string]*late // by their path
	closed bool
}

type late struct {
	subject   *Subject
	validator Validator
}

// add keeps a file for v, unless the time for those is over.
func (l *later) add(s *Subject, v Validator) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.files[s.Entry.Path] = &late{s, v}
	}
	return !l.closed
}

// close begins the time in which those files are looked at.
func (l *later) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
}

// kept is a file that was kept; nil for others.
func (l *later) kept(path string) *Subject {
	if one := l.files[path]; one != nil {
		return one.subject
	}
	return nil
}

func (l *later) sorted() []*late {
	return slices.SortedFunc(maps.Values(l.files), func(a, b *late) int {
		return tree.ComparePaths(a.subject.Entry.Path, b.subject.Entry.Path)
	})
}

// sibling is the file of a name beside another one: in a live source as it is now, else as it was kept.
func sibling(ctx context.Context, t Tree, of *Subject, kept func(path string) *Subject) func(string) *Subject {
	return func(name string) *Subject {
		if of.Entry.Path == "." {
			return nil
		}
		p := join(path.Dir(of.Entry.Path), name)
		finder, ok := t.(Finder)
		if !ok {
			return kept(p)
		}
		e, open := finder.Find(ctx, p)
		if e == nil {
			return nil
		}
		s := &Subject{Entry: e, Open: open}
		s.Sibling = sibling(ctx, t, s, kept)
		return s
	}
}

// join is the path of a name in a folder of the source.
func join(dir, name string) string {
	if dir == "." {
		return name
	}
	return dir + "/" + name
}

// below is the path relative to a folder that it lies in.
func below(dir, path string) string {
	if dir == "." {
		return path
	}
	return strings.TrimPrefix(path, dir+"/")
}

func vanished(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// reason is what is said of an error without the path, which stands beside it.
func reason(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}
