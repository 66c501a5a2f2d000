package restore

import (
	"context"
	"fmt"
	"slices"

	"github.com/memsys/docker-memsys/internal/progress"
	"github.com/memsys/docker-memsys/internal/tree"
)

// compare tells what a restore changes in every target: the live data is read and compared with the archive's digests.
func (p *Plan) compare(ctx context.Context) error {
	sink := p.req.Progress
	if sink == nil {
		sink = progress.Discard
	}
	total := int64(0)
	for _, t := range p.Targets {
		total += t.Bytes
	}
	count := progress.Counter(sink, progress.Event{Step: "compare", Total: total})
	for _, t := range p.Targets {
		if err := p.compareTarget(ctx, t, count); err != nil {
			return fmt.Errorf("compare source %s with the backup: %w", t.Name, err)
		}
	}
	sink.Report(progress.Event{Step: "compare", Status: progress.Done, Done: total, Unit: progress.Bytes})
	return nil
}

func (p *Plan) compareTarget(ctx context.Context, t *Target, onBytes func(int64)) error {
	if t.view.disorder != "" {
		return nil // refused: two walks side by side need one order
	}
	if t.Missing {
		return p.allNew(t)
	}
	keep, err := p.keeper(t)
	if err != nil {
		return err
	}
	kept := func(e *tree.Entry) string {
		rule := keep.skip(e)
		if rule != "" && rule != keepUnchosen {
			t.Changes.Kept = append(t.Changes.Kept, e.Path)
		}
		return rule
	}
	found, err := tree.Compare(ctx, t.Root, t.view.expected(), tree.CompareOptions{Skip: kept, Content: true, OnBytes: onBytes})
	if err != nil {
		return err
	}
	t.Changes.take(found, t.view)
	p.noteOwners(t, found)
	kepts := setOf(t.Changes.Kept)
	t.Changes.Removed = slices.DeleteFunc(t.Changes.Removed, func(path string) bool { return holdsAny(path, kepts) })
	t.Changes.Same = t.Entries - int64(len(t.Changes.Added)+len(t.Changes.Changed)+len(t.Changes.Attributes))
	if len(keep.clashes) > 0 {
		t.Aside = clashing(keep.clashes)
	}
	return nil
}

// clashing says why entries are set aside that no safety backup has.
func clashing(clashes []string) string {
	return fmt.Sprintf("%d entries that backups leave out now are replaced, %s among them", len(clashes), clashes[0])
}

func setOf(paths []string) map[string]bool {
	set := map[string]bool{}
	for _, path := range paths {
		set[path] = true
	}
	return set
}

// allNew fills the changes of a target that does not exist.
func (p *Plan) allNew(t *Target) error {
	for x, err := range t.view.expected() {
		if err != nil {
			return err
		}
		t.Changes.Added = append(t.Changes.Added, x.Entry.Path)
	}
	return nil
}

// take sorts differences into what a person wants to know. A folder's time changes with its content and says nothing.
func (c *Changes) take(found []tree.Difference, v *view) {
	fields := map[string][]string{}
	var order []string
	for _, d := range found {
		if v.parents[d.Path] && d.Field != "missing" && d.Field != "kind" {
			continue
		}
		if fields[d.Path] == nil {
			order = append(order, d.Path)
		}
		fields[d.Path] = append(fields[d.Path], d.Field)
	}
	for _, path := range order {
		c.sort(path, fields[path])
	}
}

func (c *Changes) sort(path string, fields []string) {
	has := func(names ...string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return slices.Contains(fields, n) })
	}
	switch {
	case has("missing"):
		c.Added = append(c.Added, path)
	case has("extra"):
		c.Removed = append(c.Removed, path)
	case has("content", "size", "kind", "link", "device", "unreadable"):
		c.Changed = append(c.Changed, path)
	default:
		c.Attributes = append(c.Attributes, path)
	}
}
