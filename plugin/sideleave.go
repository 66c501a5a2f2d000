package plugin

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/memsys/docker-memsys/internal/helper"
	"github.com/memsys/docker-memsys/internal/restore"
)

// patience is how long a helper may say nothing after an interruption before it is ended: a disk that hangs may never answer.
const patience = time.Minute

// errLeft is the outcome of calls to a helper that was ended because it did not come to an end after an interruption.
var errLeft = errors.New("the helper container did not stop after the interruption, and was ended")

// leaving ends a helper that an interruption does not end: after a second Ctrl-C, or when nothing was heard of it for a time.
type leaving struct {
	over  chan struct{} // closed by the helper's regular end
	word  chan struct{} // something was heard
	given chan struct{} // closed when it is given up
	close func(ctx context.Context) error
}

// begin watches over a helper.
func (l *leaving) begin(ctx context.Context, f *far) {
	l.over, l.word, l.given = make(chan struct{}), make(chan struct{}, 1), make(chan struct{})
	var mu sync.Mutex
	l.close = func(ctx context.Context) error {
		mu.Lock()
		defer mu.Unlock()
		return f.process.Close(ctx)
	}
	w := f.session.app.world
	wait := w.Patience
	if wait == 0 {
		wait = patience
	}
	go l.watch(ctx, f.session.app.interruption.again, wait)
}

func (l *leaving) watch(ctx context.Context, again <-chan struct{}, wait time.Duration) {
	select {
	case <-l.over:
		return
	case <-again:
	case <-ctx.Done():
		if !l.silent(again, wait) {
			return
		}
	}
	close(l.given)
	_ = l.close(context.WithoutCancel(ctx)) // its line is cut first, so that nobody waits any more; what is left of it the next command removes
}

// silent waits until nothing was heard for a time, or nobody wants to wait; false: it has ended.
func (l *leaving) silent(again <-chan struct{}, wait time.Duration) bool {
	for {
		select {
		case <-l.over:
			return false
		case <-again:
			return true
		case <-time.After(wait):
			return true
		case <-l.word:
		}
	}
}

// heard notes that the helper is alive.
func (l *leaving) heard() {
	select {
	case l.word <- struct{}{}:
	default:
	}
}

// end ends the helper and the watch over it.
func (l *leaving) end(ctx context.Context) error {
	select {
	case <-l.over:
	default:
		close(l.over)
	}
	return l.close(ctx)
}

// Call calls the helper. Its end that this process has brought about is told from others.
func (f *far) Call(ctx context.Context, method string, params, result any) error {
	err := f.process.Call(ctx, method, params, result)
	if !errors.Is(err, helper.ErrGone) {
		return err
	}
	select {
	case <-f.left.given:
		return fmt.Errorf("%w: %w", errLeft, err)
	default:
		return err
	}
}

// stuckHelper says that a helper was ended while it worked on data.
func stuckHelper(err error) error {
	return &restore.StuckError{Err: err, Where: []string{"docker memsys recover brings the data to its old or its new state, once the engine's disk answers", "services that were stopped are started again by that"}}
}
