// Package ready judges whether the services of a project have come up, from what their containers are seen to do in time. It asks nobody
// and reads no clock: whoever watches hands in what was seen, and when.
package ready

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/memsys/docker-memsys/internal/engine"
)

// Service is a service that is to come up.
type Service struct {
	Name string
	// Once tells that it comes up by ending well: others wait for that.
	Once bool
}

// Options say what is expected.
type Options struct {
	// Services are those whose containers are looked at; others are not.
	Services []Service
	// Stable is how long a container must run without a restart to count as up.
	Stable time.Duration
	// Timeout is how long it may take until it is healthy, and until a service that ends has ended.
	Timeout time.Duration
	// Began is when the command began that brings the services up.
	Began time.Time
	// Beside tells that this command is still at work: a container that it has not started yet, or that somebody has stopped, is waited for
	// without an end, and the time of each begins with its start.
	Beside bool
}

// State is where a container, or all of them, stand.
type State string

// The states. They are printed.
const (
	Waiting State = "waiting" // nothing can be said yet
	Up      State = "up"      // it runs, and has run for long enough
	Done    State = "done"    // it has ended as it should
	Failed  State = "failed"
)

// Standing is where one container stands.
type Standing struct {
	Container string
	Service   string
	State     State
	// Text says why it failed or what is waited for; of one that is up, what is odd about it.
	Text string
	// Settled tells that it has had its time: what waits for it need not wait any more.
	Settled bool

	wait time.Duration // how long it is waited for at least; 0: not known
}

// Report is where all containers stand, in the order of their names.
type Report struct {
	// State is Failed where one has failed, Waiting where one is waited for, else Up. Without containers it is Waiting.
	State State
	All   []Standing
	// Again is when to look again at the latest; 0 where nothing is waited for.
	Again time.Duration
}

// restless is how many restarts make a container one that does nothing else.
const restless = 3

// The shortest and the longest time between two looks.
const (
	soon  = 20 * time.Millisecond
	later = 500 * time.Millisecond
)

// Watch follows the containers of a project. It is not safe for parallel use.
type Watch struct {
	o    Options
	seen map[string]*history // by id
}

// history is what was seen of a container before.
type history struct {
	name, service, number string
	restarts              int       // that it had when it was seen first
	since                 time.Time // of its last start
	started               bool
	first                 time.Time // when it was seen first after its start
}

// New begins to watch.
func New(o Options) *Watch { return &Watch{o: o, seen: map[string]*history{}} }

// See takes in what the containers of the project do at a time and tells where they stand. Those of other services, and one-off ones, are left out.
func (w *Watch) See(now time.Time, all []engine.Container) Report {
	mine := slices.DeleteFunc(slices.Clone(all), func(c engine.Container) bool {
		_, expected := w.service(c.Service)
		return !expected || c.OneOff || c.Labels["com.docker.compose.hook"] != ""
	})
	var r Report
	for _, c := range mine {
		if w.seen[c.ID] == nil {
			w.seen[c.ID] = &history{name: c.Name, service: c.Service, number: c.Number, restarts: c.Restarts}
		}
		w.seen[c.ID].since = c.Started
		one := w.judge(now, c)
		one.Container, one.Service = c.Name, c.Service
		r.All = append(r.All, one)
	}
	r.All = append(r.All, w.gone(mine)...)
	slices.SortFunc(r.All, func(a, b Standing) int { return cmp.Compare(a.Container, b.Container) })
	return concluded(r)
}

// concluded fills in what all standings come to.
func concluded(r Report) Report {
	r.State, r.Again = Up, 0
	if len(r.All) == 0 {
		r.State, r.Again = Waiting, later
	}
	for _, one := range r.All {
		switch {
		case one.State == Failed:
			r.State = Failed
		case one.State == Waiting && r.State != Failed:
			r.State = Waiting
		}
		if one.State == Waiting {
			wait := later
			if one.wait > 0 {
				wait = min(max(one.wait, soon), later)
			}
			if r.Again == 0 || wait < r.Again {
				r.Again = wait
			}
		}
	}
	if r.State == Failed {
		r.Again = 0
	}
	return r
}

func (w *Watch) service(name string) (Service, bool) {
	i := slices.IndexFunc(w.o.Services, func(s Service) bool { return s.Name == name })
	if i < 0 || name == "" {
		return Service{}, false
	}
	return w.o.Services[i], true
}

// gone are the containers that were there and have no successor. Those that have are forgotten, as are those that the command beside which we
// watch has not started: of a service of which there are too many, it removes some.
func (w *Watch) gone(mine []engine.Container) []Standing {
	var out []Standing
	for id, h := range w.seen {
		if slices.ContainsFunc(mine, func(c engine.Container) bool { return c.ID == id }) {
			continue
		}
		if w.o.Beside && h.since.Before(w.o.Began) || slices.ContainsFunc(mine, func(c engine.Container) bool { return c.Service == h.service && c.Number == h.number }) {
			delete(w.seen, id)
			continue
		}
		out = append(out, Standing{Container: h.name, Service: h.service, State: Failed, Text: "was removed"})
	}
	return out
}

