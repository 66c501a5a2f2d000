package restore

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/memsys/docker-memsys/internal/inventory"
	"github.com/memsys/docker-memsys/internal/progress"
	"github.com/memsys/docker-memsys/internal/tree"
)

// Counted is what the restored data of a source holds, next to what the backup counted.
type Counted struct {
	Source      string `json:"source"`
	Collections int64  `json:"collections"`
	Records     int64  `json:"records"`
	// Why says why it was not compared with the backup, or that the comparison took another way.
	Why string `json:"why,omitempty"`
	// Checked tells that nothing is missing.
	Checked bool `json:"checked"`
}

// LossError says that the restored data does not hold what the backup does.
type LossError struct {
	Source string
	What   []string
}

func (e *LossError) Error() string {
	const most = 5
	text := strings.Join(e.What[:min(len(e.What), most)], "; ")
	if n := len(e.What) - most; n > 0 {
		text += fmt.Sprintf("; and %d more", n)
	}
	return fmt.Sprintf("source %s does not hold what the backup does: %s", e.Source, text)
}

// gate counts the restored data before it counts: memories, collections and ids must be those of the backup, and nothing may be damaged
// that is not damaged there.
func (x *execution) gate(ctx context.Context) error {
	for _, w := range x.work {
		if w.target.Kind == projectPrefix {
			continue
		}
		counted := Counted{Source: w.target.Name, Why: x.ungated(w)}
		if counted.Why == "" {
			if err := x.countOne(ctx, w, &counted); err != nil {
				return fmt.Errorf("count source %s: %w", w.target.Name, err)
			}
		}
		x.result.Counted = append(x.result.Counted, counted)
		x.Progress.Report(progress.Event{Step: "count", Object: w.target.Name, Status: progress.Done, Text: counted.Why})
	}
	return nil
}

// ungated says why a source is not counted; empty where it is.
func (x *execution) ungated(w *work) string {
	t := w.target
	switch {
	case x.plan.req.Inspect == nil:
		return "nobody is to look (validate: none)"
	case t.From == FromAside || t.From == FromNothing:
		return "it does not come from a backup"
	case t.source.Inventory == nil || x.plan.manifest.Validation == nil || x.plan.reader == nil:
		return "the backup has no inventory"
	case x.plan.limited() || len(t.paths) > 0 || x.plan.req.Undo != nil && !t.whole:
		return "only a part of it is restored"
	case len(t.view.Lost) > 0:
		return "a part of it is not restored"
	}
	return ""
}

// countOne counts one source. Where it is not as the manifest says, the archive is counted anew: another version may have counted otherwise, and
// what counts is what is in it.
func (x *execution) countOne(ctx context.Context, w *work, out *Counted) error {
	scratch := filepath.Join(string(w.swap.Staging), "scratch")
	if err := os.Mkdir(scratch, 0o700); err != nil {
		return fmt.Errorf("make a folder for private copies: %w", err)
	}
	defer func() { _ = os.RemoveAll(scratch) }() // it goes with the staging
	o := x.inspection(scratch)
	live, err := inventory.Inspect(ctx, w.target.Name, inventory.LiveTree(w.target.Root, w.skipKept(x.plan.ID)), o, inventory.Calls{})
	if err != nil {
		return err
	}
	v := x.plan.manifest.Validation
	short := inventory.Shorten(live.Inventory, len(w.target.source.Inventory.Collections))
	out.Collections = int64(len(live.Inventory.Collections))
	for _, c := range live.Inventory.Collections {
		out.Records += c.Records
	}
	known := slices.DeleteFunc(slices.Clone(v.Findings), func(f inventory.Finding) bool { return f.Source != w.target.source.Name })
	if out.Checked = v.More == 0 && len(lost(*w.target.source.Inventory, known, short, live.Results)) == 0; out.Checked {
		return nil
	}
	name := strings.TrimPrefix(w.target.source.Prefix, "data/")
	held, err := inventory.Inspect(ctx, w.target.Name, inventory.ArchiveTree(x.plan.reader, name), o, inventory.Calls{})
	if err != nil {
		return err
	}
	out.Why = "it is counted otherwise than when the backup was made, with " + x.plan.manifest.Tool
	what := lost(held.Inventory, findings(held.Results), live.Inventory, live.Results)
	if out.Checked = len(what) == 0; out.Checked {
		return nil
	}
	there := live.Inventory.Files == held.Inventory.Files && live.Inventory.Bytes == held.Inventory.Bytes
	if there && unread(live.Results) > unread(held.Results) && len(damagedAlone(findings(held.Results), live.Results)) == 0 {
		out.Why = "not all of it could be looked at"
		return nil
	}
	return &LossError{Source: w.target.Name, What: what}
}

