package journal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/memsys/docker-memsys/internal/engine"
)

// keep renews the claim until ctx ends or release stops it; when the lock is lost it calls lost.
func (c *claim) keep(ctx context.Context, lost context.CancelCauseFunc) {
	ctx, c.stop = context.WithCancel(ctx)
	c.stopped = make(chan struct{})
	go func() {
		defer close(c.stopped)
		for pause(ctx, renewEvery) == nil {
			if err := c.renew(ctx); err != nil && ctx.Err() == nil {
				lost(err)
				return
			}
		}
	}()
}

// renew returns an error when the lock is lost. An engine that does not answer for a moment is asked again next time.
func (c *claim) renew(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, renewEvery)
	defer cancel()
	last := c.beat
	if err := c.make(ctx, last+1); err != nil {
		return c.late(err)
	}
	// From the making of the new claim to here both were there. That the old one is gone means that somebody took us for dead.
	err := c.engine.RemoveVolume(ctx, c.name(last))
	if errors.Is(err, engine.ErrNotFound) {
		return fmt.Errorf("%w: its claim %s was removed from the engine", ErrLockLost, c.name(last))
	}
	if err != nil {
		return c.late(err)
	}
	return nil
}

// late tells whether the last renewal is so long ago that others may take the lock over.
func (c *claim) late(err error) error {
	if since := c.now().Sub(c.renewed); since > loseAfter {
		return fmt.Errorf("%w: it could not be renewed for %s: %w", ErrLockLost, since.Round(time.Second), err)
	}
	return nil
}

// release removes our claims, whichever stage a renewal was in.
func (c *claim) release(ctx context.Context) error {
	if c.stop != nil {
		c.stop()
		<-c.stopped
	}
	volumes, err := c.engine.Volumes(ctx, lockLabel, c.key)
	if err != nil {
		return fmt.Errorf("give back the lock on the engine: %w", err)
	}
	for _, v := range volumes {
		if nonce, _, ok := c.parse(v.Name); ok && nonce == c.nonce {
			err = errors.Join(err, c.remove(ctx, v.Name))
		}
	}
	return err
}
