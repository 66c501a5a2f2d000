package restore

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/tree"
)

// findUsers finds every container of the engine that uses a target, a parent or a child of it, and is not off.
func (p *Plan) findUsers(ctx context.Context) error {
	for _, c := range p.req.Containers {
		sources, err := p.usedBy(ctx, c)
		if err != nil {
			return err
		}
		if len(sources) > 0 {
			p.stop(c, sources)
		}
	}
	return nil
}

// usedBy are the targets that a container uses, a parent or a child of them included; none for one that is off.
func (p *Plan) usedBy(ctx context.Context, c engine.Container) ([]string, error) {
	if !active(c) {
		return nil, nil
	}
	var sources []string
	for _, t := range p.Targets {
		uses, err := p.uses(ctx, c, t)
		if err != nil {
			return nil, fmt.Errorf("look at the mounts of container %s: %w", c.Name, err)
		}
		if uses {
			sources = append(sources, t.Name)
		}
	}
	return sources, nil
}

// active tells whether a container can touch files, now or as soon as somebody lets it go.
func active(c engine.Container) bool {
	return c.State == engine.Running || c.State == engine.Paused || c.State == engine.Restarting
}

func (p *Plan) stop(c engine.Container, sources []string) {
	u := Container{ID: c.ID, Name: c.Name, Project: c.Project, Service: c.Service, Sources: sources, Foreign: c.Project != p.req.Project.Name}
	p.Stop = append(p.Stop, u)
	if u.Foreign && !p.req.StopForeign {
		p.refuse(ForeignUse, c.Name, "container %s, which is not of this project, uses %s", u.Name, strings.Join(sources, ", "))
	}
	if c.State == engine.Paused {
		p.refuse(PausedUse, c.Name, "container %s, which uses %s, is paused and would go on with files that are gone: unpause or stop it first", u.Name, strings.Join(sources, ", "))
	}
}

func (p *Plan) uses(ctx context.Context, c engine.Container, t *Target) (bool, error) {
	for _, m := range c.Mounts {
		places, err := m.Shown(ctx, p.volume)
		if err != nil {
			return false, err
		}
		if t.Root != "" && slices.ContainsFunc(places, func(place string) bool { return tree.Overlap(place, t.Root) }) {
			return true, nil
		}
	}
	return false, nil
}

// volume looks a volume of the engine up, once.
func (p *Plan) volume(ctx context.Context, name string) (engine.Volume, error) {
	if v, ok := p.volumes[name]; ok {
		return v, nil
	}
	v, err := p.req.Volumes.Volume(ctx, name)
	if err == nil {
		p.volumes[name] = v
	}
	return v, err
}
