package quiesce

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/progress"
)

// Engine is what holding needs of an engine.
type Engine interface {
	Containers(ctx context.Context, f engine.Filter) ([]engine.Container, error)
	Container(ctx context.Context, id string) (engine.Container, error)
	Pause(ctx context.Context, id string) error
	Unpause(ctx context.Context, id string) error
	Stop(ctx context.Context, id string, timeout time.Duration) error
	Start(ctx context.Context, id string) error
}

// lossWatcher is an Engine that tells when the connection to it breaks.
type lossWatcher interface {
	// Lost is closed when it breaks before ctx ends; nil: it cannot be told.
	Lost(ctx context.Context) <-chan struct{}
}

// Recorder puts a step on record, safe against a crash, before it returns.
type Recorder interface {
	Step(name string, data any) error
}

// Guard starts something outside this process that lets the items go when this process dies or limit (0: none) has passed.
type Guard interface {
	Watch(ctx context.Context, items []Item, limit time.Duration) (Watch, error)
}

// Unguarded is the Guard of holds that must not end with this process: while a restore swaps data, services must not start between two
// states. Only Release, or recovery after it has brought the data to one of them, lets these go.
type Unguarded struct{}

// Watch starts nothing.
func (Unguarded) Watch(context.Context, []Item, time.Duration) (Watch, error) {
	return Unguarded{}, nil
}

// Done does nothing.
func (Unguarded) Done() {}

// Abandon does nothing.
func (Unguarded) Abandon() {}

// Watch is a guard at work. Exactly one of its methods is called, once.
type Watch interface {
	Done()    // the items are let go: nothing is left to do
	Abandon() // letting go failed: the guard shall try
}

// Times of a hold.
const (
	// DefaultLimit is how long a pause may last.
	DefaultLimit = 30 * time.Second
	// releaseTimeout is how long letting go is tried, whatever became of the caller's context.
	releaseTimeout = 30 * time.Second
	// guardGrace is by how much the guardian lets this process come first when the limit has passed.
	guardGrace = time.Second
)

// Quiescer holds services still, one hold at a time. All fields must be set but those that say otherwise.
type Quiescer struct {
	Engine  Engine
	Journal Recorder
	// Guard is a Guardian where data is only read, Unguarded where it is rewritten.
	Guard Guard
	Now   func() time.Time
	// Limit is how long a pause may last before everything is let go by itself; 0 means no limit. A hold by stopping has none.
	Limit time.Duration
	Sink  progress.Sink
	// Grace is how long a container has to stop before it is killed; 0: as long as its own setting says.
	Grace time.Duration
	// Hooks are the services' own commands around stop and start; nil: there are none.
	Hooks Hooks

	recorded map[string]bool // sets of items on record
}

// Hooks runs what a service asks for when it is stopped and started: pre_stop and post_start of its compose file, which the engine
// by itself does not run.
type Hooks interface {
	// PreStop runs in the container before it is stopped. An error keeps it running.
	PreStop(ctx context.Context, it Item) error
	// PostStart runs in the container after it was started again.
	PostStart(ctx context.Context, it Item) error
}

// CannotPauseError says that the engine has no way to pause a container, or, if Busy, did not manage to just now: a program that waits for a
// slow disk cannot be frozen before it has what it waits for.
type CannotPauseError struct {
	Item Item
	Err  error
	Busy bool
}

// Error says what the engine said.
func (e *CannotPauseError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *CannotPauseError) Unwrap() error { return e.Err }

// Hold holds the containers of the plan still. If one cannot be held, those held already are let go again and the error says why.
// A container that stopped or was paused by somebody else meanwhile is left as it is. A request under way is waited for even when ctx
// ends, since only then its outcome is known.
func (q *Quiescer) Hold(ctx context.Context, p Plan) (*Held, error) {
	h := &Held{q: q, over: make(chan struct{})}
	items, err := q.stillRunning(ctx, p.Items)
	if err != nil {
		return nil, err
	}
	if len(items) == 0 {
		return h, nil
	}
	h.id = rand.Text()
	if pauses(items) {
		h.limit = q.Limit
	}
	// A pause is short: one record for all, so that no disk is waited for while the first ones are paused.
	if err := q.record(h.id, withAction(items, Pause)); err != nil {
		return nil, err
	}
	if h.watch, err = q.Guard.Watch(ctx, items, guardLimit(h.limit, items)); err != nil {
		return nil, errors.Join(fmt.Errorf("start the guardian: %w", err), q.released(h.id))
	}
	h.begin()
	h.watchEngine(ctx)
	for _, level := range byLevel(items) {
		if err := q.holdLevel(ctx, h, level); err != nil {
			return nil, errors.Join(err, h.Release(ctx))
		}
	}
	if !h.settle() {
		return nil, errors.Join(h.tooLong(), h.Release(ctx))
	}
	return h, nil
}

