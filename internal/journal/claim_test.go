package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/engine/enginetest"
)

// on returns options for a run of another user or client of the engine, which has no state folder in common with others.
func on(e LockEngine) LockOptions {
	o := options()
	o.Engine, o.Project = e, "p"
	return o
}

// remote is a run of another machine.
func remote(e LockEngine) LockOptions {
	o := on(e)
	o.Holder.Boot, o.Holder.Host, o.Holder.PID = "other", "elsewhere", 1
	return o
}

func claims(t *testing.T, e LockEngine) []engine.Volume {
	t.Helper()
	list, err := e.Volumes(t.Context(), lockLabel, Key("p"))
	assert.NilError(t, err)
	return list
}

// leave puts the claim of a holder there as a crash would leave it.
func leave(t *testing.T, e *enginetest.Engine, h Holder, age time.Duration) string {
	t.Helper()
	data, err := json.Marshal(h)
	assert.NilError(t, err)
	name := lockPrefix + Key("p") + "-left-0"
	e.AddVolume(engine.Volume{
		Name: name, CreatedAt: time.Now().Add(-age), Labels: map[string]string{lockLabel: Key("p"), holderLabel: string(data)},
	})
	return name
}

func TestClientsOfOneEngineSeeWhoHoldsTheLock(t *testing.T) {
	fake := enginetest.New(time.Now)
	ctx, l, err := lockIn(t, t.TempDir(), "mine", remote(fake))
	assert.NilError(t, err)
	_, _, err = lockIn(t, t.TempDir(), "other", on(fake))
	var locked *LockedError
	assert.Assert(t, errors.As(err, &locked))
	assert.Equal(t, locked.Holder.Host, "elsewhere")
	assert.Equal(t, len(claims(t, fake)), 1)
	other := on(fake)
	other.Project = "p2"
	_, l2, err := lockIn(t, t.TempDir(), "other", other)
	assert.NilError(t, err)
	assert.NilError(t, l2.Release(t.Context()))
	assert.NilError(t, ctx.Err())
	assert.NilError(t, l.Release(t.Context()))
	assert.Equal(t, len(claims(t, fake)), 0)
}

// contend lets many runs ask at once and checks that never two hold the lock; it returns how many got it.
func contend(t *testing.T, e LockEngine, runs int, wait time.Duration) int {
	t.Helper()
	var holding, got atomic.Int32
	var wg sync.WaitGroup
	for i := range runs {
		o := on(e)
		o.Wait = wait
		if i%2 == 0 {
			o.Holder.Boot = fmt.Sprint("machine", i)
		}
		dir := t.TempDir()
		wg.Go(func() {
			_, l, err := lockIn(t, dir, "p", o)
			if err != nil {
				if wait > 0 || !errors.Is(err, ErrLocked) {
					t.Error(err)
				}
				return
			}
			if holding.Add(1) != 1 {
				t.Error("two runs hold the lock")
			}
			got.Add(1)
			if wait == 0 {
				_ = pause(t.Context(), 3*settle) // all have given up by then
			}
			holding.Add(-1)
			if err := l.Release(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	assert.Equal(t, len(claims(t, e)), 0)
	return int(got.Load())
}

func TestAtWorkIsOnlyALivingRunOfAnotherProcess(t *testing.T) {
	atWork := func(e LockEngine, pid int) bool {
		found, err := AtWork(t.Context(), e, "p", pid)
		assert.NilError(t, err)
		return found
	}
	fake := enginetest.New(time.Now)
	assert.Assert(t, !atWork(fake, 1))
	dead := Self("backup", time.Now())
	dead.Start = "another"
	leave(t, fake, dead, 0)
	assert.Assert(t, !atWork(fake, 1), "a run that was killed")
	_, l, err := lockIn(t, t.TempDir(), "mine", on(fake))
	assert.NilError(t, err)
	assert.Assert(t, atWork(fake, 1))
	assert.Assert(t, !atWork(fake, os.Getpid()), "the asker's own")
	assert.NilError(t, l.Release(t.Context()))
	_, _, err = lockIn(t, t.TempDir(), "other", remote(fake))
	assert.NilError(t, err)
	assert.Assert(t, atWork(fake, 1), "a run of another machine")
}

func TestOfManyRunsAtOnceExactlyOneGetsTheLock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		assert.Equal(t, contend(t, enginetest.New(time.Now), 20, 0), 1)
	})
}

func TestManyRunsThatWaitGetTheLockOneAfterAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		assert.Equal(t, contend(t, enginetest.New(time.Now), 20, time.Hour), 20)
	})
}

func TestManyTakersOfADeadClaimAreNeverTwo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := enginetest.New(time.Now)
		dead := Self("crashed", time.Now())
		dead.Start += "0"
		leave(t, fake, dead, 0)
		assert.Equal(t, contend(t, fake, 20, time.Hour), 20)
	})
}

func TestAClaimOfADeadProcessOfThisMachineIsTakenOverAtOnce(t *testing.T) {
	fake := enginetest.New(time.Now)
	dead := Self("crashed", time.Now())
	dead.Start += "0" // its id was used again
	name := leave(t, fake, dead, 0)
	_, l, err := lockIn(t, t.TempDir(), "p", on(fake))
	assert.NilError(t, err)
	_, err = fake.Volume(t.Context(), name)
	assert.ErrorIs(t, err, engine.ErrNotFound)
	assert.NilError(t, l.Release(t.Context()))
}

