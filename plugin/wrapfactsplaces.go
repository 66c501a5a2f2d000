package plugin

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/docker/go-units"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/hooks/guard"
	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/store"
	"github.com/memsys/docker-memsys/internal/tree"
)

// sharedSources are the sources that services may write to, with all who do.
func (g *guardFacts) sharedSources(ctx context.Context) []guard.Source {
	var all []guard.Source
	for _, src := range g.Sources {
		if src.Excluded != "" || src.System() {
			continue
		}
		one := guard.Source{
			Name: src.Name, External: src.Volume != nil && src.Volume.External,
			Store: func() string { return g.singleWriter(ctx, src) },
		}
		for _, m := range src.Mounts {
			w := g.writer(m.Service)
			if !m.ReadOnly && w.Will > 0 && !slices.Contains(one.Writers, w) {
				one.Writers = append(one.Writers, w)
			}
		}
		if len(one.Writers) == 0 {
			continue
		}
		for _, c := range g.Containers {
			if c.Project != g.Name && runs(c) && g.world().Writes(ctx, c, src) {
				one.Writers = append(one.Writers, guard.Writer{Name: foreignName(c), Foreign: true, Runs: 1, Will: 1})
			}
		}
		all = append(all, one)
	}
	return all
}

func foreignName(c engine.Container) string {
	if c.Project == "" {
		return "container " + c.Name
	}
	return "container " + c.Name + " of project " + c.Project
}

func runs(c engine.Container) bool {
	return c.State == engine.Running || c.State == engine.Paused || c.State == engine.Restarting
}

// writer counts the containers of a service that run, and that will.
func (g *guardFacts) writer(service string) guard.Writer {
	w := guard.Writer{Name: "service " + service}
	there := 0
	for _, c := range g.Containers {
		if c.Project == g.Name && c.Service == service && !c.OneOff {
			there++
			if runs(c) {
				w.Runs++
			}
		}
	}
	w.Will = w.Runs
	if slices.Contains(g.services, service) {
		w.Will = there
		if g.command.verb == "up" {
			w.Will = g.replicas(service)
		}
	}
	return w
}

// deepest is how deep below a source's root is looked for what stands one writer only.
const deepest = 3

// singleWriter says what in a source stands only one writer; empty where nothing is seen.
func (g *guardFacts) singleWriter(ctx context.Context, src compose.Source) string {
	place, err := g.locate(ctx, src)
	if err != nil || !g.sharesPaths() {
		return ""
	}
	found, seen := "", 0
	_ = filepath.WalkDir(place, func(name string, e fs.DirEntry, err error) error {
		if seen++; seen > mostCounted {
			return filepath.SkipAll
		}
		if err != nil {
			return nil //nolint:nilerr // what cannot be read tells nothing, what is beside it does
		}
		rel, _ := filepath.Rel(place, name)
		if e.IsDir() {
			if strings.Count(rel, string(filepath.Separator)) >= deepest {
				return filepath.SkipDir
			}
			return nil
		}
		switch base := e.Name(); {
		case base == "chroma.sqlite3":
			found = "a Chroma database"
			return filepath.SkipAll
		case base == "CURRENT" && found == "":
			found = "a LevelDB or RocksDB store"
		case (strings.HasSuffix(base, ".json") || strings.HasSuffix(base, ".jsonl")) && found == "":
			found = "memory files, such as " + filepath.ToSlash(rel)
		}
		return nil
	})
	return found
}

// disks are the file systems that the command's services write to, or that images are pulled to.
func (g *guardFacts) disks(ctx context.Context) []guard.Disk {
	if !g.Info.Local {
		return nil
	}
	var all []guard.Disk
	add := func(d guard.Disk) {
		var err error
		if d.Free, d.Total, err = tree.DiskSpace(d.Path); err != nil {
			return // this user may not ask
		}
		if !slices.ContainsFunc(all, func(o guard.Disk) bool { return o.Free == d.Free && o.Total == d.Total }) {
			all = append(all, d)
		}
	}
	switch g.command.verb {
	case "pull":
		add(guard.Disk{Path: g.Info.RootDir, Use: "the engine", Pulled: true})
	case "up", "restart":
		for _, src := range g.Sources {
			writes := slices.ContainsFunc(src.Mounts, func(m compose.Mount) bool { return !m.ReadOnly && slices.Contains(g.services, m.Service) })
			place, err := g.locate(ctx, src)
			if src.Excluded == "" && !src.System() && writes && err == nil {
				add(guard.Disk{Path: g.askable(src, place), Use: "source " + src.Name})
			}
		}
	}
	return all
}

// askable is a place on the disk of a source that this user may ask for its room: that of a volume is the engine's, unless it has its own.
func (g *guardFacts) askable(src compose.Source, place string) string {
	if _, _, err := tree.DiskSpace(place); errors.Is(err, fs.ErrPermission) && src.Volume != nil {
		return g.Info.RootDir
	}
	return place
}

// age is how old the last good backup is, where that matters: the command makes none.
func (g *guardFacts) age(ctx context.Context) guard.Backup {
	limit := g.Config.MaxAge
	if limit == 0 || g.opts.backup != backupNever || !slices.Contains([]string{"up", "down", "restart"}, g.command.verb) {
		return guard.Backup{}
	}
	out := guard.Backup{Limit: compose.Age(limit)}
	b, err := g.Store.Find(ctx, store.Latest)
	if err != nil {
		return out
	}
	old := g.app.world.Now().Sub(b.Created)
	out.Age, out.Old = units.HumanDuration(old), old > limit
	return out
}
