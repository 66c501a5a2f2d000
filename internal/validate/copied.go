package validate

import (
	"context"
	"errors"
	"fmt"
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
	// prints are the contents of the stores in which damage was found, by place, and found is that damage.
	prints map[place]string
	found  map[inventory.Finding]bool
	// held are the restless files that the copy shows, by source.
	held map[string][]tree.RawPath
}

func newLook(doubt string) *look {
	return &look{
		reports: map[string]*inventory.Report{}, doubt: doubt, prints: map[place]string{}, found: map[inventory.Finding]bool{}, held: map[string][]tree.RawPath{},
	}
}

// copied looks at the stores of live data, and at files that never kept still, in a private copy. What looks damaged there counts if a second
// copy shows it too, and, where somebody could write meanwhile, nothing has changed between them.
func (r *Runner) copied(ctx context.Context, p *Plan, w copies) (*look, error) {
	first, err := r.look(ctx, p, w, true)
	if err != nil || len(first.prints) == 0 {
		return first, err
	}
	r.Progress.Report(progress.Event{Step: "copy", Status: progress.Working, Text: "something looks damaged: a second copy is taken before that counts"})
	second, err := r.look(ctx, p, w, false)
	if err != nil {
		return nil, err
	}
	for name, report := range second.reports {
		w.confirm(report, first, second)
		report.Inventory = first.reports[name].Inventory // its records were told
	}
	return second, nil
}

// look takes a copy and looks at it.
func (r *Runner) look(ctx context.Context, p *Plan, w copies, tell bool) (out *look, err error) {
	c, err := w.plan.Take(ctx)
	if err != nil {
		return nil, fmt.Errorf("copy the stores: %w", err)
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	r.copies = append(r.copies, c.Quiesce())
	out = newLook(c.Doubt())
	for _, s := range p.Sources {
		all := w.of(s.Name)
		if len(all) == 0 {
			continue
		}
		counted := progress.Event{Step: "inspect", Object: s.Name}
		calls := inventory.Calls{Bytes: progress.Counter(r.Progress, counted), Record: r.Record}
		if !tell {
			calls.Record = nil
		}
		report, held, err := w.inspect(ctx, s.Name, c.Tree(s.Name), p.req.Options, calls)
		if err != nil {
			return nil, err
		}
		counted.Status = progress.Done
		r.Progress.Report(counted)
		if out.doubt == "" {
			held = w.restless[s.Name] // what is not there is gone
		}
		out.reports[s.Name], out.held[s.Name] = report, held
		for f := range damaged(report) {
			out.found[f] = true
			if out.prints[findingAt(f)], err = c.Print(ctx, s.Name, storeOf(all, f.Path)); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

func findingAt(f inventory.Finding) place { return place{f.Check, f.Source, f.Path} }

// damaged is the damage that a report tells.
func damaged(r *inventory.Report) map[inventory.Finding]bool {
	out := map[inventory.Finding]bool{}
	for _, res := range r.Results {
		for _, f := range res.Findings {
			if f.Status == inventory.Damaged {
				out[f] = true
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
func (w copies) confirm(report *inventory.Report, first, second *look) {
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
			at := findingAt(*f)
			was, both := first.prints[at]
			doubt := first.doubt + second.doubt
			switch {
			case !both:
				f.Status, f.Text = inventory.Unchecked, "one of two copies shows it, so it is being changed: "+f.Text
			case (doubt != "" || w.isRestless(*f) && !first.found[*f]) && was != second.prints[at]:
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
