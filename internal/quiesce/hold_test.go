package quiesce_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/engine/enginetest"
	"github.com/memsys/docker-memsys/internal/journal"
	"github.com/memsys/docker-memsys/internal/progress"
	"github.com/memsys/docker-memsys/internal/quiesce"
)

var errPlanted = errors.New("planted fault")

// bed is a quiescer on fakes; every outside act asks fault first.
type bed struct {
	engine *enginetest.Engine
	q      *quiesce.Quiescer
	ids    map[string]string // by service

	mu        sync.Mutex
	steps     []journal.Step
	watches   int
	done      int
	abandoned int
	acts      int
	failAt    int // number of the act that fails, from 1
	late      bool
}

func newBed() *bed {
	b := &bed{engine: enginetest.New(time.Now), ids: map[string]string{}}
	for service, state := range map[string]engine.State{
		"web": engine.Running, "db": engine.Running, "worker": engine.Running,
		"paused": engine.Paused, "off": engine.Exited, "new": engine.Created,
	} {
		b.ids[service] = b.engine.Add(engine.Container{Name: "p-" + service + "-1", Project: "p", Service: service, Number: "1", State: state})
	}
	b.engine.Before(func(enginetest.Call) error { return b.act(false) })
	b.engine.After(func(enginetest.Call) error { return b.act(true) })
	b.q = &quiesce.Quiescer{Engine: b.engine, Journal: b, Guard: b, Now: time.Now, Limit: quiesce.DefaultLimit, Sink: progress.Discard}
	return b
}

// act counts acts; late counts those that were done and whose answer was lost.
func (b *bed) act(late bool) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if late != b.late {
		return nil
	}
	b.acts++
	if b.acts == b.failAt {
		return errPlanted
	}
	return nil
}

func (b *bed) Step(name string, data any) error {
	if err := b.act(false); err != nil {
		return err
	}
	raw, err := json.Marshal(data)
	b.steps = append(b.steps, journal.Step{Name: name, Data: raw})
	return err
}

func (b *bed) Watch(context.Context, []quiesce.Item, time.Duration) (quiesce.Watch, error) {
	if err := b.act(false); err != nil {
		return nil, err
	}
	b.watches++
	return b, nil
}

func (b *bed) Done()    { b.done++ }
func (b *bed) Abandon() { b.abandoned++ }

func (b *bed) plan(t *testing.T, mode quiesce.Mode) quiesce.Plan {
	t.Helper()
	list, err := b.engine.Containers(t.Context(), engine.Filter{Project: "p"})
	assert.NilError(t, err)
	return quiesce.NewPlan(mode, list, func(engine.Container) bool { return true })
}

func (b *bed) states() map[string]engine.State {
	out := map[string]engine.State{}
	for service, id := range b.ids {
		out[service] = b.engine.State(id)
	}
	return out
}

func TestAPlanHoldsWhatRunsAndWrites(t *testing.T) {
	var list []engine.Container
	for _, s := range []engine.State{engine.Created, engine.Running, engine.Paused, engine.Restarting, engine.Exited, engine.Dead} {
		list = append(list, engine.Container{ID: string(s), Name: string(s), State: s}, engine.Container{ID: "reader", State: s})
	}
	writes := func(c engine.Container) bool { return c.ID != "reader" }
	for _, c := range []struct {
		mode   quiesce.Mode
		held   []string
		unheld int
	}{
		{quiesce.Auto, []string{"running pause", "restarting stop"}, 0},
		{quiesce.Pause, []string{"running pause"}, 1},
		{quiesce.Stop, []string{"running stop", "restarting stop"}, 0},
		{quiesce.None, nil, 2},
	} {
		p := quiesce.NewPlan(c.mode, list, writes)
		var held []string
		for _, it := range p.Items {
			held = append(held, it.ID+" "+string(it.Action))
		}
		assert.DeepEqual(t, held, c.held)
		assert.Equal(t, len(p.Unheld), c.unheld, string(c.mode))
	}
	_, err := quiesce.ParseMode("freeze")
	assert.ErrorContains(t, err, "auto, pause, stop or none")
}

