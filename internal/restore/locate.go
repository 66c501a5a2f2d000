package restore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/tree"
)

// choose makes a target of every source of the backup that was asked for and that the project still has.
func (p *Plan) choose(ctx context.Context) error {
	if err := p.known(); err != nil {
		return err
	}
	if err := p.checkMaps(); err != nil {
		return err
	}
	for _, s := range p.manifest.Sources {
		if !p.wanted(s) {
			continue
		}
		if s.Missing != "" {
			p.skip(s.Name, "not in the backup: "+s.Missing, true)
			continue
		}
		now, ok := p.present(s)
		if !ok {
			p.absentHere(s)
			continue
		}
		t := &Target{
			Name: now.Name, Kind: string(now.Kind), Prefix: s.Prefix, Single: s.SingleFile, Entries: s.Entries, Bytes: s.Bytes, source: s,
		}
		if now.Name != s.Name {
			t.Was = s.Name
		}
		p.surveys[t] = &survey{present: now, owners: map[string]int64{}, moved: map[[2]string]int64{}, dims: map[int]bool{}}
		if now.Excluded != "" {
			t.Aside = "the source is not in backups now: " + now.Excluded
		}
		if err := p.locate(ctx, t, now); err != nil {
			return fmt.Errorf("find source %s: %w", s.Name, err)
		}
	}
	return nil
}

// UnknownError says that a name is not in the backup.
type UnknownError struct {
	What  string // source or service
	Name  string
	Known []string
}

func (e *UnknownError) Error() string {
	return fmt.Sprintf("the backup has no %s %q; it has: %s", e.What, e.Name, strings.Join(e.Known, ", "))
}

// known checks the names of sources and services that were asked for.
func (p *Plan) known() error {
	var sources, services []string
	for _, s := range p.manifest.Sources {
		sources = append(sources, s.Name)
		for _, m := range s.Mounts {
			services = append(services, m.Service)
		}
	}
	slices.Sort(services)
	services = slices.Compact(services)
	for _, name := range p.req.Only {
		if !slices.Contains(sources, name) {
			return &UnknownError{What: "source", Name: name, Known: sources}
		}
	}
	for _, name := range p.req.Services {
		if !slices.Contains(services, name) {
			return &UnknownError{What: "service with data", Name: name, Known: services}
		}
	}
	return nil
}

func (p *Plan) wanted(s archive.Source) bool {
	if len(p.req.Only) > 0 && !slices.Contains(p.req.Only, s.Name) {
		return false
	}
	if _, exact := p.req.Exact[s.Name]; p.req.Exact != nil && !exact {
		return false
	}
	return len(p.req.Services) == 0 || slices.ContainsFunc(s.Mounts, func(m archive.Mount) bool {
		return slices.Contains(p.req.Services, m.Service)
	})
}

func (p *Plan) skip(name, why string, wanted bool) {
	p.Skipped = append(p.Skipped, Skipped{Name: name, Why: why, Wanted: wanted})
}

func (p *Plan) refuse(reason Reason, object, format string, args ...any) {
	p.Refusals = append(p.Refusals, Refusal{Reason: reason, Object: object, Text: fmt.Sprintf(format, args...)})
}

// locate finds where the target lies on this machine, and adds it to the plan where it can be restored.
func (p *Plan) locate(ctx context.Context, t *Target, now compose.Source) error {
	root, err := p.req.Locate(ctx, now)
	if err != nil {
		if root, err = p.absent(ctx, t, now, err); root == "" {
			return err
		}
	}
	t.Root = root
	p.Targets = append(p.Targets, t)
	if t.Volume != nil && root == "" {
		return nil
	}
	return p.inspect(t)
}

