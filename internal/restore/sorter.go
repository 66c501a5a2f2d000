package restore

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/tree"
)

// sorter gives each entry of the archive to the writer of its target. Between pick and the sink the paths carry the target's number in
// front.
type sorter struct {
	targets []*Target
	owners  owners
	writers []*tree.Writer
	live    []map[string]*tree.Entry // folders that only lead to what is restored, as they are
}

func newSorter(p *Plan) *sorter {
	n := len(p.Targets)
	return &sorter{targets: p.Targets, owners: p.owners, writers: make([]*tree.Writer, n), live: make([]map[string]*tree.Entry, n)}
}

// readParents reads the folders that only lead to what is restored: they keep their attributes.
func (s *sorter) readParents(ctx context.Context) error {
	for i, t := range s.targets {
		if t.Single || len(t.view.parents) == 0 {
			continue
		}
		s.live[i] = map[string]*tree.Entry{}
		o := tree.WalkOptions{Skip: func(e *tree.Entry) string {
			if t.view.parents[e.Path] && e.Kind == tree.Dir {
				return ""
			}
			return keepUnchosen
		}}
		err := tree.Walk(ctx, t.Root, o, func(_ context.Context, e *tree.Entry, _ tree.Opener) error {
			s.live[i][e.Path] = e
			return nil
		})
		if err != nil {
			return fmt.Errorf("read source %s: %w", t.Name, err)
		}
	}
	return nil
}

// pick chooses an entry of the archive for the target that it belongs to.
func (s *sorter) pick(e *archive.Entry) *tree.Entry {
	entry := s.owners.entry(&e.Entry)
	for i, t := range s.targets {
		out, ok := t.view.place(entry)
		if !ok || !t.archived() {
			continue
		}
		if now := s.live[i][out.Path]; now != nil {
			out = now
		}
		return mark(i, out)
	}
	return nil
}

func mark(i int, e *tree.Entry) *tree.Entry {
	c := *e
	prefix := strconv.Itoa(i)
	c.Path = prefix + "/" + e.Path
	if e.Kind == tree.Hardlink {
		c.Link = prefix + "/" + e.Link
	}
	return &c
}

func (s *sorter) unmark(e *tree.Entry) (*tree.Writer, *tree.Entry) {
	number, path, _ := strings.Cut(e.Path, "/")
	i, _ := strconv.Atoi(number) // as mark has written it
	c := *e
	c.Path = path
	if e.Kind == tree.Hardlink {
		_, c.Link, _ = strings.Cut(e.Link, "/")
	}
	return s.writers[i], &c
}

// Create implements archive.Sink.
func (s *sorter) Create(ctx context.Context, e *tree.Entry) error {
	w, e := s.unmark(e)
	return w.Create(ctx, e)
}

// File implements archive.Sink.
func (s *sorter) File(e *tree.Entry) (tree.Content, error) {
	w, e := s.unmark(e)
	return w.File(e)
}
