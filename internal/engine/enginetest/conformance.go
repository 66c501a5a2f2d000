package enginetest

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/engine"
)

// Subject is an engine under test: everything that package engine's Client offers to operations.
type Subject interface {
	Info(ctx context.Context) (engine.Info, error)
	Containers(ctx context.Context, f engine.Filter) ([]engine.Container, error)
	Container(ctx context.Context, id string) (engine.Container, error)
	Pause(ctx context.Context, id string) error
	Unpause(ctx context.Context, id string) error
	Stop(ctx context.Context, id string, timeout time.Duration) error
	Start(ctx context.Context, id string) error
	Exec(ctx context.Context, id string, command []string, out io.Writer) (int, error)
	ExecAs(ctx context.Context, id string, command engine.Command, out io.Writer) (int, error)
	Volume(ctx context.Context, name string) (engine.Volume, error)
	Volumes(ctx context.Context, label, value string) ([]engine.Volume, error)
	CreateVolume(ctx context.Context, v engine.Volume) (engine.Volume, error)
	RemoveVolume(ctx context.Context, name string) error
	Image(ctx context.Context, ref string) (engine.Image, error)
	Images(ctx context.Context, label string) ([]engine.Image, error)
	ImportImage(ctx context.Context, ref string, labels map[string]string, archive io.Reader) error
	TagImage(ctx context.Context, image, name string) error
	RemoveImage(ctx context.Context, ref string) error
	CreateContainer(ctx context.Context, p engine.Process) (string, error)
	RemoveContainer(ctx context.Context, id string) error
	Attach(ctx context.Context, id string, stderr io.Writer) (io.ReadWriteCloser, error)
	Ended(ctx context.Context, id string) func() (int, error)
	CopyFrom(ctx context.Context, id, path string) (io.ReadCloser, error)
	CopyTo(ctx context.Context, id, dir string, archive io.Reader) error
	Changes(ctx context.Context, id string, limit int) ([]engine.Change, error)
	Stat(ctx context.Context, id, path string) (engine.PathInfo, error)
}

// Bench is an engine under test and what only a test does with it.
type Bench struct {
	Subject
	// Create makes a container, not started, whose process runs until it is stopped, removes it when the test ends, and returns its id.
	Create func(t *testing.T, c engine.Container) string
	// Fill puts files with these contents into a container's own layer.
	Fill func(t *testing.T, id string, files map[string]string)
	// Sleeper is a tar stream with the program testdata/sleeper in it; nil where none is run.
	Sleeper []byte
	// Prefix begins the names of everything that the test makes.
	Prefix string
}

// Conformance holds an engine to what package engine promises.
func Conformance(t *testing.T, b Bench) {
	t.Run("containers are told apart by exact project and shown in every state", b.containers)
	t.Run("a container goes through its states, and refuses what does not fit", b.states)
	t.Run("when a container was started is told", b.starts)
	t.Run("what is missing is not found", b.missing)
	t.Run("a command runs in a running container and tells how it ended", b.exec)
	t.Run("a command has a user, a folder and an environment of its own", b.execAs)
	t.Run("a command that takes too long is not waited for", b.hang)
	t.Run("a volume keeps what it was made with", b.volumes)
	t.Run("of parallel makers of one volume one wins and all see it", b.makers)
	t.Run("the engine tells who it is", b.info)
	t.Run("an image is made of a stream, found by its label, and goes when no container uses it", b.images)
	t.Run("a process of our own is heard from its first word to its last, and is gone then", b.process)
	t.Run("a process of our own is killed", b.killed)
	t.Run("a file goes into a volume and out again", b.copies)
	t.Run("what lies in a container's own layer is told, up to a limit", b.layer)
}

func (b Bench) container(t *testing.T, name string) string {
	return b.Create(t, engine.Container{Name: b.Prefix + name, Project: b.Prefix, Service: name, Number: "1"})
}

func (b Bench) state(t *testing.T, id string) engine.State {
	t.Helper()
	c, err := b.Container(t.Context(), id)
	assert.NilError(t, err)
	return c.State
}

