package backup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/progress"
	"github.com/memsys/docker-memsys/internal/quiesce"
	"github.com/memsys/docker-memsys/internal/quiet"
)

// Bounds of the attempts to find a moment in which nothing is in the middle of a change.
const (
	maxTries  = 30
	maxBusy   = 30 // in which a container could not be frozen: they say nothing of the others
	settleFor = 30 * time.Second
	firstWait = 20 * time.Millisecond
	lastWait  = 200 * time.Millisecond
)

// problemRestless is a file that was in the middle of a change at each try, in a backup that was not to stop its writer.
const problemRestless = "restless"

// settled is a hold in which the sources are fit to be copied.
type settled struct {
	held *quiesce.Held
	plan quiesce.Plan
	// unrest is what makes no sense all the same: nobody who is paused writes it, or its writers were not to be stopped.
	unrest []archive.Problem
}

// settle holds the writers still until nothing is in the middle of a change: it lets them go, waits a little longer each time, and holds
// them again. Where that never succeeds, auto stops those who write what is restless.
func (r *Runner) settle(ctx context.Context, p *Plan, log *heldLog) (*settled, error) {
	began := r.Clock()
	plan, unfrozen := p.Quiesce, 0
	for {
		log.tries++
		start := r.Clock()
		held, err := r.Quiescer.Hold(ctx, plan)
		if why, ok := busy(err); ok && unfrozen < maxBusy {
			unfrozen++
			if err := r.wait(ctx, log.tries, why); err != nil {
				return nil, err
			}
			continue
		}
		if stopping, ok := instead(plan, err); ok {
			plan = stopping
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("hold services still: %w", err)
		}
		unrest, err := r.unrest(ctx, p, plan, r.Clock().Sub(start))
		moving := p.moving(plan, unrest)
		last := log.tries-unfrozen >= maxTries || r.Clock().Sub(began) > settleFor
		if err == nil && (len(moving) == 0 || last && plan.Mode != quiesce.Auto) {
			return &settled{held, plan, unrest}, nil
		}
		if err = errors.Join(err, r.letGo(ctx, held, log)); err != nil {
			return nil, err
		}
		if last {
			plan = r.stopInstead(p, plan, moving)
			continue
		}
		if err := r.wait(ctx, log.tries, progress.Event{Object: place(moving[0]), Text: moving[0].Error}); err != nil {
			return nil, err
		}
	}
}

// busy tells what could not be frozen just now, though the engine knows how to.
func busy(err error) (progress.Event, bool) {
	var cannot *quiesce.CannotPauseError
	if !errors.As(err, &cannot) || !cannot.Busy {
		return progress.Event{}, false
	}
	return progress.Event{Object: cannot.Item.Label(), Text: "could not be frozen at once, it is tried again"}, true
}

// instead is the plan that stops what the engine cannot pause, where the user leaves the choice.
func instead(plan quiesce.Plan, err error) (quiesce.Plan, bool) {
	var cannot *quiesce.CannotPauseError
	if plan.Mode != quiesce.Auto || !errors.As(err, &cannot) {
		return plan, false
	}
	return plan.Stopping(func(it quiesce.Item) bool { return it.ID == cannot.Item.ID }, cannot.Error()), true
}

// unrest asks what is in the middle of a change, unless nobody is held who could go on with it.
func (r *Runner) unrest(ctx context.Context, p *Plan, plan quiesce.Plan, held time.Duration) ([]archive.Problem, error) {
	if len(plan.Items) == 0 {
		return nil, nil
	}
	found, err := p.side.Restless(ctx, RestlessRequest{
		Places: p.places(), Exclusions: p.exclusions(), Now: r.Clock(), Recent: quiet.DefaultRecent + held,
	})
	if err != nil {
		return nil, fmt.Errorf("look whether the data is at rest: %w", err)
	}
	return found, nil
}

// moving is the unrest in sources that a paused container writes: it can go on. Elsewhere waiting changes nothing.
func (p *Plan) moving(plan quiesce.Plan, unrest []archive.Problem) []archive.Problem {
	return slices.DeleteFunc(slices.Clone(unrest), func(u archive.Problem) bool {
		return !slices.ContainsFunc(plan.Items, func(it quiesce.Item) bool {
			return it.Action == quiesce.Pause && slices.Contains(p.written[it.ID], u.Source)
		})
	})
}

// stopInstead is the plan that stops those who write what is restless.
func (r *Runner) stopInstead(p *Plan, plan quiesce.Plan, moving []archive.Problem) quiesce.Plan {
	for _, u := range moving {
		why := fmt.Sprintf("%s was in the middle of a change at every try", place(u))
		r.Progress.Report(progress.Event{Step: "settle", Object: place(u), Status: progress.Warning, Text: "in the middle of a change at every try: its writers are stopped"})
		plan = plan.Stopping(func(it quiesce.Item) bool { return slices.Contains(p.written[it.ID], u.Source) }, why)
	}
	return plan
}

// wait lets the writers go on for a while.
func (r *Runner) wait(ctx context.Context, tries int, why progress.Event) error {
	r.Progress.Report(progress.Event{Step: "settle", Object: why.Object, Status: progress.Working, Text: why.Text})
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(min(time.Duration(tries)*firstWait, lastWait)):
		return nil
	}
}

// letGo ends a hold and notes how long it was.
func (r *Runner) letGo(ctx context.Context, held *quiesce.Held, log *heldLog) error {
	err := held.Release(ctx)
	log.add(held)
	if err != nil {
		return fmt.Errorf("let services go: %w", err)
	}
	return nil
}

func place(p archive.Problem) string { return strings.TrimSuffix(p.Source+"/"+p.Path, "/.") }

// judge notes what makes no sense although the writers stood still: a problem where they were not to be stopped, else as the program
// has left it.
func (s *settled) judge(p *Plan, m *archive.Manifest) {
	moving := p.moving(s.plan, s.unrest)
	for _, u := range s.unrest {
		if slices.Contains(moving, u) {
			m.Problems = append(m.Problems, u)
			continue
		}
		m.Warnings = append(m.Warnings, fmt.Sprintf("%s is copied as it is, its writers stand still: %s", place(u), u.Error))
	}
}

// heldLog adds up the holds of one backup.
type heldLog struct {
	tries   int
	longest time.Duration
	seconds float64 // of the last hold
	items   []archive.Held
	// inspected is how long the copies were looked at.
	inspected float64
}

func (l *heldLog) add(held *quiesce.Held) {
	l.seconds = held.Lasted().Seconds()
	for _, t := range held.Times() {
		l.longest = max(l.longest, t.Still)
		name := t.Item.Label()
		i := slices.IndexFunc(l.items, func(h archive.Held) bool { return h.Service == name })
		if i < 0 {
			i = len(l.items)
			l.items = append(l.items, archive.Held{Service: name})
		}
		h := &l.items[i]
		h.Mode, h.Seconds, h.Longest = string(t.Item.Action), h.Seconds+t.Still.Seconds(), max(h.Longest, t.Still.Seconds())
	}
}

// quiesce is how the services were held still in fact.
func (l *heldLog) quiesce(plan quiesce.Plan) archive.Quiesce {
	return archive.Quiesce{
		Mode: string(heldMode(plan)), Services: services(plan), Seconds: l.seconds,
		Held: l.items, Tries: l.tries, Longest: l.longest.Seconds(),
	}
}
