//go:build e2e && unix

package e2e

import (
	"fmt"
	"syscall"
	"testing"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/icmd"
	"gotest.tools/v3/poll"

	"github.com/memsys/docker-memsys/internal/engine"
)

// When the guardian dies with its run, the next command lets go what they held; one that reads says that there is something to do.
func TestBackupKilledWithItsGuardian(t *testing.T) {
	v := newWriters(t, 24)
	killed := v.halt(v.Start(PluginPath(), "backup"))
	for _, guardian := range plugins(t, "__guardian", killed.Pid()) {
		assert.NilError(t, syscall.Kill(guardian, syscall.SIGKILL))
	}
	killed.Signal(syscall.SIGKILL)
	killed.Wait()
	assert.Equal(t, v.state("writer"), engine.Paused)
	list := v.Memsys("list")
	list.Assert(t, icmd.Success)
	assert.Assert(t, tellsInterrupted(list), list.Combined())
	assert.Equal(t, v.state("writer"), engine.Paused, "list changes nothing")
	v.Memsys("recover").Assert(t, icmd.Expected{Err: "unpaused service writer"})
	v.asBefore(0)
	v.nothingIsLeft()
}

// The guardian of a killed run looks for a while whether services stay let go. It must not let go what the next run holds.
func TestTheGuardianOfAKilledRunLeavesTheNextRunAlone(t *testing.T) {
	for _, mode := range []struct {
		quiesce string
		held    engine.State
	}{{"pause", engine.Paused}, {"stop", engine.Exited}} {
		t.Run(mode.quiesce, func(t *testing.T) {
			v := newWriters(t, 24)
			killed := v.Start(PluginPath(), "backup", "--quiesce", mode.quiesce)
			v.waitState("writer", mode.held, killed)
			first := plugins(t, "__guardian", killed.Pid())
			assert.Equal(t, len(first), 1)
			killed.Signal(syscall.SIGKILL)
			killed.Wait()
			next := v.Start(PluginPath(), "backup", "--quiesce", mode.quiesce)
			v.asBefore(resumeLimit)
			v.waitState("writer", mode.held, next)
			next.Signal(syscall.SIGSTOP)
			poll.WaitOn(t, func(poll.LogT) poll.Result {
				if is := v.state("writer"); is != mode.held {
					return poll.Error(fmt.Errorf("the writer is %s while the next run holds it", is))
				}
				if running(t, first[0]) {
					return poll.Continue("the first guardian still runs")
				}
				return poll.Success()
			}, poll.WithTimeout(eventLimit))
			v.goOn(next)
			v.asBefore(0)
			v.nothingIsLeft()
		})
	}
}
