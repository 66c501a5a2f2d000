package plugin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/hooks/guard"
	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/store"
	"github.com/memsys/docker-memsys/internal/validate"
)

// workingDirLabel is the folder that docker compose was run in when it made a container.
const workingDirLabel = "com.docker.compose.project.working_dir"

// guardFacts gathers what the guards judge by. What costs time is looked at when a guard asks.
type guardFacts struct {
	*guarded
	// services are those that the command makes or starts.
	services []string
	plans    []compose.ServicePlan
	backup   func() *archive.Manifest
	// hashes are those of the services' configurations as docker compose computes them; nil where it does not tell.
	hashes func() map[string]string
	world  func() *validate.World
	// remade are the volumes that up makes anew.
	remade []string
}

func (g *guardFacts) gather(ctx context.Context) (f guard.Facts, err error) {
	c := g.command
	f.Project = g.Name
	f.Command = guard.Command{Verb: c.verb, Yes: c.on("yes"), Volumes: c.on("volumes"), Renew: c.on("renew-anon-volumes")}
	g.services = g.Started(c.words, c.on("no-deps"))
	g.plans = g.PlansOf(g.services)
	g.backup = sync.OnceValue(func() *archive.Manifest { return g.lastBackup(ctx) })
	g.hashes = sync.OnceValue(func() map[string]string { return g.configHashes(ctx) })
	g.world = sync.OnceValue(g.surroundings)
	if c.verb == "up" {
		if f.Volumes, f.Former, err = g.volumes(ctx); err != nil {
			return f, err
		}
		g.remade = remadeBy(f.Volumes)
		f.Mounts = g.mounts(ctx)
	}
	if f.Command.Starts() {
		f.Binds, f.Sources = g.binds(), g.sharedSources(ctx)
	}
	if c.verb == "up" || c.verb == "down" {
		for _, container := range g.mine() {
			f.Nameless = append(f.Nameless, g.nameless(ctx, container)...)
			f.Layers = append(f.Layers, g.layer(ctx, container))
		}
	}
	f.Disks, f.Backup = g.disks(ctx), g.age(ctx)
	return f, nil
}