func TestAHoldIsOnRecordAndGuardedBeforeTheFirstPauseAndEndsAsItBegan(t *testing.T) {
	for _, mode := range []quiesce.Mode{quiesce.Pause, quiesce.Stop} {
		b := newBed()
		before := b.states()
		b.engine.Before(func(c enginetest.Call) error {
			if c.Name == "Pause" || c.Name == "Stop" {
				assert.Equal(t, b.watches, 1)
				pending, err := quiesce.Pending(b.steps)
				assert.NilError(t, err)
				assert.Assert(t, contains(pending, c.Object), "%s of %s was not on record", c.Name, c.Object)
			}
			return nil
		})
		h, err := b.q.Hold(t.Context(), b.plan(t, mode))
		assert.NilError(t, err)
		assert.Equal(t, len(h.Items()), 3)
		held := map[quiesce.Mode]engine.State{quiesce.Pause: engine.Paused, quiesce.Stop: engine.Exited}[mode]
		want := maps.Clone(before)
		want["web"], want["db"], want["worker"] = held, held, held
		assert.DeepEqual(t, b.states(), want)
		assert.NilError(t, h.Release(t.Context()))
		assert.NilError(t, h.Release(t.Context()))
		assert.DeepEqual(t, b.states(), before)
		assert.Equal(t, b.done, 1)
		pending, err := quiesce.Pending(b.steps)
		assert.NilError(t, err)
		assert.Equal(t, len(pending), 0)
		assert.Assert(t, !h.Expired())
	}
}

func contains(items []quiesce.Item, id string) bool {
	for _, it := range items {
		if it.ID == id {
			return true
		}
	}
	return false
}

// Every act fails in turn, once before it is done and once with its answer lost; afterwards all is as before and nothing is pending.
func TestAHoldThatFailsAtAnyStepLeavesEverythingAsBefore(t *testing.T) {
	for _, mode := range []quiesce.Mode{quiesce.Pause, quiesce.Stop} {
		for _, late := range []bool{false, true} {
			for n := 1; ; n++ {
				more := failingHold(t, mode, late, n)
				if !more {
					assert.Assert(t, n > 6, "only %d steps were tried", n)
					break
				}
			}
		}
	}
}

func failingHold(t *testing.T, mode quiesce.Mode, late bool, n int) (more bool) {
	t.Run(fmt.Sprintf("%s late=%v step %d", mode, late, n), func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := newBed()
			before := b.states()
			p := b.plan(t, mode)
			b.acts, b.failAt, b.late = 0, n, late
			h, err := b.q.Hold(t.Context(), p)
			more = err != nil
			if err == nil {
				assert.Assert(t, b.acts < n)
				assert.NilError(t, h.Release(t.Context()))
			} else {
				assert.ErrorIs(t, err, errPlanted)
			}
			assert.DeepEqual(t, b.states(), before)
			assert.Equal(t, b.watches, b.done)
			pending, err := quiesce.Pending(b.steps)
			assert.NilError(t, err)
			assert.Equal(t, len(pending), 0)
		})
	})
	return more
}

func TestACancelledHoldLetsGo(t *testing.T) {
	b := newBed()
	before := b.states()
	ctx, cancel := context.WithCancel(t.Context())
	b.engine.Before(func(c enginetest.Call) error {
		if c.Name == "Pause" {
			cancel()
		}
		return nil
	})
	_, err := b.q.Hold(ctx, b.plan(t, quiesce.Pause))
	assert.ErrorIs(t, err, context.Canceled)
	assert.DeepEqual(t, b.states(), before)
	var acts []string
	for _, c := range b.engine.Calls() {
		if c.Name == "Pause" || c.Name == "Unpause" {
			acts = append(acts, c.Name)
		}
	}
	assert.DeepEqual(t, acts, []string{"Pause", "Unpause"}) // the request under way was waited for
}

