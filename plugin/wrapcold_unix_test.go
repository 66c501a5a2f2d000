//go:build !windows

package plugin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docker/cli/cli-plugins/metadata"
	"gotest.tools/v3/assert"
	"gotest.tools/v3/poll"

	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/engine/enginetest"
	"github.com/memsys/docker-memsys/internal/journal"
	"github.com/memsys/docker-memsys/internal/store"
)

const coldProject = `name: notes
x-memsys: {helper: never}
services:
  app: {image: app, volumes: ["./data:/data"], depends_on: [store]}
  store: {image: store, volumes: ["./data:/data"]}
  beside: {image: beside}
  debug: {image: debug, profiles: [debug]}
`

// fakeDocker stands in for docker: it says that it was called, waits for the word to go on, and ends with the code that it finds.
const fakeDocker = `#!/bin/sh
echo "$@" >begun.tmp && mv begun.tmp begun
until [ -e go ]; do sleep 0.01; done
exit "$(cat go)"
`

// coldBed is a project on a fake engine, wrapped around a docker compose that does what the test does.
type coldBed struct {
	t    *testing.T
	dir  string
	app  *app
	fake *enginetest.Engine
	ids  map[string]string
	said *strings.Builder
}

func newColdBed(t *testing.T) *coldBed {
	t.Helper()
	s, fake := openTestSession(t)
	b := &coldBed{t: t, dir: s.WorkingDir, app: s.app, fake: fake, ids: map[string]string{}, said: &strings.Builder{}}
	fake.SetInfo(engine.Info{ID: "fake-engine", Name: "fake", OS: "linux", RootDir: "/var/lib/docker", SharesFiles: true})
	b.write("compose.yaml", coldProject)
	b.write("data/memory.json", `{"id":"1","text":"remember"}`)
	docker := filepath.Join(t.TempDir(), "docker")
	assert.NilError(t, os.WriteFile(docker, []byte(fakeDocker), 0o700))
	t.Setenv(metadata.ReexecEnvvar, docker)
	t.Chdir(b.dir) // docker runs in our own folder
	fake.Add(engine.Container{Name: "notes-debug-1", Project: "notes", Service: "debug", Number: "1"})
	for _, service := range []string{"app", "store", "beside"} {
		c := engine.Container{Name: "notes-" + service + "-1", Project: "notes", Service: service, Number: "1"}
		if service != "beside" {
			c.Mounts = []engine.Mount{{Type: "bind", Source: filepath.Join(b.dir, "data"), Destination: "/data"}}
		}
		if service == "app" {
			c.Labels = map[string]string{"com.docker.compose.depends_on": "store:service_started:false"}
		}
		b.ids[service] = fake.Add(c)
	}
	b.app.err, b.app.flags.progress = b.said, "plain"
	assert.NilError(t, b.app.openDisplay())
	return b
}

func (b *coldBed) write(name, text string) {
	b.t.Helper()
	assert.NilError(b.t, os.WriteFile(filepath.Join(b.dir, name), []byte(text), 0o600))
}

// states are those of the services, in the order app, store, beside.
func (b *coldBed) states() string {
	var out []string
	for _, service := range []string{"app", "store", "beside"} {
		out = append(out, string(b.fake.State(b.ids[service])))
	}
	return strings.Join(out, " ")
}

// begun tells whether docker compose was called.
func (b *coldBed) begun() bool {
	_, err := os.Stat(filepath.Join(b.dir, "begun"))
	return !errors.Is(err, fs.ErrNotExist)
}

// wrap runs a command line. meanwhile is done while docker compose is at work, which then ends with the code; -1: it must not be called.
func (b *coldBed) wrap(ctx context.Context, line string, code int, meanwhile func()) error {
	b.t.Helper()
	c, opts := b.command(line)
	ended := make(chan error, 1)
	go func() { ended <- b.app.wrap(ctx, c, opts) }()
	poll.WaitOn(b.t, func(poll.LogT) poll.Result {
		if b.begun() || len(ended) > 0 {
			return poll.Success()
		}
		return poll.Continue("docker compose was not called")
	}, poll.WithDelay(5*time.Millisecond), poll.WithTimeout(time.Minute))
	assert.Equal(b.t, b.begun(), code >= 0, "docker compose was called: %s", b.said)
	if code >= 0 {
		meanwhile()
		b.write("go.tmp", fmt.Sprint(code))
		assert.NilError(b.t, os.Rename(filepath.Join(b.dir, "go.tmp"), filepath.Join(b.dir, "go")))
	}
	err := <-ended
	pending, jerr := b.pending()
	assert.NilError(b.t, jerr)
	assert.Assert(b.t, pending == nil, "left on record: %+v", pending)
	return err
}

