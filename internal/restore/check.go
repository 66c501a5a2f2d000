package restore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/memsys/docker-memsys/internal/progress"
	"github.com/memsys/docker-memsys/internal/tree"
)

// check compares the live data with the archive: content, owner, mode, everything.
func (x *execution) check(ctx context.Context) error {
	start := x.Clock()
	for _, w := range x.work {
		x.report("check", w.target.Name, progress.Working)
		if err := x.compareWith(ctx, w, w.target.Root); err != nil {
			return fmt.Errorf("check source %s: %w", w.target.Name, err)
		}
		x.report("check", w.target.Name, progress.Done)
	}
	x.result.Seconds.Check = x.since(start)
	return nil
}

// compareWith compares the tree at root with what the archive holds of a target.
func (x *execution) compareWith(ctx context.Context, w *work, root string) error {
	found, err := tree.Compare(ctx, root, w.target.view.expected(), tree.CompareOptions{
		Skip: w.skipKept(x.plan.ID), Content: true, IgnoreOwners: x.SkipOwners,
	})
	if err != nil {
		return err
	}
	var bad []error
	for _, d := range found {
		if !w.excused(d) {
			bad = append(bad, errors.New(d.String()))
		}
	}
	if len(bad) > 0 {
		return fmt.Errorf("the restored data is not what the archive holds, %d differences: %w", len(bad), errors.Join(bad[:min(len(bad), 5)]...))
	}
	return nil
}

// excused tells whether a difference is as it should be: folders that only lead to what is restored keep their attributes, folders that
// only hold what is kept stay, those of the project's own files have no entry, and what the writer could not set was told already.
func (w *work) excused(d tree.Difference) bool {
	switch {
	case w.target.view.parents[d.Path] && d.Field != "missing" && d.Field != "kind":
		return true
	case d.Field == "extra" && d.Got == string(tree.Dir) && holdsAny(d.Path, w.kept):
		return true
	case w.target.Kind == projectPrefix && d.Field == "extra" && d.Got == string(tree.Dir):
		return true
	}
	return !essential(d.Field) && w.problems[d.Path] != nil
}

// holdsAny tells whether one of the paths lies below a folder.
func holdsAny(dir string, paths map[string]bool) bool {
	for path := range paths {
		if strings.HasPrefix(path, dir+"/") {
			return true
		}
	}
	return false
}

// essential tells whether a difference is one of content, which no file system excuses.
func essential(field string) bool {
	return slices.Contains([]string{"missing", "extra", "unreadable", "kind", "size", "link", "device", "content"}, field)
}
