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
	over  chan struct{} // closed when the limit has passed
	timer *time.Timer

	mu      sync.Mutex
	items   []Item // held and not yet let go
	all     []Item
	since   time.Time
	lasted  time.Duration
	settled bool // everything is held: from now on the limit lets go by itself
	ended   bool
	expired bool
}

// begin starts to count the time, just before the first container is held.
func (h *Held) begin() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.since = h.q.Now()
	if h.limit > 0 {
		h.timer = time.AfterFunc(h.limit, h.expire)
	}
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
	if !h.ended && !h.expired && h.limit > 0 && h.q.Now().Sub(h.since) > h.limit {
		h.markExpired()
	}
	return h.release(ctx)
}

func (h *Held) release(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	done, left, err := letGoAll(ctx, h.q.Engine, h.items)
	h.items = left
	for _, r := range done {
		h.q.report("resume", r.Item, progress.Done)
	}
	if !h.ended {
		h.end(len(left) == 0)
	}
	if len(left) > 0 {
		return err
	}
	return errors.Join(err, h.q.released(h.id))
}

func (h *Held) end(released bool) {
	h.ended = true
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
