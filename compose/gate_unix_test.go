//go:build !windows

package compose

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/poll"
)

func TestBehindAGateTheChildIsTheSameProcess(t *testing.T) {
	r := fake(t, "echo")
	var out bytes.Buffer
	pid := 0
	r.Globals, r.Stdin, r.Stdout = []string{"--context", "far away"}, strings.NewReader("typed"), &out
	r.Gate = func(p int, open func() error) error {
		pid = p
		return open()
	}
	assert.NilError(t, r.Run(t.Context(), "down", "-v"))
	assert.Equal(t, out.String(), "--context far away compose down -v|false|typed")
	assert.Assert(t, pid > 0)

	r = fake(t, "fail")
	r.Gate = func(_ int, open func() error) error { return open() }
	exit := (*ExitError)(nil)
	assert.Assert(t, errors.As(r.Run(t.Context(), "down"), &exit))
	assert.Equal(t, exit.Code, 42)
}

func TestAGateThatStaysShutRunsNothing(t *testing.T) {
	r := fake(t, "echo")
	var out bytes.Buffer
	refused := errors.New("refused")
	r.Stdout, r.Gate = &out, func(int, func() error) error { return refused }
	assert.ErrorIs(t, r.Run(t.Context(), "down"), refused)
	assert.Equal(t, out.String(), "")
}

func TestAProgramThatIsNotThereHasNoGate(t *testing.T) {
	r := &Runner{Docker: "/no/such/docker", Gate: func(int, func() error) error { panic("called") }}
	assert.ErrorContains(t, r.Run(t.Context(), "down"), "start /no/such/docker")
}

// TestOneThatIsEndedAtTheGateSaysSo: Ctrl-C reaches it as it reaches us.
func TestOneThatIsEndedAtTheGateSaysSo(t *testing.T) {
	r := fake(t, "echo")
	r.Gate = func(pid int, open func() error) error {
		assert.NilError(t, syscall.Kill(pid, syscall.SIGINT))
		return open()
	}
	exit := (*ExitError)(nil)
	if err := r.Run(t.Context(), "down"); err != nil { // it may have been through
		assert.Assert(t, errors.As(err, &exit), "%v", err)
		assert.Equal(t, exit.Code, 130)
	}
}

func TestAGateStaysShutWhenItsMasterIsKilled(t *testing.T) {
	self, err := os.Executable()
	assert.NilError(t, err)
	file := filepath.Join(t.TempDir(), "out")
	master := exec.Command(self)
	master.Env = append(os.Environ(), "FAKE_DOCKER=hang", "FAKE_OUT="+file)
	out, err := master.StdoutPipe()
	assert.NilError(t, err)
	assert.NilError(t, master.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	assert.NilError(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	assert.NilError(t, err)
	assert.NilError(t, master.Process.Kill())
	_ = master.Wait() // killed
	poll.WaitOn(t, func(poll.LogT) poll.Result {
		if syscall.Kill(pid, 0) == nil && !isZombie(pid) {
			return poll.Continue("process %d still waits", pid)
		}
		return poll.Success()
	}, poll.WithTimeout(20*time.Second))
	data, err := os.ReadFile(file)
	assert.NilError(t, err)
	assert.Equal(t, string(data), "", "docker compose ran")
}

// isZombie tells a process that has ended and that nobody has asked about.
func isZombie(pid int) bool {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(data), ") ")
	return strings.HasPrefix(rest, "Z")
}
