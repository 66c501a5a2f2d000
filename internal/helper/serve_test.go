package helper

import (
	"context"
	"encoding/json"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"gotest.tools/v3/assert"
)

// A helper that loses its client must not begin to put things back: that is for the journal's owner to decide, and the process ends in the
// middle of it.
func TestWhatAHelperDoesDoesNotLearnOfTheEndOfItsLine(t *testing.T) {
	for range 50 {
		var learned atomic.Bool
		here, there := net.Pipe()
		served := make(chan int, 1)
		go func() {
			served <- Serve(there, there, "1", func(l *Line) map[string]Handler {
				return map[string]Handler{
					"ask": func(context.Context, json.RawMessage) (any, error) {
						_ = l.Call(context.Background(), "answer", nil, nil)
						learned.Store(true)
						return nil, nil
					},
					"wait": func(ctx context.Context, _ json.RawMessage) (any, error) {
						_ = l.Notify("waiting", nil)
						<-ctx.Done()
						learned.Store(true)
						return nil, ctx.Err()
					},
				}
			})
		}()
		busy := make(chan struct{}, 2)
		stay := make(chan struct{})
		l := NewLine(here, map[string]Handler{
			"answer":  func(context.Context, json.RawMessage) (any, error) { busy <- struct{}{}; <-stay; return nil, nil },
			"waiting": func(context.Context, json.RawMessage) (any, error) { busy <- struct{}{}; return nil, nil },
		})
		go func() { _ = l.Call(context.Background(), "ask", nil, nil) }()
		go func() { _ = l.Call(context.Background(), "wait", nil, nil) }()
		<-busy
		<-busy
		assert.NilError(t, l.Close())
		assert.Equal(t, <-served, 0)
		<-time.After(time.Millisecond) // whoever learns of the end has the time to show it
		assert.Assert(t, !learned.Load())
		close(stay)
	}
}