// command takes a command line apart.
func (b *coldBed) command(line string) (c *composeCommand, opts wrapOptions) {
	b.t.Helper()
	args := strings.Fields(line)
	own := wrapFlags(&opts)
	if bringsUp(args[0]) {
		readyFlags(own, &opts.ready)
	}
	c, err := parseComposeCommand(args[0], args[1:], own)
	assert.NilError(b.t, err)
	return c, opts
}

// again lets the next docker compose begin.
func (b *coldBed) again() {
	b.t.Helper()
	for _, name := range []string{"begun", "go"} {
		assert.NilError(b.t, os.Remove(filepath.Join(b.dir, name)))
	}
}

func (b *coldBed) pending() (*journal.Interrupted, error) {
	dir, err := b.app.stateDir()
	assert.NilError(b.t, err)
	return journal.View(dir, "notes in "+b.dir).Pending()
}

// good is the newest backup, which must be good.
func (b *coldBed) good() store.Backup {
	b.t.Helper()
	dir := store.Open(filepath.Join(b.dir, "backups"))
	all, err := dir.List(b.t.Context())
	assert.NilError(b.t, err)
	newest, ok := dir.NewestGood(all)
	assert.Assert(b.t, ok, "%+v", all)
	return newest
}

func TestServicesAreStoppedAndBackedUpBeforeTheirDataIsDeleted(t *testing.T) {
	b := newColdBed(t)
	// It writes until it is stopped, and then once more: that too must be in the backup.
	b.fake.Before(func(c enginetest.Call) error {
		if c.Name == "Stop" && c.Object == b.ids["store"] {
			assert.Equal(t, b.states(), "exited running exited", "what depends on others stops first")
			b.write("data/last.json", `{"id":"2","text":"the last word"}`)
		}
		return nil
	})
	assert.NilError(t, b.wrap(t.Context(), "down -v", 0, func() {
		assert.Equal(t, b.states(), "exited exited exited")
		newest := b.good()
		assert.Equal(t, newest.Reason, "before-down")
		assert.Equal(t, newest.Files, int64(2))
		for _, id := range b.ids {
			b.fake.Remove(id)
		}
	}))
	line, err := os.ReadFile(filepath.Join(b.dir, "begun"))
	assert.NilError(t, err)
	assert.Equal(t, string(line), "compose down -v\n")
}

func TestWithoutAGoodBackupNothingIsDeletedAndServicesRunAgain(t *testing.T) {
	for _, c := range []struct {
		fault func(b *coldBed) // while the last service is stopped
		says  string
	}{
		{func(b *coldBed) { assert.NilError(b.t, os.RemoveAll(filepath.Join(b.dir, "more"))) }, "is not complete; docker compose down was not run, the services run as before"},
		{func(b *coldBed) { b.write("data/memory.json", `{"id":"1",`) }, "holds damaged data; docker compose down was not run, the services run as before"},
		{func(b *coldBed) {
			assert.NilError(b.t, os.Rename(filepath.Join(b.dir, "data"), filepath.Join(b.dir, "away")))
		}, "is not complete"},
	} {
		b := newColdBed(t)
		b.write("compose.yaml", strings.Replace(coldProject, `store, volumes: ["./data:/data"]`, `store, volumes: ["./data:/data", "./more:/x"]`, 1))
		assert.NilError(t, os.Mkdir(filepath.Join(b.dir, "more"), 0o700))
		b.write("more/memory.json", `{"id":"3"}`)
		assert.NilError(t, b.wrap(t.Context(), "up -d --no-ready", 0, func() {})) // what a backup has is missing once it is gone
		b.again()
		before := b.states()
		b.fake.After(func(call enginetest.Call) error {
			if call.Name == "Stop" && call.Object == b.ids["store"] {
				c.fault(b)
			}
			return nil
		})
		v := judge(b.wrap(t.Context(), "down -v", -1, nil), false, false)
		assert.Equal(t, v.Code, exitFailed, v.Message)
		assert.Assert(t, strings.Contains(v.Message, c.says), v.Message)
		assert.Equal(t, b.states(), before)
		// Who asks for it gets it deleted without one.
		assert.NilError(t, b.wrap(t.Context(), "down -v --backup never", 0, func() { assert.Equal(t, b.states(), before) }))
	}
}

