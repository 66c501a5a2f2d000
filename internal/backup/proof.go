package backup

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/inventory"
	"github.com/memsys/docker-memsys/internal/progress"
	"github.com/memsys/docker-memsys/internal/quiesce"
	"github.com/memsys/docker-memsys/internal/store"
)

// onceMoreAfter is how long writers that are not held have to end what they were at, before a copy is taken once more.
const onceMoreAfter = time.Second

// taken is a copy of the sources that was looked at, and waits for the rest.
type taken struct {
	Reading
	manifest *archive.Manifest
	reports  []inventory.Report
}

// Known is damage that an earlier backup had already.
type Known struct {
	Backup   string `json:"backup"`
	Findings int    `json:"findings"` // of this backup that were in that one
}

// take copies the sources and looks at the copy. Damage that the backup before did not have may be one of the copy alone: it is taken once
// more, with those who write these sources stopped where that is left to us. Damage that is there again is one of the live data.
func (r *Runner) take(ctx context.Context, p *Plan, pending *store.Pending, start time.Time, log *heldLog) (*taken, error) {
	first, err := r.takeOnce(ctx, p, pending, start, log)
	if err != nil {
		return nil, err
	}
	torn := p.torn(first.reports)
	if len(torn) == 0 {
		return first, nil
	}
	text := fmt.Sprintf("looks damaged in the copy: %s; all is copied once more", where(torn[0]))
	r.Progress.Report(progress.Event{Step: "inspect", Object: torn[0].Source, Status: progress.Warning, Text: text})
	if err := first.Abort(); err != nil {
		return nil, fmt.Errorf("take the copy once more: %w", err)
	}
	if err := pending.File.Truncate(0); err != nil {
		return nil, fmt.Errorf("take the copy once more: %w", err)
	}
	again := p.stronger(torn)
	if err := r.pauseBetween(ctx, again); err != nil {
		return nil, err
	}
	second, err := r.takeOnce(ctx, again, pending, start, log)
	if err != nil {
		return nil, err
	}
	second.manifest.Warnings = append(second.manifest.Warnings, verdict(torn, p.torn(second.reports)))
	return second, nil
}

// takeOnce copies the sources and looks at the copy, once the services are let go.
func (r *Runner) takeOnce(ctx context.Context, p *Plan, pending *store.Pending, start time.Time, log *heldLog) (*taken, error) {
	m, err := r.manifest(p, start)
	if err != nil {
		return nil, err
	}
	reading, err := r.copySources(ctx, p, pending.File.Name(), m, log)
	if err != nil {
		return nil, err
	}
	t := &taken{Reading: reading, manifest: m}
	if p.req.Inspect == nil {
		return t, nil
	}
	began := r.Clock()
	t.reports, err = reading.Inspect(ctx, *p.req.Inspect)
	log.inspected += r.since(began)
	if err != nil {
		_ = reading.Abort() // the first error counts
		return nil, err
	}
	t.note(*p.req.Inspect)
	return t, nil
}

// note puts into the manifest what was counted and found.
func (t *taken) note(o inventory.Options) {
	var results []inventory.Result
	listed := 0
	for _, report := range t.reports {
		results = append(results, report.Results...)
		i := slices.IndexFunc(t.manifest.Sources, func(s archive.Source) bool { return s.Name == report.Source })
		if i < 0 {
			continue
		}
		counted := inventory.Shorten(report.Inventory, inventory.ListedOfAll-listed)
		listed += len(counted.Collections)
		t.manifest.Sources[i].Inventory = &counted
	}
	v := inventory.Conclude(o, results)
	t.manifest.Validation = &v
}

// torn are the damaged findings that a second copy could show to be none: of contents, not known from the backup before. Of a safety
// backup there are none: data is restored because it is damaged.
func (p *Plan) torn(reports []inventory.Report) []inventory.Finding {
	if p.req.Reason == store.BeforeRestore {
		return nil
	}
	known := p.known()
	var out []inventory.Finding
	for _, report := range reports {
		for _, res := range report.Results {
			if !slices.Contains([]inventory.Group{inventory.Memories, inventory.Databases, inventory.Vectors}, res.Check.Group()) {
				continue
			}
			for _, f := range res.Findings {
				if f.Status == inventory.Damaged && !known[f.Place()] {
					out = append(out, f)
				}
			}
		}
	}
	return out
}

// known is the damage of the backup before.
func (p *Plan) known() map[archive.Place]bool {
	out := map[archive.Place]bool{}
	if p.before == nil {
		return out
	}
	for _, f := range p.before.Validation.Findings {
		if f.Status == inventory.Damaged {
			out[f.Place()] = true
		}
	}
	return out
}

// lastLooked is the newest backup of the owner's own data whose contents were looked at.
func lastLooked(all []store.Backup, owner store.Owner) *store.Backup {
	for _, b := range all { // newest first
		if b.Validation != nil && b.Reason != store.Import && b.Reason != store.BeforeRestore && (owner == store.Owner{} || b.Owner == owner) {
			return &b
		}
	}
	return nil
}

// stillThere tells what of the damage in a backup the one before had already; nil where nothing.
func (p *Plan) stillThere(v *inventory.Validation) *Known {
	if v == nil {
		return nil
	}
	known, n := p.known(), 0
	for _, f := range v.Findings {
		if f.Status == inventory.Damaged && known[f.Place()] {
			n++
		}
	}
	if n == 0 {
		return nil
	}
	return &Known{Backup: p.before.Name, Findings: n}
}

// stronger is the plan for a second copy: auto stops those who write what looks damaged. Who asked for a pause gets another one.
func (p *Plan) stronger(torn []inventory.Finding) *Plan {
	out := *p
	if p.Quiesce.Mode != quiesce.Auto {
		return &out
	}
	for _, f := range torn {
		out.Quiesce = out.Quiesce.Stopping(func(it quiesce.Item) bool { return slices.Contains(p.written[it.ID], f.Source) }, where(f)+" looked damaged in the first copy")
	}
	return &out
}

// pauseBetween waits before a second copy where nobody is held.
func (r *Runner) pauseBetween(ctx context.Context, p *Plan) error {
	if len(p.Quiesce.Items) > 0 {
		return nil
	}
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(onceMoreAfter):
		return nil
	}
}

// verdict says what a second copy has shown.
func verdict(first, second []inventory.Finding) string {
	text := fmt.Sprintf("the sources were copied twice: in the first copy %s looked damaged", where(first[0]))
	if len(first) > 1 {
		text += fmt.Sprintf(", and %d more", len(first)-1)
	}
	if len(second) == 0 {
		return text + "; the second one is whole"
	}
	return text + "; so it does in the second one"
}

// where says a finding in few words.
func where(f inventory.Finding) string {
	at := f.Source
	if f.Path != "" && f.Path != "." {
		at += "/" + f.Path
	}
	if f.Object != "" {
		at += " (" + f.Object + ")"
	}
	return at + ": " + f.Text
}
