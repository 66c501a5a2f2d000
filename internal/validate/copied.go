package validate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/memsys/docker-memsys/internal/inventory"
	"github.com/memsys/docker-memsys/internal/progress"
	"github.com/memsys/docker-memsys/internal/tree"
)

// place is where a finding is: damage that two copies show is at the same one.
type place struct{ check, source, path string }

// look is what one private copy showed.
type look struct {
	reports map[string]*inventory.Report
	doubt   string
	// prints are the contents of the stores in which damage was found, by place.
	prints map[place]string
}

// copied looks at the stores of live data in a private copy. What looks damaged there counts if a second copy shows it too, and, where
// somebody could write meanwhile, nothing has changed between them.
func (r *Runner) copied(ctx context.Context, p *Plan) (map[string]*inventory.Report, error) {
	first, err := r.look(ctx, p, true)
	if err != nil || len(first.prints) == 0 {
		return first.of(err)
	}
	r.Progress.Report(progress.Event{Step: "copy", Status: progress.Working, Text: "something looks damaged: a second copy is taken before that counts"})
	second, err := r.look(ctx, p, false)
	if err != nil {
		return nil, err
	}
	for name, report := range second.reports {
		confirm(report, first, second)
		report.Inventory = first.reports[name].Inventory // its records were told
	}
	return second.reports, nil
}

func (l *look) of(err error) (map[string]*inventory.Report, error) {
	if err != nil {
		return nil, err
	}
	return l.reports, nil
}

// look takes a copy and looks at it.
func (r *Runner) look(ctx context.Context, p *Plan, tell bool) (out *look, err error) {
	c, err := p.Copy.Take(ctx)
	if err != nil {
		return nil, fmt.Errorf("copy the stores: %w", err)
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	r.copies = append(r.copies, c.Quiesce())
	out = &look{reports: map[string]*inventory.Report{}, doubt: c.Doubt(), prints: map[place]string{}}
	for _, s := range p.Sources {
		stores := p.stores()[s.Name]
		if len(stores) == 0 {
			continue
		}
		o := p.req.Options
		o.Skip = append(slices.Clone(o.Skip), string(inventory.Structure)) // of the live files
		calls := r.calls(s.Name)
		if !tell {
			calls.Record = nil
		}
		report, err := inventory.Inspect(ctx, s.Name, inventory.OnlyStores(c.Tree(s.Name)), o, calls)
		if err != nil {
			return nil, err
		}
		out.reports[s.Name] = report
		for at := range damaged(report) {
			if out.prints[at], err = c.Print(ctx, s.Name, storeOf(stores, at.path)); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// damaged are the places in which a report has damage.
func damaged(r *inventory.Report) map[place]bool {
	out := map[place]bool{}
	for _, res := range r.Results {
		for _, f := range res.Findings {
			if f.Status == inventory.Damaged {
				out[place{f.Check, f.Source, f.Path}] = true
			}
		}
	}
	return out
}

// storeOf are the paths of the store that a path belongs to; all where none is known.
func storeOf(stores []tree.RawPath, path string) []tree.RawPath {
	for _, suffix := range []string{"-journal", "-wal", "-shm"} {
		path = strings.TrimSuffix(path, suffix)
	}
	var out []tree.RawPath
	for _, s := range stores {
		one := string(s)
		sidecar := strings.HasPrefix(one, path+"-") && !strings.Contains(one[len(path):], "/")
		if one == "." || one == path || sidecar || strings.HasPrefix(path, one+"/") {
			out = append(out, s)
		}
	}
	if len(out) == 0 {
		return stores
	}
	return out
}

// confirm takes damage back that only one of two copies shows, or that is in what changed between them though it should not.
func confirm(report *inventory.Report, first, second *look) {
	for i := range report.Results {
		res := &report.Results[i]
		if res.Status != inventory.Damaged {
			continue
		}
		for j := range res.Findings {
			f := &res.Findings[j]
			if f.Status != inventory.Damaged {
				continue
			}
			at := place{f.Check, f.Source, f.Path}
			was, both := first.prints[at]
			doubt := first.doubt + second.doubt
			switch {
			case !both:
				f.Status, f.Text = inventory.Unchecked, "one of two copies shows it, so it is being changed: "+f.Text
			case doubt != "" && was != second.prints[at]:
				f.Status, f.Text = inventory.Unchecked, "it is written to while it is read: "+f.Text
			}
		}
		res.Status = worstFinding(*res)
	}
}

// worstFinding is the status that the findings give to their result; those that are not listed count as the result had it.
func worstFinding(res inventory.Result) inventory.Status {
	if res.More > 0 {
		return res.Status
	}
	all := make([]inventory.Result, len(res.Findings))
	for i, f := range res.Findings {
		all[i].Status = f.Status
	}
	return inventory.Worst(all)
}
