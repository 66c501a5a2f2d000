//go:build unix

package quiesce_test

import (
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/engine/enginetest"
	"github.com/memsys/docker-memsys/internal/quiesce"
)

func TestSignalsThatEndTheParentDoNotEndTheGuardian(t *testing.T) {
	fake := enginetest.New(time.Now)
	id := fake.Add(engine.Container{State: engine.Running})
	w, err := quiesce.Guardian{Endpoint: engine.Endpoint{Host: enginetest.Serve(t, fake)}}.Watch(t.Context(), items(quiesce.Pause, id), 0)
	assert.NilError(t, err)
	p := quiesce.Process(w)
	session, err := unix.Getsid(p.Pid)
	assert.NilError(t, err)
	assert.Equal(t, session, p.Pid, "it has a session of its own")
	for _, s := range []syscall.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM, syscall.SIGPIPE} {
		assert.NilError(t, p.Signal(s))
	}
	fake.SetState(id, engine.Paused)
	resumed := after(fake, "Unpause")
	w.Abandon()
	within(t, 10*time.Second, resumed)
}
