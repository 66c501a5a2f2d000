package quiesce_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/engine/enginetest"
	"github.com/memsys/docker-memsys/internal/quiesce"
)

// container is one of project p; dependsOn is as Compose writes it in the label.
func container(service, dependsOn string) engine.Container {
	return engine.Container{
		ID: service, Name: "p-" + service + "-1", Project: "p", Service: service, Number: "1", State: engine.Running,
		Labels: map[string]string{"com.docker.compose.depends_on": dependsOn},
	}
}

func all(engine.Container) bool { return true }

// shape writes a plan as text: levels apart by |, what is stopped with an exclamation mark.
func shape(p quiesce.Plan) string {
	var b strings.Builder
	for i, it := range p.Items {
		if i > 0 {
			b.WriteString(strings.Repeat("|", it.Level-p.Items[i-1].Level) + " ")
		}
		b.WriteString(it.ID)
		if it.Action == quiesce.Stop {
			b.WriteString("!")
		}
	}
	return b.String()
}

func TestDependentsAreHeldFirstAndChromaLast(t *testing.T) {
	list := []engine.Container{
		container("cache", ""), container("chroma", ""), container("db", ""),
		container("reader", "db:service_started:false"),
		container("web", "worker:service_started:true,cache:service_healthy:false"),
		container("worker", "db:service_started:false,chroma:service_healthy:false"),
		{ID: "foreign", Name: "foreign", State: engine.Running},
	}
	writes := func(c engine.Container) bool { return c.ID != "worker" } // in the graph, not in the plan
	last := func(c engine.Container) bool { return c.ID == "chroma" }
	p := quiesce.Arrange(quiesce.Request{Mode: quiesce.Auto, Containers: list, Writes: writes, Last: last})
	assert.Equal(t, shape(p), "reader web foreign| cache| db| chroma")
}

// TestWhatRunsInTheNetworkOfAnotherStopsBeforeItAndStartsAfterIt: the network of a container goes when it stops, and what was left
// running in it would have none.
func TestWhatRunsInTheNetworkOfAnotherStopsBeforeItAndStartsAfterIt(t *testing.T) {
	in := func(c engine.Container, owner string) engine.Container {
		c.Network = "container:" + owner
		return c
	}
	off := in(container("off", ""), "app")
	off.State = engine.Exited
	list := []engine.Container{
		container("app", ""), in(container("chroma", ""), "app"), in(container("proxy", "app:service_started:true"), "app"),
		container("other", ""), in(container("guest", ""), "other"), off,
	}
	writes := func(c engine.Container) bool { return c.ID == "app" || c.ID == "chroma" || c.ID == "other" }
	last := func(c engine.Container) bool { return c.ID == "chroma" }
	request := quiesce.Request{Mode: quiesce.Auto, Containers: list, Writes: writes, Last: last}
	p := quiesce.Arrange(request)
	assert.Equal(t, shape(p), "other| app| chroma") // nobody loses a network by a pause
	p = p.Stopping(func(it quiesce.Item) bool { return it.ID == "app" }, "restless")
	assert.Equal(t, shape(p), "other proxy!| chroma!| app!") // the proxy depends on the app too
	assert.Equal(t, p.Items[1].Why, "it runs in the network of app, which is stopped")
	request.MustStop = func(c engine.Container) string { return map[string]string{"other": "a database"}[c.ID] }
	assert.Equal(t, shape(quiesce.Arrange(request)), "guest!| other!| app| chroma")
	request.Mode = quiesce.None
	assert.Equal(t, shape(quiesce.Arrange(request)), "")
}

func TestACircleOfDependenciesEnds(t *testing.T) {
	list := []engine.Container{container("a", "b:x:y"), container("b", "a:x:y")}
	assert.Equal(t, len(quiesce.Arrange(quiesce.Request{Mode: quiesce.Auto, Containers: list, Writes: all}).Items), 2)
}

func TestAutoStopsWhatAPauseCannotHold(t *testing.T) {
	list := []engine.Container{container("a", ""), container("b", "")}
	must := func(c engine.Container) string { return map[string]string{"b": "its journal lies elsewhere"}[c.ID] }
	mixed := quiesce.Arrange(quiesce.Request{Mode: quiesce.Auto, Containers: list, Writes: all, MustStop: must})
	assert.Equal(t, shape(mixed), "a b!")
	assert.Equal(t, mixed.Action(), quiesce.Auto)
	assert.Equal(t, mixed.Items[1].Why, "its journal lies elsewhere")
	assert.Equal(t, shape(quiesce.Arrange(quiesce.Request{Mode: quiesce.Auto, Containers: list, Writes: all, NoPause: "no freezer"})), "a! b!")
	assert.Equal(t, shape(quiesce.Arrange(quiesce.Request{Mode: quiesce.Pause, Containers: list, Writes: all, MustStop: must})), "a b")
	stopped := mixed.Stopping(func(it quiesce.Item) bool { return it.ID == "a" }, "never quiet")
	assert.Equal(t, shape(stopped), "a! b!")
	assert.Equal(t, shape(mixed), "a b!", "the plan itself stays")
}

