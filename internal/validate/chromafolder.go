package validate

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/inventory"
)

// compareCollections compares what one server lists with the folder that it keeps it in.
func (w *World) compareCollections(ctx context.Context, v *verdict, s chromaServer) {
	c := *s.at.container
	listed := count(int64(len(s.collections)), "collection")
	places := w.chromaPlaces(ctx, c)
	folders := w.folders(c.Service, places)
	if i := slices.IndexFunc(places, func(p chromaPlace) bool { return p.mount == nil }); i >= 0 && len(s.collections) > 0 {
		v.find(inventory.Damaged, c.Name, "lists %s with %s, but keeps them in %s of its own writable layer, in no mount: no backup has them, and docker compose down deletes them. %s",
			listed, count(s.records, "record"), places[i].dir, wrongMount(c, places[i].dir))
		return
	}
	dirs := slices.Collect(maps.Keys(folders)) // also those where it is not usual
	for _, p := range places {
		dirs = append(dirs, p.dir)
	}
	slices.Sort(dirs)
	dirs = slices.Compact(dirs)
	switch {
	case len(dirs) == 0 && len(s.collections) > 0:
		v.find(inventory.Warning, c.Name, "lists %s, but there is no %s at any of its mounts: where it keeps them is not known", listed, chromaFile)
	case len(dirs) == 1:
		v.tell("%s keeps its %s in %s", c.Name, listed, dirs[0])
		if kept, counted := folders[dirs[0]]; counted {
			w.compareFolder(v, s, dirs[0], kept)
		}
	case len(dirs) > 1:
		v.tell("%s keeps its %s in one of %s", c.Name, listed, strings.Join(dirs, ", "))
	}
}

// chromaFolder are the collections in a folder that was looked at, by their full names.
type chromaFolder map[string]inventory.Collection

// folders are the Chroma folders in the sources that a service has mounted, by their paths in its containers. One whose database could not be read
// in full is not among them.
func (w *World) folders(service string, places []chromaPlace) map[string]chromaFolder {
	found := map[string]chromaFolder{}
	for _, src := range w.Sources {
		for _, m := range src.Mounts {
			if m.Service != service {
				continue
			}
			for _, dir := range w.foldersOf(src.Name, m, places) {
				if inside := strings.TrimPrefix(path.Join("/", dir), path.Join("/", m.Subpath)); w.wasRead(src.Name, dir) {
					found[path.Join(m.Target, inside)] = collectionsIn(w.Inventories[src.Name], dir)
				}
			}
		}
	}
	return found
}

// foldersOf are the Chroma folders of a source that one mount shows: those that have collections, and those that lie where they usually do.
func (w *World) foldersOf(source string, m compose.Mount, places []chromaPlace) []string {
	var dirs []string
	for _, c := range w.Inventories[source].Collections {
		if dir, _, _ := strings.Cut(c.Name, "#"); c.Kind == inventory.KindChroma && within("/"+dir, "/"+m.Subpath) {
			dirs = append(dirs, dir)
		}
	}
	for _, p := range places {
		if p.mount != nil && path.Clean(p.mount.Destination) == path.Clean(m.Target) {
			dirs = append(dirs, path.Join(m.Subpath, ".", strings.TrimPrefix(p.dir, path.Clean(m.Target))))
		}
	}
	slices.Sort(dirs)
	return slices.Compact(dirs)
}

// wasRead tells that Chroma folders of a source were looked at, and that the database of this one could be read.
func (w *World) wasRead(source, dir string) bool {
	looked := false
	for _, r := range w.Results {
		if r.Source != source {
			continue
		}
		looked = looked || r.Check.ID == inventory.ChromaCheck().ID && r.Checked > 0
		for _, f := range r.Findings {
			if f.Path == path.Join(dir, chromaFile) && (f.Status == inventory.Damaged || f.Status == inventory.Unchecked) {
				return false
			}
		}
	}
	return looked
}

// collectionsIn are the collections of one folder.
func collectionsIn(inv inventory.Inventory, dir string) chromaFolder {
	kept := chromaFolder{}
	for _, c := range inv.Collections {
		if at, name, _ := strings.Cut(c.Name, "#"); c.Kind == inventory.KindChroma && at == dir {
			kept[name] = c
		}
	}
	return kept
}

// compareFolder compares a server with its folder. The folder was looked at while others may write: what is made or deleted meanwhile is in one of the
// two alone, and is no finding. Numbers of records differ for the same reason, and are only told.
func (w *World) compareFolder(v *verdict, s chromaServer, dir string, kept chromaFolder) {
	name := s.at.container.Name
	before := w.earlier(s)
	var counts []string
	for _, c := range s.collections {
		one, there := kept[c.full()]
		lasting := slices.ContainsFunc(before.collections, func(o chromaCollection) bool { return o.ID == c.ID && o.full() == c.full() })
		switch {
		case there && lasting && one.Dimension > 0 && c.Dimension > 0 && one.Dimension != c.Dimension:
			v.find(inventory.Warning, name, "says that collection %s has vectors of dimension %d, but in %s they have %d: it does not use what lies there now",
				shown(c.full()), c.Dimension, dir, one.Dimension)
		case !there && lasting:
			v.find(inventory.Damaged, name, "lists collection %s with %s, but it is not in %s: files there were replaced while it ran, or it uses another folder. No backup has it, and a restart "+
				"may lose it: copy it out through the server first", shown(c.full()), count(c.records, "record"), dir)
		case there && !c.uncounted:
			counts = append(counts, fmt.Sprintf("%s %d (%d)", shown(c.full()), c.records, one.Records))
		}
	}
	w.unlisted(v, s, before, dir, kept)
	if len(counts) > 0 {
		v.tell("records that it counts, and that its folder has: %s", few(counts))
	}
}

// unlisted finds the collections of a folder that the server lists neither before nor after it was looked at.
func (w *World) unlisted(v *verdict, s, before chromaServer, dir string, kept chromaFolder) {
	var names []string
	for _, full := range slices.Sorted(maps.Keys(kept)) {
		same := func(c chromaCollection) bool { return c.full() == full }
		if slices.Contains(s.places, placeOfCollection(full)) && !slices.ContainsFunc(s.collections, same) && !slices.ContainsFunc(before.collections, same) {
			names = append(names, shown(full))
		}
	}
	if len(names) > 0 {
		v.find(inventory.Warning, s.at.container.Name, "does not list %s that %s has: %s. Files there were replaced while it ran, or it uses another folder",
			count(int64(len(names)), "collection"), dir, few(names))
	}
}

// earlier is what a server told before the data was looked at; nothing where it was not asked.
func (w *World) earlier(s chromaServer) chromaServer {
	for _, b := range w.before {
		if b.at.URL == s.at.URL && b.failed == "" {
			return b
		}
	}
	return chromaServer{}
}

// placeOfCollection is TENANT/DATABASE of a full name.
func placeOfCollection(full string) string {
	if place := path.Dir(full); place != "." {
		return place
	}
	return defaultTenant + "/" + defaultDatabase
}

// shown is a name that a server or a file gives, for a person.
func shown(name string) string { return excerpt([]byte(name)) }

// few are the first of many texts.
func few(all []string) string {
	if len(all) > 5 {
		all = append(slices.Clone(all[:5]), "…")
	}
	return strings.Join(all, ", ")
}
