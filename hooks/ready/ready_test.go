package ready

import (
	"testing"
	"time"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/engine"
)

// start is when the command began; at is a time after it.
var start = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

func at(d time.Duration) time.Time { return start.Add(d) }

// box is a container of service app that runs since a time.
func box(since time.Duration, change ...func(*engine.Container)) engine.Container {
	c := engine.Container{ID: "1", Name: "p-app-1", Project: "p", Service: "app", Number: "1", State: engine.Running, Policy: "no", Started: at(since)}
	for _, f := range change {
		f(&c)
	}
	return c
}

func exited(code int, policy string) func(*engine.Container) {
	return func(c *engine.Container) {
		c.State, c.ExitCode, c.Policy, c.Ended = engine.Exited, code, policy, c.Started.Add(time.Second)
	}
}

func looping(restarts int) func(*engine.Container) {
	return func(c *engine.Container) {
		c.State, c.ExitCode, c.Policy, c.Restarts = engine.Restarting, 1, "always", restarts
	}
}

func again(restarts int) func(*engine.Container) {
	return func(c *engine.Container) { c.Policy, c.Restarts = "always", restarts }
}

func health(word string) func(*engine.Container) {
	return func(c *engine.Container) { c.Health = word }
}

func in(state engine.State) func(*engine.Container) {
	return func(c *engine.Container) { c.State = state }
}

// look is what is seen at a time, and what must be concluded.
type look struct {
	at   time.Duration
	all  []engine.Container
	want State
	text string // of the first container
}

const (
	second = time.Second
	day    = 24 * time.Hour
)

func TestAServiceIsUpWhenItHasShownThatItStays(t *testing.T) {
	one := func(c engine.Container) []engine.Container { return []engine.Container{c} }
	for name, looks := range map[string][]look{
		"one that has long run is not waited for": {{second, one(box(-day)), Up, ""}},
		"one with old restarts neither":           {{second, one(box(-day, again(7))), Up, ""}},
		"a new one must run for the window": {
			{second, one(box(0)), Waiting, "must run for 10s"}, {9 * second, one(box(0)), Waiting, "must run for 10s"}, {10 * second, one(box(0)), Up, ""},
		},
		"a restart begins the window anew": {
			{second, one(box(0)), Waiting, "must run for 10s"},
			{12 * second, one(box(5*second, again(1))), Waiting, "must run for 10s"},
			{15 * second, one(box(5*second, again(1))), Up, "restarted 1 time"},
		},
		"a crash loop": {
			{second, one(box(0, looping(1))), Waiting, "restarts: it ended with exit code 1"},
			{3 * second, one(box(2*second, again(4))), Waiting, "must run for 10s"},
			{20 * second, one(box(19*second, looping(7))), Failed, "restarted 7 times, the last time after exit code 1"},
		},
		"a crash loop that is seen while it runs": {
			{second, one(box(0, again(2))), Waiting, "must run for 10s"}, {21 * second, one(box(20*second, again(6))), Failed, "restarted 6 times and does not come to rest"},
		},
		"a crash loop of long ago that goes on": {
			{second, one(box(0, again(50))), Waiting, "must run for 10s"}, {30 * second, one(box(25*second, looping(50))), Failed, "restarted 50 times, the last time after exit code 1"},
		},
		"one that restarts until what it needs is there": {
			{second, one(box(0, looping(2))), Waiting, "restarts: it ended with exit code 1"},
			{9 * second, one(box(8*second, again(6))), Waiting, "must run for 10s"},
			{18 * second, one(box(8*second, again(6))), Up, "restarted 6 times"},
		},
		"seldom restarts end with the time too": {
			{second, one(box(0)), Waiting, "must run for 10s"}, {90 * second, one(box(85*second, again(1))), Failed, "restarted 1 time and does not come to rest"},
		},
		"one that came late may finish its window": {
			{91 * second, one(box(85 * second)), Waiting, "must run for 10s"}, {95 * second, one(box(85 * second)), Up, ""},
		},
		"a one-shot that ends well":                       {{second, one(box(0, exited(0, "no"))), Done, "has ended well"}},
		"one that is restarted on failure and ended well": {{second, one(box(0, exited(0, "on-failure"))), Done, "has ended well"}},
		"a one-shot that fails":                           {{second, one(box(0, exited(3, "no"))), Failed, "ended with exit code 3"}},
		"one whose restarts are used up": {{
			second, one(box(0, exited(3, "on-failure"), func(c *engine.Container) { c.Restarts = 2 })), Failed, "ended with exit code 3, after 2 restarts",
		}},
		"one that was stopped":        {{second, one(box(0, exited(0, "unless-stopped"))), Failed, "was stopped"}},
		"one that memory was not for": {{second, one(box(0, exited(137, "no"), func(c *engine.Container) { c.OutOfMemory = true })), Failed, "was killed because memory ran out"}},
		"a slow starter": {
			{second, one(box(0, health("starting"))), Waiting, "its healthcheck has not passed yet"},
			{40 * second, one(box(0, health("unhealthy"))), Waiting, "its healthcheck fails"},
			{60 * second, one(box(0, health("healthy"))), Up, ""},
		},
		"one that is never healthy": {
			{40 * second, one(box(0, health("starting"))), Waiting, "its healthcheck has not passed yet"}, {90 * second, one(box(0, health("starting"))), Failed, "its healthcheck has not passed yet"},
		},
		"one that has long been unhealthy": {{second, one(box(-day, health("unhealthy"))), Failed, "its healthcheck fails"}},
		"one that is healthy at once":      {{second, one(box(0, health("healthy"))), Waiting, "must run for 10s"}, {10 * second, one(box(0, health("healthy"))), Up, ""}},
		"one that is not started":          {{second, one(box(0, in(engine.Created))), Waiting, "is not started"}, {90 * second, one(box(0, in(engine.Created))), Failed, "is not started"}},
		"one that is paused":               {{second, one(box(0, in(engine.Paused))), Waiting, "is paused"}, {90 * second, one(box(0, in(engine.Paused))), Failed, "is paused"}},
		"one that is removed":              {{second, one(box(0)), Waiting, "must run for 10s"}, {2 * second, nil, Failed, "was removed"}},
		"one that is replaced": {
			{second, one(box(0)), Waiting, "must run for 10s"}, {12 * second, one(box(2*second, func(c *engine.Container) { c.ID = "2" })), Up, ""},
		},
		"nothing": {{second, nil, Waiting, ""}},
	} {
		t.Run(name, func(t *testing.T) {
			w := New(Options{Services: []Service{{Name: "app"}}, Stable: 10 * second, Timeout: 90 * second, Began: start})
			play(t, w, looks)
		})
	}
}

