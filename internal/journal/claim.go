package journal

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/memsys/docker-memsys/internal/engine"
)

// The lock on an engine is made of claims. A claim is a volume whose name no other claim ever has:
//
//	memsys-lock-KEY-NONCE-BEAT   with labels io.memsys.lock=KEY, io.memsys.holder=JSON of a Holder
//
// Who makes a claim and then, listing all claims with this key, finds no other living one, holds the lock: of two runs, one lists
// after both claims are there, so both never hold it. Who finds others gives up, but for the one with the lowest nonce among those that
// came together, which waits a moment until it is alone. Since names are never used again, a claim found dead is removed
// without the danger to remove the living one that took its place.
//
// The holder renews its claim by making the one with the next beat and then removing the last. A claim of a process on this
// system is dead when that process is. Any other is dead when it is older than the lease by the engine's clock and was seen not to be
// renewed for a while by ours, so that neither clock alone, if it jumps, breaks a lock. A holder whose claim was removed, or who could
// not renew it for most of the lease, has lost the lock.
const (
	lockLabel   = "io.memsys.lock"
	holderLabel = "io.memsys.holder"
	lockPrefix  = "memsys-lock-"
)

// Times of claims.
const (
	lease      = 45 * time.Second
	renewEvery = 10 * time.Second
	watchDead  = 2*renewEvery + time.Second
	loseAfter  = lease - renewEvery
	// settle is how long the first of several that came together waits for the others to give up.
	settle     = 5 * time.Second
	settlePoll = 20 * time.Millisecond
)

// LockEngine is what a lock needs of an engine.
type LockEngine interface {
	Info(ctx context.Context) (engine.Info, error)
	Volumes(ctx context.Context, label, value string) ([]engine.Volume, error)
	CreateVolume(ctx context.Context, v engine.Volume) (engine.Volume, error)
	RemoveVolume(ctx context.Context, name string) error
}

// claim is this run's claim on an engine.
type claim struct {
	engine LockEngine
	key    string
	nonce  string
	holder Holder
	now    func() time.Time
	heir   func(Holder) error

	beat    int
	renewed time.Time
	// watched is when each claim that looks dead was first seen with its present beat.
	watched map[string]time.Time
	stop    context.CancelFunc
	stopped chan struct{}
}

func newClaim(o LockOptions) *claim {
	return &claim{
		engine: o.Engine, key: Key(o.Project), nonce: strings.ToLower(rand.Text()), holder: o.Holder, now: o.Now,
		heir: o.Heir, watched: map[string]time.Time{},
	}
}

// rival is another run's claim with its newest beat.
type rival struct {
	nonce   string
	beat    int
	names   []string
	created time.Time
	holder  Holder
}

func (c *claim) name(beat int) string {
	return lockPrefix + c.key + "-" + c.nonce + "-" + strconv.Itoa(beat)
}

// try claims only when no living claim is to be seen, so that waiting makes no volumes.
func (c *claim) try(ctx context.Context) (*blocker, error) {
	if b, _, err := c.look(ctx); err != nil || b != nil {
		return b, err
	}
	err := c.make(ctx, 0)
	var b *blocker
	if err == nil {
		b, err = c.contend(ctx)
	}
	if err != nil || b != nil { // a request that failed may have been done all the same
		return b, errors.Join(err, c.remove(context.WithoutCancel(ctx), c.name(0)))
	}
	return nil, nil
}

// contend waits until our claim is the only one, or gives up.
func (c *claim) contend(ctx context.Context) (*blocker, error) {
	for end := c.now().Add(settle); ; {
		b, lowest, err := c.look(ctx)
		if err != nil || b == nil {
			return nil, err
		}
		if lowest < c.nonce || !c.now().Before(end) {
			return b, nil
		}
		if err := pause(ctx, settlePoll); err != nil {
			return nil, err
		}
	}
}

