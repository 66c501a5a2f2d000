package plugin

import (
	"context"
	"errors"

	"github.com/memsys/docker-memsys/hooks/ready"
	"github.com/memsys/docker-memsys/internal/progress"
)

// An attached up has the terminal until somebody ends it, or all services have ended. Beside it the services are watched as after a detached
// one. While it draws on a terminal nothing is written there; elsewhere what is wrong is said at once, on a line of its own.

// besider watches beside docker compose.
type besider struct {
	w     *guarded
	p     *proving // nil where nobody watches
	halt  func()
	done  chan struct{}
	risen *risen
	err   error // what is wrong
	said  bool
}

// start begins to watch. The lock is given back.
func (b *besider) start(ctx context.Context) {
	if !b.w.waitsForReady() {
		return
	}
	b.p, b.done = b.w.newProving(true), make(chan struct{})
	watching, halt := context.WithCancel(ctx)
	b.halt = func() {
		halt()
		<-b.done
		b.lookOnce(ctx)
	}
	go b.watch(watching)
}

// stop ends the watch once docker compose has ended.
func (b *besider) stop() {
	if b.halt != nil {
		b.halt()
	}
}

// watch watches until all is said, or until Compose has ended.
func (b *besider) watch(ctx context.Context) {
	defer close(b.done)
	risen, err := b.p.settle(ctx)
	if err == nil {
		risen.data, err = b.validate(ctx)
	}
	switch {
	case ctx.Err() != nil: // what was half looked at says nothing
	case err != nil:
		b.err = err
		b.shout()
	default:
		b.risen = risen
	}
}

// validate looks at the data. It is an operation of its own, since services may be held still for it: who works on the project comes first.
func (b *besider) validate(ctx context.Context) (string, error) {
	locked, err := b.w.begin(ctx, operationValidate, lockOptions{}, nil)
	if err != nil {
		return "the data was not validated: " + err.Error(), nil //nolint:nilerr // what the services do is not changed by that
	}
	text, err := b.w.validateRisen(locked, b.p.same())
	return text, errors.Join(err, b.w.end(locked, err))
}

// lookOnce looks a last time at services that have all ended before anything could be said of them.
func (b *besider) lookOnce(ctx context.Context) {
	if b.risen != nil || b.err != nil || ctx.Err() != nil || b.p.look(ctx) != nil {
		return
	}
	switch b.p.report.State {
	case ready.Failed:
		b.err = b.p.notUp()
	case ready.Up:
		b.risen = b.p.risen(0, nil)
	}
}

// shout says what is wrong while Compose runs, where it does not draw on a terminal.
func (b *besider) shout() {
	a := b.w.app
	if a.world.Err.Terminal {
		return
	}
	b.said = true
	_ = a.openDisplay()
	a.sink().Report(progress.Event{Step: b.w.command.verb, Status: progress.Failed, Text: b.err.Error()})
	a.closeDisplay()
}

// conclude is how the command ends, after Compose did with err: as that, unless it ended well and something is wrong. That somebody has ended it says nothing about the services.
func (b *besider) conclude(ctx context.Context, err error) error {
	switch {
	case err == nil && ctx.Err() == nil && b.err != nil:
		return b.err
	case b.err != nil && !b.said:
		b.w.app.sink().Report(progress.Event{Step: b.w.command.verb, Status: progress.Failed, Text: b.err.Error()})
	case err == nil && ctx.Err() == nil && b.risen != nil:
		b.risen.past = true
		b.w.say("ready", b.risen.text())
	}
	return err
}
