package plugin

import (
	"context"
	"errors"
	"path"
	"path/filepath"
	"strings"
	"sync"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/hooks/guard"
	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/validate"
)

// nameless are the anonymous volumes of a container in which data may lie.
func (g *guardFacts) nameless(ctx context.Context, c engine.Container) []guard.Nameless {
	var all []guard.Nameless
	for _, m := range c.Mounts {
		if m.Type != "volume" || !compose.IsAnonymous(m.Name) || validate.Regenerable(m.Destination) {
			continue
		}
		one := guard.Nameless{
			Container: c.Name, Target: m.Destination, Name: rescueName(c) + ":" + path.Clean(m.Destination),
			Look: func() guard.Content { return g.written(ctx, c, m) },
			Left: func() string { return g.leftBehind(ctx, c, m) },
		}
		if p := g.namedAt(c.Service, m.Destination); p != nil {
			one.Named = true
			one.Rescued = func() bool {
				return g.rescued(c, m.Destination, *p, func() (bool, bool) { return g.holdsVolume(ctx, m, *p) })
			}
		}
		all = append(all, one)
	}
	return all
}

// namedAt is the place with a name that the compose file has at exactly this place of a service's containers; nil where there is none.
func (g *guardFacts) namedAt(service, place string) *compose.Planned {
	if p := g.plannedAt(service, place); p != nil && p.Target == path.Clean(place) && placeWords(*p) != "" {
		return p
	}
	return nil
}

// plannedAt is the mount of the compose file that shows a place of a service's container; nil where there is none.
func (g *guardFacts) plannedAt(service, place string) *compose.Planned {
	var found *compose.Planned
	for _, plan := range g.PlansOf([]string{service}) {
		for _, m := range plan.Mounts {
			if shows(m.Target, place) && (m.Type == "bind" || m.Type == "volume") && (found == nil || len(m.Target) > len(found.Target)) {
				found = &m
			}
		}
	}
	return found
}

// shows tells that a path of a container is a place or lies below it.
func shows(place, name string) bool {
	place, name = path.Clean(place), path.Clean(name)
	return name == place || strings.HasPrefix(name, strings.TrimSuffix(place, "/")+"/")
}

// placeWords is a place of the compose file in words; empty for a volume without a name.
func placeWords(p compose.Planned) string {
	switch {
	case p.Type == "bind":
		return p.Path
	case p.Volume != nil && p.Volume.Name != "":
		return "volume " + p.Volume.Name
	}
	return ""
}

// placeOf is where on this machine a mount of the compose file lies; empty where that is not known.
func (g *guardFacts) placeOf(ctx context.Context, p compose.Planned) string {
	if p.Type == "bind" && g.sharesPaths() {
		return p.Path
	}
	if p.Volume == nil || p.Volume.Name == "" || !g.Info.Local {
		return ""
	}
	v, err := g.Engine.Volume(ctx, p.Volume.Name)
	if err != nil {
		return ""
	}
	place, err := v.Place()
	if err != nil {
		return ""
	}
	return filepath.Join(place, filepath.FromSlash(p.Subpath))
}

// layer is what lies in a container's own layer, looked at when it is asked for.
func (g *guardFacts) layer(ctx context.Context, c engine.Container) guard.Container {
	return guard.Container{
		Name: c.Name, Rescue: rescueName(c),
		Data:    func() ([]guard.Heap, string) { return g.heaps(ctx, c) },
		Removed: sync.OnceValue(func() string { return g.removed(ctx, c) }),
	}
}

// heaps is the data in a container's layer; unseen says why there may be more.
func (g *guardFacts) heaps(ctx context.Context, c engine.Container) (all []guard.Heap, unseen string) {
	found, err := g.world().LayerData(ctx, c)
	if err != nil && !errors.Is(err, engine.ErrNotFound) { // one that is gone has lost all already
		unseen = err.Error()
	}
	for _, d := range found {
		h := guard.Heap{Folder: d.Folder, Size: d.Size, Chroma: d.Chroma, Fresh: d.Fresh, Misplaced: d.Misplaced}
		if p := g.plannedAt(c.Service, d.Folder); p != nil && placeWords(*p) != "" {
			h.Mounted = true
			h.Rescued = func() bool {
				return g.rescued(c, d.Folder, *p, func() (bool, bool) { return g.holdsLayer(ctx, c, d, *p) })
			}
		}
		all = append(all, h)
	}
	return all, unseen
}

// rescueName is what docker memsys rescue calls a container: by its service, if it is one of its own.
func rescueName(c engine.Container) string {
	if c.OneOff {
		return c.Name
	}
	return c.Service
}
