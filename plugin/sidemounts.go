package plugin

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/helper"
	"github.com/memsys/docker-memsys/internal/restore"
	"github.com/memsys/docker-memsys/internal/tree"
)

// place is where a source lies for whoever reads it: on this machine, or on the engine's host for a helper, which sees everything at the
// path that it has there.
func (s *session) place(ctx context.Context, src compose.Source) (string, error) {
	if s.far == nil {
		return s.locate(ctx, src)
	}
	m, err := s.mount(ctx, src)
	return m.Target, err
}

// mount is how a helper sees a source. What belongs to the machine it does not see, unless it is restored.
func (s *session) mount(ctx context.Context, src compose.Source) (helper.Mount, error) {
	if _, restored := s.single[src.Name]; src.Path == "" && src.Volume == nil || src.System() && !restored {
		return helper.Mount{}, errors.New(src.Excluded)
	}
	if src.Path != "" {
		return s.bind(src.Path), nil
	}
	v, err := s.Engine.Volume(ctx, src.Volume.Name)
	if errors.Is(err, engine.ErrNotFound) {
		return helper.Mount{}, fmt.Errorf("volume %s does not exist yet", src.Volume.Name)
	}
	if err != nil {
		return helper.Mount{}, err
	}
	return s.volumeMount(v)
}

// volumeMount is how a helper sees a volume. One that only a container can mount is mounted into the helper.
func (s *session) volumeMount(v engine.Volume) (helper.Mount, error) {
	at, err := v.Place()
	if err == nil && at != v.Mountpoint {
		return s.bind(at), nil
	}
	if v.Mountpoint == "" {
		return helper.Mount{}, errors.Join(err, fmt.Errorf("the engine does not tell where volume %s lies", v.Name))
	}
	return helper.Mount{Volume: v.Name, Target: v.Mountpoint}, nil
}

// bind is how a helper sees a folder of the engine's host.
func (s *session) bind(at string) helper.Mount {
	if s.ours() {
		at = tree.Resolve(at)
	}
	return helper.Mount{Path: at, Target: at}
}

// ours tells whether the paths of the engine's bind mounts are those of this machine.
func (s *session) ours() bool { return s.Info.Local || s.Info.SharesFiles }

// mounts are what a helper sees of the sources. What cannot be mounted is told when it is read.
func (s *session) mounts(ctx context.Context) []helper.Mount {
	var out []helper.Mount
	for _, src := range s.Sources {
		m, err := s.mount(ctx, src)
		if err != nil {
			continue
		}
		if m.Volume == "" {
			m = s.nearest(m, s.single[src.Name])
		}
		out = append(out, m)
	}
	return out
}

// nearest is the mount of what exists of a path: of the folder around a file, since a restore works beside it, and of the nearest folder
// above what does not exist yet.
func (s *session) nearest(m helper.Mount, file bool) helper.Mount {
	at := m.Path
	if s.ours() {
		for {
			info, err := os.Stat(at)
			if err == nil {
				file = file || !info.IsDir()
			}
			if !errors.Is(err, os.ErrNotExist) || at == path.Dir(at) {
				break
			}
			at, file = path.Dir(at), false
		}
	}
	if file {
		at = path.Dir(at)
	}
	return helper.Mount{Path: at, Target: at}
}

// recoveryMounts are what a helper needs to see beside the sources to end an interrupted restore.
func (s *session) recoveryMounts(ctx context.Context, rec *restore.Recovery) []helper.Mount {
	var out []helper.Mount
	for _, name := range rec.Volumes {
		if v, err := s.Engine.Volume(ctx, name); err == nil {
			if m, err := s.volumeMount(v); err == nil {
				out = append(out, m)
			}
		}
	}
	for _, at := range slices.Concat(rec.Roots, rec.Made) {
		at = path.Dir(at) // a source that is a single file was restored beside itself
		out = append(out, s.nearest(helper.Mount{Path: at, Target: at}, false))
	}
	return out
}

// tidy leaves out mounts that others show already, and the root of the engine's host, which no source needs.
func tidy(all []helper.Mount, readOnly bool) []helper.Mount {
	var out []helper.Mount
	slices.SortStableFunc(all, func(a, b helper.Mount) int { return strings.Compare(a.Target, b.Target) })
	for _, m := range all {
		m.ReadOnly = m.ReadOnly || readOnly
		if i := slices.IndexFunc(out, func(o helper.Mount) bool { return o.Target == m.Target }); i >= 0 {
			out[i].ReadOnly = out[i].ReadOnly && m.ReadOnly // the backups directory may be mounted by a service, too
			continue
		}
		shown := slices.ContainsFunc(out, func(o helper.Mount) bool {
			return o.Volume == "" && m.Volume == "" && o.ReadOnly == m.ReadOnly && strings.HasPrefix(m.Target, o.Target+"/")
		})
		if !shown && m.Target != "/" {
			out = append(out, m)
		}
	}
	return out
}

// absentBind is the path that an engine says does not exist on its host; empty where that is not what it says.
func absentBind(err error) string {
	if err == nil {
		return ""
	}
	_, at, found := strings.Cut(err.Error(), "bind source path does not exist: ")
	if !found {
		return ""
	}
	at, _, _ = strings.Cut(at, "\n")
	return strings.TrimSpace(at)
}

// instead replaces the mounts of a path that does not exist: by the folder above it where something may be made there.
func instead(all []helper.Mount, at string, a access) []helper.Mount {
	var out []helper.Mount
	for _, m := range all {
		if m.Path == at && a == reads {
			continue
		}
		if m.Path == at {
			m.Path, m.Target = path.Dir(at), path.Dir(at)
		}
		out = append(out, m)
	}
	return out
}