// inspection looks as closely as the backup did.
func (x *execution) inspection(scratch string) inventory.Options {
	o := *x.plan.req.Inspect
	v := x.plan.manifest.Validation
	o.Depth, o.Checks, o.Skip, o.Scratch, o.Live, o.NoStores = v.Depth, v.Checks, v.Skip, scratch, false, false
	return o
}

// lost says what of a backup is not in the live data, and what is damaged there alone.
func lost(held inventory.Inventory, known []inventory.Finding, live inventory.Inventory, results []inventory.Result) []string {
	var out []string
	for _, text := range inventory.Unequal(held, live) {
		out = append(out, strings.Replace(text, "before", "in the backup", 1))
	}
	return append(out, damagedAlone(known, results)...)
}

// damagedAlone says what is damaged that was not known to be.
func damagedAlone(known []inventory.Finding, results []inventory.Result) (out []string) {
	type place struct{ check, path, object string }
	there := map[place]bool{}
	for _, f := range known {
		there[place{f.Check, f.Path, f.Object}] = true
	}
	for _, f := range findings(results) {
		if f.Status == inventory.Damaged && !there[place{f.Check, f.Path, f.Object}] {
			out = append(out, f.Path+": "+f.Text)
		}
	}
	return out
}

func findings(results []inventory.Result) (out []inventory.Finding) {
	for _, r := range results {
		out = append(out, r.Findings...)
	}
	return out
}

// unread is how many things could not be looked at.
func unread(results []inventory.Result) (n int64) {
	for _, r := range results {
		if r.Status == inventory.Unchecked {
			n++
		}
		for _, f := range r.Findings {
			if f.Status == inventory.Unchecked {
				n++
			}
		}
	}
	return n
}

// skipKept leaves out what stays in place, and the staging.
func (w *work) skipKept(id string) func(*tree.Entry) string {
	return func(e *tree.Entry) string {
		if w.kept[e.Path] || strings.HasPrefix(filepath.Base(e.Path), tree.StagingName(id)) {
			return "kept"
		}
		return ""
	}
}

// damaged refuses a backup whose data is known to be damaged, as far as what is restored goes. What an undo brings back may be damaged as it was.
func (p *Plan) damaged() {
	d := p.req.Damage
	if d == nil || p.req.Undo != nil {
		return
	}
	hits := slices.DeleteFunc(slices.Clone(d.Findings), func(f inventory.Finding) bool {
		return f.Status != inventory.Damaged || !slices.ContainsFunc(p.Targets, func(t *Target) bool { return t.source.Name == f.Source })
	})
	if len(hits) == 0 && d.More == 0 {
		return
	}
	text := "a validation found damage in the data of " + p.Backup.Name
	if len(hits) > 0 {
		f := hits[0]
		text += fmt.Sprintf(", %d findings, first: %s/%s: %s", len(hits), f.Source, f.Path, f.Text)
	}
	if p.req.AcceptDamage || p.limited() {
		p.Warnings = append(p.Warnings, text)
		return
	}
	p.refuse(DamagedData, p.Backup.Name, "%s", text)
}