// judge says where a container stands.
func (w *Watch) judge(now time.Time, c engine.Container) Standing {
	stopped := c.State == engine.Exited || c.State == engine.Dead
	waiting := w.o.Beside && (c.State == engine.Created || stopped && c.Ended.Before(w.o.Began))
	h := w.seen[c.ID]
	if waiting {
		h.started, h.restarts = false, 0 // a start counts anew
		return Standing{State: Waiting, Text: "is not started yet"}
	}
	if !h.started {
		h.started, h.first = true, now
	}
	late := w.late(now, c)
	switch c.State {
	case engine.Running:
		return w.running(now, c, late)
	case engine.Exited, engine.Dead:
		if w.o.Beside && stoppedBySomebody(c) {
			return Standing{State: Waiting, Text: "was stopped"}
		}
		return ended(c)
	case engine.Restarting:
		if w.loops(now, c) {
			return failed("%s, the last time after exit code %d", restarted(c), c.ExitCode)
		}
		return waits(late, "restarts: it ended with exit code %d", c.ExitCode)
	case engine.Created:
		return waits(late, "is not started")
	}
	return waits(late, "is %s", c.State)
}

// late tells that a container has had all the time that there is.
func (w *Watch) late(now time.Time, c engine.Container) bool {
	return now.Sub(w.began(c)) >= w.o.Timeout
}

// began is when the time of a container began.
func (w *Watch) began(c engine.Container) time.Time {
	if w.o.Beside {
		return w.seen[c.ID].first
	}
	return w.o.Began
}

// loops tells that a container does nothing but restart: it did so often, was seen doing it, and it had the time to come to rest.
func (w *Watch) loops(now time.Time, c engine.Container) bool {
	return c.Restarts >= restless && now.Sub(w.began(c)) >= 2*w.o.Stable && (c.Restarts > w.seen[c.ID].restarts || c.State == engine.Restarting)
}

// running judges a container that runs.
func (w *Watch) running(now time.Time, c engine.Container, late bool) Standing {
	s, _ := w.service(c.Service)
	uptime := now.Sub(c.Started)
	again := c.Restarts > w.seen[c.ID].restarts
	switch left := w.o.Stable - uptime; {
	case w.loops(now, c) && left > 0:
		return failed("%s and does not come to rest", restarted(c))
	case c.Health == "starting":
		return waits(late, "its healthcheck has not passed yet")
	case c.Health == "unhealthy":
		return waits(late || uptime >= w.o.Timeout, "its healthcheck fails")
	case s.Once:
		return waits(late, "has not ended, and others wait for that")
	case left > 0 && again && late:
		return failed("%s and does not come to rest", restarted(c))
	case left > 0:
		return Standing{State: Waiting, Text: fmt.Sprintf("must run for %s", w.o.Stable), wait: left}
	}
	up := Standing{State: Up, Settled: uptime >= w.o.Timeout}
	if again {
		up.Text = restarted(c)
	}
	return up
}

// ended judges a container that does not run any more, and that nobody will restart.
func ended(c engine.Container) Standing {
	switch forever := c.Policy == "always" || c.Policy == "unless-stopped"; {
	case c.OutOfMemory:
		return failed("was killed because memory ran out")
	case c.ExitCode != 0 && c.Policy == "on-failure" && c.Restarts > 0:
		return failed("ended with exit code %d, after %s", c.ExitCode, plural(c.Restarts, "restart", "restarts"))
	case c.ExitCode != 0:
		return failed("ended with exit code %d", c.ExitCode)
	case forever || c.State == engine.Dead:
		return failed("was stopped")
	}
	return Standing{State: Done, Text: "has ended well"}
}

// stoppedBySomebody tells whether a container may have been told to end, which says nothing about it: what restarts always does not end by
// itself, and else its exit code is that of a signal.
func stoppedBySomebody(c engine.Container) bool {
	const interrupted, killed, terminated = 130, 137, 143
	forever := c.Policy == "always" || c.Policy == "unless-stopped"
	return !c.OutOfMemory && (forever || slices.Contains([]int{interrupted, killed, terminated}, c.ExitCode))
}

// restarted says how often a container did.
func restarted(c engine.Container) string {
	return "restarted " + plural(c.Restarts, "time", "times")
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// waits is the standing of one that is waited for unless it is late.
func waits(late bool, format string, args ...any) Standing {
	if late {
		return failed(format, args...)
	}
	return Standing{State: Waiting, Text: fmt.Sprintf(format, args...)}
}

func failed(format string, args ...any) Standing {
	return Standing{State: Failed, Text: fmt.Sprintf(format, args...)}
}
