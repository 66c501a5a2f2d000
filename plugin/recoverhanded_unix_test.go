//go:build !windows

package plugin

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/journal"
	"github.com/memsys/docker-memsys/internal/quiesce"
)

// handedTo puts a run on record that was killed after it had handed its services over to a process.
func (b *coldBed) handedTo(verb string, child journal.Holder) {
	b.t.Helper()
	s, err := b.app.openSession(b.t.Context(), compose.Overrides{})
	assert.NilError(b.t, err)
	locked, err := s.begin(b.t.Context(), verb, lockOptions{}, nil)
	assert.NilError(b.t, err)
	q := s.quiescer()
	q.Guard = quiesce.Unguarded{}
	held, err := q.Hold(locked, quiesce.NewPlan(quiesce.Stop, s.Containers, func(engine.Container) bool { return true }))
	assert.NilError(b.t, err)
	assert.NilError(b.t, s.journal.Step(stepCompose, child))
	assert.NilError(b.t, held.HandOver(locked))
	assert.NilError(b.t, errors.Join(s.journal.Close(), s.lock.Release(locked)))
}

func (b *coldBed) recover() error {
	return b.app.recover(b.t.Context(), recoverOptions{})
}

func TestRecoveryStartsWhatAKilledDownHadNotBegunToRemove(t *testing.T) {
	b := newColdBed(t)
	b.handedTo("down", journal.Holder{})
	assert.Equal(t, b.states(), "exited exited exited")
	assert.NilError(t, b.app.recover(t.Context(), recoverOptions{plan: true}))
	assert.Equal(t, b.states(), "exited exited exited")
	assert.NilError(t, b.recover())
	assert.Equal(t, b.states(), "running running running")
}

func TestRecoveryDoesNotStartWhatDownHasBegunToRemove(t *testing.T) {
	b := newColdBed(t)
	b.handedTo("down", journal.Holder{})
	b.fake.Remove(b.ids["app"])
	successor := b.fake.Add(engine.Container{Name: "notes-app-1", Project: "notes", Service: "app", Number: "1", State: engine.Created})
	assert.NilError(t, b.recover())
	assert.Equal(t, b.states(), " exited exited")
	assert.Equal(t, b.fake.State(successor), engine.Created)
	b.app.closeDisplay()
	assert.Assert(t, strings.Contains(b.said.String(), "docker compose down has removed app and left "), b.said.String())
	pending, err := b.pending()
	assert.NilError(t, err)
	assert.Assert(t, pending == nil)
}

func TestRecoveryStartsWhatAKilledUpHasNotReplaced(t *testing.T) {
	b := newColdBed(t)
	b.handedTo("up", journal.Holder{})
	b.fake.Remove(b.ids["app"])
	assert.NilError(t, b.recover())
	assert.Equal(t, b.states(), " running running")
}

// Nobody touches services while the docker compose of a killed run is still at work.
func TestRecoveryWaitsForTheDockerComposeOfAKilledRun(t *testing.T) {
	b := newColdBed(t)
	child, err := os.StartProcess("/bin/sleep", []string{"sleep", "1000"}, &os.ProcAttr{})
	assert.NilError(t, err)
	b.handedTo("down", journal.Child("docker compose down", child.Pid, time.Now()))
	ended := make(chan error, 1)
	go func() { ended <- b.recover() }()
	select {
	case err := <-ended:
		t.Fatalf("it has not waited: %v", err)
	case <-time.After(time.Second):
	}
	assert.Equal(t, b.states(), "exited exited exited")
	b.fake.Remove(b.ids["app"])
	assert.NilError(t, child.Signal(syscall.SIGKILL))
	_, _ = child.Wait()
	assert.NilError(t, <-ended)
	assert.Equal(t, b.states(), " exited exited")
}

// An attached up that goes on after its run was killed keeps nobody waiting once it has started all services.
func TestRecoveryDoesNotWaitForAnUpThatHasDealtWithItsServices(t *testing.T) {
	b := newColdBed(t)
	child, err := os.StartProcess("/bin/sleep", []string{"sleep", "1000"}, &os.ProcAttr{})
	assert.NilError(t, err)
	t.Cleanup(func() {
		assert.Check(t, child.Kill())
		_, _ = child.Wait()
	})
	b.handedTo("up", journal.Child("docker compose up", child.Pid, time.Now()))
	b.fake.Remove(b.ids["app"])
	for _, service := range []string{"store", "beside"} {
		assert.NilError(t, b.fake.Start(t.Context(), b.ids[service]))
	}
	debug, err := b.fake.Container(t.Context(), "notes-debug-1")
	assert.NilError(t, err)
	assert.NilError(t, b.fake.Start(t.Context(), debug.ID))
	assert.NilError(t, b.recover())
}
