//go:build e2e && unix

package e2e

import (
	"syscall"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/engine"
)

// Issue 2: a restore that is interrupted before its end leaves the data and the services as they were.
func TestRestoreInterrupted(t *testing.T) {
	s := newStates(t, 48)
	typed := func(_ *testing.T, p *Process, _ string) { p.Interrupt() }
	term := func(_ *testing.T, p *Process, _ string) { p.Signal(syscall.SIGTERM) }
	ways := []interruption{
		{name: "Ctrl-C in a terminal through docker", terminal: true, viaDocker: true, send: typed, code: 130},
		{name: "SIGTERM", send: term, code: 130},
	}
	points := map[string]func(*Process){
		"before the swap": func(p *Process) { s.waitState("writer", engine.Exited, p) },
		"after the swap":  func(p *Process) { p.WaitFor("check data") },
	}
	for point, wait := range points {
		for _, i := range ways {
			t.Run(i.name+" "+point, func(t *testing.T) {
				from := s.live()
				p := i.start(s.Project, "restore", "--yes", "--progress", "plain", s.backup[other(from)])
				wait(p)
				i.send(t, p, "restore")
				i.end(t, p, "restore")
				s.settled()
				assert.Equal(t, s.live(), from)
				s.tidy()
			})
		}
	}
}

func TestRestoreInterruptedAtItsQuestion(t *testing.T) {
	s := newStates(t, 1)
	p := s.RunTTY("docker", "memsys", "restore", s.backup["A"])
	p.WaitFor("Restore " + s.backup["A"])
	p.Interrupt()
	assert.Equal(t, p.Wait(), 130, p.Output())
	noProcess(t, "restore")
	s.settled()
	assert.Equal(t, s.live(), "B")
	assert.Equal(t, len(s.archives()), 2)
}