func TestALivingProcessOfThisMachineKeepsItsClaimHoweverOld(t *testing.T) {
	fake := enginetest.New(time.Now)
	leave(t, fake, Self("slow", time.Now()), 24*time.Hour)
	_, _, err := lockIn(t, t.TempDir(), "p", on(fake))
	assert.ErrorIs(t, err, ErrLocked)
}

func TestAClaimOfAnotherMachineIsTakenOverWhenItsLeaseIsOverAndNobodyRenewsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := enginetest.New(time.Now)
		leave(t, fake, remote(fake).Holder, lease+time.Second)
		began := time.Now()
		_, l, err := lockIn(t, t.TempDir(), "p", on(fake))
		assert.NilError(t, err)
		waited := time.Since(began)
		assert.Assert(t, waited >= watchDead && waited < watchDead+2*time.Second, waited)
		assert.NilError(t, l.Release(t.Context()))
	})
}

func TestAFreshClaimOfAnotherMachineIsRespected(t *testing.T) {
	fake := enginetest.New(time.Now)
	leave(t, fake, remote(fake).Holder, lease-5*time.Second)
	_, _, err := lockIn(t, t.TempDir(), "p", on(fake))
	assert.ErrorIs(t, err, ErrLocked)
}

func TestAJumpOfTheEnginesClockBreaksNoLock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var jump atomic.Int64
		fake := enginetest.New(func() time.Time { return time.Now().Add(time.Duration(jump.Load())) })
		ctx, l, err := lockIn(t, t.TempDir(), "p", remote(fake))
		assert.NilError(t, err)
		jump.Store(int64(time.Hour))
		_, _, err = lockIn(t, t.TempDir(), "p", on(fake))
		assert.ErrorIs(t, err, ErrLocked)
		assert.NilError(t, ctx.Err())
		assert.NilError(t, l.Release(t.Context()))
	})
}

func TestALongRunKeepsItsLock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := enginetest.New(time.Now)
		ctx, l, err := lockIn(t, t.TempDir(), "p", remote(fake))
		assert.NilError(t, err)
		for range 20 {
			time.Sleep(time.Minute)
			assert.NilError(t, ctx.Err())
			assert.Assert(t, len(claims(t, fake)) == 1)
			_, _, err := lockIn(t, t.TempDir(), "p", on(fake))
			assert.ErrorIs(t, err, ErrLocked)
		}
		assert.NilError(t, l.Release(t.Context()))
		assert.Equal(t, len(claims(t, fake)), 0)
	})
}

func TestARunWhoseClaimWasRemovedStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := enginetest.New(time.Now)
		ctx, l, err := lockIn(t, t.TempDir(), "p", on(fake))
		assert.NilError(t, err)
		for _, v := range claims(t, fake) {
			assert.NilError(t, fake.RemoveVolume(t.Context(), v.Name))
		}
		<-ctx.Done()
		assert.ErrorIs(t, context.Cause(ctx), ErrLockLost)
		assert.NilError(t, l.Release(t.Context()))
		assert.Equal(t, len(claims(t, fake)), 0)
	})
}

func TestARunThatCannotRenewStopsBeforeItsLeaseIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := enginetest.New(time.Now)
		began := time.Now()
		ctx, l, err := lockIn(t, t.TempDir(), "p", on(fake))
		assert.NilError(t, err)
		fake.Before(func(enginetest.Call) error { return engine.ErrUnreachable })
		<-ctx.Done()
		assert.ErrorIs(t, context.Cause(ctx), ErrLockLost)
		assert.Assert(t, time.Since(began) < lease, time.Since(began))
		assert.ErrorIs(t, l.Release(t.Context()), engine.ErrUnreachable)
	})
}

func TestAnEngineThatIsAwayForAMomentCostsNoLock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := enginetest.New(time.Now)
		ctx, l, err := lockIn(t, t.TempDir(), "p", on(fake))
		assert.NilError(t, err)
		back := time.Now().Add(25 * time.Second)
		fake.Before(func(enginetest.Call) error {
			if time.Now().Before(back) {
				return engine.ErrUnreachable
			}
			return nil
		})
		time.Sleep(5 * time.Minute)
		assert.NilError(t, ctx.Err())
		assert.NilError(t, l.Release(t.Context()))
		assert.Equal(t, len(claims(t, fake)), 0)
	})
}

// Every request fails in turn, before it is done or with its answer lost: then the lock is not had, nothing of it is left, and the
// local lock is free again.
func TestALockThatFailsAtAnyRequestIsNotHeld(t *testing.T) {
	for _, late := range []bool{false, true} {
		n := 1
		for failingLock(t, late, n) {
			n++
		}
		assert.Assert(t, n > 3)
	}
}

func failingLock(t *testing.T, late bool, n int) (failed bool) {
	planted := errors.New("planted fault")
	fake := enginetest.New(time.Now)
	calls := 0
	hook := func(enginetest.Call) error {
		if calls++; calls == n {
			return planted
		}
		return nil
	}
	if late {
		fake.After(hook)
	} else {
		fake.Before(hook)
	}
	dir := t.TempDir()
	_, l, err := lockIn(t, dir, "p", on(fake))
	fake.Before(nil)
	fake.After(nil)
	if err != nil {
		assert.ErrorIs(t, err, planted)
		assert.Equal(t, len(claims(t, fake)), 0)
		_, again, err := lockIn(t, dir, "p", on(fake))
		assert.NilError(t, err)
		assert.NilError(t, again.Release(t.Context()))
		return true
	}
	assert.NilError(t, l.Release(t.Context()))
	return false
}
