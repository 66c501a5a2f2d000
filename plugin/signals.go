package plugin

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"sync/atomic"
	"time"
)

// errInterrupted is the cause of a context that a signal or a broken pipe cancelled.
var errInterrupted = errors.New("interrupted")

// interruption remembers that this run was interrupted, whoever did it.
type interruption struct {
	cancel context.CancelCauseFunc
	ctx    context.Context
	stop   func()
	// again is closed by a second Ctrl-C.
	again chan struct{}
	// early holds an interruption that came before there was a context.
	early atomic.Bool
	// unread tells that a stream broke: somebody stopped reading.
	unread atomic.Bool
}

// twice is how far apart two Ctrl-C are at least: one may arrive twice, from the terminal and from a parent that passes it on.
const twice = 300 * time.Millisecond

// watch returns a context that ends with the first signal. Later signals change nothing: what was begun is put back first. A second
// Ctrl-C ends only the wait for a helper that does not answer.
func (i *interruption) watch(parent context.Context) context.Context {
	i.ctx, i.cancel = context.WithCancelCause(parent)
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, wantedSignals()...)
	swallowSIGPIPE()
	done := make(chan struct{})
	i.stop = func() { signal.Stop(signals); close(done) }
	i.again = make(chan struct{})
	go i.receive(signals, done, time.Now)
	if i.early.Load() {
		i.interrupt()
	}
	return i.ctx
}

// receive acts on signals until the run is done.
func (i *interruption) receive(signals <-chan os.Signal, done <-chan struct{}, now func() time.Time) {
	var first time.Time
	asked := false
	for {
		select {
		case s := <-signals:
			i.interrupt()
			switch {
			case s != os.Interrupt || asked:
			case first.IsZero():
				first = now()
			case now().Sub(first) > twice:
				asked = true
				close(i.again)
			}
		case <-done:
			return
		}
	}
}

// interrupt cancels the run. It may be called before watch and more than once.
func (i *interruption) interrupt() {
	i.early.Store(true)
	if i.cancel != nil {
		i.cancel(errInterrupted)
	}
}

// broken interrupts because a stream broke.
func (i *interruption) broken() {
	i.unread.Store(true)
	i.interrupt()
}

// happened tells whether the run was interrupted, by us or by the docker command that closed its socket.
func (i *interruption) happened() bool {
	return i.early.Load() || i.ctx != nil && i.ctx.Err() != nil
}

// release gives the signals back.
func (i *interruption) release() {
	if i.stop != nil {
		i.stop()
		i.stop = nil
	}
}

// wantedSignals are those that end a run, without any that our parent told us to ignore: nohup and background jobs of a shell go on.
func wantedSignals() []os.Signal {
	var wanted []os.Signal
	for _, s := range endingSignals() {
		if !signal.Ignored(s) {
			wanted = append(wanted, s)
		}
	}
	return wanted
}