func TestWhatCannotBeBackedUpIsToldBeforeAnythingIsStopped(t *testing.T) {
	b := newColdBed(t)
	b.write("compose.yaml", strings.Replace(coldProject, `store, volumes: ["./data:/data"]`, `store, volumes: ["./data:/data", "./nowhere:/x"]`, 1))
	assert.NilError(t, os.Mkdir(filepath.Join(b.dir, "nowhere"), 0o700))
	b.write("nowhere/memory.json", `{"id":"3"}`)
	assert.NilError(t, b.wrap(t.Context(), "up -d --no-ready", 0, func() {}))
	b.again()
	assert.NilError(t, os.RemoveAll(filepath.Join(b.dir, "nowhere")))
	v := judge(b.wrap(t.Context(), "down -v", -1, nil), false, false)
	assert.Equal(t, v.Code, exitFailed)
	assert.Assert(t, strings.Contains(v.Message, "source nowhere cannot be backed up"), v.Message)
	for _, call := range b.fake.Calls() {
		assert.Assert(t, call.Name != "Stop")
	}
}

// What runs again has perhaps written what is in no backup.
func TestAServiceThatSomebodyStartsBeforeTheDeletionStopsIt(t *testing.T) {
	b := newColdBed(t)
	b.fake.After(func(c enginetest.Call) error {
		if c.Name == "Stop" && c.Object == b.ids["store"] {
			b.fake.SetState(b.ids["app"], engine.Running)
		}
		return nil
	})
	v := judge(b.wrap(t.Context(), "down -v", -1, nil), false, false)
	assert.Equal(t, v.Code, exitFailed)
	assert.Assert(t, strings.Contains(v.Message, "app: it is running, not stopped"), v.Message)
	assert.Equal(t, b.states(), "running running running")
}

func TestAServiceThatSomebodyPutsAnewBeforeTheDeletionStopsIt(t *testing.T) {
	b := newColdBed(t)
	var anew string
	b.fake.After(func(c enginetest.Call) error {
		if c.Name == "Stop" && c.Object == b.ids["store"] {
			b.fake.Remove(b.ids["app"])
			anew = b.fake.Add(engine.Container{Name: "notes-app-1", Project: "notes", Service: "app", Number: "1"})
		}
		return nil
	})
	v := judge(b.wrap(t.Context(), "down -v", -1, nil), false, false)
	assert.Equal(t, v.Code, exitFailed)
	assert.Assert(t, strings.Contains(v.Message, "app: it is running, not stopped"), v.Message)
	assert.Equal(t, b.states(), " running running")
	assert.Equal(t, b.fake.State(anew), engine.Running)
}

func TestWhereThereIsNoDataNothingIsStopped(t *testing.T) {
	b := newColdBed(t)
	assert.NilError(t, os.RemoveAll(filepath.Join(b.dir, "data")))
	assert.NilError(t, b.wrap(t.Context(), "down -v", 0, func() { assert.Equal(t, b.states(), "running running running") }))
}

// Every act on the engine fails in turn: docker compose is not called, and all services run as before.
func TestAnyFailureBeforeTheDeletionLeavesServicesRunning(t *testing.T) {
	planted := errors.New("planted fault")
	for _, act := range []string{"Stop app", "Stop store", "Stop beside"} {
		b := newColdBed(t)
		before := b.states()
		b.fake.Before(func(c enginetest.Call) error {
			name, service, _ := strings.Cut(act, " ")
			if c.Name == name && c.Object == b.ids[service] {
				return planted
			}
			return nil
		})
		err := b.wrap(t.Context(), "down -v", -1, nil)
		assert.ErrorContains(t, err, "planted fault", act)
		assert.Equal(t, b.states(), before, act)
	}
}

func TestAnInterruptionBeforeTheDeletionLeavesServicesRunning(t *testing.T) {
	b := newColdBed(t)
	before := b.states()
	ctx, cancel := context.WithCancelCause(t.Context())
	b.fake.After(func(c enginetest.Call) error {
		if c.Name == "Stop" && c.Object == b.ids["store"] {
			cancel(errInterrupted)
		}
		return nil
	})
	assert.ErrorIs(t, b.wrap(ctx, "down -v", -1, nil), errInterrupted)
	assert.Equal(t, b.states(), before)
}

