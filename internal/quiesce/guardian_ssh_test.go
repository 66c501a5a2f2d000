//go:build unix

package quiesce_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/poll"

	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/engine/enginetest"
	"github.com/memsys/docker-memsys/internal/quiesce"
)

func TestAnEngineBehindSSHIsGuardedToo(t *testing.T) {
	dir := t.TempDir()
	self, err := filepath.Abs(os.Args[0])
	assert.NilError(t, err)
	assert.NilError(t, os.Symlink(self, filepath.Join(dir, "ssh")))
	t.Setenv("PATH", dir)
	e := enginetest.New(time.Now)
	socket := strings.TrimPrefix(enginetest.Serve(t, e), "unix://")
	id := e.Add(engine.Container{Name: "service"})
	cmd := startHolder(t, t.TempDir(), "ssh://user@host"+socket, quiesce.Pause, id)
	assert.Equal(t, e.State(id), engine.Paused)
	assert.NilError(t, cmd.Process.Kill())
	poll.WaitOn(t, func(poll.LogT) poll.Result {
		if e.State(id) == engine.Running {
			return poll.Success()
		}
		return poll.Continue("it is %s", e.State(id))
	}, poll.WithTimeout(5*time.Second), poll.WithDelay(5*time.Millisecond))
}
