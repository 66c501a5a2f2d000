//go:build e2e && unix

package e2e

import (
	"errors"
	"syscall"
	"testing"
	"time"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/icmd"
	"gotest.tools/v3/poll"
)

// A command that only reads has a helper of its own, without the lock: a backup beside it leaves that alone, until it is one of the dead.
func TestTheHelperOfACommandThatReadsIsLeftAlone(t *testing.T) {
	helped.set(t)
	v := newWriters(t, 2)
	reads := func() *Process {
		p := v.Start(PluginPath(), "sources")
		poll.WaitOn(t, func(poll.LogT) poll.Result {
			select {
			case <-p.done:
				return poll.Error(errors.New("it ended before its helper was seen: " + p.Output()))
			default:
			}
			if len(v.helpers()) == 0 {
				return poll.Continue("no helper yet")
			}
			p.Signal(syscall.SIGSTOP)
			return poll.Success()
		}, poll.WithTimeout(eventLimit), poll.WithDelay(time.Millisecond))
		return p
	}
	p := reads()
	v.Standalone("backup").Assert(t, icmd.Success)
	p.Signal(syscall.SIGCONT)
	assert.Equal(t, p.Wait(), 0, p.Output())
	p = reads()
	p.Signal(syscall.SIGKILL)
	p.Wait()
	v.Standalone("recover").Assert(t, icmd.Success)
	v.nothingIsLeft()
}
