package validate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/inventory"
)

// asPlanned is what makes containers as the compose file says.
const asPlanned = "docker compose up --detach makes it so"

// checkMounts compares the mounts of the compose file with those of the containers.
func (w *World) checkMounts(ctx context.Context, v *verdict) {
	if w.Engine == nil {
		v.tell("%s", w.NoEngine)
		return
	}
	mine := w.mine()
	for _, plan := range w.Plans {
		var has bool
		for _, c := range mine {
			if c.Service != plan.Service {
				continue
			}
			has = true
			v.checked++
			w.compareMounts(ctx, v, plan, c)
		}
		if !has && plan.Replicas > 0 {
			v.tell("service %s has no container", plan.Service)
		}
	}
	for _, c := range mine {
		if !slices.ContainsFunc(w.Plans, func(p compose.ServicePlan) bool { return p.Service == c.Service }) && c.State == engine.Running {
			v.find(inventory.Warning, c.Name, "runs, but the compose file has no enabled service %s", c.Service)
		}
	}
}

func (w *World) compareMounts(ctx context.Context, v *verdict, plan compose.ServicePlan, c engine.Container) {
	planned := map[string]compose.Planned{}
	for _, p := range plan.Mounts {
		planned[path.Clean(p.Target)] = p
	}
	for _, p := range plan.Mounts {
		if (p.Type != "bind" && p.Type != "volume") || planned[path.Clean(p.Target)] != p {
			continue // of two for one place the last one counts
		}
		i := slices.IndexFunc(c.Mounts, func(m engine.Mount) bool { return path.Clean(m.Destination) == path.Clean(p.Target) })
		if i < 0 {
			v.find(inventory.Warning, c.Name, "has nothing mounted at %s, where the compose file has %s; %s", p.Target, plannedPlace(p), asPlanned)
			continue
		}
		if text := w.difference(ctx, p, c.Mounts[i]); text != "" {
			v.find(inventory.Warning, c.Name, "%s", text)
		}
	}
	for _, m := range c.Mounts {
		_, expected := planned[path.Clean(m.Destination)]
		if expected || plan.Foreign || (m.Type == "volume" && compose.IsAnonymous(m.Name)) || (m.Type != "bind" && m.Type != "volume") {
			continue
		}
		if w.OwnMount == nil || !w.OwnMount(c.Service, m) {
			v.find(inventory.Warning, c.Name, "has %s mounted at %s, where the compose file has nothing; %s", placeOf(m), m.Destination, asPlanned)
		}
	}
}

// difference says in what a mount is not as planned; empty where it is.
func (w *World) difference(ctx context.Context, p compose.Planned, m engine.Mount) string {
	at := fmt.Sprintf("has %s mounted at %s, where the compose file has %s; %s", placeOf(m), p.Target, plannedPlace(p), asPlanned)
	switch {
	case m.Type != p.Type:
		return at
	case p.Type == "bind" && !compose.SameHostPath(m.Source, p.Path):
		return at
	case p.Type == "volume" && p.Volume.Name != "" && p.Volume.Name != m.Name:
		return at
	case p.Subpath != m.Subpath:
		return fmt.Sprintf("has the folder %q of %s mounted at %s, where the compose file has the folder %q; %s", m.Subpath, placeOf(m), p.Target, p.Subpath, asPlanned)
	case m.ReadOnly != p.ReadOnly:
		return fmt.Sprintf("has %s mounted at %s %s, where the compose file has it %s; %s", placeOf(m), p.Target, access(m.ReadOnly), access(p.ReadOnly), asPlanned)
	case p.Type == "volume" && p.Volume.Name != "" && !p.Volume.External:
		return w.otherVolume(ctx, p.Volume)
	}
	return ""
}

// otherVolume says in what a volume of the engine was made otherwise than the compose file says. Compose then offers to make it anew, empty.
func (w *World) otherVolume(ctx context.Context, want *compose.VolumeInfo) string {
	v, err := w.Engine.Volume(ctx, want.Name)
	if err != nil {
		return "" // that it cannot be looked up is told where its data is read
	}
	driver := want.Driver
	if driver == "" {
		driver = "local"
	}
	if v.Driver != "" && v.Driver != driver {
		return fmt.Sprintf("its volume %s is of driver %s, in the compose file of %s: docker compose up --yes would delete it with its data", v.Name, v.Driver, driver)
	}
	for _, option := range []string{"type", "o", "device"} {
		if v.Options[option] != want.Options[option] {
			return fmt.Sprintf("its volume %s was made with %s=%q, the compose file has %q: docker compose up --yes would delete it with its data", v.Name, option, hidden(option, v.Options), hidden(option, want.Options))
		}
	}
	return ""
}

