//go:build e2e && unix

package e2e

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"gotest.tools/v3/assert"
	"gotest.tools/v3/poll"
)

// Process is a command that runs while its test goes on. It leads a process group, which dies with the test at the latest.
type Process struct {
	t        testing.TB
	cmd      *exec.Cmd
	terminal *os.File
	out      output
	done     chan struct{}
}

// Start starts a command in the project's folder; stdin is empty, stdout and stderr are pipes.
func (p *Project) Start(name string, args ...string) *Process {
	p.t.Helper()
	process := p.process(name, args)
	process.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	process.cmd.Stdout, process.cmd.Stderr = &process.out, &process.out
	assert.NilError(p.t, process.cmd.Start())
	process.watch(func() {})
	return process
}

// RunTTY starts a command in a terminal of its own.
func (p *Project) RunTTY(name string, args ...string) *Process {
	p.t.Helper()
	process := p.process(name, args)
	terminal, err := pty.StartWithSize(process.cmd, &pty.Winsize{Rows: 40, Cols: 120})
	assert.NilError(p.t, err)
	process.terminal = terminal
	read := make(chan struct{})
	go func() {
		defer close(read)
		_, _ = io.Copy(&process.out, terminal) // ends with EIO when the last program has closed the terminal
	}()
	process.watch(func() {
		select {
		case <-read:
		case <-time.After(time.Second): // a program in the background still has the terminal open
		}
		_ = terminal.Close()
	})
	return process
}

func (p *Project) process(name string, args []string) *Process {
	name, args = p.command(name, args)
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = p.Dir, append(os.Environ(), p.env...)
	cmd.WaitDelay = time.Second
	return &Process{t: p.t, cmd: cmd, done: make(chan struct{})}
}

// watch waits for the process, calls finish, and sees to it that the group is gone when the test ends.
func (p *Process) watch(finish func()) {
	go func() {
		_ = p.cmd.Wait()
		finish()
		close(p.done)
	}()
	p.t.Cleanup(func() {
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		<-p.done
	})
}

// Pid is the id of the process, and of its group.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Signal sends a signal to the process alone.
func (p *Process) Signal(signal syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(signal); !errors.Is(err, os.ErrProcessDone) {
		assert.NilError(p.t, err)
	}
}

// KillAfter kills the process alone (SIGKILL) after a time and waits for its end; it tells whether it still ran.
func (p *Process) KillAfter(wait time.Duration) bool {
	p.t.Helper()
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-p.done:
		return false
	case <-timer.C:
		p.Signal(syscall.SIGKILL)
		p.Wait()
		return p.cmd.ProcessState.Sys().(syscall.WaitStatus).Signaled()
	}
}

// Type types into the terminal of a process that RunTTY started.
func (p *Process) Type(text string) {
	p.t.Helper()
	_, err := p.terminal.WriteString(text)
	assert.NilError(p.t, err)
}

// Interrupt types Ctrl-C, which reaches every process in the foreground of the terminal.
func (p *Process) Interrupt() { p.Type("\x03") }

// WaitFor waits until the output has a text.
func (p *Process) WaitFor(text string) {
	p.t.Helper()
	poll.WaitOn(p.t, func(poll.LogT) poll.Result {
		if strings.Contains(p.Output(), text) {
			return poll.Success()
		}
		select {
		case <-p.done:
			return poll.Error(errors.New("the process ended without " + text + ": " + p.Output()))
		default:
			return poll.Continue("no %q in: %s", text, p.Output())
		}
	}, poll.WithTimeout(time.Minute), poll.WithDelay(10*time.Millisecond))
}

// Wait waits for the end and returns the exit code, -1 after a signal.
func (p *Process) Wait() int {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(commandLimit):
		p.t.Fatalf("%s did not end within %s: %s", p.cmd, commandLimit, p.Output())
	}
	return p.cmd.ProcessState.ExitCode()
}

// Output is what the process has written so far, stdout and stderr as they came.
func (p *Process) Output() string { return p.out.String() }

// output is a buffer that is safe to read while it is written.
type output struct {
	mutex  sync.Mutex
	buffer bytes.Buffer
}

func (o *output) Write(content []byte) (int, error) {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	return o.buffer.Write(content)
}

func (o *output) String() string {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	return o.buffer.String()
}