// play shows looks to a watch, one after the other.
func play(t *testing.T, w *Watch, looks []look) {
	t.Helper()
	for _, l := range looks {
		r := w.See(at(l.at), l.all)
		got := look{at: l.at, all: l.all, want: r.State}
		if len(r.All) > 0 {
			got.text = r.All[0].Text
			if len(r.All) == 1 && r.State == Up {
				got.want = r.All[0].State
			}
		}
		assert.Equal(t, got.want, l.want, "at %s: %+v", l.at, r)
		assert.Equal(t, got.text, l.text, "at %s", l.at)
		assert.Equal(t, r.Again > 0, r.State == Waiting, "at %s", l.at)
	}
}

func TestAOneShotThatOthersWaitForMustEnd(t *testing.T) {
	w := New(Options{Services: []Service{{Name: "app", Once: true}}, Stable: 10 * second, Timeout: 90 * second, Began: start})
	play(t, w, []look{
		{20 * second, []engine.Container{box(0)}, Waiting, "has not ended, and others wait for that"},
		{30 * second, []engine.Container{box(0, exited(0, "no"))}, Done, "has ended well"},
	})
	play(t, w, []look{{90 * second, []engine.Container{box(0)}, Failed, "has not ended, and others wait for that"}})
}

func TestOthersAreNotLookedAt(t *testing.T) {
	of := func(service string) func(*engine.Container) {
		return func(c *engine.Container) { c.ID, c.Service = service, service }
	}
	all := []engine.Container{
		box(-day), box(0, of("other"), exited(1, "no")), box(0, exited(1, "no"), func(c *engine.Container) { c.ID, c.OneOff = "run", true }),
		box(0, exited(1, "no"), func(c *engine.Container) { c.ID, c.Labels = "hook", map[string]string{"com.docker.compose.hook": "x"} }),
	}
	r := New(Options{Services: []Service{{Name: "app"}}, Stable: 10 * second, Timeout: 90 * second, Began: start}).See(at(second), all)
	assert.Equal(t, len(r.All), 1)
	assert.Equal(t, r.State, Up)
}

// TestWhatHasFailedIsToldWhateverTheOthersDo: and the worst counts.
func TestWhatHasFailedIsToldWhateverTheOthersDo(t *testing.T) {
	of := func(service string) func(*engine.Container) {
		return func(c *engine.Container) { c.ID, c.Service, c.Name = service, service, "p-"+service+"-1" }
	}
	w := New(Options{Services: []Service{{Name: "app"}, {Name: "once"}, {Name: "slow"}}, Stable: 10 * second, Timeout: 90 * second, Began: start})
	all := []engine.Container{box(-day), box(0, of("once"), exited(0, "no")), box(0, of("slow"), health("starting"))}
	assert.Equal(t, w.See(at(second), all).State, Waiting)
	all[1] = box(0, of("once"), exited(1, "no"))
	r := w.See(at(2*second), all)
	assert.Equal(t, r.State, Failed)
	assert.Equal(t, r.Again, time.Duration(0))
	assert.Equal(t, r.All[1].Container, "p-once-1")
	assert.Equal(t, r.All[2].State, Waiting)
}

