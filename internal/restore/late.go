package restore

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/tree"
)

// Containers are stopped while a restore works; a process of the host is not. What it changes after the safety backup has read it is in
// no copy but among the entries that were set aside. So these are compared with the safety backup before the restore counts, and stay
// where they differ.

// stamp notes the time of each source's file system before the safety backup begins: what is older needs no second look.
func (x *execution) stamp() {
	x.stamps = map[*Target]time.Time{}
	for _, t := range x.plan.Targets {
		if !t.Missing {
			x.stamps[t] = tree.Stamp(t.Root)
		}
	}
}

// late sets apart what was changed after the safety backup was made.
func (x *execution) late(ctx context.Context) error {
	if x.result.Safety == nil || !slices.ContainsFunc(x.work, (*work).discards) {
		return nil
	}
	openSafety := x.OpenSafety
	if openSafety == nil {
		openSafety = openSaved
	}
	r, closer, err := openSafety(ctx, *x.result.Safety)
	if err != nil {
		return fmt.Errorf("open the safety backup again: %w", err)
	}
	defer closer.Close()
	for _, w := range x.work {
		if !w.discards() {
			continue
		}
		changed, err := x.changedLate(ctx, r, w)
		if err != nil {
			return fmt.Errorf("compare what is replaced in source %s with the safety backup: %w", w.target.Name, err)
		}
		if len(changed) == 0 {
			continue
		}
		w.target.Aside = fmt.Sprintf("%d entries were changed after the safety backup was made, %s among them", len(changed), changed[0])
		if err := saveSwap(w.swap, x.noteOf(w)); err != nil {
			return err
		}
		for _, path := range changed {
			x.result.Problems = append(x.result.Problems, Problem{
				Source: w.target.Name, Path: path, Text: "changed after the safety backup was made: its last version is kept in " + w.aside(),
			})
		}
	}
	return nil
}

// discards tells whether the former entries of a source would go.
func (w *work) discards() bool {
	return w.target.Aside == "" && !w.target.Missing && w.replaced()
}

func openSaved(_ context.Context, s Saved) (*archive.Reader, io.Closer, error) {
	r, f, err := openArchive(s.Path)
	return r, f, err
}

// suspect is an entry set aside that was changed, or moved, after the safety backup had begun.
type suspect struct {
	entry *tree.Entry
	open  tree.Opener
}

// changedLate are the entries set aside that are not what the safety backup has, by content.
func (x *execution) changedLate(ctx context.Context, r *archive.Reader, w *work) ([]string, error) {
	suspects, err := x.suspects(ctx, w)
	if err != nil {
		return nil, err
	}
	saved, err := savedEntries(ctx, r, w.target, suspects)
	if err != nil {
		return nil, err
	}
	var changed []string
	for path, s := range suspects {
		same, err := s.same(ctx, path, saved)
		if err != nil {
			return nil, err
		}
		if !same {
			changed = append(changed, path)
		}
	}
	slices.Sort(changed)
	return changed, nil
}

func (x *execution) suspects(ctx context.Context, w *work) (map[string]suspect, error) {
	since := x.stamps[w.target]
	found := map[string]suspect{}
	err := tree.Walk(ctx, w.aside(), tree.WalkOptions{LazyXattrs: true}, func(_ context.Context, e *tree.Entry, open tree.Opener) error {
		if e.Path == "." && e.Kind == tree.Dir {
			return nil
		}
		if !e.ChangeTime.Before(since) || w.swap.File {
			found[e.Path] = suspect{e, open}
		}
		return nil
	})
	return found, err
}

// savedEntries are what the safety backup has of the suspects, and of the first names of those that are links.
func savedEntries(ctx context.Context, r *archive.Reader, t *Target, suspects map[string]suspect) (map[string]tree.Expected, error) {
	prefix := t.Prefix
	for _, s := range r.Manifest().Sources {
		if s.Name == t.Name && s.Kind == t.Kind {
			prefix = s.Prefix
		}
	}
	v := &view{prefix: prefix, each: archiveEntries(ctx, r)}
	saved, firsts := map[string]tree.Expected{}, map[string]bool{}
	for e, err := range v.own() {
		if err != nil {
			return nil, err
		}
		if _, ok := suspects[e.Entry.Path]; ok {
			saved[e.Entry.Path] = e
			if e.Entry.Kind == tree.Hardlink {
				firsts[e.Entry.Link] = true
			}
		}
	}
	if len(firsts) == 0 {
		return saved, nil
	}
	for e, err := range v.own() {
		if err != nil {
			return nil, err
		}
		if firsts[e.Entry.Path] {
			saved[e.Entry.Path] = e
		}
	}
	return saved, nil
}

// same tells whether an entry is as the safety backup has it.
func (s suspect) same(ctx context.Context, path string, saved map[string]tree.Expected) (bool, error) {
	want, ok := first(saved, path)
	if !ok {
		return false, nil
	}
	e := s.entry
	switch {
	case e.Kind == tree.Hardlink: // its first name is a suspect too, with the same change time
		other, ok := first(saved, e.Link)
		return ok && other.Entry.Path == want.Entry.Path, nil
	case e.Kind != want.Entry.Kind:
		return false, nil
	case e.Kind == tree.Symlink:
		return e.Link == want.Entry.Link, nil
	case e.Kind == tree.File:
		return tree.Matches(ctx, e, s.open, want)
	}
	return true, nil
}

// first is the entry that has the content of a path.
func first(saved map[string]tree.Expected, path string) (tree.Expected, bool) {
	x, ok := saved[path]
	if ok && x.Entry.Kind == tree.Hardlink {
		x, ok = saved[x.Entry.Link]
	}
	return x, ok
}
