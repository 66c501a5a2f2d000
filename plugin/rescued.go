package plugin

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/durable"
	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/validate"
)

// rescuedFile is the file of the state folder that says what was rescued: where this user cannot look into a container's data, or into its
// source, nothing else tells.
const rescuedFile = "rescued.json"

// rescuedState is its content.
type rescuedState struct {
	Version int           `json:"version"`
	All     []rescuedData `json:"all"`
}

// rescuedData is data that was copied as a whole. What a container writes that was started since is not part of it: it has another end.
type rescuedData struct {
	Container string    `json:"container"`
	Ended     time.Time `json:"ended"`
	Folder    string    `json:"folder"`
	Source    string    `json:"source"`
	Path      string    `json:"path"`
}

// mostRescued is how many of them are kept.
const mostRescued = 100

func (s *session) rescuedData() []rescuedData {
	var known rescuedState
	data, err := os.ReadFile(filepath.Join(s.state.Dir(), rescuedFile))
	if err != nil || json.Unmarshal(data, &known) != nil || known.Version != 1 {
		return nil
	}
	return known.All
}

// noteRescued notes what was copied out of a container, which has been stopped before. Where that cannot be noted the guards ask for it once more.
func (s *session) noteRescued(ctx context.Context, f finding) {
	c, err := s.Engine.Container(ctx, f.container.ID)
	if err == nil && runs(c) {
		return // somebody has started it meanwhile
	}
	var data []byte
	if err == nil {
		all := append(s.rescuedData(), rescuedData{Container: c.ID, Ended: c.Ended, Folder: f.Folder, Source: f.Source, Path: f.Path})
		data, err = json.Marshal(rescuedState{Version: 1, All: all[max(0, len(all)-mostRescued):]})
	}
	if err == nil {
		err = durable.WriteFile(filepath.Join(s.state.Dir(), rescuedFile), data, fs.FileMode(0o600))
	}
	if err != nil {
		s.warn("rescue", "that "+f.name()+" was copied could not be noted: "+err.Error())
	}
}

// rescued tells that the place which the compose file has for data of a container holds all of it: it is looked at, or else was copied there and
// the container has not run since.
func (g *guardFacts) rescued(c engine.Container, folder string, p compose.Planned, look func() (all, known bool)) bool {
	if all, known := look(); known {
		return all
	}
	source, place, ok := g.sourceAt(p, folder)
	return ok && !runs(c) && slices.ContainsFunc(g.rescuedData(), func(r rescuedData) bool {
		return r.Container == c.ID && r.Ended.Equal(c.Ended) && r.Folder == path.Clean(folder) && r.Source == source && r.Path == place
	})
}

// sourceAt is the source that a mount of the compose file shows, and the folder in it that shows a place of the container.
func (g *guardFacts) sourceAt(p compose.Planned, folder string) (source, place string, ok bool) {
	i := slices.IndexFunc(g.Sources, func(s compose.Source) bool {
		if p.Type == "bind" {
			return s.Path != "" && compose.SameHostPath(s.Path, p.Path)
		}
		return s.Volume != nil && s.Volume.Key != "" && s.Volume.Key == p.Volume.Key
	})
	if i < 0 {
		return "", "", false
	}
	return g.Sources[i].Name, strings.Trim(path.Join(p.Subpath, strings.TrimPrefix(path.Clean(folder), p.Target)), "/"), true
}

// mostStats is how many files of a layer are compared with their copies.
const mostStats = 2000

// holdsLayer tells whether the place which the compose file has holds all data of a layer's folder; known is false where that cannot be seen.
func (g *guardFacts) holdsLayer(ctx context.Context, c engine.Container, d validate.LayerData, p compose.Planned) (all, known bool) {
	place := g.placeOf(ctx, p)
	if place == "" || len(d.Files) > mostStats {
		return false, false
	}
	left := leftOut(place, g.Config.Exclude)
	for _, name := range d.Files {
		rel := strings.TrimPrefix(strings.TrimPrefix(path.Clean(name), p.Target), "/")
		if left(rel) {
			continue
		}
		info, err := g.Engine.Stat(ctx, c.ID, name)
		if err != nil {
			return false, false
		}
		if err := holds(filepath.Join(place, filepath.FromSlash(rel)), info.Size, info.ModTime, info.Mode); err != nil {
			return false, !errors.Is(err, fs.ErrPermission)
		}
	}
	return true, true
}

// holdsVolume tells the same of an anonymous volume.
func (g *guardFacts) holdsVolume(ctx context.Context, m engine.Mount, p compose.Planned) (all, known bool) {
	place := g.placeOf(ctx, p)
	if place == "" || !g.Info.Local {
		return false, false
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
		if err != nil {
			return err
		}
		return holds(filepath.Join(place, rel), info.Size(), info.ModTime(), info.Mode())
	})
	return err == nil, !errors.Is(err, fs.ErrPermission)
}

// errOther tells that a file is there and is another one.
var errOther = errors.New("it is another file")

// holds tells that a file of the same size and time is there: what was copied, and not changed since. On its way through an engine a time is
// cut or rounded to the second. What is no data, a socket or a pipe, need not be there.
func holds(name string, size int64, at time.Time, mode fs.FileMode) error {
	if mode&(fs.ModeSocket|fs.ModeNamedPipe|fs.ModeDevice) != 0 {
		return nil
	}
	info, err := os.Lstat(name)
	switch {
	case err != nil:
		return err
	case info.Mode().Type() != mode.Type(), mode.IsRegular() && (info.Size() != size || info.ModTime().Sub(at).Abs() > time.Second):
		return errOther
	}
	return nil
}
