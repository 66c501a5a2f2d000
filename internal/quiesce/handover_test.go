package quiesce_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/journal"
	"github.com/memsys/docker-memsys/internal/quiesce"
)

// handed is a bed whose three running services were stopped and handed over.
func handed(t *testing.T) (*bed, *quiesce.Held) {
	t.Helper()
	b := newBed()
	h, err := b.q.Hold(t.Context(), b.plan(t, quiesce.Stop))
	assert.NilError(t, err)
	assert.NilError(t, h.HandOver(t.Context()))
	return b, h
}

func TestWhatIsHandedOverIsNobodysToLetGo(t *testing.T) {
	b, h := handed(t)
	stopped := b.states()
	assert.Equal(t, b.done, 1, "the guardian goes")
	assert.NilError(t, h.Release(t.Context()))
	assert.DeepEqual(t, b.states(), stopped)
	pending, err := quiesce.Pending(b.steps)
	assert.NilError(t, err)
	assert.Equal(t, len(pending), 0)
	items, err := quiesce.HandedOver(b.steps)
	assert.NilError(t, err)
	assert.Equal(t, len(items), 3)
	assert.DeepEqual(t, h.Handed(), items)
	done, err := quiesce.Recover(t.Context(), b.engine, b.steps)
	assert.NilError(t, err)
	assert.Equal(t, len(done), 0)
	assert.DeepEqual(t, b.states(), stopped)
}

// What was removed, replaced, or started since, is left alone; what still stands there as it was left is started.
func TestWhatIsTakenBackIsWhatWasLeftAsItWas(t *testing.T) {
	for _, c := range []struct {
		name string
		how  quiesce.Taking
		by   func(*bed) // what whoever got it has done
		want map[string]engine.State
		back string
	}{
		{
			"nothing", quiesce.AllOrNone, func(*bed) {},
			map[string]engine.State{"db": engine.Running, "web": engine.Running, "worker": engine.Running},
			"started 3, left 0, gone 0",
		},
		{
			"one removed, of all that were to be", quiesce.AllOrNone, func(b *bed) { b.engine.Remove(b.ids["db"]) },
			map[string]engine.State{"db": "", "web": engine.Exited, "worker": engine.Exited},
			"started 0, left 2, gone 1",
		},
		{
			"one removed", quiesce.Each, func(b *bed) { b.engine.Remove(b.ids["db"]) },
			map[string]engine.State{"db": "", "web": engine.Running, "worker": engine.Running},
			"started 2, left 0, gone 1",
		},
		{
			"one replaced by one that is stopped", quiesce.Each, func(b *bed) {
				b.engine.Remove(b.ids["db"])
				b.ids["db"] = b.engine.Add(engine.Container{Name: "p-db-1", Project: "p", Service: "db", Number: "1", State: engine.Created})
			},
			map[string]engine.State{"db": engine.Created, "web": engine.Running, "worker": engine.Running},
			"started 2, left 0, gone 1",
		},
		{
			"one started and stopped again", quiesce.Each, func(b *bed) {
				_ = b.engine.Start(context.Background(), b.ids["db"])
				b.engine.SetState(b.ids["db"], engine.Exited)
			},
			map[string]engine.State{"db": engine.Exited, "web": engine.Running, "worker": engine.Running},
			"started 2, left 0, gone 0",
		},
		{
			"one paused", quiesce.AllOrNone, func(b *bed) { b.engine.SetState(b.ids["db"], engine.Paused) },
			map[string]engine.State{"db": engine.Paused, "web": engine.Running, "worker": engine.Running},
			"started 2, left 0, gone 0",
		},
	} {
		for _, killed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, killed %v", c.name, killed), func(t *testing.T) {
				b, h := handed(t)
				c.by(b)
				var back quiesce.Back
				items, err := quiesce.HandedOver(b.steps)
				assert.NilError(t, err)
				if killed {
					back, err = quiesce.TakeBack(t.Context(), b.engine, items, c.how)
				} else {
					back, err = h.TakeBack(t.Context(), c.how)
				}
				assert.NilError(t, err)
				assert.Equal(t, fmt.Sprintf("started %d, left %d, gone %d", len(back.Started), len(back.Left), len(back.Gone)), c.back)
				for service, state := range c.want {
					assert.Equal(t, b.states()[service], state, service)
				}
				if killed {
					return
				}
				items, err = quiesce.HandedOver(b.steps)
				assert.NilError(t, err)
				assert.Equal(t, len(items), 0)
				again, err := h.TakeBack(t.Context(), c.how)
				assert.NilError(t, err)
				assert.DeepEqual(t, again, quiesce.Back{})
			})
		}
	}
}