func TestServicesThatDockerComposeHasNotRemovedRunAgain(t *testing.T) {
	for _, c := range []struct {
		line   string
		remove []string
		start  []string
		code   int
		want   string
		said   string
	}{
		{"down -v", nil, nil, 5, "running running running", "docker compose has failed; services run as before: "},
		{"down -v", []string{"app"}, nil, 5, " exited exited", "docker compose down has removed app and left "},
		{"up -d -y --no-ready", nil, []string{"app"}, 0, "running running running", ""},
		{"up -d -V app --no-ready", nil, []string{"app"}, 0, "running running running", ""},
		{"up -d -y --no-ready", []string{"app"}, nil, 1, " running running", "docker compose has failed; services run as before: "},
		{"up -y --no-ready", nil, []string{"app", "store", "beside"}, 0, "running running running", ""},
		{"up -y --no-ready", nil, nil, 1, "running running running", "docker compose has failed"},
	} {
		b := newColdBed(t)
		err := b.wrap(t.Context(), c.line, c.code, func() {
			for _, service := range c.remove {
				b.fake.Remove(b.ids[service])
			}
			for _, service := range c.start {
				assert.NilError(t, b.fake.Start(t.Context(), b.ids[service]))
			}
		})
		assert.Equal(t, judge(err, false, false).Code, c.code, "%s: %v", c.line, err)
		assert.Equal(t, b.states(), c.want, c.line)
		b.app.closeDisplay()
		assert.Assert(t, strings.Contains(b.said.String(), c.said), "%s: %s", c.line, b.said)
	}
}

func TestAPausedServiceIsNotLetGoToWriteOnceMore(t *testing.T) {
	b := newColdBed(t)
	b.fake.SetState(b.ids["store"], engine.Paused)
	v := judge(b.wrap(t.Context(), "down -v", -1, nil), false, false)
	assert.Equal(t, v.Code, exitFailed)
	assert.Assert(t, strings.Contains(v.Message, "notes-store-1: paused"), v.Message)
	assert.Equal(t, b.states(), "running paused running")
}

func TestCommandsThatDeleteNothingStopNothing(t *testing.T) {
	for _, line := range []string{"down", "up -d --no-ready", "down --rmi local", "restart --no-ready"} {
		b := newColdBed(t)
		assert.NilError(t, b.wrap(t.Context(), line, 0, func() { assert.Equal(t, b.states(), "running running running", line) }))
	}
}

// TestAfterDownTheDataIsSaidToBeThere: as it was, with what services have still written, or not.
func TestAfterDownTheDataIsSaidToBeThere(t *testing.T) {
	for _, c := range []struct {
		meanwhile func(b *coldBed)
		says      string
	}{
		{func(*coldBed) {}, "data: nothing of it is gone: it is as in memory_backup_"},
		{func(b *coldBed) { b.write("data/plain2.txt", "") }, ": 1 new, 0 changed, 0 removed in files of source data"},
		{func(b *coldBed) { b.write("data/more.json", `{"id":"2","text":"more"}`) }, ": 1 new, 0 changed, 0 removed in json . of source data"},
		{func(b *coldBed) { b.write("data/memory.json", `[]`) }, "has what is not there now: 1 of 1 in json . of source data"},
		{func(b *coldBed) { assert.NilError(b.t, os.Remove(filepath.Join(b.dir, "data/plain.txt"))) }, "has what is not there now: 1 of 1 in files of source data"},
	} {
		b := newColdBed(t)
		b.write("data/plain.txt", "no memory")
		assert.NilError(t, b.wrap(t.Context(), "down", 0, func() {
			for _, id := range b.ids {
				b.fake.Remove(id)
			}
			c.meanwhile(b)
		}))
		b.app.closeDisplay()
		assert.Assert(t, strings.Contains(b.said.String(), c.says), "%s\nwant: %s", b.said, c.says)
	}
}

// A project's volumes are made by its first up: that they are not there yet stops neither that nor a down -v.
func TestVolumesThatAreNotThereYetStopNothing(t *testing.T) {
	b := newColdBed(t)
	b.write("compose.yaml", strings.Replace(coldProject, `store, volumes: ["./data:/data"]`, `store, volumes: ["./data:/data", "made:/x"]`, 1)+"volumes: {made: {}}\n")
	assert.NilError(t, b.wrap(t.Context(), "up -d --no-ready", 0, func() {}))
	first := b.good()
	assert.Equal(t, first.Reason, "before-up")
	b.app.closeDisplay()
	assert.NilError(t, b.app.openDisplay())
	b.again()
	assert.NilError(t, b.wrap(t.Context(), "up -d --no-ready", 0, func() {}))
	assert.Equal(t, b.good().Name, first.Name, "nothing has changed")
	b.again()
	assert.NilError(t, b.wrap(t.Context(), "down -v", 0, func() { assert.Equal(t, b.good().Reason, "before-down") }))
}
