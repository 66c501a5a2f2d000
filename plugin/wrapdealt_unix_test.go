//go:build !windows

package plugin

import (
	"testing"
	"time"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/poll"

	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/journal"
	"github.com/memsys/docker-memsys/internal/quiesce"
)

// An attached up gives the lock back once docker compose has dealt with all services: backups must go on while somebody watches it. Until then
// they are on record, for docker compose may be killed while it builds.
func TestAnAttachedUpHoldsNoLockOnceServicesAreDealtWith(t *testing.T) {
	b := newColdBed(t)
	assert.NilError(t, b.wrap(t.Context(), "up -V --no-ready", 0, func() {
		dir, err := b.app.stateDir()
		assert.NilError(t, err)
		state := journal.View(dir, "notes in "+b.dir)
		for _, service := range []string{"app", "store", "beside"} {
			pending, err := state.Pending()
			assert.NilError(t, err)
			handed, err := quiesce.HandedOver(pending.Steps)
			assert.NilError(t, err)
			assert.Equal(t, len(handed), 3)
			holder, err := state.Holder()
			assert.NilError(t, err)
			assert.Assert(t, holder != nil, "before %s", service)
			if service == "beside" { // this one it puts anew, and starts it in the end
				b.fake.Remove(b.ids[service])
				b.ids[service] = b.fake.Add(engine.Container{Name: "notes-beside-1", Project: "notes", Service: service, Number: "1", State: engine.Created})
				time.Sleep(3 * dealtLook)
				holder, err := state.Holder()
				assert.NilError(t, err)
				assert.Assert(t, holder != nil, "it is not started yet")
			}
			assert.NilError(t, b.fake.Start(t.Context(), b.ids[service]))
			b.fake.SetState(b.ids[service], engine.Exited) // by Ctrl-C
		}
		poll.WaitOn(t, func(poll.LogT) poll.Result {
			holder, err := state.Holder()
			if err != nil || holder != nil {
				return poll.Continue("%v %v", holder, err)
			}
			return poll.Success()
		})
		pending, err := state.Pending()
		assert.NilError(t, err)
		assert.Assert(t, pending == nil)
	}))
	assert.Equal(t, b.states(), "exited exited exited", "it has started and ended them itself")
}

// What docker compose does not bring up, and only ran in the network of a service, does not wait for the end of an attached up.
func TestWhatAnAttachedUpDoesNotTouchRunsAgain(t *testing.T) {
	b := newColdBed(t)
	other := b.fake.Add(engine.Container{Name: "probe", Network: "container:" + b.ids["app"]})
	assert.NilError(t, b.wrap(t.Context(), "up -V --no-ready --no-deps app", 0, func() {
		assert.Equal(t, b.fake.State(other), engine.Exited)
		assert.NilError(t, b.fake.Start(t.Context(), b.ids["app"]))
		poll.WaitOn(t, func(poll.LogT) poll.Result {
			if state := b.fake.State(other); state != engine.Running {
				return poll.Continue("%s", state)
			}
			return poll.Success()
		})
	}))
}