// TestBesideComposeWhatItHasNotStartedIsWaitedFor: Compose may build and pull for long, and starts one service after the other.
func TestBesideComposeWhatItHasNotStartedIsWaitedFor(t *testing.T) {
	w := New(Options{Services: []Service{{Name: "app"}}, Stable: 10 * second, Timeout: 90 * second, Began: start, Beside: true})
	one := func(c engine.Container) []engine.Container { return []engine.Container{c} }
	play(t, w, []look{
		{100 * second, nil, Waiting, ""},
		{200 * second, one(box(-day, exited(137, "always"))), Waiting, "is not started yet"},
		{300 * second, one(box(-day, in(engine.Created), func(c *engine.Container) { c.ID = "2" })), Waiting, "is not started yet"},
		{500 * second, one(box(499*second, func(c *engine.Container) { c.ID = "2" })), Waiting, "must run for 10s"},
		{501 * second, one(box(500*second, func(c *engine.Container) { c.ID, c.Health = "2", "unhealthy" })), Waiting, "its healthcheck fails"},
		{580 * second, one(box(570*second, func(c *engine.Container) { c.ID, c.Health = "2", "unhealthy" })), Waiting, "its healthcheck fails"},
		{590 * second, one(box(570*second, func(c *engine.Container) { c.ID, c.Health = "2", "unhealthy" })), Failed, "its healthcheck fails"},
	})
}

// TestBesideComposeWhatSomebodyHasStoppedHasNotFailed: Compose itself stops all when it is told to end.
func TestBesideComposeWhatSomebodyHasStoppedHasNotFailed(t *testing.T) {
	for name, c := range map[string]struct {
		code   int
		policy string
		memory bool
		want   State
	}{
		"killed": {137, "no", false, Waiting}, "told to end": {143, "no", false, Waiting}, "not restarted": {1, "unless-stopped", false, Waiting},
		"failed": {3, "no", false, Failed}, "ended well": {0, "no", false, Done}, "out of memory": {137, "no", true, Failed},
	} {
		t.Run(name, func(t *testing.T) {
			w := New(Options{Services: []Service{{Name: "app"}}, Stable: 10 * second, Timeout: 90 * second, Began: start, Beside: true})
			r := w.See(at(3*second), []engine.Container{box(second, exited(c.code, c.policy), func(b *engine.Container) { b.OutOfMemory = c.memory })})
			assert.Equal(t, r.All[0].State, c.want)
		})
	}
}

// TestBesideComposeWhatItRemovesHasNotFailed: of a service that is to have fewer containers. What it has started and somebody removes has.
func TestBesideComposeWhatItRemovesHasNotFailed(t *testing.T) {
	w := New(Options{Services: []Service{{Name: "app"}}, Stable: 10 * second, Timeout: 90 * second, Began: start, Beside: true})
	second2 := box(-day, func(c *engine.Container) { c.ID, c.Name, c.Number = "2", "p-app-2", "2" })
	assert.Equal(t, w.See(at(0), []engine.Container{box(-day), second2}).State, Up)
	r := w.See(at(second), []engine.Container{box(-day)})
	assert.Equal(t, r.State, Up, "%+v", r)
	assert.Equal(t, len(r.All), 1)
	third := box(second, func(c *engine.Container) { c.ID, c.Name, c.Number = "3", "p-app-3", "3" })
	assert.Equal(t, w.See(at(2*second), []engine.Container{box(-day), third}).State, Waiting)
	assert.Equal(t, w.See(at(3*second), []engine.Container{box(-day)}).State, Failed)
}

// TestBesideComposeRestartsCountFromTheStart: the engine counts them anew when somebody starts a container.
func TestBesideComposeRestartsCountFromTheStart(t *testing.T) {
	w := New(Options{Services: []Service{{Name: "app"}}, Stable: 10 * second, Timeout: 90 * second, Began: start, Beside: true})
	restarts := func(n int) func(*engine.Container) { return func(c *engine.Container) { c.Restarts = n } }
	play(t, w, []look{
		{0, []engine.Container{box(-day, exited(3, "on-failure"), restarts(5))}, Waiting, "is not started yet"},
		{second, []engine.Container{box(second)}, Waiting, "must run for 10s"},
		{22 * second, []engine.Container{box(21*second, restarts(4))}, Failed, "restarted 4 times and does not come to rest"},
	})
}

func TestTheNextLookIsWhenSomethingCanHaveChanged(t *testing.T) {
	w := New(Options{Services: []Service{{Name: "app"}}, Stable: 10 * second, Timeout: 90 * second, Began: start})
	assert.Equal(t, w.See(at(second), []engine.Container{box(0)}).Again, later)
	assert.Equal(t, w.See(at(9900*time.Millisecond), []engine.Container{box(0)}).Again, 100*time.Millisecond)
	assert.Equal(t, w.See(at(9999*time.Millisecond), []engine.Container{box(0)}).Again, soon)
	assert.Equal(t, w.See(at(10*second), []engine.Container{box(0)}).Again, time.Duration(0))
}
