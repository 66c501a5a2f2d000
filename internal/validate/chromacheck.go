package validate

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/inventory"
)

// name is what the server is called in findings.
func (s *chromaServer) name() string {
	if s.at.URL == "" {
		return s.endpoint.From
	}
	return compose.Redacted(s.at.URL)
}

// checkChroma tells what the servers said.
func (w *World) checkChroma(v *verdict, servers []chromaServer) {
	if len(servers) == 0 {
		v.tell("the project has no Chroma server that is known: set chroma.url in x-memsys if it uses one")
	}
	for _, s := range servers {
		if s.at.URL == "" || s.failed != "" && s.endpoint.Guess {
			v.tell("%s: %s", s.name(), s.failed)
			continue
		}
		if s.failed != "" {
			status := inventory.Warning
			if s.unchecked {
				status = inventory.Unchecked
			}
			v.find(status, s.name(), "%s", s.failed)
			continue
		}
		v.checked++
		version := ""
		if s.version != "" {
			version = " " + s.version
		}
		v.tell("Chroma%s at %s: %s, %s, heartbeat %s", version, s.name(), count(int64(len(s.collections)), "collection"), count(s.records, "record"), milliseconds(s.latency))
		if s.declared && s.auth == "" {
			v.find(inventory.Warning, s.name(), "lists its collections to everyone, though the compose file gives it credentials to ask for: Chroma since 1.0 has no authentication of its own")
		}
		for _, p := range s.problems {
			v.find(inventory.Warning, s.name(), "%s", p)
		}
	}
}

// count is a number with its noun.
func count(n int64, noun string) string {
	digits := fmt.Sprint(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	if n != 1 {
		noun += "s"
	}
	return digits + " " + noun
}

// chromaFile marks the folder of a Chroma store.
const chromaFile = "chroma.sqlite3"

// chromaPlace is a folder of a container with a Chroma store in it.
type chromaPlace struct {
	dir string
	// mount is what it lies in; nil is the container's own layer.
	mount *engine.Mount
}

// chromaPlaces are the Chroma stores in a container, as far as they lie where they usually do, at a mount, or in its layer.
func (w *World) chromaPlaces(ctx context.Context, c engine.Container) []chromaPlace {
	dirs := []string{"/data", "/chroma/chroma", "/chroma"}
	for _, m := range c.Mounts {
		dirs = append(dirs, path.Clean(m.Destination))
	}
	vars := w.Variables[c.Service]
	for _, name := range []string{"PERSIST_DIRECTORY", "CHROMA_PERSIST_DIRECTORY", "CHROMA_PERSIST_PATH"} {
		if dir := vars[name]; dir != "" {
			if !path.IsAbs(dir) {
				dir = path.Join("/chroma", dir)
			}
			dirs = append(dirs, path.Clean(dir))
		}
	}
	layer, written := w.layerOf(ctx, c), []string{}
	for _, change := range layer.changes {
		if path.Base(change.Path) == chromaFile && !change.Removed {
			written = append(written, path.Dir(change.Path))
		}
	}
	dirs = append(dirs, written...)
	slices.Sort(dirs)
	var found []chromaPlace
	for _, dir := range slices.Compact(dirs) {
		info, err := w.Engine.Stat(ctx, c.ID, path.Join(dir, chromaFile))
		if err != nil || !info.Mode.IsRegular() {
			continue
		}
		mount := mountOf(c, dir)
		if mount == nil && layer.err == nil && !slices.Contains(written, dir) {
			continue // it is the image's, and comes back with it
		}
		found = append(found, chromaPlace{dir: dir, mount: mount})
	}
	return found
}

// mountOf is the mount of a container that a path lies in; nil where it lies in none.
func mountOf(c engine.Container, name string) *engine.Mount {
	var found *engine.Mount
	for i, m := range c.Mounts {
		if within(name, m.Destination) && (found == nil || len(m.Destination) > len(found.Destination)) {
			found = &c.Mounts[i]
		}
	}
	return found
}

// within tells whether a path of a container is a folder or lies below it.
func within(name, dir string) bool {
	name, dir = path.Clean(name), path.Clean(dir)
	return name == dir || dir == "/" || strings.HasPrefix(name, dir+"/")
}

// checkCollections compares what the servers list with what lies in their folders.
func (w *World) checkCollections(ctx context.Context, v *verdict, servers []chromaServer) {
	for _, s := range servers {
		switch {
		case s.failed != "":
			v.tell("%s tells nothing: %s", s.name(), s.failed)
		case s.at.container == nil || w.Engine == nil:
			v.tell("the folder of %s cannot be seen: it is not known to be a container of this project", s.name())
		default:
			v.checked++
			w.compareCollections(ctx, v, s)
		}
	}
	if len(servers) == 0 {
		v.tell("no Chroma server is known")
	}
}

// wrongMount explains where Chroma's data belongs, by what the container has mounted instead.
func wrongMount(c engine.Container, dir string) string {
	if why := misplaced(c, dir); why != "" {
		return why + ". " + rescue(c, dir)
	}
	return rescue(c, dir)
}

// misplaced says that the mount for Chroma's data is at the place of another version of it; empty where it is not.
func misplaced(c engine.Container, dir string) string {
	old, now := "/chroma/chroma", "/data"
	for _, m := range c.Mounts {
		if at := path.Clean(m.Destination); at == old && dir == now {
			return fmt.Sprintf("It has %s mounted at %s, where Chroma kept its data before 1.0; since then it is %s", placeOf(m), old, now)
		} else if at == now && dir == old {
			return fmt.Sprintf("It has %s mounted at %s, where Chroma keeps its data since 1.0; this one is older and uses %s", placeOf(m), now, old)
		}
	}
	return ""
}

// rescue says how the data gets to where it is kept.
func rescue(c engine.Container, dir string) string {
	return fmt.Sprintf("Mount a volume or folder at %s in the compose file, then docker memsys rescue %s:%s", dir, c.Service, dir)
}

// placeOf is the outside of a mount in words.
func placeOf(m engine.Mount) string {
	if m.Type == "volume" {
		return "volume " + m.Name
	}
	return m.Source
}
