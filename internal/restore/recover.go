package restore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/journal"
	"github.com/memsys/docker-memsys/internal/quiesce"
	"github.com/memsys/docker-memsys/internal/tree"
)

// Recovery is what becomes of an interrupted restore.
type Recovery struct {
	// Committed tells that the restored data counts; else the former data does.
	Committed bool `json:"committed"`
	// Roots are the sources that are put in order.
	Roots []string `json:"roots,omitempty"`
	// Aside are the folders that keep what was replaced.
	Aside []string `json:"aside,omitempty"`
	// Volumes are those that the restore had made, Made are the folders and files.
	Volumes []string `json:"volumes,omitempty"`
	Made    []string `json:"made,omitempty"`

	undo *undo
}

// String says in a sentence what Recover does.
func (r *Recovery) String() string {
	switch {
	case len(r.Roots) == 0:
		return "the restore had not touched any data"
	case r.Committed:
		return "the restored data is in place in " + strings.Join(r.Roots, ", ")
	}
	return "the data in " + strings.Join(r.Roots, ", ") + " is put back as it was before the restore"
}

// Committed tells whether the restored data counts in the steps of a restore, whatever is left to do.
func Committed(steps []journal.Step) (bool, error) {
	u := &undo{aside: map[string]bool{}}
	for _, s := range steps {
		if _, err := u.read(s); err != nil {
			return false, fmt.Errorf("read step %s of the journal: %w", s.Name, err)
		}
	}
	return u.committed, nil
}

// PlanRecovery reads from the steps of an interrupted restore what has to be done, and changes nothing. Nil: nothing.
func PlanRecovery(steps []journal.Step) (*Recovery, error) {
	u := &undo{aside: map[string]bool{}, interrupted: true}
	found := false
	for _, s := range steps {
		ours, err := u.read(s)
		if err != nil {
			return nil, fmt.Errorf("read step %s of the journal: %w", s.Name, err)
		}
		found = found || ours
	}
	if !found || u.done {
		return nil, nil
	}
	r := &Recovery{Committed: u.committed, Volumes: u.volumes, Made: slices.Concat(u.roots...), undo: u}
	for _, s := range u.swaps {
		r.Roots = append(r.Roots, string(s.Root))
		if u.committed && u.aside[string(s.Staging)] {
			r.Aside = append(r.Aside, string(s.Staging))
		}
	}
	return r, nil
}

func (u *undo) read(s journal.Step) (ours bool, err error) {
	switch s.Name {
	case stepVolume:
		var name string
		err = json.Unmarshal(s.Data, &name)
		u.volumes = append(u.volumes, name)
	case stepRoot:
		var paths []string
		err = json.Unmarshal(s.Data, &paths)
		u.roots = append(u.roots, paths)
	case stepStage, stepSwap:
		swap := new(tree.Swap)
		err = json.Unmarshal(s.Data, swap)
		u.swap(swap)
	case stepTake:
		var k take
		err = json.Unmarshal(s.Data, &k)
		u.takes = append(u.takes, k)
	case stepRecord:
		err = json.Unmarshal(s.Data, &u.record)
	case stepCommit:
		var c committed
		err = json.Unmarshal(s.Data, &c)
		u.committed = true
		for _, staging := range c.Aside {
			u.aside[staging] = true
		}
	case stepRevert:
		u.committed = false
	case stepCleaned:
		u.cleaned = true
	case stepDone:
		u.done = true
	default:
		return false, nil
	}
	return true, err
}

// Recover ends an interrupted restore: the data comes to its old or its new state. Containers that use data between two states are
// stopped first and started again. The services that the restore had stopped are let go by quiesce.Recover afterwards. It can be repeated.
func (r *Runner) Recover(ctx context.Context, rec *Recovery) (err error) {
	if rec.Committed {
		return rec.undo.clean(ctx)
	}
	held, err := r.holdUsers(ctx, rec.Roots)
	if err != nil {
		return err
	}
	if err := rec.undo.revert(ctx, r.Volumes); err != nil {
		return &StuckError{Err: err, Where: rec.undo.where()}
	}
	return errors.Join(release(ctx, held), r.forget(rec.undo.record))
}

// holdUsers stops what runs on the data of an unfinished restore, such as containers that came up with the machine.
func (r *Runner) holdUsers(ctx context.Context, roots []string) (*quiesce.Held, error) {
	if r.Containers == nil || len(roots) == 0 {
		return nil, nil
	}
	containers, err := r.Containers(ctx)
	if err != nil {
		return nil, fmt.Errorf("look for containers that use the data: %w", err)
	}
	p := &Plan{volumes: map[string]engine.Volume{}, req: Request{Volumes: r.Volumes}}
	for _, root := range roots {
		p.Targets = append(p.Targets, &Target{Name: root, Root: root})
	}
	var failed error
	plan := quiesce.NewPlan(quiesce.Stop, containers, func(c engine.Container) bool {
		sources, err := p.usedBy(ctx, c)
		failed = errors.Join(failed, err)
		return len(sources) > 0
	})
	if failed != nil {
		return nil, failed
	}
	return r.Quiescer.Hold(ctx, plan)
}

// where says what is where.
func (u *undo) where() []string {
	var out []string
	for _, s := range u.swaps {
		out = append(out, fmt.Sprintf("%s: former entries that are not in place are in %s/old, restored ones in %s/new", s.Root, s.Staging, s.Staging))
	}
	return out
}
