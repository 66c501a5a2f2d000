package journal

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"
)

// How often a lock that another run holds is asked for again.
const lockPoll = 250 * time.Millisecond

// LockOptions says what to lock and how long to wait for it.
type LockOptions struct {
	// Wait is how long to wait for another run; 0 asks once.
	Wait time.Duration
	// Holder describes this run; Self makes one.
	Holder Holder
	// BackupsDir is locked too if it is set: runs on other machines or of other projects may use the same folder. It must exist.
	BackupsDir string
	// Engine, where one answers, shows the lock to all its clients. Project is the name by which they know the project.
	Engine  LockEngine
	Project string
	Now     func() time.Time
	// OnWait is told once who is waited for.
	OnWait func(Holder)
	// Heir is told of a run that died with the lock, before the lock is taken over; its error keeps the lock as it is. What that run had
	// begun may stand in a state folder that this run does not see. Nil takes over.
	Heir func(dead Holder) error
}

// Lock is a lock in force, on up to three things: the state folder, the backups directory, the engine.
type Lock struct {
	parts  []part
	limits []string
	cancel context.CancelCauseFunc
}

// part is one thing that is locked.
type part interface {
	// try asks once. blocked is who has it; nil: it is ours.
	try(ctx context.Context) (blocked *blocker, err error)
	// release gives it back.
	release(ctx context.Context) error
}

// blocker is who has a lock. A suspect one is probably dead: it is worth to look for longer than Wait.
type blocker struct {
	Holder
	suspect bool
}

// Lock takes the lock of the project. A *LockedError says who holds it. The returned context ends with ErrLockLost as its cause when
// the lock is lost, and when it is released: do all work under it. Locks of dead runs are taken over.
func (s *State) Lock(ctx context.Context, o LockOptions) (context.Context, *Lock, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	l := &Lock{cancel: cancel}
	parts := []part{newFileLock(filepath.Join(s.dir, lockName), o.Holder)}
	if o.BackupsDir != "" {
		backups := newFileLock(filepath.Join(o.BackupsDir, BackupsLockName), o.Holder)
		backups.heir = o.Heir
		parts = append(parts, backups)
	}
	var claim *claim
	if o.Engine != nil {
		claim = newClaim(o)
		parts = append(parts, claim)
	}
	w := waiter{o: o, deadline: o.Now().Add(o.Wait)}
	for i, p := range parts {
		err := w.acquire(ctx, p)
		if i > 0 && errors.Is(err, errNoLocks) {
			l.limits = append(l.limits, fmt.Sprintf("%v: runs of other machines that use it are not seen", err))
			continue
		}
		if err != nil {
			return nil, nil, errors.Join(s.lockError(err), l.Release(ctx))
		}
		l.parts = append(l.parts, p)
	}
	if claim != nil {
		claim.keep(ctx, cancel)
	}
	return ctx, l, nil
}

// lockError is why the project's lock was not given, as a sentence about the project.
func (s *State) lockError(err error) error {
	if errors.Is(err, ErrLocked) {
		return fmt.Errorf("project %s is %w", s.identity, err)
	}
	return fmt.Errorf("lock project %s: %w", s.identity, err)
}

// Limits says in sentences what the lock could not be put on.
func (l *Lock) Limits() []string { return l.limits }

// Release gives the lock back; it does not end with ctx. An error leaves nothing that blocks later runs of this machine.
func (l *Lock) Release(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	l.cancel(context.Canceled)
	var err error
	for len(l.parts) > 0 {
		last := len(l.parts) - 1
		err = errors.Join(err, l.parts[last].release(ctx))
		l.parts = l.parts[:last]
	}
	return err
}

// waiter asks for one part after another, with one deadline for all.
type waiter struct {
	o        LockOptions
	deadline time.Time
	told     bool
}

func (w *waiter) acquire(ctx context.Context, p part) error {
	for {
		b, err := p.try(ctx)
		if err != nil || b == nil {
			return err
		}
		if !b.suspect && !w.o.Now().Before(w.deadline) {
			return &LockedError{Holder: b.Holder}
		}
		if !w.told && w.o.OnWait != nil {
			w.told = true
			w.o.OnWait(b.Holder)
		}
		if err := pause(ctx, lockPoll); err != nil {
			return err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}