func (b Bench) containers(t *testing.T) {
	ctx := t.Context()
	_, err := b.CreateVolume(ctx, engine.Volume{Name: b.Prefix + "data"})
	assert.NilError(t, err)
	t.Cleanup(func() { _ = b.RemoveVolume(context.WithoutCancel(ctx), b.Prefix+"data") })
	created, running := b.container(t, "created"), b.container(t, "running")
	other := b.Create(t, engine.Container{Name: b.Prefix + "other", Project: b.Prefix + "more", Service: "running", Number: "1"})
	mounts := b.Create(t, engine.Container{Name: b.Prefix + "mounts", Project: b.Prefix, Service: "mounts", Number: "2", Mounts: []engine.Mount{
		{Type: "volume", Name: b.Prefix + "data", Destination: "/ro", ReadOnly: true}, {Type: "volume", Name: b.Prefix + "data", Destination: "/rw"},
	}})
	assert.NilError(t, b.Start(ctx, running))
	list, err := b.Containers(ctx, engine.Filter{Project: b.Prefix})
	assert.NilError(t, err)
	got := map[string]engine.Container{}
	for _, c := range list {
		got[c.ID] = c
	}
	assert.Equal(t, len(got), 3)
	assert.Equal(t, got[created].State, engine.Created)
	assert.Equal(t, got[running].State, engine.Running)
	c := got[mounts]
	assert.Equal(t, fmt.Sprint(c.Name, c.Project, c.Service, c.Number, c.OneOff), fmt.Sprint(b.Prefix+"mounts", b.Prefix, "mounts", "2", false))
	assert.Equal(t, len(c.Mounts), 2)
	assert.Assert(t, c.Mounts[0].ReadOnly && !c.Mounts[1].ReadOnly)
	assert.Equal(t, c.Mounts[1].Type+c.Mounts[1].Name, "volume"+b.Prefix+"data")
	list, err = b.Containers(ctx, engine.Filter{Project: b.Prefix, Service: "running"})
	assert.NilError(t, err)
	assert.Equal(t, len(list), 1)
	list, err = b.Containers(ctx, engine.Filter{})
	assert.NilError(t, err)
	found := false
	for _, c := range list {
		found = found || c.ID == other
	}
	assert.Assert(t, found, "without a filter all containers are listed")
}

func (b Bench) states(t *testing.T) {
	ctx := t.Context()
	id := b.container(t, "states")
	assert.ErrorIs(t, b.Pause(ctx, id), engine.ErrConflict)
	assert.NilError(t, b.Start(ctx, id))
	assert.NilError(t, b.Start(ctx, id))
	assert.Equal(t, b.state(t, id), engine.Running)
	assert.ErrorIs(t, b.Unpause(ctx, id), engine.ErrConflict)
	assert.NilError(t, b.Pause(ctx, id))
	assert.Equal(t, b.state(t, id), engine.Paused)
	assert.ErrorIs(t, b.Pause(ctx, id), engine.ErrConflict)
	assert.NilError(t, b.Unpause(ctx, id))
	assert.Equal(t, b.state(t, id), engine.Running)
	assert.NilError(t, b.Pause(ctx, id))
	assert.NilError(t, b.Stop(ctx, id, time.Second))
	assert.Equal(t, b.state(t, id), engine.Exited)
	assert.NilError(t, b.Stop(ctx, id, time.Second))
	assert.ErrorIs(t, b.Pause(ctx, id), engine.ErrConflict)
	assert.ErrorIs(t, b.Unpause(ctx, id), engine.ErrConflict)
	assert.NilError(t, b.Start(ctx, id))
	assert.Equal(t, b.state(t, id), engine.Running)
}

// starts: when a container was started is told, before its first start that it never was, and it stays so once it is stopped.
func (b Bench) starts(t *testing.T) {
	ctx := t.Context()
	id := b.container(t, "starts")
	at := func() time.Time {
		c, err := b.Container(ctx, id)
		assert.NilError(t, err)
		return c.Started
	}
	assert.Assert(t, at().IsZero())
	assert.NilError(t, b.Start(ctx, id))
	first := at()
	assert.Assert(t, !first.IsZero())
	assert.NilError(t, b.Start(ctx, id))
	assert.NilError(t, b.Stop(ctx, id, time.Second))
	assert.Assert(t, at().Equal(first))
	assert.NilError(t, b.Start(ctx, id))
	assert.Assert(t, at().After(first))
}

