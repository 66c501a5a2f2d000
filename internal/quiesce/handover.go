package quiesce

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/journal"
	"github.com/memsys/docker-memsys/internal/progress"
)

// A hold may be handed over to a program that decides what becomes of the containers, such as docker compose, which removes them or puts
// others in their place. From then on neither the guardian nor Release touches them. Once that program has ended, TakeBack lets go what it
// has left as it was: the very same container, still stopped, and started by nobody since.

// Handed is one container that was handed over.
type Handed struct {
	Item
	// Started is when it had been started before it was stopped: a later start is somebody else's.
	Started time.Time `json:"started,omitzero"`
}

// handedRecord is the data of the step.
type handedRecord struct {
	Hold  string   `json:"hold"`
	Items []Handed `json:"items"`
}

// Taking says what to do with containers that were handed over and still stand there where others of them are gone.
type Taking string

// The ways to take back.
const (
	// Each lets go what still stands there.
	Each Taking = "each"
	// AllOrNone lets go only if none is gone: who has begun to remove them was to remove all.
	AllOrNone Taking = "all-or-none"
)

// Back is what was found when containers were taken back.
type Back struct {
	Started []Item // let go
	Left    []Item // stopped, and left so
	Gone    []Item // removed
}

// HandOver gives what is held to somebody else, on record, and ends the guardian. It fails where a container runs again: what it has
// written since would be lost. Then nothing has changed, and Release lets go as before.
func (h *Held) HandOver(ctx context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.id == "" || h.ended {
		return nil
	}
	var items []Handed
	for _, it := range h.items {
		c, err := h.q.Engine.Container(ctx, it.ID)
		switch {
		case errors.Is(err, engine.ErrNotFound):
			continue // somebody else has removed it
		case err != nil:
			return fmt.Errorf("hand over %s: %w", it.Label(), err)
		case it.Action != Stop || c.State != engine.Exited && c.State != engine.Dead:
			return fmt.Errorf("hand over %s: it is %s, not stopped: somebody else has started it", it.Label(), c.State)
		}
		items = append(items, Handed{Item: it, Started: c.Started})
	}
	if err := h.q.Journal.Step(handedStep, handedRecord{Hold: h.id, Items: items}); err != nil {
		return fmt.Errorf("record that services were handed over: %w", err)
	}
	h.handed, h.items = items, nil
	h.end(true)
	return nil
}

// Handed returns what was handed over and not taken back.
func (h *Held) Handed() []Handed {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.handed)
}

// Leave notes on record that what was handed over is no concern of this run any more.
func (h *Held) Leave() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.handed) == 0 {
		return nil
	}
	return h.q.released(h.id)
}

// TakeBack lets go what was handed over and is as it was left, once whoever got it has ended. It does not end with ctx. What fails stays in the
// journal. Of a hold that was not handed over it takes nothing.
func (h *Held) TakeBack(ctx context.Context, how Taking) (Back, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.handed) == 0 {
		return Back{}, nil
	}
	ctx = context.WithoutCancel(ctx)
	soon, cancel := context.WithTimeout(ctx, releaseTimeout)
	defer cancel()
	back, done, err := takeBack(soon, h.q.Engine, h.handed, how)
	for _, r := range done {
		h.q.Sink.Report(progress.Event{Step: r.step(), Object: r.Item.Label(), Status: progress.Done})
	}
	if err == nil {
		h.handed = nil
		err = h.q.released(h.id)
	}
	h.q.postStart(ctx, done)
	return back, err
}

// HandedOver returns what the steps of an interrupted run say was handed over and not taken back.
func HandedOver(steps []journal.Step) ([]Handed, error) {
	out := map[string][]Handed{}
	var order []string
	for _, s := range steps {
		if s.Name != handedStep && s.Name != releasedStep {
			continue
		}
		var r handedRecord
		if err := json.Unmarshal(s.Data, &r); err != nil {
			return nil, fmt.Errorf("read step %s of the journal: %w", s.Name, err)
		}
		if s.Name == releasedStep {
			delete(out, r.Hold)
			continue
		}
		order = append(order, r.Hold)
		out[r.Hold] = r.Items
	}
	var all []Handed
	for _, id := range order {
		all = append(all, out[id]...)
	}
	return all, nil
}

// TakeBack lets go what was handed over and is as it was left, once whoever got it has ended. It tries for at most 30 s, and may be repeated.
func TakeBack(ctx context.Context, e Engine, items []Handed, how Taking) (Back, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	back, _, err := takeBack(ctx, e, items, how)
	return back, err
}

// Standing returns the items that stand there as they were left, and those that are gone. The others were started since.
func Standing(ctx context.Context, e Engine, items []Handed) (standing, gone []Item, err error) {
	for _, it := range items {
		c, err := e.Container(ctx, it.ID)
		switch {
		case errors.Is(err, engine.ErrNotFound):
			gone = append(gone, it.Item)
		case err != nil:
			return nil, nil, fmt.Errorf("look what became of %s: %w", it.Label(), err)
		case c.State == engine.Exited && c.Started.Equal(it.Started):
			standing = append(standing, it.Item)
		}
	}
	return standing, gone, nil
}

func takeBack(ctx context.Context, e Engine, items []Handed, how Taking) (back Back, done []Resumed, err error) {
	ours, gone, err := Standing(ctx, e, items)
	if err != nil {
		return Back{}, nil, err
	}
	back.Gone = gone
	if how == AllOrNone && len(back.Gone) > 0 {
		back.Left = ours
		return back, nil, nil
	}
	all, _, err := letGoAll(ctx, alone{e}, ours)
	for _, r := range all {
		switch {
		case r.How == Started:
			back.Started = append(back.Started, r.Item)
			done = append(done, r)
		case r.Gone:
			back.Gone = append(back.Gone, r.Item)
		}
	}
	return back, done, err
}

// alone is an engine on which nothing takes the place of a container that was removed.
type alone struct{ Engine }

// Containers finds none.
func (alone) Containers(context.Context, engine.Filter) ([]engine.Container, error) { return nil, nil }
