package restore

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/progress"
	"github.com/memsys/docker-memsys/internal/tree"
)

// work is one target while it is restored.
type work struct {
	target *Target
	swap   *tree.Swap
	moving bool            // its swap has begun
	kept   map[string]bool // roots of what stays in place
	stayed []tree.RawPath  // those of them that were not left alone only since nobody asked for them
	writer *tree.Writer
	// problems are attributes that could not be set, by path.
	problems map[string]error
}

// replaced tells whether the swap set something aside.
func (w *work) replaced() bool {
	return w.swap != nil && (w.swap.File || slices.ContainsFunc(w.swap.Moves, func(m tree.Move) bool { return m.Old }))
}

// aside is where the former entries are.
func (w *work) aside() string { return filepath.Join(string(w.swap.Staging), "old") }

// verify reads the whole archive before anything is touched.
func (x *execution) verify(ctx context.Context) error {
	if x.plan.reader == nil {
		return nil // what was set aside was read for the plan
	}
	start := x.Clock()
	f, err := os.Open(x.plan.Backup.Path)
	if err != nil {
		return fmt.Errorf("open backup: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("open backup: %w", err)
	}
	report, err := archive.Verify(ctx, f, info.Size(), archive.VerifyOptions{OnBytes: x.count("verify", info.Size())})
	if err != nil {
		return fmt.Errorf("verify %s: %w", x.plan.Backup.Name, err)
	}
	if sum := x.plan.Backup.SHA256; sum != "" && sum != report.SHA256 {
		report.Damage = append(report.Damage, archive.Damage{Reason: "the file's SHA-256 is not the one in the .sha256 beside it"})
	}
	if len(report.Damage) > 0 {
		return &DamagedError{Backup: x.plan.Backup.Name, Damage: report.Damage}
	}
	x.result.Seconds.Verify = x.since(start)
	x.report("verify", "", progress.Done)
	return nil
}

// DamagedError says that the archive is not sound; nothing was touched.
type DamagedError struct {
	Backup string
	Damage []archive.Damage
}

func (e *DamagedError) Error() string {
	d := e.Damage[0]
	where := d.Path
	if where != "" {
		where += ": "
	}
	return fmt.Sprintf("%s is damaged in %d places, first: %s%s; nothing was changed", e.Backup, len(e.Damage), where, d.Reason)
}

// count reports bytes as they go by.
func (x *execution) count(step string, total int64) func(int64) {
	return progress.Counter(x.Progress, progress.Event{Step: step, Total: total})
}

// swap brings the new content in place, all moves of a target on record before the first.
func (x *execution) swap(ctx context.Context) error {
	for _, w := range x.work {
		if err := x.swapOne(ctx, w); err != nil {
			return fmt.Errorf("swap source %s: %w", w.target.Name, err)
		}
	}
	return nil
}

func (x *execution) swapOne(ctx context.Context, w *work) error {
	keep, err := x.plan.keeper(w.target)
	if err != nil {
		return err
	}
	w.kept = map[string]bool{}
	swap, err := tree.PlanSwap(ctx, w.target.Root, w.target.staging, func(e *tree.Entry) string {
		rule := keep.skip(e)
		if rule != "" {
			w.kept[e.Path] = true
		}
		if rule != "" && rule != keepUnchosen {
			w.stayed = append(w.stayed, tree.RawPath(e.Path))
		}
		return rule
	})
	if err != nil {
		return err
	}
	if len(keep.clashes) > 0 { // some may have come since the plan was made
		w.target.Aside = clashing(keep.clashes)
	}
	if len(swap.LeftOut) > 0 {
		return fmt.Errorf("%q belongs to something else now", swap.LeftOut[0])
	}
	if self := w.target.self; self != nil && len(swap.Folders) > 0 {
		swap.Folders[0].New = *self
	}
	if err := saveSwap(swap, x.noteOf(w)); err != nil {
		return err
	}
	w.swap = swap
	if err := x.Journal.Step(stepSwap, trimmed(swap)); err != nil {
		return err
	}
	w.moving = true
	problems, err := tree.Apply(ctx, swap, x.moved)
	x.note(w, problems)
	return err
}

// noteOf is what is to be known of the former entries of a source, should they stay.
func (x *execution) noteOf(w *work) note {
	return note{
		ID: x.plan.ID, Source: w.target.Name, Kind: w.target.Kind, Backup: x.plan.Backup.Name, Time: x.start.UTC(), Why: w.target.Aside, Kept: w.stayed,
	}
}

// moved is called after each move of a swap.
func (x *execution) moved(int) error {
	if x.onMove == nil {
		return nil
	}
	return x.onMove()
}

// begun is what this run has done so far, in the form that a recovery reads from the journal.
func (x *execution) begun() *undo {
	u := &undo{volumes: x.volumes, roots: x.roots, takes: x.takes, record: x.recorded, aside: map[string]bool{}}
	for _, w := range x.work {
		if w.swap == nil {
			continue
		}
		u.swap(w.swap)
		if w.target.Aside != "" && w.replaced() {
			u.aside[string(w.swap.Staging)] = true
		}
	}
	return u
}

// commit makes the new state count.
func (x *execution) commit(context.Context) error {
	c := committed{}
	u := x.begun()
	for _, s := range u.swaps {
		if u.aside[string(s.Staging)] {
			c.Aside = append(c.Aside, string(s.Staging))
		}
	}
	return x.Journal.Step(stepCommit, c)
}