// hidden is an option of a volume without the password that options of network shares hold.
func hidden(option string, options map[string]string) string {
	if option != "o" {
		return options[option]
	}
	parts := strings.Split(options[option], ",")
	for i, part := range parts {
		if key, _, ok := strings.Cut(part, "="); ok && (strings.Contains(strings.ToLower(key), "pass") || strings.EqualFold(key, "secret")) {
			parts[i] = key + "=…"
		}
	}
	return strings.Join(parts, ",")
}

func access(readOnly bool) string {
	if readOnly {
		return "read-only"
	}
	return "writable"
}

func plannedPlace(p compose.Planned) string {
	switch {
	case p.Type != "volume":
		return p.Path
	case p.Volume.Name == "":
		return "a volume without a name"
	}
	return "volume " + p.Volume.Name
}

// checkShared finds places that several write, and folders that are not there.
func (w *World) checkShared(ctx context.Context, v *verdict) {
	writers := w.writers(ctx)
	v.checked = int64(len(writers))
	for _, src := range writers {
		if len(src.users) > 1 {
			v.find(inventory.Warning, src.place, "is written by several: %s. A store stands only one writer; mount it read-only where it is only read", strings.Join(src.users, ", "))
		}
	}
	w.checkMissing(v)
}

// written is a place outside of containers, and who writes to it.
type written struct {
	place string
	users []string
}

// writers are the places that the project's services may write to, each with the services and foreign containers that may write to it, above or below.
func (w *World) writers(ctx context.Context) []written {
	var all []written
	for _, src := range w.Sources {
		if src.Excluded != "" || src.System() {
			continue
		}
		one := written{place: src.Name}
		for _, m := range src.Mounts {
			if user := "service " + m.Service; !m.ReadOnly && w.enabled(m.Service) && !slices.Contains(one.users, user) {
				one.users = append(one.users, user)
			}
		}
		if len(one.users) == 0 {
			continue
		}
		for _, c := range w.Containers {
			if c.Project != w.Project && c.State != engine.Exited && c.State != engine.Created && c.State != engine.Dead && w.writes(ctx, c, src) {
				one.users = append(one.users, "container "+c.Name+ofProject(c))
			}
		}
		all = append(all, one)
	}
	return all
}

func ofProject(c engine.Container) string {
	if c.Project == "" {
		return ""
	}
	return " of project " + c.Project
}

func (w *World) enabled(service string) bool {
	return slices.ContainsFunc(w.Plans, func(p compose.ServicePlan) bool { return p.Service == service })
}

// writes tells whether a container has a source, or a folder above or below it, mounted writable.
func (w *World) writes(ctx context.Context, c engine.Container, src compose.Source) bool {
	for _, m := range c.Mounts {
		if m.ReadOnly {
			continue
		}
		if src.Volume != nil && src.Volume.Name != "" && m.Type == "volume" && m.Name == src.Volume.Name {
			return true
		}
		if src.Path == "" {
			continue
		}
		places, err := m.Shown(ctx, w.volume)
		if err != nil {
			places = []string{m.Source}
		}
		if slices.ContainsFunc(places, func(p string) bool { return p != "/" && (within(p, src.Path) || within(src.Path, p)) }) {
			return true
		}
	}
	return false
}

func (w *World) volume(ctx context.Context, name string) (engine.Volume, error) {
	if w.Engine == nil {
		return engine.Volume{}, engine.ErrNotFound
	}
	return w.Engine.Volume(ctx, name)
}

// checkMissing finds folders of bind mounts that are not there: the engine would make empty ones.
func (w *World) checkMissing(v *verdict) {
	if w.Exists == nil {
		v.tell("whether the folders of bind mounts are there cannot be seen: the engine's files are not this machine's")
		return
	}
	for _, plan := range w.Plans {
		for _, p := range plan.Mounts {
			places := []string{}
			if p.Type == "bind" && !p.System {
				places = append(places, p.Path)
			} else if p.Volume != nil && p.Volume.Options["device"] != "" && path.IsAbs(p.Volume.Options["device"]) && isBind(p.Volume.Options["o"]) {
				places = append(places, p.Volume.Options["device"])
			}
			for _, place := range places {
				v.checked = max(v.checked, 1)
				if err := w.Exists(place); errors.Is(err, fs.ErrNotExist) {
					v.find(inventory.Warning, place, "is not there, and service %s mounts it at %s: a bind mount comes up empty then, a volume of it not at all", p.Service, p.Target)
				}
			}
		}
	}
}

func isBind(options string) bool {
	return slices.ContainsFunc(strings.Split(options, ","), func(o string) bool { return o == "bind" || o == "rbind" })
}
