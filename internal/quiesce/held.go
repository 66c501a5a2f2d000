package quiesce

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/memsys/docker-memsys/internal/progress"
)

// Held is a hold in force. Release must be called, whatever happens; it may be called again.
type Held struct {
	q     *Quiescer
	id    string // empty: nothing had to be held
	limit time.Duration
	watch Watch
	// lost is closed when the engine goes away; unwatch ends looking.
	lost    <-chan struct{}
	unwatch context.CancelFunc
	over    chan struct{} // closed when the limit has passed
	timer   *time.Timer

	mu      sync.Mutex
	items   []Item // held and not yet let go
	handed  []Handed
	all     []Item
	stopped []Item          // by somebody else, while they were paused
	spans   map[string]span // by container
	since   time.Time
	paused  time.Time // since when the limit counts
	lasted  time.Duration
	settled bool // everything is held: from now on the limit lets go by itself
	ended   bool
	expired bool
}

// span is the time in which one container was held.
type span struct{ from, to time.Time }

// Time is how long a container was held still.
type Time struct {
	Item  Item
	Still time.Duration
}

// begin starts to count the time, just before the first container is held.
func (h *Held) begin() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.since, h.spans = h.q.Now(), map[string]span{}
}

// watchEngine looks from now on whether the engine goes away.
func (h *Held) watchEngine(ctx context.Context) {
	ctx, h.unwatch = context.WithCancel(context.WithoutCancel(ctx))
	if w, ok := h.q.Engine.(lossWatcher); ok {
		h.lost = w.Lost(ctx)
	}
}

// limitFromNow starts to count the limit, just before the first container is paused.
func (h *Held) limitFromNow() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.limit > 0 && h.timer == nil {
		h.paused = h.q.Now()
		h.timer = time.AfterFunc(h.limit, h.expire)
	}
}

// Times are how long each container was held still. Ask after Release.
func (h *Held) Times() []Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []Time
	for _, it := range h.all {
		if s := h.spans[it.ID]; !s.to.IsZero() {
			out = append(out, Time{it, s.to.Sub(s.from)})
		}
	}
	return out
}

// settle tells that everything is held; false: too late, the limit has passed.
func (h *Held) settle() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.settled = true
	return !h.expired
}

func (h *Held) expire() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ended || h.expired {
		return
	}
	h.markExpired()
	if h.settled {
		_ = h.release(context.Background()) // what is left, the caller's Release tries again and reports
	}
}

func (h *Held) markExpired() {
	h.expired = true
	close(h.over)
}

func (h *Held) tooLong() error {
	return fmt.Errorf("hold services still: not all of them could be held within %s", h.limit)
}

func (h *Held) add(it Item) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.items, h.all = append(h.items, it), append(h.all, it)
	h.spans[it.ID] = span{from: h.q.Now()}
}

func (h *Held) drop(it Item) {
	h.mu.Lock()
	defer h.mu.Unlock()
	same := func(other Item) bool { return other.ID == it.ID }
	h.items, h.all = slices.DeleteFunc(h.items, same), slices.DeleteFunc(h.all, same)
}

// Items returns what was held, let go meanwhile or not.
func (h *Held) Items() []Item {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.all)
}

// Over is closed when the limit has passed and the services are let go by themselves: what is read from then on is not still.
func (h *Held) Over() <-chan struct{} { return h.over }

// Expired tells whether the hold ended by its limit: what was read must then not count as read from still services. Ask after Release.
func (h *Held) Expired() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.expired
}

// Stopped are the containers that somebody else stopped or removed while they were paused: nobody can tell what they wrote on their way.
// Ask after Release.
func (h *Held) Stopped() []Item {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.stopped)
}

// Lasted is how long the services were held still, so far or in all.
func (h *Held) Lasted() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.id != "" && !h.ended {
		return h.q.Now().Sub(h.since)
	}
	return h.lasted
}

// Release lets exactly those containers go that were held. It does not end with ctx but tries for up to 30 s; what then still stands is
// named in the error, is left to the guardian, and stays in the journal for Recover.
func (h *Held) Release(ctx context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.id == "" || h.ended && len(h.items) == 0 {
		return nil
	}
	// The limit may have passed while this whole process stood still: then the guardian has let go.
	if !h.ended && !h.expired && h.timer != nil && h.q.Now().Sub(h.paused) > h.limit {
		h.markExpired()
	}
	return h.release(ctx)
}

func (h *Held) release(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	soon, cancel := context.WithTimeout(ctx, releaseTimeout)
	defer cancel()
	done, left, err := h.letGo(soon)
	h.items = left
	for _, r := range done {
		h.spans[r.Item.ID] = span{h.spans[r.Item.ID].from, h.q.Now()}
		if !r.Gone {
			h.q.report(r.step(), r.Item, progress.Done)
			continue
		}
		h.q.Sink.Report(progress.Event{Step: "resume", Object: r.Item.Label(), Status: progress.Warning, Text: "it was stopped or removed meanwhile by somebody else, and is left so"})
		if r.Item.Action == Pause {
			h.stopped = append(h.stopped, r.Item)
		}
	}
	if !h.ended {
		h.end(len(left) == 0)
	}
	if len(left) == 0 {
		err = errors.Join(err, h.q.released(h.id))
	}
	h.q.postStart(ctx, done)
	return err
}

// letGo lets go what is held, and starts what the engine has ended by going away while it was paused: nobody else would. What is still
// down then, or cannot be asked about, is on record as stopped, so that recovery starts it too.
func (h *Held) letGo(ctx context.Context) (done []Resumed, left []Item, err error) {
	done, left, err = letGoAll(ctx, h.q.Engine, h.items)
	if !h.engineLost() {
		return done, left, err
	}
	var ended []Item
	done = slices.DeleteFunc(done, func(r Resumed) bool {
		if r.Gone && r.Item.Action == Pause {
			ended = append(ended, r.Item)
			return true
		}
		return false
	})
	started, down, failed := letGoAll(ctx, h.q.Engine, stopped(ended))
	for _, r := range started {
		r.Item.Action = Pause // as it was held
		if !r.Gone {
			h.q.Sink.Report(progress.Event{Step: "start", Object: r.Item.Label(), Status: progress.Warning, Text: "the engine went away while it was paused"})
			h.stopped = append(h.stopped, r.Item)
		}
		done = append(done, r)
	}
	owed := append(stopped(withAction(left, Pause)), down...)
	return done, append(left, down...), errors.Join(err, failed, h.q.record(h.id, owed))
}

func (h *Held) engineLost() bool {
	select {
	case <-h.lost:
		return true
	default:
		return false
	}
}

// stopped are items as a hold by stopping has them: they are let go by a start.
func stopped(items []Item) []Item {
	items = slices.Clone(items)
	for i := range items {
		items[i].Action = Stop
	}
	return items
}

// postStart runs the services' own commands after a start. One that fails is told; the service runs.
func (q *Quiescer) postStart(ctx context.Context, done []Resumed) {
	if q.Hooks == nil {
		return
	}
	for _, r := range done {
		if r.How != Started {
			continue
		}
		if err := q.Hooks.PostStart(ctx, r.Item); err != nil {
			q.Sink.Report(progress.Event{Step: r.step(), Object: r.Item.Label(), Status: progress.Warning, Text: "it runs, but its post_start command failed: " + err.Error()})
		}
	}
}

func (h *Held) end(released bool) {
	h.ended = true
	h.unwatch()
	h.lasted = h.q.Now().Sub(h.since)
	if h.timer != nil {
		h.timer.Stop()
	}
	if released {
		h.watch.Done()
	} else {
		h.watch.Abandon()
	}
}
