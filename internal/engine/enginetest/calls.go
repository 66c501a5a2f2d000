package enginetest

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/memsys/docker-memsys/internal/engine"
)

// Info returns what SetInfo set, with the time of the fake's clock.
func (e *Engine) Info(ctx context.Context) (info engine.Info, err error) {
	err = e.do(ctx, Call{Name: "Info"}, func() error {
		info = e.info
		info.Time = e.now()
		return nil
	})
	return info, err
}

// Containers returns the containers that match, in the order of their names.
func (e *Engine) Containers(ctx context.Context, f engine.Filter) (out []engine.Container, err error) {
	err = e.do(ctx, Call{"Containers", f.Project}, func() error {
		for _, c := range e.containers {
			if (f.Project == "" || c.Project == f.Project) && (f.Service == "" || c.Service == f.Service) && (f.Label == "" || hasLabel(c.Labels, f.Label)) {
				out = append(out, c)
			}
		}
		slices.SortFunc(out, func(a, b engine.Container) int { return strings.Compare(a.Name, b.Name) })
		return nil
	})
	return out, err
}

// hasLabel tells whether labels match a key, or key=value.
func hasLabel(labels map[string]string, want string) bool {
	key, value, exact := strings.Cut(want, "=")
	got, ok := labels[key]
	return ok && (!exact || got == value)
}

// Container returns one container, by its id or name.
func (e *Engine) Container(ctx context.Context, id string) (c engine.Container, err error) {
	err = e.do(ctx, Call{"Container", id}, func() error {
		var ok bool
		if c, ok = e.containers[e.idOf(id)]; !ok {
			return engine.ErrNotFound
		}
		return nil
	})
	return c, err
}

// idOf is the id of the container with that name, or the word itself.
func (e *Engine) idOf(word string) string {
	for id, c := range e.containers {
		if c.Name == word {
			return id
		}
	}
	return word
}

// change brings a container from one of the states into another; quiet are states in which nothing is done.
func (e *Engine) change(id string, to engine.State, from, quiet []engine.State) func() error {
	return func() error {
		c, ok := e.containers[id]
		switch {
		case !ok:
			return engine.ErrNotFound
		case slices.Contains(quiet, c.State):
			return nil
		case !slices.Contains(from, c.State):
			return fmt.Errorf("%w: it is %s", engine.ErrConflict, c.State)
		}
		if c.State = to; to == engine.Exited {
			was := c.Ended
			if c.Ended = e.now(); !c.Ended.After(was) { // no two ends at one time, however coarse the clock
				c.Ended = was.Add(1)
			}
		}
		e.containers[id] = c
		return nil
	}
}

// Pause pauses a running container.
func (e *Engine) Pause(ctx context.Context, id string) error {
	return e.do(ctx, Call{"Pause", id}, e.change(id, engine.Paused, []engine.State{engine.Running}, nil))
}

// Unpause lets a paused container go on.
func (e *Engine) Unpause(ctx context.Context, id string) error {
	return e.do(ctx, Call{"Unpause", id}, e.change(id, engine.Running, []engine.State{engine.Paused}, nil))
}

// Stop stops a container.
func (e *Engine) Stop(ctx context.Context, id string, _ time.Duration) error {
	return e.do(ctx, Call{"Stop", id}, e.change(id, engine.Exited,
		[]engine.State{engine.Running, engine.Paused, engine.Restarting}, []engine.State{engine.Exited, engine.Created, engine.Dead}))
}

// Start starts a container.
func (e *Engine) Start(ctx context.Context, id string) error {
	started := e.change(id, engine.Running, []engine.State{engine.Exited, engine.Created}, []engine.State{engine.Running, engine.Restarting})
	return e.do(ctx, Call{"Start", id}, func() error {
		was := e.containers[id].State
		if err := started(); err != nil {
			return err
		}
		if c := e.containers[id]; was != c.State {
			was := c.Started
			if c.Started = e.now(); !c.Started.After(was) { // no two starts at one time, however coarse the clock
				c.Started = was.Add(1)
			}
			e.containers[id] = c
		}
		e.begin(id)
		return nil
	})
}

// Volume returns one volume.
func (e *Engine) Volume(ctx context.Context, name string) (v engine.Volume, err error) {
	err = e.do(ctx, Call{"Volume", name}, func() error {
		var ok bool
		if v, ok = e.volumes[name]; !ok {
			return engine.ErrNotFound
		}
		return nil
	})
	return v, err
}

// Volumes returns the volumes with the label, in the order of their names.
func (e *Engine) Volumes(ctx context.Context, label, value string) (out []engine.Volume, err error) {
	err = e.do(ctx, Call{"Volumes", label + "=" + value}, func() error {
		for _, name := range slices.Sorted(maps.Keys(e.volumes)) {
			if got, ok := e.volumes[name].Labels[label]; ok && got == value {
				out = append(out, e.volumes[name])
			}
		}
		return nil
	})
	return out, err
}

// CreateVolume makes a volume, or returns the one with this name.
func (e *Engine) CreateVolume(ctx context.Context, v engine.Volume) (out engine.Volume, err error) {
	err = e.do(ctx, Call{"CreateVolume", v.Name}, func() error {
		out = e.createVolume(v)
		return nil
	})
	return out, err
}

func (e *Engine) createVolume(v engine.Volume) engine.Volume {
	if there, ok := e.volumes[v.Name]; ok {
		return there
	}
	if v.Driver == "" {
		v.Driver = "local"
	}
	if v.Mountpoint == "" {
		v.Mountpoint = e.info.RootDir + "/volumes/" + v.Name + "/_data"
	}
	if e.disk != "" {
		v.Mountpoint = filepath.Join(e.disk, v.Name, "_data")
		if err := os.MkdirAll(v.Mountpoint, 0o755); err != nil {
			panic(err)
		}
	}
	v.CreatedAt = e.now().Truncate(time.Second)
	e.volumes[v.Name] = v
	return v
}

// RemoveVolume removes a volume that no container has.
func (e *Engine) RemoveVolume(ctx context.Context, name string) error {
	return e.do(ctx, Call{"RemoveVolume", name}, func() error {
		if _, ok := e.volumes[name]; !ok {
			return engine.ErrNotFound
		}
		for _, c := range e.containers {
			for _, m := range c.Mounts {
				if m.Type == "volume" && m.Name == name {
					return fmt.Errorf("%w: in use by %s", engine.ErrConflict, c.Name)
				}
			}
		}
		delete(e.volumes, name)
		return nil
	})
}
