package contest

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/memsys/docker-memsys/bench/measure"
)

// Wrapped is how long an up takes that has nothing to do, in seconds, pair by pair.
type Wrapped struct {
	Memsys  []float64 `json:"memsys"`
	Compose []float64 `json:"compose"`
}

// MeasureWrapped runs `docker compose up -d` and `docker memsys up -d` in turn in the folder of a project, with the caller's Docker. It is
// brought up and backed up first, and left alone for settle: from then on there is nothing to do for either.
func MeasureWrapped(ctx context.Context, project string, settle time.Duration, pairs int) (Wrapped, error) {
	var w Wrapped
	up := func(name string) (measure.Cost, error) {
		return measure.Run(ctx, measure.Step{Pipeline: [][]string{{"docker", name, "up", "-d"}}, Dir: project})
	}
	if _, err := up("memsys"); err != nil {
		return w, fmt.Errorf("bring up: %w", err)
	}
	timer := time.NewTimer(settle)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return w, context.Cause(ctx)
	case <-timer.C:
	}
	// The first pair makes the backup that is then up to date, and fills the cache.
	for i := range pairs + 1 {
		order := []string{"memsys", "compose"}
		if i%2 == 1 {
			slices.Reverse(order)
		}
		for _, name := range order {
			cost, err := up(name)
			if err != nil {
				return w, err
			}
			switch {
			case i == 0:
			case name == "memsys":
				w.Memsys = append(w.Memsys, cost.Seconds)
			default:
				w.Compose = append(w.Compose, cost.Seconds)
			}
		}
	}
	return w, nil
}

// More are the seconds by which docker memsys took longer, pair by pair.
func (w Wrapped) More() []float64 {
	var out []float64
	for i := range min(len(w.Memsys), len(w.Compose)) {
		out = append(out, w.Memsys[i]-w.Compose[i])
	}
	return out
}