func TestReleaseWorksUnderACancelledContext(t *testing.T) {
	b := newBed()
	before := b.states()
	h, err := b.q.Hold(t.Context(), b.plan(t, quiesce.Stop))
	assert.NilError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	assert.NilError(t, h.Release(ctx))
	assert.DeepEqual(t, b.states(), before)
}

func TestWhatAnotherPausedInTheSameMomentStaysPaused(t *testing.T) {
	b := newBed()
	p := b.plan(t, quiesce.Pause)
	b.engine.Before(func(c enginetest.Call) error {
		if c.Name == "Pause" && c.Object == b.ids["web"] {
			b.engine.SetState(b.ids["web"], engine.Paused)
		}
		return nil
	})
	h, err := b.q.Hold(t.Context(), p)
	assert.NilError(t, err)
	assert.Equal(t, len(h.Items()), 2)
	assert.NilError(t, h.Release(t.Context()))
	assert.Equal(t, b.engine.State(b.ids["web"]), engine.Paused)
	assert.Equal(t, b.engine.State(b.ids["db"]), engine.Running)
}

func TestWhatStoppedAfterThePlanIsNotHeldNorStarted(t *testing.T) {
	b := newBed()
	p := b.plan(t, quiesce.Stop)
	b.engine.SetState(b.ids["web"], engine.Exited)
	b.engine.Remove(b.ids["db"])
	h, err := b.q.Hold(t.Context(), p)
	assert.NilError(t, err)
	assert.NilError(t, h.Release(t.Context()))
	assert.Equal(t, b.engine.State(b.ids["web"]), engine.Exited)
	assert.Equal(t, b.engine.State(b.ids["worker"]), engine.Running)
}

func TestAHoldOfNothingStartsNothing(t *testing.T) {
	b := newBed()
	h, err := b.q.Hold(t.Context(), quiesce.Plan{Mode: quiesce.Pause})
	assert.NilError(t, err)
	assert.NilError(t, h.Release(t.Context()))
	assert.Equal(t, b.watches+len(b.steps), 0)
	assert.Equal(t, h.Lasted(), time.Duration(0))
}

func TestAReplacedContainerIsFoundByServiceAndNumber(t *testing.T) {
	for _, c := range []struct{ now, want engine.State }{
		{engine.Created, engine.Running}, {engine.Exited, engine.Running}, {engine.Running, engine.Running}, {engine.Paused, engine.Paused},
	} {
		b := newBed()
		second := b.engine.Add(engine.Container{Name: "a-web-2", Project: "p", Service: "web", Number: "2", State: engine.Exited})
		h, err := b.q.Hold(t.Context(), b.plan(t, quiesce.Stop))
		assert.NilError(t, err)
		b.engine.Remove(b.ids["web"])
		next := b.engine.Add(engine.Container{Name: "p-web-1", Project: "p", Service: "web", Number: "1", State: c.now})
		assert.NilError(t, h.Release(t.Context()))
		assert.Equal(t, b.engine.State(next), c.want)
		assert.Equal(t, b.engine.State(second), engine.Exited)
	}
}

func TestEveryContainerOfAScaledServiceIsHeld(t *testing.T) {
	b := newBed()
	for n := 2; n <= 5; n++ {
		b.ids[fmt.Sprint("web", n)] = b.engine.Add(engine.Container{
			Name: fmt.Sprint("p-web-", n), Project: "p", Service: "web", Number: fmt.Sprint(n),
		})
	}
	before := b.states()
	h, err := b.q.Hold(t.Context(), b.plan(t, quiesce.Pause))
	assert.NilError(t, err)
	assert.Equal(t, len(h.Items()), 7)
	assert.Equal(t, b.engine.State(b.ids["web4"]), engine.Paused)
	assert.NilError(t, h.Release(t.Context()))
	assert.DeepEqual(t, b.states(), before)
}

