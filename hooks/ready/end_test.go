package ready

import (
	"math/rand/v2"
	"testing"
	"time"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/engine"
)

// TestAWatchAlwaysEnds: whatever containers do, the verdict is there when the time is over and a window after it; none is up that is ill, has
// failed, or has not run for the window.
func TestAWatchAlwaysEnds(t *testing.T) {
	const stable, timeout = 10 * second, 90 * second
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 1))
		w := New(Options{Services: []Service{{Name: "app", Once: r.IntN(8) == 0}}, Stable: stable, Timeout: timeout, Began: start})
		c := box(0)
		for now := time.Duration(0); ; now += time.Duration(r.Int64N(int64(3 * second))) {
			act(r, now, &c)
			report := w.See(at(now), []engine.Container{c})
			if report.State == Up && report.All[0].State == Up {
				assert.Assert(t, c.State == engine.Running && (c.Health == "" || c.Health == "healthy") && at(now).Sub(c.Started) >= stable, "seed %d: %+v", seed, c)
			}
			if report.State != Waiting {
				break
			}
			assert.Assert(t, now < timeout+stable+3*second, "seed %d: %+v", seed, report)
		}
	}
}

// act lets something happen to a container, as an engine might.
func act(r *rand.Rand, now time.Duration, c *engine.Container) {
	switch r.IntN(12) {
	case 0:
		c.State, c.Health = engine.Restarting, ""
		c.ExitCode = r.IntN(3)
	case 1:
		c.State, c.Started, c.Policy = engine.Running, at(now), "always"
		c.Restarts++
	case 2:
		c.Health = []string{"", "starting", "unhealthy", "healthy"}[r.IntN(4)]
	case 3:
		c.State = []engine.State{engine.Paused, engine.Created, engine.Removing, engine.Running}[r.IntN(4)]
	case 4:
		if r.IntN(6) == 0 {
			c.State, c.ExitCode, c.Ended = engine.Exited, r.IntN(2), at(now)
		}
	}
}
