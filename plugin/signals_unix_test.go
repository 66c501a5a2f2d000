//go:build unix

package plugin

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/docker/cli/cli-plugins/socket"
	"gotest.tools/v3/assert"
)

// held is a running "hold" command.
type held struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// startHold starts this executable as "hold" and waits until it holds.
func startHold(t *testing.T, wrap ...string) *held {
	t.Helper()
	self, err := os.Executable()
	assert.NilError(t, err)
	link := t.TempDir() + "/hold"
	assert.NilError(t, os.Symlink(self, link))
	args := append(wrap, link)
	cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
	cmd.WaitDelay = 10 * time.Second
	in, err := cmd.StdinPipe()
	assert.NilError(t, err)
	out, err := cmd.StdoutPipe()
	assert.NilError(t, err)
	// Under nohup this process ignores SIGHUP, and what it starts would too, unless it listens itself.
	heard := make(chan os.Signal, 1)
	signal.Notify(heard, syscall.SIGHUP)
	defer signal.Stop(heard)
	assert.NilError(t, cmd.Start())
	h := &held{cmd: cmd, in: in, out: bufio.NewReader(out)}
	h.expect(t, "holding")
	return h
}

func (h *held) expect(t *testing.T, want string) {
	t.Helper()
	line, err := h.out.ReadString('\n')
	assert.NilError(t, err)
	assert.Equal(t, line, want+"\n")
}

// code waits for the end and returns the exit code.
func (h *held) code(t *testing.T) int {
	t.Helper()
	err := h.cmd.Wait()
	var exit *exec.ExitError
	if err != nil {
		assert.Assert(t, errors.As(err, &exit), err)
	}
	return h.cmd.ProcessState.ExitCode()
}

func TestASignalEndsTheRunAfterEverythingWasPutBack(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		t.Run(s.String(), func(t *testing.T) {
			h := startHold(t)
			assert.NilError(t, h.cmd.Process.Signal(s))
			h.expect(t, "stopping")
			assert.NilError(t, h.in.Close())
			h.expect(t, "put back")
			assert.Equal(t, h.code(t), exitInterrupted)
		})
	}
}

func TestASecondSignalDoesNotSkipThePutBack(t *testing.T) {
	h := startHold(t)
	assert.NilError(t, h.cmd.Process.Signal(syscall.SIGINT))
	h.expect(t, "stopping")
	for range 5 {
		assert.NilError(t, h.cmd.Process.Signal(syscall.SIGINT))
		assert.NilError(t, h.cmd.Process.Signal(syscall.SIGTERM))
	}
	assert.NilError(t, h.in.Close())
	h.expect(t, "put back")
	assert.Equal(t, h.code(t), exitInterrupted)
}

func TestASignalThatOurParentIgnoredIsIgnored(t *testing.T) {
	h := startHold(t, "sh", "-c", `trap "" HUP; exec "$0"`)
	assert.NilError(t, h.cmd.Process.Signal(syscall.SIGHUP))
	assert.NilError(t, h.cmd.Process.Signal(syscall.SIGTERM))
	h.expect(t, "stopping")
	assert.NilError(t, h.in.Close())
	h.expect(t, "put back")
	assert.Equal(t, h.code(t), exitInterrupted)
}

func TestABrokenPipeInterrupts(t *testing.T) {
	read, write, err := os.Pipe()
	assert.NilError(t, err)
	assert.NilError(t, read.Close())
	defer write.Close()
	a := newApp(&world{Out: stream{Writer: write}, Err: stream{Writer: io.Discard}})
	ctx := a.interruption.watch(t.Context())
	defer a.interruption.release()
	assert.NilError(t, a.printf("nobody reads this"))
	<-ctx.Done()
	assert.NilError(t, a.printf("nor this"))
	assert.Equal(t, a.finish(nil), exitInterrupted)
}

func TestTheDockerCommandEndsTheRunByClosingItsSocket(t *testing.T) {
	address := t.TempDir() + "/docker.sock"
	listener, err := net.Listen("unix", address)
	assert.NilError(t, err)
	defer listener.Close()
	t.Setenv("DOCKER_CLI_PLUGIN_SOCKET", address)
	a := newApp(&world{Out: stream{Writer: io.Discard}, Err: stream{Writer: io.Discard}})
	t.Cleanup(a.interruption.release)
	ctx, cancel := context.WithCancel(a.interruption.watch(t.Context()))
	socket.ConnectAndWait(cancel)
	a.interruption.ctx = ctx
	conn, err := listener.Accept()
	assert.NilError(t, err)
	assert.NilError(t, conn.Close())
	<-ctx.Done()
	assert.Equal(t, a.finish(ctx.Err()), exitInterrupted)
}