func TestAnEngineThatStaysAwayIsLeftToTheGuardianAndTheJournal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed()
		before := b.states()
		h, err := b.q.Hold(t.Context(), b.plan(t, quiesce.Pause))
		assert.NilError(t, err)
		b.engine.Before(func(enginetest.Call) error { return engine.ErrUnreachable })
		err = h.Release(t.Context())
		assert.ErrorIs(t, err, engine.ErrUnreachable)
		assert.ErrorContains(t, err, "p-web-1")
		assert.Equal(t, b.abandoned, 1)
		b.engine.Before(nil)
		done, err := quiesce.Recover(t.Context(), b.engine, b.steps)
		assert.NilError(t, err)
		assert.Equal(t, len(done), 3)
		assert.DeepEqual(t, b.states(), before)
		assert.NilError(t, h.Release(t.Context()))
		assert.Equal(t, b.done, 0)
	})
}

func TestAnEngineThatComesBackIsAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed()
		before := b.states()
		h, err := b.q.Hold(t.Context(), b.plan(t, quiesce.Pause))
		assert.NilError(t, err)
		back := time.Now().Add(5 * time.Second)
		b.engine.Before(func(enginetest.Call) error {
			if time.Now().Before(back) {
				return engine.ErrUnreachable
			}
			return nil
		})
		assert.NilError(t, h.Release(t.Context()))
		assert.DeepEqual(t, b.states(), before)
		assert.Equal(t, b.done, 1)
	})
}

func TestAHoldEndsByItselfAtItsLimitAndSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed()
		before := b.states()
		h, err := b.q.Hold(t.Context(), b.plan(t, quiesce.Pause))
		assert.NilError(t, err)
		time.Sleep(quiesce.DefaultLimit - time.Second)
		assert.Assert(t, !h.Expired())
		<-h.Over()
		synctest.Wait()
		assert.DeepEqual(t, b.states(), before)
		assert.Assert(t, h.Expired())
		assert.Equal(t, h.Lasted(), quiesce.DefaultLimit)
		assert.NilError(t, h.Release(t.Context()))
		assert.Equal(t, b.done, 1)
	})
}

func TestAHoldByStoppingHasNoLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed()
		h, err := b.q.Hold(t.Context(), b.plan(t, quiesce.Stop))
		assert.NilError(t, err)
		time.Sleep(time.Hour)
		assert.Assert(t, !h.Expired())
		assert.Equal(t, b.engine.State(b.ids["web"]), engine.Exited)
		assert.NilError(t, h.Release(t.Context()))
	})
}

func TestAHoldThatTakesLongerThanItsLimitFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed()
		before := b.states()
		p := b.plan(t, quiesce.Pause)
		b.engine.Before(func(c enginetest.Call) error {
			if c.Name == "Pause" {
				time.Sleep(40 * time.Second)
			}
			return nil
		})
		_, err := b.q.Hold(t.Context(), p)
		assert.ErrorContains(t, err, "within 30s")
		assert.DeepEqual(t, b.states(), before)
	})
}

func TestAProcessThatStoodStillFindsThatTheLimitPassed(t *testing.T) {
	b := newBed()
	now := time.Now()
	b.q.Now = func() time.Time { return now }
	h, err := b.q.Hold(t.Context(), b.plan(t, quiesce.Pause))
	assert.NilError(t, err)
	now = now.Add(time.Hour) // no timer of ours ran meanwhile
	assert.NilError(t, h.Release(t.Context()))
	assert.Assert(t, h.Expired())
}

