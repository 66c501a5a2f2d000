package validate

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/inventory"
	"github.com/memsys/docker-memsys/internal/store"
	"github.com/memsys/docker-memsys/internal/tree"
)

// judge looks into the units that this backup has and returns those in which nothing is damaged.
func (h *hunt) judge(ctx context.Context, b store.Backup, r *archive.Reader) (good []*Unit, err error) {
	bySource := map[string][]*Unit{}
	for key, u := range h.units {
		if u.Backup == "" && len(u.files) > 0 {
			bySource[key.source] = append(bySource[key.source], u)
		}
	}
	for source, units := range bySource {
		for len(units) > 0 {
			report, err := h.inspect(ctx, r, source, units)
			if err != nil {
				return nil, err
			}
			bad, all := verdicts(report, units)
			for u, why := range bad {
				u.Passed = append(u.Passed, Passed{b.Name, why})
			}
			units = slices.DeleteFunc(units, func(u *Unit) bool { return bad[u] != "" })
			for _, u := range units {
				u.count(report.Inventory)
			}
			if all || len(bad) == 0 {
				good = append(good, units...)
				break
			}
		}
	}
	return good, nil
}

// count notes how many records a unit holds, of the collections that are its own.
func (u *Unit) count(inv inventory.Inventory) {
	u.Records = nil
	for _, c := range inv.Collections {
		if name, _, _ := strings.Cut(c.Name, "#"); name != archive.Text(u.Path) || c.Kind == inventory.KindJSON {
			continue
		}
		if u.Records == nil {
			u.Records = map[string]int64{}
		}
		u.Records[c.Name] = c.Records
	}
}

// inspect looks at some units of a source alone.
func (h *hunt) inspect(ctx context.Context, r *archive.Reader, source string, units []*Unit) (*inventory.Report, error) {
	files := map[string]bool{}
	for _, u := range units {
		for file := range u.files {
			files[file] = true
		}
	}
	o := h.Options
	o.Depth, o.Skip, o.Layout = inventory.Full, nil, nil
	o.Checks = []string{string(inventory.Structure), string(inventory.Memories), string(inventory.Databases), string(inventory.Vectors)}
	t := limitedTree{inventory.ArchiveTree(r, source), files}
	return inventory.Inspect(ctx, source, t, o, inventory.Calls{})
}

// verdicts says which units are damaged and why. all tells that the report lists every finding.
func verdicts(report *inventory.Report, units []*Unit) (bad map[*Unit]string, all bool) {
	bad, all = map[*Unit]string{}, true
	for _, res := range report.Results {
		all = all && res.More == 0
		for _, f := range res.Findings {
			u := unitOfFinding(f, units)
			may, zeros := inventory.MayBeEmptied(f)
			switch {
			case u == nil:
			case may && zeros:
				u.empty = true
			case f.Status == inventory.Damaged, f.Status == inventory.Unchecked && res.Check.Group() == inventory.Structure:
				bad[u] = f.Text
			case f.Status == inventory.Unchecked:
				u.Unchecked = f.Text
			}
		}
	}
	return bad, all
}

// unitOfFinding is the unit that a finding is about; nil where it is about none of them, or about the source as a whole.
func unitOfFinding(f inventory.Finding, units []*Unit) *Unit {
	at := cmp.Or(f.Path, ".") // of a source that is one file
	for _, u := range units {
		switch {
		case at == u.Path, u.files[at], inventory.BesideDatabase(at) == u.Path && !u.Store:
			return u
		case u.Store && (u.Path == "." || strings.HasPrefix(at, u.Path+"/")):
			return u
		}
	}
	return nil
}

// limitedTree is a tree of which only some files are seen, and the folders.
type limitedTree struct {
	inventory.Tree
	files map[string]bool
}

// Walk implements inventory.Tree.
func (t limitedTree) Walk(ctx context.Context, visit func(*tree.Entry, inventory.Open) error, problem func(string, error)) error {
	return t.Tree.Walk(ctx, func(e *tree.Entry, open inventory.Open) error {
		if e.Kind != tree.Dir && !t.files[e.Path] {
			return nil
		}
		return visit(e, open)
	}, problem)
}
