package validate

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/memsys/docker-memsys/internal/inventory"
	"github.com/memsys/docker-memsys/internal/tree"
)

// copies is how private copies are made, and what of: by source the stores, and the files that looked torn and never kept still.
type copies struct {
	plan     *CopyPlan // nil: none are made
	stores   map[string][]tree.RawPath
	restless map[string][]tree.RawPath
}

// copies decides what is copied once the live files were looked at. A file that never kept still can be judged only in a copy that is taken
// while its writers are held; where nobody is, or who writes is not known, it stays as it is.
func (p *Plan) copies(ctx context.Context, live map[string]*inventory.Report) (copies, error) {
	w := copies{plan: p.Copy, stores: p.stores(), restless: map[string][]tree.RawPath{}}
	for name, report := range live {
		if len(report.Restless) > 0 {
			w.restless[name] = report.Restless
		}
	}
	if len(w.restless) == 0 || p.req.Copier == nil || !LooksAtStores(p.req.Options) {
		w.restless = nil
		return w, nil
	}
	all := map[string][]tree.RawPath{}
	for _, s := range p.Sources {
		if paths := w.of(s.Name); len(paths) > 0 {
			all[s.Name] = paths
		}
	}
	plan, err := p.req.Copier.Prepare(ctx, all)
	switch {
	case err != nil:
		return w, fmt.Errorf("plan private copies of the stores, and of files that change all the time: %w", err)
	case len(plan.Hold) == 0 || plan.Doubt != "":
		w.restless = nil
	default:
		w.plan = plan
	}
	return w, nil
}

// of is all that is copied of a source.
func (w copies) of(source string) []tree.RawPath {
	return slices.Concat(w.stores[source], w.restless[source])
}

// inspect looks at what was copied of a source, and tells which restless files that is.
func (w copies) inspect(ctx context.Context, source string, t inventory.Tree, o inventory.Options, calls inventory.Calls) (*inventory.Report, []tree.RawPath, error) {
	o.Skip = append(slices.Clone(o.Skip), string(inventory.Structure)) // of the live files
	report := &inventory.Report{Source: source}
	if len(w.stores[source]) > 0 {
		one, err := inventory.Inspect(ctx, source, inventory.OnlyStores(t), o, calls)
		if err != nil {
			return nil, nil, err
		}
		report = one
	}
	if len(w.restless[source]) == 0 {
		return report, nil, nil
	}
	some := &picked{all: t, paths: w.restless[source]}
	more, err := inventory.Inspect(ctx, source, some, o, calls)
	if err != nil {
		return nil, nil, err
	}
	join(report, more)
	return report, some.seen, nil
}

// isRestless tells whether a finding is in a file that never kept still.
func (w copies) isRestless(f inventory.Finding) bool {
	return slices.Contains(w.restless[f.Source], tree.RawPath(cmp.Or(f.Path, ".")))
}

// judged takes back what was said of files that never kept still, those of which a copy was looked at.
func judged(live *inventory.Report, held []tree.RawPath) {
	for i := range live.Results {
		res := &live.Results[i]
		before := len(res.Findings)
		res.Findings = slices.DeleteFunc(res.Findings, func(f inventory.Finding) bool {
			return f.Status == inventory.Unchecked && slices.Contains(held, tree.RawPath(cmp.Or(f.Path, ".")))
		})
		if len(res.Findings) < before {
			res.Status = worstFinding(*res)
		}
	}
}

// picked is some files of a tree.
type picked struct {
	all   inventory.Tree
	paths []tree.RawPath
	seen  []tree.RawPath
}

// Walk implements inventory.Tree.
func (c *picked) Walk(ctx context.Context, visit func(*tree.Entry, inventory.Open) error, problem func(string, error)) error {
	return c.all.Walk(ctx, func(e *tree.Entry, open inventory.Open) error {
		path := tree.RawPath(e.Path)
		if open == nil || !slices.Contains(c.paths, path) {
			return ctx.Err()
		}
		c.seen = append(c.seen, path)
		return visit(e, open)
	}, problem)
}