func pauses(items []Item) bool {
	return slices.ContainsFunc(items, func(it Item) bool { return it.Action == Pause })
}

func withAction(items []Item, action Mode) []Item {
	return slices.DeleteFunc(slices.Clone(items), func(it Item) bool { return it.Action != action })
}

// stopAllowance is by how much the guardian waits longer where something is stopped while something else is paused.
const stopAllowance = 2 * time.Minute

// holdLevel holds containers that do not wait for each other, at once. It returns when the last of them is held.
func (q *Quiescer) holdLevel(ctx context.Context, h *Held, items []Item) error {
	if err := q.record(h.id, withAction(items, Stop)); err != nil {
		return err
	}
	if pauses(items) {
		h.limitFromNow()
	}
	errs := make([]error, len(items))
	var group sync.WaitGroup
	for i, it := range items {
		group.Go(func() { errs[i] = q.hold(ctx, h, it) })
	}
	group.Wait()
	return errors.Join(errs...)
}

func guardLimit(limit time.Duration, items []Item) time.Duration {
	switch {
	case limit == 0:
		return 0
	case len(withAction(items, Stop)) > 0:
		return limit + guardGrace + stopAllowance
	}
	return limit + guardGrace
}

// stillRunning leaves out what changed since the plan was made.
func (q *Quiescer) stillRunning(ctx context.Context, items []Item) ([]Item, error) {
	var out []Item
	for _, it := range items {
		c, err := q.Engine.Container(ctx, it.ID)
		switch {
		case errors.Is(err, engine.ErrNotFound):
		case err != nil:
			return nil, fmt.Errorf("hold %s still: %w", it.Label(), err)
		case runs(c.State):
			out = append(out, it)
		}
	}
	return out, nil
}

func (q *Quiescer) hold(ctx context.Context, h *Held, it Item) error {
	if ctx.Err() != nil {
		return fmt.Errorf("hold %s still: %w", it.Label(), context.Cause(ctx))
	}
	if h.Expired() {
		return h.tooLong()
	}
	q.report(string(it.Action), it, progress.Working)
	if err := q.preStop(ctx, it); err != nil {
		return err
	}
	// It counts as held from before the request: one that fails on the way back may have been done.
	h.add(it)
	err := q.act(context.WithoutCancel(ctx), it)
	if err != nil && q.changed(ctx, it, err) {
		h.drop(it)
		return nil
	}
	if err != nil && it.Action == Pause && strings.Contains(strings.ToLower(err.Error()), "cannot pause") {
		err = &CannotPauseError{Item: it, Err: err, Busy: strings.Contains(err.Error(), "unable to freeze")}
	}
	if err != nil {
		return fmt.Errorf("hold %s still: %w", it.Label(), err)
	}
	q.report(string(it.Action), it, progress.Done)
	return nil
}

// preStop runs the service's own command before it is stopped. In a container that restarts again and again nothing runs that it could
// prepare.
func (q *Quiescer) preStop(ctx context.Context, it Item) error {
	if it.Action != Stop || q.Hooks == nil {
		return nil
	}
	err := q.Hooks.PreStop(ctx, it)
	if err == nil || errors.Is(err, engine.ErrConflict) && q.state(ctx, it) == engine.Restarting {
		return nil
	}
	return fmt.Errorf("stop %s: its pre_stop command failed: %w", it.Label(), err)
}

// state is what the engine says of a container, empty where it does not answer.
func (q *Quiescer) state(ctx context.Context, it Item) engine.State {
	c, err := q.Engine.Container(context.WithoutCancel(ctx), it.ID)
	if err != nil {
		return ""
	}
	return c.State
}

func (q *Quiescer) act(ctx context.Context, it Item) error {
	if it.Action == Stop {
		return q.Engine.Stop(ctx, it.ID, q.Grace)
	}
	return q.Engine.Pause(ctx, it.ID)
}

// changed tells whether a refused request means that somebody else paused, stopped or removed the container in this moment.
func (q *Quiescer) changed(ctx context.Context, it Item, err error) bool {
	if !errors.Is(err, engine.ErrConflict) && !errors.Is(err, engine.ErrNotFound) {
		return false
	}
	c, err := q.Engine.Container(context.WithoutCancel(ctx), it.ID)
	return errors.Is(err, engine.ErrNotFound) || err == nil && !runs(c.State)
}

func (q *Quiescer) report(step string, it Item, status progress.Status) {
	q.Sink.Report(progress.Event{Step: step, Object: it.Label(), Status: status})
}