// ordered is a bed whose web depends on worker, and worker on db.
func ordered() *bed {
	b := newBed()
	for service, on := range map[string]string{"web": "worker:x:y", "worker": "db:x:y"} {
		c := container(service, on)
		c.ID = b.ids[service]
		b.engine.Add(c)
	}
	return b
}

// acts lists the calls of some names, by service.
func (b *bed) calls(names string) string {
	var out []string
	for _, c := range b.engine.Calls() {
		for service, id := range b.ids {
			if id == c.Object && strings.Contains(names, c.Name) {
				out = append(out, c.Name+" "+service)
			}
		}
	}
	return strings.Join(out, ", ")
}

func TestAHoldGoesDownTheLevelsAndLettingGoGoesUp(t *testing.T) {
	for mode, want := range map[quiesce.Mode]string{
		quiesce.Pause: "Pause web, Pause worker, Pause db, Unpause db, Unpause worker, Unpause web",
		quiesce.Stop:  "Stop web, Stop worker, Stop db, Start db, Start worker, Start web",
	} {
		b := ordered()
		h, err := b.q.Hold(t.Context(), b.plan(t, mode))
		assert.NilError(t, err)
		assert.NilError(t, h.Release(t.Context()))
		assert.Equal(t, b.calls("Pause Unpause Stop Start"), want)
	}
}

// TestWhatDoesNotWaitForEachOtherStopsAtOnce: three services of ten seconds each take ten.
func TestWhatDoesNotWaitForEachOtherStopsAtOnce(t *testing.T) {
	for wait, b := range map[time.Duration]func() *bed{10 * time.Second: newBed, 30 * time.Second: ordered} {
		synctest.Test(t, func(t *testing.T) {
			b := b()
			b.engine.Before(func(c enginetest.Call) error {
				if c.Name == "Stop" {
					time.Sleep(10 * time.Second)
				}
				return nil
			})
			began := time.Now()
			h, err := b.q.Hold(t.Context(), b.plan(t, quiesce.Stop))
			assert.NilError(t, err)
			assert.Equal(t, time.Since(began), wait)
			assert.NilError(t, h.Release(t.Context()))
		})
	}
}

func TestOneThatCannotBeLetGoHoldsNobodyElseUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := ordered()
		b.q.Limit = 0
		h, err := b.q.Hold(t.Context(), b.plan(t, quiesce.Pause))
		assert.NilError(t, err)
		b.engine.Before(func(c enginetest.Call) error {
			if c.Name == "Unpause" && c.Object == b.ids["db"] {
				time.Sleep(time.Minute)
			}
			return nil
		})
		began := time.Now()
		go func() { _ = h.Release(context.WithoutCancel(t.Context())) }()
		time.Sleep(time.Second)
		assert.Equal(t, b.engine.State(b.ids["web"]), engine.Running)
		assert.Equal(t, b.engine.State(b.ids["worker"]), engine.Running)
		assert.Assert(t, time.Since(began) < 2*time.Second)
		time.Sleep(2 * time.Minute)
	})
}

func TestTheLimitOfAPauseDoesNotCountWhatStoppingTook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := ordered()
		b.engine.Before(func(c enginetest.Call) error {
			if c.Name == "Stop" {
				time.Sleep(50 * time.Second)
			}
			return nil
		})
		p := b.plan(t, quiesce.Pause).Stopping(func(it quiesce.Item) bool { return it.Service == "web" }, "never quiet")
		h, err := b.q.Hold(t.Context(), p)
		assert.NilError(t, err)
		assert.Assert(t, !h.Expired())
		time.Sleep(10 * time.Second)
		assert.NilError(t, h.Release(t.Context()))
		still := map[string]time.Duration{}
		for _, one := range h.Times() {
			still[one.Item.Service] = one.Still
		}
		assert.DeepEqual(t, still, map[string]time.Duration{"web": time.Minute, "worker": 10 * time.Second, "db": 10 * time.Second})
	})
}

func TestManyTriesDoNotFillTheJournal(t *testing.T) {
	b := newBed()
	for i := range 200 {
		c := container(fmt.Sprintf("service-with-a-long-name-%d", i), "")
		c.ID = strings.Repeat("0", 60) + fmt.Sprint(1000+i)
		b.engine.Add(c)
	}
	p := b.plan(t, quiesce.Pause)
	for range 31 {
		h, err := b.q.Hold(t.Context(), p)
		assert.NilError(t, err)
		pending, err := quiesce.Pending(b.steps)
		assert.NilError(t, err)
		assert.Equal(t, len(pending), len(p.Items), "every try is on record")
		assert.NilError(t, h.Release(t.Context()))
		pending, err = quiesce.Pending(b.steps)
		assert.NilError(t, err)
		assert.Equal(t, len(pending), 0)
	}
	size := 0
	for _, s := range b.steps {
		size += len(s.Data) + 100
	}
	assert.Assert(t, size < 200<<10, "%d bytes", size)
}

func TestARecordOfItemsThatNothingNamesIsRefused(t *testing.T) {
	b := newBed()
	assert.NilError(t, b.Step("quiesce.hold", json.RawMessage(`{"hold":"h","set":"gone"}`)))
	_, err := quiesce.Pending(b.steps)
	assert.ErrorContains(t, err, "names nothing")
}

