package plugin

import (
	"bytes"
	"context"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/hooks/guard"
	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/validate"
)

// mine are the containers that the command may remove or make anew.
func (g *guardFacts) mine() []engine.Container {
	affected := g.services
	if g.command.verb == "down" {
		affected = g.downed()
	}
	return slices.DeleteFunc(slices.Clone(g.Containers), func(c engine.Container) bool {
		return c.Project != g.Name || c.OneOff || !slices.Contains(affected, c.Service) && !g.orphaned(c)
	})
}

// orphaned tells a container of a service that the compose file no longer has, where the command removes those.
func (g *guardFacts) orphaned(c engine.Container) bool {
	return g.command.on("remove-orphans") && !slices.ContainsFunc(g.Project.Services(), func(s compose.Service) bool { return s.Name == c.Service })
}

// downed are the services that docker compose down removes: the named ones and those that depend on them, or all.
func (g *guardFacts) downed() []string {
	var names []string
	for _, s := range g.Project.Services() {
		if len(g.command.words) == 0 || slices.ContainsFunc(g.Started([]string{s.Name}, false), func(on string) bool { return slices.Contains(g.command.words, on) }) {
			names = append(names, s.Name)
		}
	}
	return names
}

// nameless are the anonymous volumes of a container in which data may lie.
func (g *guardFacts) nameless(ctx context.Context, c engine.Container) []guard.Nameless {
	var all []guard.Nameless
	for _, m := range c.Mounts {
		if m.Type != "volume" || !compose.IsAnonymous(m.Name) || validate.Regenerable(m.Destination) {
			continue
		}
		one := guard.Nameless{
			Container: c.Name, Service: c.Service, Target: m.Destination, Renewed: true,
			Look: func() guard.Content { return g.written(ctx, c, m) },
		}
		if p := g.plannedAt(c.Service, m.Destination); p != nil && p.Target == path.Clean(m.Destination) && placeWords(*p) != "" {
			one.Now, one.LookNow = placeWords(*p), g.lookPlanned(ctx, *p)
			one.Rescued = func() bool { return g.holdsVolume(ctx, m, *p) }
		}
		all = append(all, one)
	}
	return all
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

func (g *guardFacts) lookPlanned(ctx context.Context, p compose.Planned) guard.Look {
	if p.Type == "bind" {
		return g.lookPath(p.Path)
	}
	return g.lookVolume(ctx, p.Volume.Name)
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

// holdsVolume tells that the place which the compose file has now holds all that is in an anonymous volume.
func (g *guardFacts) holdsVolume(ctx context.Context, m engine.Mount, p compose.Planned) bool {
	place := g.placeOf(ctx, p)
	if place == "" {
		return false
	}
	left := leftOut(place, g.Config.Exclude)
	err := filepath.WalkDir(m.Source, func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel, err := filepath.Rel(m.Source, name)
		if err != nil || left(rel) {
			return err
		}
		info, err := e.Info()
		if err == nil && !holds(filepath.Join(place, rel), info.Size(), info.ModTime(), info.Mode()) {
			err = fs.ErrNotExist
		}
		return err
	})
	return err == nil
}

// holds tells that a file of the same size and time is there: what was copied, and not changed since. On its way through an engine a time is
// cut or rounded to the second.
func holds(name string, size int64, at time.Time, mode fs.FileMode) bool {
	info, err := os.Lstat(name)
	if err != nil || info.Mode().Type() != mode.Type() {
		return false
	}
	return !mode.IsRegular() || info.Size() == size && info.ModTime().Sub(at).Abs() <= time.Second
}

// layer is what lies in a container's own layer, looked at when it is asked for.
func (g *guardFacts) layer(ctx context.Context, c engine.Container) guard.Container {
	return guard.Container{
		Name: c.Name, Service: c.Service,
		Data:    sync.OnceValue(func() []guard.Heap { return g.heaps(ctx, c) }),
		Removed: func() string { return g.removed(ctx, c) },
	}
}

func (g *guardFacts) heaps(ctx context.Context, c engine.Container) []guard.Heap {
	found, err := g.world().LayerData(ctx, c)
	if err != nil {
		g.warn("guard", "what lies in the own layer of container "+c.Name+" cannot be seen: "+err.Error())
	}
	var all []guard.Heap
	for _, d := range found {
		h := guard.Heap{Folder: d.Folder, Size: d.Size, Chroma: d.Chroma, Fresh: d.Fresh, Misplaced: d.Misplaced}
		if p := g.plannedAt(c.Service, d.Folder); p != nil && placeWords(*p) != "" {
			h.Mounted = true
			h.Rescued = func() bool { return g.holdsLayer(ctx, c, d, *p) }
		}
		all = append(all, h)
	}
	return all
}

// mostStats is how many files of a layer are compared with their copies.
const mostStats = 2000

// holdsLayer tells that the place which the compose file has holds all data of a layer's folder.
func (g *guardFacts) holdsLayer(ctx context.Context, c engine.Container, d validate.LayerData, p compose.Planned) bool {
	place := g.placeOf(ctx, p)
	if place == "" || len(d.Files) > mostStats {
		return false
	}
	left := leftOut(place, g.Config.Exclude)
	for _, name := range d.Files {
		rel := strings.TrimPrefix(strings.TrimPrefix(path.Clean(name), p.Target), "/")
		if left(rel) {
			continue
		}
		info, err := g.Engine.Stat(ctx, c.ID, name)
		if err != nil {
			return false
		}
		if !holds(filepath.Join(place, filepath.FromSlash(rel)), info.Size, info.ModTime, info.Mode) {
			return false
		}
	}
	return true
}

// removed says why the command removes a container; empty where it leaves it.
func (g *guardFacts) removed(ctx context.Context, c engine.Container) string {
	if g.command.verb == "down" {
		return "docker compose down removes it"
	}
	number, _ := strconv.Atoi(c.Number)
	anew := "docker compose up makes it anew"
	switch {
	case g.orphaned(c):
		return "docker compose up --remove-orphans removes it"
	case number > g.replicas(c.Service):
		return "the service has fewer containers now"
	case g.command.on("no-recreate"):
		return ""
	case g.command.on("force-recreate"), g.command.on("renew-anon-volumes"), g.command.on("build"):
		return anew
	case g.hashes() == nil:
		return anew + " if its configuration has changed, which docker compose does not tell"
	case g.hashes()[c.Service] != c.Labels[compose.ConfigHashLabel]:
		return anew + ", since its configuration has changed"
	}
	if image, err := g.Engine.Image(ctx, c.Image); err != nil || image.ID != c.ImageID {
		return anew + ", since its image has changed"
	}
	for _, plan := range g.PlansOf([]string{c.Service}) {
		for _, p := range plan.Mounts {
			i := slices.IndexFunc(c.Mounts, func(m engine.Mount) bool { return path.Clean(m.Destination) == p.Target })
			if i < 0 && p.Type != "tmpfs" || i >= 0 && len(g.drifted(ctx, p, c, c.Mounts[i])) > 0 {
				return anew + ", since its mounts have changed"
			}
		}
	}
	return ""
}

// replicas is how many containers a service has after up.
func (g *guardFacts) replicas(service string) int {
	scale, _ := g.command.flags.GetStringArray("scale") // up alone has it
	for _, s := range slices.Backward(scale) {
		name, number, _ := strings.Cut(s, "=")
		if n, err := strconv.Atoi(number); err == nil && name == service {
			return n
		}
	}
	for _, plan := range g.PlansOf([]string{service}) {
		return plan.Replicas
	}
	return 0
}

// configHashes asks docker compose for the hashes of the services' configurations, by which up tells what to make anew.
func (g *guardFacts) configHashes(ctx context.Context) map[string]string {
	if slices.Contains(g.app.flags.files, "-") {
		return nil // it can be read once only
	}
	var out bytes.Buffer
	r := g.app.runner()
	r.Stdin, r.Stdout, r.Stderr = nil, &out, io.Discard
	if err := r.Run(ctx, slices.Concat(g.command.globals, []string{"config", "--hash", "*"})...); err != nil {
		return nil
	}
	all := map[string]string{}
	for line := range strings.Lines(out.String()) {
		if words := strings.Fields(line); len(words) == 2 {
			all[words[0]] = words[1]
		}
	}
	return all
}