// look returns the living rival that was there first, if there is one, and the lowest nonce of all; dead ones it removes.
func (c *claim) look(ctx context.Context) (first *blocker, lowest string, err error) {
	rivals, err := c.rivals(ctx)
	if err != nil {
		return nil, "", err
	}
	for _, r := range rivals {
		dead, suspect, err := c.judge(ctx, r)
		if err != nil {
			return nil, "", err
		}
		if dead {
			if c.heir != nil && r.holder.PID != 0 {
				if err := c.heir(r.holder); err != nil {
					return nil, "", err
				}
			}
			if err := c.remove(ctx, r.names...); err != nil {
				return nil, "", err
			}
			continue
		}
		if lowest == "" || r.nonce < lowest {
			lowest = r.nonce
		}
		if first == nil || r.holder.Since.Before(first.Since) {
			first = &blocker{Holder: r.holder, suspect: suspect}
		}
	}
	return first, lowest, nil
}

// rivals lists the claims of others.
func (c *claim) rivals(ctx context.Context) (map[string]*rival, error) {
	volumes, err := c.engine.Volumes(ctx, lockLabel, c.key)
	if err != nil {
		return nil, err
	}
	out := map[string]*rival{}
	for _, v := range volumes {
		nonce, beat, ok := c.parse(v.Name)
		if !ok || nonce == c.nonce {
			continue
		}
		r := out[nonce]
		if r == nil {
			r = &rival{nonce: nonce, beat: -1}
			out[nonce] = r
		}
		r.names = append(r.names, v.Name)
		if beat > r.beat {
			r.beat, r.created = beat, v.CreatedAt
			_ = json.Unmarshal([]byte(v.Labels[holderLabel]), &r.holder) // unreadable: some run
		}
	}
	return out, nil
}

func (c *claim) parse(name string) (nonce string, beat int, ok bool) {
	rest, ok := strings.CutPrefix(name, lockPrefix+c.key+"-")
	if !ok {
		return "", 0, false
	}
	nonce, number, ok := strings.Cut(rest, "-")
	beat, err := strconv.Atoi(number)
	return nonce, beat, ok && err == nil
}

// AtWork tells whether a run other than the process pid of this system holds or takes the lock of a project on an engine. Runs
// that are known to have ended do not count. It is for processes that must not disturb the next run.
func AtWork(ctx context.Context, e LockEngine, project string, pid int) (bool, error) {
	c := &claim{engine: e, key: Key(project)}
	rivals, err := c.rivals(ctx)
	boot := bootID()
	for _, r := range rivals {
		mine := r.holder.Boot == boot && r.holder.PID == pid
		if !mine && !r.holder.gone() {
			return true, nil
		}
	}
	return false, err
}

// judge tells whether a rival is dead, or may be so and must be watched for longer.
func (c *claim) judge(ctx context.Context, r *rival) (dead, suspect bool, err error) {
	if r.holder.Boot != "" && r.holder.Boot == c.holder.Boot {
		return r.holder.gone(), false, nil
	}
	info, err := c.engine.Info(ctx)
	if err != nil {
		return false, false, err
	}
	id := r.nonce + "-" + strconv.Itoa(r.beat)
	if info.Time.Sub(r.created) <= lease {
		delete(c.watched, id)
		return false, false, nil
	}
	since, seen := c.watched[id]
	if !seen {
		c.watched[id] = c.now()
		return false, true, nil
	}
	dead = c.now().Sub(since) >= watchDead
	return dead, !dead, nil
}

// make makes our claim with this beat.
func (c *claim) make(ctx context.Context, beat int) error {
	holder, err := json.Marshal(c.holder)
	if err != nil {
		return err
	}
	started := c.now()
	_, err = c.engine.CreateVolume(ctx, engine.Volume{
		Name: c.name(beat), Labels: map[string]string{lockLabel: c.key, holderLabel: string(holder)},
	})
	if err != nil {
		return fmt.Errorf("claim the lock on the engine: %w", err)
	}
	c.beat, c.renewed = beat, started
	return nil
}

// remove removes claims; those that are gone already are fine.
func (c *claim) remove(ctx context.Context, names ...string) error {
	for _, name := range names {
		if err := c.engine.RemoveVolume(ctx, name); err != nil && !errors.Is(err, engine.ErrNotFound) {
			return fmt.Errorf("remove a claim from the engine: %w", err)
		}
	}
	return nil
}
