package plugin

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/progress"
	"github.com/memsys/docker-memsys/internal/quiesce"
)

// countEvery is how often a helper tells how far it is.
const countEvery = 50 * time.Millisecond

// lineSink sends events to the other end. Of those that only count it sends a few.
type lineSink struct {
	line caller
	now  func() time.Time

	mu   sync.Mutex
	last time.Time
}

// Report implements progress.Sink.
func (s *lineSink) Report(e progress.Event) {
	if e.Status == progress.Working && e.Unit != "" && e.Done < e.Total && !s.due() {
		return
	}
	_ = s.line.Notify(tellProgress, e) // who does not hear how far it is hears of the end
}

func (s *lineSink) due() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if now.Sub(s.last) < countEvery {
		return false
	}
	s.last = now
	return true
}

// lineJournal is the other end's journal.
type lineJournal struct{ line caller }

// Step puts a step on record with the other end before it returns, whatever becomes of the operation.
func (j lineJournal) Step(name string, data any) error {
	raw, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("encode step %s: %w", name, err)
	}
	return j.line.Call(context.Background(), askStep, stepCall{name, raw}, nil)
}

// lineEngine is the engine, which the other end asks.
type lineEngine struct{ line caller }

func (e lineEngine) Containers(ctx context.Context, f engine.Filter) (out []engine.Container, err error) {
	return out, e.line.Call(ctx, askContainers, f, &out)
}

func (e lineEngine) Container(ctx context.Context, id string) (out engine.Container, err error) {
	return out, e.line.Call(ctx, askContainer, nameCall{Name: id}, &out)
}

func (e lineEngine) Pause(ctx context.Context, id string) error {
	return e.line.Call(ctx, askPause, nameCall{Name: id}, nil)
}

func (e lineEngine) Unpause(ctx context.Context, id string) error {
	return e.line.Call(ctx, askUnpause, nameCall{Name: id}, nil)
}

func (e lineEngine) Stop(ctx context.Context, id string, timeout time.Duration) error {
	return e.line.Call(ctx, askStop, nameCall{Name: id, Seconds: timeout.Seconds()}, nil)
}

func (e lineEngine) Start(ctx context.Context, id string) error {
	return e.line.Call(ctx, askStart, nameCall{Name: id}, nil)
}

func (e lineEngine) Volume(ctx context.Context, name string) (out engine.Volume, err error) {
	return out, e.line.Call(ctx, askVolume, nameCall{Name: name}, &out)
}

func (e lineEngine) CreateVolume(ctx context.Context, v engine.Volume) (out engine.Volume, err error) {
	return out, e.line.Call(ctx, askMakeVolume, v, &out)
}

func (e lineEngine) RemoveVolume(ctx context.Context, name string) error {
	return e.line.Call(ctx, askRemoveVolume, nameCall{Name: name}, nil)
}

// lineHooks are the services' own commands, which the other end runs.
type lineHooks struct{ line caller }

// PreStop implements quiesce.Hooks.
func (h lineHooks) PreStop(ctx context.Context, it quiesce.Item) error {
	return h.line.Call(ctx, askPreStop, it, nil)
}

// PostStart implements quiesce.Hooks.
func (h lineHooks) PostStart(ctx context.Context, it quiesce.Item) error {
	return h.line.Call(ctx, askPostStart, it, nil)
}
