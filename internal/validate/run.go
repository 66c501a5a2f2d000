package validate

import (
	"context"
	"slices"

	"github.com/memsys/docker-memsys/internal/inventory"
	"github.com/memsys/docker-memsys/internal/progress"
)

// Run looks at all that the plan says. Damage is not an error.
func (r *Runner) Run(ctx context.Context, p *Plan) (*Report, error) {
	began := r.Clock()
	report := &Report{
		Backup: p.Backup, Project: p.Project, Began: began, Depth: p.Depth, Results: []inventory.Result{}, Inventories: map[string]inventory.Inventory{},
	}
	if r.Before != nil {
		r.Before(ctx, p.wants)
	}
	reports, err := r.Inspect(ctx, p)
	if err != nil {
		return nil, err
	}
	if len(p.Sources) == 0 && p.wants(readable().ID) {
		report.Results = append(report.Results, noSource())
	}
	for _, s := range p.Sources {
		if s.Missing != "" || p.wants(readable().ID) {
			report.Results = append(report.Results, reached(s))
		}
		if one := reports[s.Name]; one != nil {
			report.Results = append(report.Results, one.Results...)
			report.Inventories[s.Name] = one.Inventory
		}
	}
	report.Copies = r.copies
	for _, more := range p.req.More {
		report.Results = append(report.Results, more(ctx, p.wants, report)...)
	}
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	inventory.Order(report.Results)
	report.Status = inventory.Worst(report.Results)
	report.Seconds = r.Clock().Sub(began).Seconds()
	return report, nil
}

// noSource is the result where there is nothing to look at.
func noSource() inventory.Result {
	text := "there is none: the project keeps no data in folders or volumes that a backup would take"
	return inventory.Result{
		Check: readable(), Status: inventory.Warning, Findings: []inventory.Finding{{Check: readable().ID, Status: inventory.Warning, Text: text}},
	}
}

// reached is the result for a source as a whole.
func reached(s Source) inventory.Result {
	res := inventory.Result{Check: readable(), Source: s.Name, Status: inventory.OK, Checked: 1}
	if s.Missing != "" {
		res.Status, res.Checked, res.Why = inventory.Unchecked, 0, s.Missing
		res.Findings = []inventory.Finding{{Check: res.Check.ID, Status: inventory.Unchecked, Source: s.Name, Text: s.Missing}}
	}
	return res
}

// Inspect reads all sources of a plan that can be read and tells what is in each, by name.
func (r *Runner) Inspect(ctx context.Context, p *Plan) (map[string]*inventory.Report, error) {
	reports := map[string]*inventory.Report{}
	for _, s := range p.Sources {
		if s.Missing != "" {
			continue
		}
		o := p.req.Options
		o.Live, o.Layout, o.Private, o.NoStores = p.Backup == "", s.Layout, s.Private, p.Copy != nil && len(s.Stores) > 0
		one, err := p.req.Side.Inspect(ctx, s.Name, o, r.calls(s.Name))
		if err != nil {
			return nil, err
		}
		reports[s.Name] = one
		r.Progress.Report(progress.Event{Step: "read", Object: s.Name, Status: progress.Done})
	}
	w, err := p.copies(ctx, reports)
	if err != nil || w.plan == nil {
		return reports, err
	}
	copied, err := r.copied(ctx, p, w)
	if err != nil {
		return nil, err
	}
	for name, one := range copied.reports {
		judged(reports[name], copied.held[name])
		join(reports[name], one)
	}
	return reports, nil
}

func (r *Runner) calls(source string) inventory.Calls {
	return inventory.Calls{Bytes: progress.Counter(r.Progress, progress.Event{Step: "read", Object: source}), Record: r.Record}
}

// join adds to the report of a source what was found in the copy of its stores. Files and bytes were counted already.
func join(into, from *inventory.Report) {
	into.Inventory.Collections = inventory.JoinCollections(into.Inventory.Collections, from.Inventory.Collections)
	for _, res := range from.Results {
		i := slices.IndexFunc(into.Results, func(have inventory.Result) bool { return have.Check.ID == res.Check.ID })
		if i < 0 {
			into.Results = append(into.Results, res)
			continue
		}
		have := &into.Results[i]
		have.Status = inventory.Worst([]inventory.Result{*have, res})
		have.Checked += res.Checked
		have.Findings = append(have.Findings, res.Findings...)
		have.More += res.More
		if have.Why == "" {
			have.Why = res.Why
		}
	}
}