// absent decides about a source that has no place: a volume that does not exist is planned to be made, the rest cannot be reached.
func (p *Plan) absent(ctx context.Context, t *Target, now compose.Source, cause error) (string, error) {
	switch {
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case p.req.Volumes == nil:
		p.skip(t.Name, cause.Error(), true)
		return "", nil
	case now.Volume == nil || !p.req.Local:
		p.refuse(Unreachable, t.Name, "source %s cannot be reached: %v", t.Name, cause)
		return "", nil
	}
	_, err := p.req.Volumes.Volume(ctx, now.Volume.Name)
	if !errors.Is(err, engine.ErrNotFound) {
		p.refuse(Unreachable, t.Name, "source %s cannot be reached: %v", t.Name, cause)
		return "", nil
	}
	t.Missing, t.Volume = true, p.newVolume(t.source.Volume, now.Volume)
	place, err := engine.Volume{Name: t.Volume.Name, Driver: t.Volume.Driver, Options: t.Volume.Options}.Place()
	if err != nil {
		p.refuse(Unreachable, t.Name, "source %s cannot be reached: %v", t.Name, err)
		return "", nil
	}
	if place == "" {
		p.Targets = append(p.Targets, t) // its place is known once it is made
	}
	return place, nil
}

// newVolume is the volume as it is made anew: as the present project names it, with driver, options and labels of the backup.
func (p *Plan) newVolume(old *archive.Volume, now *compose.VolumeInfo) *archive.Volume {
	v := &archive.Volume{Key: now.Key, Name: now.Name, Driver: now.Driver, Options: now.Options, External: now.External, Labels: map[string]string{}}
	from := now.Labels
	if old != nil {
		v.Driver, v.Options, from = old.Driver, old.Options, old.Labels
	}
	for key, value := range from {
		if key != configHashLabel {
			v.Labels[key] = value
		}
	}
	if !now.External && !now.Anonymous {
		v.Labels[engine.ProjectLabel], v.Labels[volumeLabel] = p.req.Project.Name, now.Key
	}
	return v
}

const (
	volumeLabel = "com.docker.compose.volume"
	// configHashLabel is left out: docker compose makes a volume anew, empty, where it differs from what it computes.
	configHashLabel = "com.docker.compose.config-hash"
)

// inspect looks at the target's root: whether it is there, of the right kind, and can be written.
func (p *Plan) inspect(t *Target) error {
	info, err := os.Stat(t.Root)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		t.Missing = true
		return p.creatable(t)
	case errors.Is(err, fs.ErrPermission):
		p.refuse(Unreachable, t.Name, "this user cannot reach %s: run the command as the user who can, or as root", t.Root)
		return nil
	case err != nil:
		return err
	}
	if t.Root, err = filepath.EvalSymlinks(t.Root); err != nil {
		return err
	}
	if info.Mode().IsRegular() != t.Single || !(info.IsDir() || info.Mode().IsRegular()) {
		p.refuse(Conflict, t.Name, "%s is %s, in the backup it is %s", t.Root, kindWord(info.IsDir()), kindWord(!t.Single))
		return nil
	}
	p.writable(t, t.Root)
	if t.Single {
		p.writable(t, filepath.Dir(t.Root))
	}
	return nil
}

func kindWord(dir bool) string {
	if dir {
		return "a folder"
	}
	return "a file"
}

// creatable checks that a root that is missing can be made.
func (p *Plan) creatable(t *Target) error {
	if _, err := os.Lstat(t.Root); err == nil {
		p.refuse(Conflict, t.Name, "%s is a link to a place that does not exist", t.Root)
		return nil
	}
	dir := filepath.Dir(t.Root)
	for {
		info, err := os.Stat(dir)
		if err == nil && !info.IsDir() {
			p.refuse(Conflict, t.Name, "%s cannot be made: %s is no folder", t.Root, dir)
			return nil
		}
		if err == nil || dir == filepath.Dir(dir) {
			break
		}
		dir = filepath.Dir(dir)
	}
	t.Root = tree.Resolve(t.Root)
	p.writable(t, dir)
	return nil
}

// writable refuses the restore where this process cannot write at path.
func (p *Plan) writable(t *Target, path string) {
	if err := canWrite(path); err != nil {
		p.refuse(ReadOnly, t.Name, "source %s cannot be written: %s: %v", t.Name, path, err)
	}
}