// volumes are the volumes that the engine has of the compose file's; where it lacks some, those that the project may have had under another name.
func (g *guardFacts) volumes(ctx context.Context) (there []guard.Volume, former []guard.Former, err error) {
	var lacking []compose.VolumeInfo
	for _, want := range g.Volumes(g.services, g.app.flags.compose.allResources) {
		if want.External {
			continue
		}
		v, err := g.Engine.Volume(ctx, want.Name)
		if errors.Is(err, engine.ErrNotFound) {
			lacking = append(lacking, want)
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		one, err := g.volume(ctx, want, v)
		if err != nil {
			return nil, nil, err
		}
		there = append(there, one)
	}
	if len(lacking) > 0 {
		former, err = g.former(ctx, lacking)
	}
	return there, former, err
}

func (g *guardFacts) volume(ctx context.Context, want compose.VolumeInfo, v engine.Volume) (guard.Volume, error) {
	hash, err := g.VolumeHash(want.Key)
	out := guard.Volume{
		Key: want.Key, Name: v.Name, Wanted: hash, Look: g.lookVolume(ctx, v.Name),
		Made:    guard.VolumeSpec{Driver: v.Driver, Options: v.Options, Labels: ownLabels(v.Labels)},
		Planned: guard.VolumeSpec{Driver: want.Driver, Options: want.Options, Labels: want.Labels},
	}
	if now := want.Options["device"]; v.Options["device"] != "" {
		out.Device, out.Same = v.Options["device"], now == v.Options["device"] && want.Options["type"] == v.Options["type"]
		if planned, err := (engine.Volume{Driver: want.Driver, Options: want.Options}).Place(); err == nil {
			out.LookNow = g.lookPath(planned)
		}
		if now == "" {
			out.LookNow = func() guard.Content { return guard.Content{Known: true} }
		}
	}
	if v.Labels[engine.ProjectLabel] == g.Name { // what is another's, docker compose leaves alone
		out.Mark = v.Labels[compose.ConfigHashLabel]
	}
	return out, err
}

// ownLabels are those of a volume that docker compose has not put there by itself.
func ownLabels(labels map[string]string) map[string]string {
	out := map[string]string{}
	for key, value := range labels {
		if !slices.Contains([]string{engine.ProjectLabel, compose.VolumeLabel, compose.ConfigHashLabel, "com.docker.compose.version"}, key) {
			out[key] = value
		}
	}
	return out
}

// mounts are the places that containers have mounted otherwise than the compose file says.
func (g *guardFacts) mounts(ctx context.Context) []guard.Mount {
	var all []guard.Mount
	for _, plan := range g.plans {
		for _, p := range plan.Mounts {
			for _, c := range g.Containers {
				if c.Project != g.Name || c.Service != plan.Service || c.OneOff {
					continue
				}
				i := slices.IndexFunc(c.Mounts, func(m engine.Mount) bool { return path.Clean(m.Destination) == p.Target })
				if i >= 0 {
					all = append(all, g.drifted(ctx, p, c, c.Mounts[i])...)
				}
			}
		}
	}
	return all
}

// drifted is a mount that the compose file has otherwise; none if it is the same, or no matter of a name.
func (g *guardFacts) drifted(ctx context.Context, p compose.Planned, c engine.Container, m engine.Mount) []guard.Mount {
	out := guard.Mount{Service: p.Service, Target: p.Target}
	switch {
	case m.Type == "bind" && !p.System:
		out.Was, out.LookWas = m.Source, g.lookPath(m.Source)
	case m.Type == "volume" && !compose.IsAnonymous(m.Name):
		out.Was, out.LookWas = "volume "+m.Name, g.lookVolume(ctx, m.Name)
	default:
		return nil
	}
	switch {
	case p.Type == "bind":
		out.Now, out.LookNow = p.Path, g.lookPath(p.Path)
	case p.Type == "volume" && p.Volume.Name != "":
		out.Now, out.LookNow = "volume "+p.Volume.Name, g.lookVolume(ctx, p.Volume.Name)
	default:
		return nil
	}
	if out.Was == out.Now || m.Type == "bind" && p.Type == "bind" && compose.SameHostPath(m.Source, p.Path) {
		return nil
	}
	if dir := c.Labels[workingDirLabel]; dir != "" && !compose.SameHostPath(dir, g.WorkingDir) && exists(dir) == nil {
		out.OtherDir = dir
	}
	return []guard.Mount{out}
}

// binds are the folders of the host that the command's services mount: by the compose file, or by their containers where these are started
// as they are.
func (g *guardFacts) binds() []guard.Bind {
	if !g.sharesPaths() {
		return nil
	}
	var all []guard.Bind
	add := func(service, target, path string) {
		b := guard.Bind{Service: service, Target: target, Path: path}
		err := exists(path)
		b.Missing = errors.Is(err, fs.ErrNotExist)
		b.Empty = err == nil && holdsNothing(path)
		b.Had = func() string { return g.had(b) }
		all = append(all, b)
	}
	if g.command.verb == "up" {
		for _, plan := range g.plans {
			for _, m := range plan.Mounts {
				if m.Type == "bind" && !m.System && !m.Strict && !g.setAside(m.Path) {
					add(m.Service, m.Target, m.Path)
				}
			}
		}
		return all
	}
	for _, c := range g.Containers {
		for _, m := range c.Mounts {
			mount := compose.LiveMount{Type: m.Type, Source: m.Source, Destination: m.Destination}
			if c.Project == g.Name && slices.Contains(g.services, c.Service) && m.Type == "bind" && !g.IsOwnMount(c.Service, mount) && !g.setAside(m.Source) {
				add(c.Service, m.Destination, m.Source)
			}
		}
	}
	return all
}

// setAside tells places that hold no data of the project: logs, the backups directory.
func (g *guardFacts) setAside(path string) bool {
	return slices.ContainsFunc(g.Sources, func(s compose.Source) bool { return s.Excluded != "" && compose.SameHostPath(s.Path, path) })
}

// had says why a folder that holds nothing must have held data: the last good backup has some of it, or a container was made with it.
func (g *guardFacts) had(b guard.Bind) string {
	src := slices.IndexFunc(g.Sources, func(s compose.Source) bool { return compose.SameHostPath(s.Path, b.Path) })
	if m := g.backup(); m != nil && src >= 0 {
		for _, s := range m.Sources {
			if s.Name != g.Sources[src].Name || s.Missing != "" {
				continue
			}
			if s.Files == 0 {
				return ""
			}
			return fmt.Sprintf("the backup of %s has %s of it", m.Created.Local().Format(time.DateTime), plural(s.Files, "file", "files"))
		}
	}
	if !b.Missing {
		return ""
	}
	for _, c := range g.Containers {
		if c.Project == g.Name && slices.ContainsFunc(c.Mounts, func(m engine.Mount) bool { return m.Type == "bind" && compose.SameHostPath(m.Source, b.Path) }) {
			return "container " + c.Name + " was made with it"
		}
	}
	return ""
}

// lastBackup describes the last good backup; nil where there is none that can be read.
func (g *guardFacts) lastBackup(ctx context.Context) *archive.Manifest {
	b, err := g.Store.Find(ctx, store.Latest)
	if err != nil {
		return nil
	}
	m, err := store.ReadManifest(b.Path)
	if err != nil {
		return nil
	}
	return m
}

// former finds the volumes of the same keys that the project had under other names, its own or theirs.
func (g *guardFacts) former(ctx context.Context, lacking []compose.VolumeInfo) ([]guard.Former, error) {
	var all []guard.Former
	for _, name := range append(g.formerNames(ctx), formerName{project: g.Name}) {
		volumes, err := g.Engine.Volumes(ctx, engine.ProjectLabel, name.project)
		if err != nil {
			return nil, err
		}
		for _, want := range lacking {
			for _, v := range volumes {
				if v.Labels[compose.VolumeLabel] == want.Key && v.Name != want.Name {
					all = append(all, guard.Former{
						Project: name.project, Why: name.why, Key: want.Key, Was: v.Name, Now: want.Name,
						LookWas: g.lookVolume(ctx, v.Name), LookNow: func() guard.Content { return guard.Content{Known: true} },
					})
				}
			}
		}
	}
	return all, nil
}

// formerName is another name of the project, and what shows it.
type formerName struct{ project, why string }

// formerNames are the names that the project had: of containers made in its folder, of the backups in its backups directory that were made in it
// or in one that is gone, and the folder's own.
func (g *guardFacts) formerNames(ctx context.Context) []formerName {
	var all []formerName
	add := func(project, why string) {
		known := slices.ContainsFunc(all, func(n formerName) bool { return n.project == project })
		if project != "" && project != g.Name && !known {
			all = append(all, formerName{project, why})
		}
	}
	for _, c := range g.Containers {
		if dir := c.Labels[workingDirLabel]; dir != "" && compose.SameHostPath(dir, g.WorkingDir) {
			add(c.Project, "container "+c.Name+" was made in this folder")
		}
	}
	backups, _ := g.Store.List(ctx) // without backups there is nothing to learn from them
	for _, b := range slices.Backward(backups) {
		dir := b.Owner.WorkingDir
		if dir != "" && (compose.SameHostPath(dir, g.WorkingDir) || g.within(g.Store.Path) && errors.Is(exists(dir), fs.ErrNotExist)) {
			add(b.Owner.Name, "backup "+b.Name+" is of it")
		}
	}
	own := compose.DefaultName(g.WorkingDir)
	if !slices.ContainsFunc(g.Containers, func(c engine.Container) bool { return c.Project == own }) {
		add(own, "the name of its folder")
	}
	return all
}

// within tells whether a path lies in the project's folder.
func (g *guardFacts) within(path string) bool {
	rel, err := filepath.Rel(g.WorkingDir, path)
	return err == nil && filepath.IsLocal(rel)
}

// sharesPaths tells that the paths of the engine's host are this machine's.
func (s *session) sharesPaths() bool {
	return s.Elsewhere == "" && (!s.reachable() || s.Info.Local || s.Info.SharesFiles)
}
