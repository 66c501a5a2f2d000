//go:build !windows

package plugin

import (
	"strings"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/engine"
)

func TestOnlyServicesThatGoAreStopped(t *testing.T) {
	for line, want := range map[string]string{
		"down -v":                                "exited exited exited",
		"down -v store":                          "exited exited running", // app depends on it
		"down -v app":                            "exited running running",
		"up -d -V app --no-ready":                "exited exited running", // it depends on store
		"up -d --no-ready -V --no-deps app":      "exited running running",
		"up -d --no-ready -V --no-deps beside":   "running running exited",
		"up -d --no-ready -t 3 -V --new value":   "exited exited exited", // value may be no service
		"up -d --no-ready --force volume-config": "exited exited exited",
	} {
		b := newColdBed(t)
		assert.NilError(t, b.wrap(t.Context(), line, 0, func() {
			assert.Equal(t, b.states(), want, line)
			debug, err := b.fake.Container(t.Context(), "notes-debug-1")
			assert.NilError(t, err)
			assert.Equal(t, debug.State, engine.Running, "it is of another profile")
		}))
	}
}

// A service that is mistyped stops nothing.
func TestAServiceThatThereIsNotIsRefusedBeforeAnythingIsStopped(t *testing.T) {
	for _, line := range []string{"down -v nosuch", "down -v app nosuch", "up -d -V nosuch", "up -y -- nosuch"} {
		b := newColdBed(t)
		v := judge(b.wrap(t.Context(), line, -1, nil), false, false)
		assert.Equal(t, v.Code, exitFailed)
		assert.Equal(t, v.Message, "no such service: nosuch; docker compose "+strings.Fields(line)[0]+" was not run, nothing was changed")
		for _, call := range b.fake.Calls() {
			assert.Assert(t, call.Name != "Stop", line)
		}
	}
}

func TestServicesThatShareAVolumeGoOnWhereOneIsPutAnew(t *testing.T) {
	b := newColdBed(t)
	file := strings.Replace(coldProject, `app, volumes: ["./data:/data"]`, `app, volumes: ["./data:/data", "shared:/x"]`, 1)
	b.write("compose.yaml", strings.Replace(file, "{image: beside}", "{image: beside, volumes: [\"shared:/x\"]}", 1)+"volumes: {shared: {}}\n")
	assert.NilError(t, b.wrap(t.Context(), "up -d --no-ready -V --no-deps app", 0, func() {
		assert.Equal(t, b.states(), "exited running running")
	}))
}

// Given a name and no file, docker compose down removes what bears the name: containers of other profiles and of no service too.
func TestByItsNameAllOfAProjectIsStopped(t *testing.T) {
	for line, named := range map[string]bool{"down -v": false, "down -v store debug": true} {
		b := newColdBed(t)
		b.app.flags.project = "notes"
		orphan := b.fake.Add(engine.Container{Name: "notes-former-1", Project: "notes", Service: "former", Number: "1"})
		assert.NilError(t, b.wrap(t.Context(), line, 0, func() {
			debug, err := b.fake.Container(t.Context(), "notes-debug-1")
			assert.NilError(t, err)
			assert.Equal(t, debug.State, engine.Exited, line)
			assert.Equal(t, b.fake.State(orphan) == engine.Exited, !named, line)
			assert.Equal(t, b.fake.State(b.ids["beside"]) == engine.Exited, !named, line)
			assert.Equal(t, b.fake.State(b.ids["store"]), engine.Exited, line)
		}))
	}
}

func TestByItsNameNoVolumeIsDeletedThatNoServiceHas(t *testing.T) {
	b := newColdBed(t)
	b.fake.AddVolume(engine.Volume{Name: "notes_former", Driver: "local", Labels: map[string]string{engine.ProjectLabel: "notes"}})
	assert.NilError(t, b.wrap(t.Context(), "down -v", 0, func() {}), "docker compose reads the file, and leaves it")
	b.again()
	b.app.flags.project = "notes"
	v := judge(b.wrap(t.Context(), "down -v", -1, nil), false, false)
	assert.Equal(t, v.Code, exitFailed)
	assert.Assert(t, strings.Contains(v.Message, "no backup holds: notes_former; nothing was changed"), v.Message)
	assert.Equal(t, b.states(), "running running running")
	assert.NilError(t, b.wrap(t.Context(), "down -v --backup never", 0, func() {}))
}