func (b Bench) missing(t *testing.T) {
	ctx := t.Context()
	no := b.Prefix + "missing"
	for name, f := range map[string]func() error{
		"container": func() error { _, err := b.Container(ctx, no); return err },
		"pause":     func() error { return b.Pause(ctx, no) },
		"unpause":   func() error { return b.Unpause(ctx, no) },
		"stop":      func() error { return b.Stop(ctx, no, time.Second) },
		"exec":      func() error { _, err := b.Exec(ctx, no, []string{"/sleeper"}, io.Discard); return err },
		"start":     func() error { return b.Start(ctx, no) },
		"volume":    func() error { _, err := b.Volume(ctx, no); return err },
		"remove":    func() error { return b.RemoveVolume(ctx, no) },
		"image":     func() error { _, err := b.Image(ctx, no); return err },
		"tag":       func() error { return b.TagImage(ctx, no, no) },
		"unname":    func() error { return b.RemoveImage(ctx, no) },
		"discard":   func() error { return b.RemoveContainer(ctx, no) },
		"attach":    func() error { _, err := b.Attach(ctx, no, io.Discard); return err },
		"end":       func() error { _, err := b.Ended(ctx, no)(); return err },
		"read":      func() error { _, err := b.CopyFrom(ctx, no, "/data"); return err },
		"write":     func() error { return b.CopyTo(ctx, no, "/data", strings.NewReader("")) },
		"process":   func() error { _, err := b.CreateContainer(ctx, engine.Process{Image: no}); return err },
	} {
		assert.Check(t, f() != nil, name)
		assert.ErrorIs(t, f(), engine.ErrNotFound)
	}
	list, err := b.Containers(ctx, engine.Filter{Project: no})
	assert.NilError(t, err)
	assert.Equal(t, len(list), 0)
}

func (b Bench) volumes(t *testing.T) {
	ctx := t.Context()
	name := b.Prefix + "volume"
	made, err := b.CreateVolume(ctx, engine.Volume{Name: name, Labels: map[string]string{"memsys.test": name}})
	assert.NilError(t, err)
	t.Cleanup(func() { _ = b.RemoveVolume(context.WithoutCancel(ctx), name) })
	assert.Equal(t, made.Driver, "local")
	again, err := b.CreateVolume(ctx, engine.Volume{Name: name, Labels: map[string]string{"memsys.test": "other"}})
	assert.NilError(t, err)
	assert.Equal(t, again.Labels["memsys.test"], name)
	list, err := b.Volumes(ctx, "memsys.test", name)
	assert.NilError(t, err)
	assert.Equal(t, len(list), 1)
	assert.Assert(t, !list[0].CreatedAt.IsZero())
	list, err = b.Volumes(ctx, "memsys.test", name[:len(name)-1])
	assert.NilError(t, err)
	assert.Equal(t, len(list), 0)
	b.Create(t, engine.Container{Name: b.Prefix + "user", Mounts: []engine.Mount{{Type: "volume", Name: name, Destination: "/data"}}})
	assert.ErrorIs(t, b.RemoveVolume(ctx, name), engine.ErrConflict)
}

func (b Bench) makers(t *testing.T) {
	ctx := t.Context()
	name := b.Prefix + "race"
	t.Cleanup(func() { _ = b.RemoveVolume(context.WithoutCancel(ctx), name) })
	const makers = 20
	var seen [makers]string
	var wg sync.WaitGroup
	for i := range makers {
		wg.Go(func() {
			v, err := b.CreateVolume(ctx, engine.Volume{Name: name, Labels: map[string]string{"memsys.test": fmt.Sprint(i)}})
			if err != nil {
				t.Error(err)
			}
			seen[i] = v.Labels["memsys.test"]
		})
	}
	wg.Wait()
	for _, s := range seen {
		assert.Equal(t, s, seen[0])
	}
}

func (b Bench) info(t *testing.T) {
	info, err := b.Info(t.Context())
	assert.NilError(t, err)
	assert.Assert(t, info.ID != "" && info.Version != "" && info.RootDir != "" && info.APIVersion != "")
	assert.Assert(t, !info.Time.IsZero())
	assert.Equal(t, info.OS+"/"+info.Architecture, "linux/"+runtime.GOARCH)
}
