package plugin

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"sync/atomic"
)

// errInterrupted is the cause of a context that a signal or a broken pipe cancelled.
var errInterrupted = errors.New("interrupted")

// interruption remembers that this run was interrupted, whoever did it.
type interruption struct {
	cancel context.CancelCauseFunc
	ctx    context.Context
	stop   func()
	// early holds an interruption that came before there was a context.
	early atomic.Bool
	// unread tells that a stream broke: somebody stopped reading.
	unread atomic.Bool
}

// watch returns a context that ends with the first signal. Later signals change nothing: what was begun is put back first.
func (i *interruption) watch(parent context.Context) context.Context {
	i.ctx, i.cancel = context.WithCancelCause(parent)
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, wantedSignals()...)
	swallowSIGPIPE()
	done := make(chan struct{})
	i.stop = func() { signal.Stop(signals); close(done) }
	go func() {
		for {
			select {
			case <-signals:
				i.interrupt()
			case <-done:
				return
			}
		}
	}()
	if i.early.Load() {
		i.interrupt()
	}
	return i.ctx
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
