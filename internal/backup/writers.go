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

// hold decides which containers are held still while the sources are read, how and in which order: those that can write one of them.
func (p *Plan) hold(ctx context.Context) error {
	p.written = map[string][]string{}
	for _, c := range p.req.Containers {
		names, err := p.writes(ctx, c)
		if err != nil {
			return err
		}
		p.written[c.ID] = names
	}
	p.Quiesce = quiesce.Arrange(quiesce.Request{
		Mode: p.req.Quiesce, Containers: p.req.Containers, NoPause: p.req.NoPause, MustStop: p.mustStop, Last: p.servesChroma,
		Writes: func(c engine.Container) bool { return len(p.written[c.ID]) > 0 },
	})
	for _, u := range p.Quiesce.Unheld {
		p.Warnings = append(p.Warnings, u.Name+" may write while its data is read: "+u.Why)
	}
	return nil
}

// mustStop says why a pause of a container cannot give a consistent copy of what it writes.
func (p *Plan) mustStop(c engine.Container) string {
	for _, s := range p.Sources {
		if s.traits.Lone && slices.Contains(p.written[c.ID], s.Name) {
			return s.Name + " is a database mounted as a single file, whose journal lies in the container"
		}
	}
	return ""
}

// servesChroma tells whether a container writes the data of a Chroma server.
func (p *Plan) servesChroma(c engine.Container) bool {
	return slices.ContainsFunc(p.Sources, func(s Source) bool {
		return len(s.traits.Chroma) > 0 && slices.Contains(p.written[c.ID], s.Name)
	})
}

// writers are the containers that can write a source of the backup.
func (p *Plan) writers(ctx context.Context, containers []engine.Container) ([]engine.Container, error) {
	var out []engine.Container
	for _, c := range containers {
		names, err := p.writes(ctx, c)
		if err != nil {
			return nil, err
		}
		if len(names) > 0 {
			out = append(out, c)
		}
	}
	return out, nil
}

// writes are the sources of the backup that a container can write now, by what the engine has really mounted.
func (p *Plan) writes(ctx context.Context, c engine.Container) ([]string, error) {
	if c.State != engine.Running && c.State != engine.Restarting {
		return nil, nil
	}
	var names []string
	for _, m := range c.Mounts {
		if m.ReadOnly {
			continue
		}
		places, err := m.Shown(ctx, p.req.Volume)
		if err != nil {
			return nil, fmt.Errorf("look at the mounts of container %s: %w", c.Name, err)
		}
		for _, s := range p.Sources {
			if s.Missing == "" && touches(s, m, places) && !slices.Contains(names, s.Name) {
				names = append(names, s.Name)
			}
		}
	}
	return names, nil
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
