//go:build e2e && unix

package e2e

import (
	"strings"
	"syscall"
	"testing"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/icmd"

	"github.com/memsys/docker-memsys/internal/engine"
)

// interruption is a way to end a run before it has done its work.
type interruption struct {
	name                string
	terminal, viaDocker bool
	// send is called while the run is at work.
	send func(t *testing.T, p *Process, verb string)
	code int
	// silent tells that nobody can read what the run says at its end.
	silent bool
}

// interruptions are all ways, with the exit code of what was started.
func interruptions() []interruption {
	toStarted := func(s syscall.Signal) func(*testing.T, *Process, string) {
		return func(_ *testing.T, p *Process, _ string) { p.Signal(s) }
	}
	toPlugin := func(s syscall.Signal) func(*testing.T, *Process, string) {
		return func(t *testing.T, p *Process, verb string) {
			assert.NilError(t, syscall.Kill(pluginOf(t, p, verb), s))
		}
	}
	typed := func(_ *testing.T, p *Process, _ string) { p.Interrupt() }
	hungUp := func(t *testing.T, p *Process, _ string) { assert.NilError(t, p.terminal.Close()) }
	return []interruption{
		{name: "Ctrl-C in a terminal through docker", terminal: true, viaDocker: true, send: typed, code: 130},
		{name: "Ctrl-C in a terminal", terminal: true, send: typed, code: 130},
		{name: "the terminal is closed", terminal: true, send: hungUp, code: 130, silent: true},
		{name: "the terminal of docker is closed", terminal: true, viaDocker: true, send: hungUp, code: -1, silent: true},
		{name: "SIGINT", send: toStarted(syscall.SIGINT), code: 130},
		{name: "SIGTERM", send: toStarted(syscall.SIGTERM), code: 130},
		{name: "SIGHUP", send: toStarted(syscall.SIGHUP), code: 130},
		{name: "SIGTERM to the plugin of docker", viaDocker: true, send: toPlugin(syscall.SIGTERM), code: 130},
		{name: "SIGHUP to the plugin of docker", viaDocker: true, send: toPlugin(syscall.SIGHUP), code: 130},
		{name: "SIGINT to docker without a terminal", viaDocker: true, send: toStarted(syscall.SIGINT), code: 130},
		{name: "SIGTERM to docker without a terminal", viaDocker: true, send: toStarted(syscall.SIGTERM), code: 130},
		{name: "SIGTERM to docker alone in a terminal, which tells the plugin nothing", terminal: true, viaDocker: true, send: toStarted(syscall.SIGTERM)},
	}
}

// start starts a command of the plugin in the way that is to be interrupted.
func (i interruption) start(p *Project, args ...string) *Process {
	program := PluginPath()
	if i.viaDocker {
		program, args = "docker", append([]string{"memsys"}, args...)
	}
	if i.terminal {
		return p.RunTTY(program, args...)
	}
	return p.Start(program, args...)
}

// end waits for the end of all that was started and holds it to the exit code and the last words.
func (i interruption) end(t *testing.T, p *Process, verb string) {
	t.Helper()
	assert.Equal(t, p.Wait(), i.code, p.Output())
	noProcess(t, verb)
	if !i.silent {
		assert.Equal(t, strings.Contains(p.Output(), "interrupted; everything was put back"), i.code == 130, p.Output())
	}
}

// Issue 2: whatever ends a backup early, everything is put back.
func TestBackupInterruptedWhileServicesArePaused(t *testing.T) {
	v := newWriters(t, 64)
	for _, i := range interruptions() {
		t.Run(i.name, func(t *testing.T) {
			had := len(v.archives())
			p := i.start(v.Project, "backup")
			v.waitState("writer", engine.Paused, p)
			i.send(t, p, "backup")
			i.end(t, p, "backup")
			v.asBefore(0)
			v.nothingIsLeft()
			v.backupsAreWhole()
			made := len(v.archives()) - had
			assert.Equal(t, made == 1, i.code == 0, "%d archives were made", made)
		})
	}
}

// A signal that came before anything was paused leaves nothing behind either.
func TestBackupInterruptedAtItsStart(t *testing.T) {
	v := newWriters(t, 2)
	p := v.Start("docker", "memsys", "backup")
	assert.NilError(t, syscall.Kill(pluginOf(t, p, "backup"), syscall.SIGTERM))
	code := p.Wait()
	assert.Assert(t, code != 0 || len(v.archives()) == 1, p.Output())
	v.asBefore(0)
	v.nothingIsLeft()
	v.Standalone("backup").Assert(t, icmd.Success)
}