func TestRecoverTouchesOnlyWhatIsStillInTheStateOfTheHold(t *testing.T) {
	b := newBed()
	_, err := b.q.Hold(t.Context(), b.plan(t, quiesce.Pause))
	assert.NilError(t, err)
	b.engine.SetState(b.ids["web"], engine.Running) // its guardian did it
	b.engine.SetState(b.ids["db"], engine.Exited)   // somebody stopped it
	done, err := quiesce.Recover(t.Context(), b.engine, b.steps)
	assert.NilError(t, err)
	assert.Equal(t, len(done), 1)
	assert.Equal(t, done[0].Item.Service, "worker")
	assert.Equal(t, done[0].How, quiesce.Unpaused)
	want := newBed().states()
	want["db"] = engine.Exited
	assert.DeepEqual(t, b.states(), want)
}

func TestRecoverRefusesARecordThatItCannotRead(t *testing.T) {
	steps := []journal.Step{{Name: "quiesce.hold", Data: json.RawMessage(`"no"`)}}
	_, err := quiesce.Recover(t.Context(), enginetest.New(time.Now), steps)
	assert.ErrorContains(t, err, "quiesce.hold")
}

// TestWhatTheEngineEndedByGoingAwayIsStartedAgain: a service that was paused must not stay down since its engine was started anew; one
// that a person stopped stays so.
func TestWhatTheEngineEndedByGoingAwayIsStartedAgain(t *testing.T) {
	for _, lost := range []bool{true, false} {
		b := newBed()
		h, err := b.q.Hold(t.Context(), b.plan(t, quiesce.Pause))
		assert.NilError(t, err)
		if lost {
			b.engine.Lose()
		}
		b.engine.SetState(b.ids["web"], engine.Exited)
		assert.NilError(t, h.Release(t.Context()))
		assert.Equal(t, b.engine.State(b.ids["web"]), map[bool]engine.State{true: engine.Running, false: engine.Exited}[lost])
		assert.Equal(t, b.engine.State(b.ids["db"]), engine.Running)
		assert.Equal(t, len(h.Stopped()), 1)
	}
}

// TestWhatTheEngineEndedIsStartedByRecoveryWhenItComesBackLate: after release has given up, a paused service that the engine's end has
// stopped is still owed its start.
func TestWhatTheEngineEndedIsStartedByRecoveryWhenItComesBackLate(t *testing.T) {
	for _, failing := range []string{"Container", "Start"} {
		synctest.Test(t, func(t *testing.T) {
			b := newBed()
			before := b.states()
			h, err := b.q.Hold(t.Context(), b.plan(t, quiesce.Pause))
			assert.NilError(t, err)
			b.engine.Lose()
			for _, service := range []string{"web", "db"} {
				b.engine.SetState(b.ids[service], engine.Exited)
			}
			away := true
			b.engine.Before(func(c enginetest.Call) error {
				if away && c.Name == failing {
					return errPlanted
				}
				return nil
			})
			err = h.Release(t.Context())
			assert.ErrorContains(t, err, "resume db")
			assert.ErrorContains(t, err, "resume web")
			away = false
			_, err = quiesce.Recover(t.Context(), b.engine, b.steps)
			assert.NilError(t, err)
			assert.DeepEqual(t, b.states(), before)
			b.engine.SetState(b.ids["web"], engine.Exited)
			assert.NilError(t, h.Release(t.Context()), "it may be called again")
			assert.DeepEqual(t, b.states(), before)
			pending, err := quiesce.Pending(b.steps)
			assert.NilError(t, err)
			assert.Equal(t, len(pending), 0)
		})
	}
}

func TestAHoldOfNothingIsReleasedAndToldOf(t *testing.T) {
	b := newBed()
	h, err := b.q.Hold(t.Context(), quiesce.Plan{Mode: quiesce.Pause})
	assert.NilError(t, err)
	assert.NilError(t, h.Release(t.Context()))
	assert.NilError(t, h.Release(t.Context()))
	assert.Equal(t, len(h.Times())+len(h.Stopped())+len(h.Items()), 0)
	assert.Equal(t, h.Lasted(), time.Duration(0))
	assert.Assert(t, !h.Expired())
	assert.Equal(t, len(b.steps)+b.watches, 0)
}
