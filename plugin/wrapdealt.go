package plugin

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/quiesce"
)

// An attached up runs as long as somebody watches it. Its services are on record, and the project is locked, until docker compose has put anew or
// started all that it was handed: it may pull and build before.

// dealtLook is how often it is looked.
const dealtLook = 200 * time.Millisecond

// dealing waits beside docker compose until that has dealt with what it was handed, and gives the lock back.
type dealing struct {
	halt func()
	done chan struct{}
	over bool // the lock is given back
	err  error
}

// runAttached runs an up that stays in the terminal; once the lock is given back, b watches beside it. ctx is the run's, locked that of the lock.
func (w *guarded) runAttached(ctx, locked context.Context, b *besider) error {
	w.leave(locked)
	var owed error
	var d *dealing
	handed := false
	err := w.app.runCompose(ctx, w.command.line(), func(pid int, open func() error) error {
		if err := w.handOver(locked, pid); err != nil {
			return err
		}
		handed, owed = true, w.hooksAfterBackup(locked, w.cold.hooks)
		if err := open(); err != nil {
			return err
		}
		d = w.awaitDealt(locked, func() { b.start(ctx) })
		return nil
	}, func() { d.stop() }, b.stop)
	switch {
	case !handed:
		err = errors.Join(w.notRun(err), w.putBack(locked))
	case d != nil && d.over:
		return errors.Join(err, owed, d.err)
	default:
		back, failed := w.cold.held.TakeBack(ctx, takingOf(w.command.verb))
		w.tellBack(back, err)
		err = errors.Join(err, owed, failed)
	}
	return errors.Join(err, w.end(locked, err))
}

// awaitDealt begins to wait. What docker compose does not touch, such as what only ran in the network of a service, then runs again.
func (w *guarded) awaitDealt(locked context.Context, then func()) *dealing {
	waiting, halt := context.WithCancel(locked)
	d := &dealing{halt: halt, done: make(chan struct{})}
	go func() {
		defer close(d.done)
		if d.over = w.dealt(waiting); !d.over {
			return
		}
		_, err := w.cold.held.TakeBack(locked, quiesce.Each)
		d.err = errors.Join(err, w.end(locked, nil))
		then()
	}()
	return d
}

// stop ends the wait, once docker compose has ended.
func (d *dealing) stop() {
	if d != nil {
		d.halt()
		<-d.done
	}
}

// dealt waits until no service that docker compose brings up stands there as it was handed over; false: ctx has ended before.
func (w *guarded) dealt(ctx context.Context) bool {
	items := slices.DeleteFunc(w.cold.held.Handed(), func(it quiesce.Handed) bool {
		return !w.goes(engine.Container{Project: it.Project, Service: it.Service})
	})
	for {
		standing, _, err := quiesce.Standing(ctx, w.Engine.Client, items)
		if err == nil && len(standing) == 0 && !w.rising(ctx) {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(dealtLook):
		}
	}
}

// rising tells whether what docker compose has made in the place of a container is still to be started, or cannot be looked at.
func (w *guarded) rising(ctx context.Context) bool {
	now, err := w.containers(ctx)
	return err != nil || slices.ContainsFunc(now, func(c engine.Container) bool { return c.State == engine.Created && w.goes(c) })
}
