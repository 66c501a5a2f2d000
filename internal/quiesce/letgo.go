package quiesce

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/memsys/docker-memsys/internal/engine"
)

// How is what letting go of a container came to.
type How string

// The ways to let go.
const (
	Unpaused How = "unpaused"
	Started  How = "started"
	// Untouched: it runs already, or somebody else stopped, paused or removed it meanwhile.
	Untouched How = "untouched"
)

// Resumed is one container that was let go.
type Resumed struct {
	Item Item
	How  How
	// Gone tells that it does not run: somebody else stopped or removed it meanwhile.
	Gone bool
}

// step is the word for it in reports.
func (r Resumed) step() string {
	if r.How == Started {
		return "start"
	}
	return "resume"
}

// retryEvery is how long to wait before an engine that failed is asked again.
const retryEvery = 200 * time.Millisecond

// How long what was held later has a start before what was held earlier is let go too, whatever became of the first.
const (
	leadUnpaused = 300 * time.Millisecond
	leadStarted  = 3 * time.Second
)

// letGoAll lets all items go, in the reverse order of the hold but not one waiting for another that fails, and tries again until ctx
// ends. It returns what was done and the items that it could not let go.
func letGoAll(ctx context.Context, e Engine, items []Item) (done []Resumed, left []Item, err error) {
	results := make([]result, len(items))
	var group sync.WaitGroup
	for _, level := range downwards(items) {
		var tried sync.WaitGroup
		lead := leadUnpaused
		for _, i := range level {
			if items[i].Action == Stop {
				lead = leadStarted
			}
			tried.Add(1)
			group.Go(func() { results[i] = letGo(ctx, e, items[i], sync.OnceFunc(tried.Done)) })
		}
		waitFor(&tried, lead)
	}
	group.Wait()
	for i, it := range items {
		r := results[i]
		if r.err != nil {
			left = append(left, it)
			err = errors.Join(err, fmt.Errorf("resume %s (container %s): %w", it.Label(), it.Name, r.err))
			continue
		}
		done = append(done, Resumed{it, r.how, r.gone})
	}
	return done, left, err
}

type result struct {
	how  How
	gone bool
	err  error
}

// downwards groups the indexes of items by level, the highest level first.
func downwards(items []Item) [][]int {
	groups := map[int][]int{}
	for i, it := range items {
		groups[it.Level] = append(groups[it.Level], i)
	}
	var out [][]int
	for _, level := range slices.Backward(slices.Sorted(maps.Keys(groups))) {
		out = append(out, groups[level])
	}
	return out
}

// waitFor waits for a group, but not longer than limit.
func waitFor(group *sync.WaitGroup, limit time.Duration) {
	over := make(chan struct{})
	go func() {
		group.Wait()
		close(over)
	}()
	select {
	case <-over:
	case <-time.After(limit):
	}
}

// letGo lets one container go; it calls tried after the first attempt.
func letGo(ctx context.Context, e Engine, it Item, tried func()) result {
	for {
		how, gone, err := letGoOnce(ctx, e, it)
		tried()
		if err == nil {
			return result{how: how, gone: gone}
		}
		select {
		case <-ctx.Done():
			return result{err: err}
		case <-time.After(retryEvery):
		}
	}
}

// letGoOnce brings the container back to running if it is in the state that the hold brought it into. After every act it looks
// again, so that success is what the engine says, not what was asked for. gone tells that it does not run and is left so.
func letGoOnce(ctx context.Context, e Engine, it Item) (how How, gone bool, err error) {
	how = Untouched
	for range 3 {
		c, err := e.Container(ctx, it.ID)
		if errors.Is(err, engine.ErrNotFound) {
			c, err = successor(ctx, e, it)
		}
		switch {
		case errors.Is(err, engine.ErrNotFound):
			return Untouched, true, nil
		case err != nil:
			return "", false, err
		case it.Action == Pause && c.ID == it.ID && c.State == engine.Paused:
			how, err = Unpaused, e.Unpause(ctx, c.ID)
		case it.Action == Stop && how != Started && (c.State == engine.Exited || c.State == engine.Created):
			how, err = Started, e.Start(ctx, c.ID)
		default:
			return how, how == Untouched && (c.State == engine.Exited || c.State == engine.Dead), nil
		}
		if err != nil {
			how = Untouched
		}
		// A conflict or a vanished container means that somebody else was quicker: look again.
		if err != nil && !errors.Is(err, engine.ErrConflict) && !errors.Is(err, engine.ErrNotFound) {
			return "", false, err
		}
	}
	return "", false, errors.New("it does not come into the state it was in")
}

// successor is the container that took the place of a removed one: same project, service and number.
func successor(ctx context.Context, e Engine, it Item) (engine.Container, error) {
	if it.Project == "" || it.Service == "" {
		return engine.Container{}, engine.ErrNotFound
	}
	list, err := e.Containers(ctx, engine.Filter{Project: it.Project, Service: it.Service})
	if err != nil {
		return engine.Container{}, err
	}
	for _, c := range list {
		if c.Number == it.Number && !c.OneOff {
			return c, nil
		}
	}
	return engine.Container{}, engine.ErrNotFound
}
