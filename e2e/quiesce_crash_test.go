//go:build e2e && unix

package e2e

import (
	"math/rand/v2"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/icmd"
)

// crashBed is an engine that is killed in the middle of operations. When it comes back it ends the containers that it finds, and starts
// again those that always restart.
type crashBed struct {
	t    *testing.T
	host string
}

func newCrashBed(t *testing.T) *crashBed {
	t.Helper()
	NeedOwnEngine(t)
	host, _ := engineWith(t)
	return &crashBed{t, host}
}

// engine does something to the engine.
func (b *crashBed) engine(what string) {
	b.t.Helper()
	engineScript(b.t, what, filepath.Dir(strings.TrimPrefix(b.host, "unix://"))).Assert(b.t, icmd.Success)
}

// project is one with a backup of its first state, in its second; always is restarted by the engine, once is not.
func (b *crashBed) project() *Project {
	b.t.Helper()
	p := NewProject(b.t, "x-memsys: {backups: ./backups}\nservices:\n"+boxService("always", "restart: always", `volumes: ["./data:/data"]`)+boxService("once", `volumes: ["./data:/data"]`))
	p.Setenv("DOCKER_HOST", b.host)
	p.Write("data/file", "first")
	noise(b.t, rand.New(rand.NewPCG(1, 2)), p.Path("data", "noise"), 48<<20)
	p.Up()
	p.Memsys("backup").Assert(b.t, icmd.Success)
	p.Write("data/file", "second")
	return p
}

// halted is a command of the plugin that is halted once both services are held.
func (b *crashBed) halted(p *Project, how string, args ...string) *Process {
	b.t.Helper()
	run := p.Start(PluginPath(), append(args, "--progress", "plain")...)
	run.WaitFor(how + " always: done")
	run.WaitFor(how + " once: done")
	run.Signal(syscall.SIGSTOP)
	assert.Assert(b.t, !strings.Contains(run.Output(), "resume"), "it was too quick: %s", run.Output())
	return run
}

// clean holds what is so after an operation in which the engine was killed, and the next command.
func (b *crashBed) clean(p *Project) {
	b.t.Helper()
	p.Memsys("recover").Assert(b.t, icmd.Success)
	Code(b.t, p.Memsys("recover"), 0, "nothing was interrupted")
	assert.Equal(b.t, p.State("always"), "running")
	assert.Equal(b.t, p.Output("volume", "ls", "--quiet", "--filter", "label=io.memsys.lock"), "")
	noProcess(b.t, "__guardian")
	if p.Memsys("aside", "--format", "{{.ID}}").Assert(b.t, icmd.Success).Stdout() != "" { // the engine's end has disturbed a safety backup
		p.Memsys("aside", "--remove", "all", "--yes").Assert(b.t, icmd.Success)
	}
	Tidy(b.t, p.Path("data"), p.Path("backups"))
	p.Memsys("verify", "--all").Assert(b.t, icmd.Success)
	p.auditIsSound()
}

// TestAnEngineThatIsKilledDuringABackup: it comes back before the backup goes on, or while it goes on.
func TestAnEngineThatIsKilledDuringABackup(t *testing.T) {
	b := newCrashBed(t)
	for _, mode := range []struct{ quiesce, held string }{{"auto", "pause"}, {"stop", "stop"}} {
		for _, order := range []string{"back before", "back after"} {
			t.Run(mode.quiesce+" "+order, func(t *testing.T) {
				b.t = t
				p := b.project()
				run := b.halted(p, mode.held, "backup", "--quiesce", mode.quiesce)
				b.engine("kill")
				if order == "back after" {
					run.Signal(syscall.SIGCONT)
				}
				b.engine("again")
				run.Signal(syscall.SIGCONT)
				code := run.Wait()
				assert.Equal(t, code, 3, run.Output())
				assert.Assert(t, strings.Contains(run.Output(), "the backup is incomplete"), run.Output())
				b.clean(p)
				assert.Equal(t, p.State("once"), "running")
				if mode.quiesce != "stop" {
					assert.Assert(t, strings.Contains(run.Output(), "start once: the engine went away while it was paused"), run.Output())
				}
				p.Memsys("backup").Assert(t, icmd.Success)
			})
		}
	}
}

// TestAnEngineThatIsKilledDuringARestore: the data is the old or the new one, as the command says.
func TestAnEngineThatIsKilledDuringARestore(t *testing.T) {
	b := newCrashBed(t)
	for _, order := range []string{"back before", "back after"} {
		t.Run(order, func(t *testing.T) {
			b.t = t
			p := b.project()
			run := b.halted(p, "stop", "restore", "--yes")
			b.engine("kill")
			if order == "back after" {
				run.Signal(syscall.SIGCONT)
			}
			b.engine("again")
			run.Signal(syscall.SIGCONT)
			code := run.Wait()
			b.clean(p)
			done := code == 0 || code == 3
			assert.Equal(t, p.Read("data/file"), map[bool]string{true: "first", false: "second"}[done], run.Output())
			assert.Equal(t, p.State("once"), "running")
			if !done {
				assert.Assert(t, strings.Contains(run.Output(), "everything was put back"), run.Output())
			}
		})
	}
}