// Every act of handing over fails in turn: all is let go then, as before the hold.
func TestAHandOverThatFailsAtAnyStepIsNone(t *testing.T) {
	for _, late := range []bool{false, true} {
		for n := 1; ; n++ {
			more := false
			t.Run(fmt.Sprintf("late=%v step %d", late, n), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := newBed()
					before := b.states()
					h, err := b.q.Hold(t.Context(), b.plan(t, quiesce.Stop))
					assert.NilError(t, err)
					b.acts, b.failAt, b.late = 0, n, late
					err = h.HandOver(t.Context())
					if more = err != nil; !more {
						assert.Assert(t, b.acts < n)
						return
					}
					assert.ErrorIs(t, err, errPlanted)
					assert.NilError(t, h.Release(t.Context()))
					assert.DeepEqual(t, b.states(), before)
					items, err := quiesce.HandedOver(b.steps)
					assert.NilError(t, err)
					assert.Equal(t, len(items), 0)
					assert.Equal(t, b.done, 1)
				})
			})
			if !more {
				assert.Assert(t, n > 3, "only %d steps were tried", n)
				break
			}
		}
	}
}

func TestWhatRunsAgainIsNotHandedOver(t *testing.T) {
	b := newBed()
	before := b.states()
	h, err := b.q.Hold(t.Context(), b.plan(t, quiesce.Stop))
	assert.NilError(t, err)
	assert.NilError(t, b.engine.Start(t.Context(), b.ids["db"]))
	assert.ErrorContains(t, h.HandOver(t.Context()), "hand over db: it is running, not stopped: somebody else has started it")
	assert.NilError(t, h.Release(t.Context()))
	assert.DeepEqual(t, b.states(), before)
}

func TestWhatIsLeftToSomebodyIsOnRecordNoMore(t *testing.T) {
	b, h := handed(t)
	assert.NilError(t, h.Leave())
	items, err := quiesce.HandedOver(b.steps)
	assert.NilError(t, err)
	assert.Equal(t, len(items), 0)
	nothing := &quiesce.Held{}
	assert.NilError(t, nothing.Leave())
	assert.NilError(t, nothing.HandOver(t.Context()))
}

// stopTimes is an engine that notes how long each stop may take.
type stopTimes struct {
	quiesce.Engine
	mu    sync.Mutex
	times []time.Duration
}

func (s *stopTimes) Stop(ctx context.Context, id string, timeout time.Duration) error {
	s.mu.Lock()
	s.times = append(s.times, timeout)
	s.mu.Unlock()
	return s.Engine.Stop(ctx, id, timeout)
}

func TestAStopHasTheTimeThatWasAskedFor(t *testing.T) {
	b := newBed()
	noted := &stopTimes{Engine: b.engine}
	b.q.Engine, b.q.Grace = noted, 7*time.Second
	h, err := b.q.Hold(t.Context(), b.plan(t, quiesce.Stop))
	assert.NilError(t, err)
	assert.NilError(t, h.Release(t.Context()))
	assert.DeepEqual(t, noted.times, []time.Duration{7 * time.Second, 7 * time.Second, 7 * time.Second})
}

func TestARecordOfHandingOverThatCannotBeReadIsRefused(t *testing.T) {
	_, err := quiesce.HandedOver([]journal.Step{{Name: "quiesce.handed", Data: json.RawMessage(`"x"`)}})
	assert.ErrorContains(t, err, "read step quiesce.handed")
}