// hooks are the services' commands.
type hooks struct {
	mu   sync.Mutex
	ran  []string
	fail string
}

func (h *hooks) PreStop(_ context.Context, it quiesce.Item) error { return h.run("pre " + it.Service) }

func (h *hooks) PostStart(_ context.Context, it quiesce.Item) error {
	return h.run("post " + it.Service)
}

func (h *hooks) run(what string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ran = append(h.ran, what)
	if what == h.fail {
		return errPlanted
	}
	return nil
}

func TestTheServicesOwnCommandsRunAroundStopAndStart(t *testing.T) {
	for mode, want := range map[quiesce.Mode]string{
		quiesce.Pause: "", quiesce.Stop: "pre web pre worker pre db post web post worker post db",
	} {
		b := ordered()
		ran := &hooks{}
		b.q.Hooks = ran
		h, err := b.q.Hold(t.Context(), b.plan(t, mode))
		assert.NilError(t, err)
		assert.NilError(t, h.Release(t.Context()))
		assert.Equal(t, strings.Join(ran.ran, " "), want)
	}
}

func TestAPreStopThatFailsLeavesEveryServiceAsItWas(t *testing.T) {
	for _, service := range []string{"web", "worker", "db"} {
		b := ordered()
		before := b.states()
		b.q.Hooks = &hooks{fail: "pre " + service}
		_, err := b.q.Hold(t.Context(), b.plan(t, quiesce.Stop))
		assert.ErrorContains(t, err, "stop "+service+": its pre_stop command failed: planted fault")
		assert.DeepEqual(t, b.states(), before)
		assert.Assert(t, !strings.Contains(b.calls("Stop"), service))
	}
}

func TestAPostStartThatFailsIsToldAndTheServiceRuns(t *testing.T) {
	b := ordered()
	before := b.states()
	b.q.Hooks = &hooks{fail: "post db"}
	h, err := b.q.Hold(t.Context(), b.plan(t, quiesce.Stop))
	assert.NilError(t, err)
	assert.NilError(t, h.Release(t.Context()))
	assert.DeepEqual(t, b.states(), before)
}

func TestAnEngineThatCannotPauseIsTold(t *testing.T) {
	b := newBed()
	before := b.states()
	b.engine.Before(func(c enginetest.Call) error {
		if c.Name == "Pause" && c.Object == b.ids["db"] {
			return errors.New("Cannot pause container x: OCI runtime pause failed: no freezer")
		}
		return nil
	})
	_, err := b.q.Hold(t.Context(), b.plan(t, quiesce.Pause))
	var cannot *quiesce.CannotPauseError
	assert.Assert(t, errors.As(err, &cannot))
	assert.Equal(t, cannot.Item.Service, "db")
	assert.DeepEqual(t, b.states(), before)
}

// slow are the services' commands that take their time.
type slow struct{ cut error }

func (*slow) PreStop(context.Context, quiesce.Item) error { return nil }

func (s *slow) PostStart(ctx context.Context, _ quiesce.Item) error {
	select {
	case <-ctx.Done():
		s.cut = context.Cause(ctx)
	case <-time.After(2 * time.Minute):
	}
	return s.cut
}

// TestAPostStartHasItsOwnTime: not what is left of the time in which services are let go.
func TestAPostStartHasItsOwnTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := ordered()
		commands := &slow{}
		b.q.Hooks = commands
		h, err := b.q.Hold(t.Context(), b.plan(t, quiesce.Stop))
		assert.NilError(t, err)
		assert.NilError(t, h.Release(t.Context()))
		assert.NilError(t, commands.cut)
		pending, err := quiesce.Pending(b.steps)
		assert.NilError(t, err)
		assert.Equal(t, len(pending), 0)
	})
}

// refused are services whose own commands the engine refuses, since nothing runs that could take them.
type refused struct{ become func() }

func (r refused) PreStop(_ context.Context, it quiesce.Item) error {
	if it.Service != "web" {
		return nil
	}
	r.become()
	return fmt.Errorf("flush: %w", engine.ErrConflict)
}

func (refused) PostStart(context.Context, quiesce.Item) error { return nil }

// TestAPreStopThatCannotRun: a container that restarts again and again is stopped all the same; of others it ends the hold.
func TestAPreStopThatCannotRun(t *testing.T) {
	for _, state := range []engine.State{engine.Restarting, engine.Paused} {
		b := ordered()
		p := b.plan(t, quiesce.Stop)
		b.q.Hooks = refused{become: func() { b.engine.SetState(b.ids["web"], state) }}
		h, err := b.q.Hold(t.Context(), p)
		if state == engine.Paused {
			assert.ErrorContains(t, err, "its pre_stop command failed")
			assert.Equal(t, b.calls("Stop"), "")
			continue
		}
		assert.NilError(t, err)
		assert.Equal(t, b.calls("Stop"), "Stop web, Stop worker, Stop db")
		assert.NilError(t, h.Release(t.Context()))
	}
}
