package backup

import (
	"context"
	"fmt"
	"slices"

	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/quiesce"
	"github.com/memsys/docker-memsys/internal/tree"
)

// hold decides which containers are held still while the sources are read: those that can write one of them.
func (p *Plan) hold(ctx context.Context) error {
	writers, err := p.writers(ctx, p.req.Containers)
	if err != nil {
		return err
	}
	p.Quiesce = quiesce.NewPlan(p.req.Quiesce, writers, func(engine.Container) bool { return true })
	for _, u := range p.Quiesce.Unheld {
		p.Warnings = append(p.Warnings, u.Name+" may write while its data is read: "+u.Why)
	}
	return nil
}

// writers are the containers that can write a source of the backup, by what the engine has really mounted.
func (p *Plan) writers(ctx context.Context, containers []engine.Container) ([]engine.Container, error) {
	var out []engine.Container
	for _, c := range containers {
		writes, err := p.writes(ctx, c)
		if err != nil {
			return nil, fmt.Errorf("look at the mounts of container %s: %w", c.Name, err)
		}
		if writes {
			out = append(out, c)
		}
	}
	return out, nil
}

func (p *Plan) writes(ctx context.Context, c engine.Container) (bool, error) {
	if c.State != engine.Running && c.State != engine.Restarting {
		return false, nil
	}
	for _, m := range c.Mounts {
		if m.ReadOnly {
			continue
		}
		places, err := m.Shown(ctx, p.req.Volume)
		if err != nil {
			return false, err
		}
		if slices.ContainsFunc(p.Sources, func(s Source) bool { return s.Missing == "" && touches(s, m, places) }) {
			return true, nil
		}
	}
	return false, nil
}

// touches tells whether a mount shows a source, a parent or a child of it, under whatever name.
func touches(s Source, m engine.Mount, places []string) bool {
	if s.Volume != nil && m.Name == s.Volume.Name {
		return true
	}
	return slices.ContainsFunc(places, func(place string) bool { return tree.Overlap(place, s.Root) })
}

// restless looks, when all is read and before anything is let go, for containers that can write all the same: started or let
// go by somebody else meanwhile, or such as cannot be held. Nobody is asked to be still where that is not wanted.
func (r *Runner) restless(ctx context.Context, p *Plan) []archive.Problem {
	if r.Containers == nil || p.req.Quiesce == quiesce.None {
		return nil
	}
	problem := func(text string) archive.Problem { return archive.Problem{Kind: problemHold, Error: text} }
	now, err := r.Containers(ctx)
	if err == nil {
		now, err = p.writers(ctx, now)
	}
	if err != nil {
		return []archive.Problem{problem("whether something has started that writes could not be seen: " + err.Error())}
	}
	var out []archive.Problem
	for _, c := range now {
		out = append(out, problem("container "+c.Name+" could write while its data was read: it was not held still"))
	}
	return out
}
