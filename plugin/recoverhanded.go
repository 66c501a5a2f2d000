package plugin

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/memsys/docker-memsys/internal/journal"
	"github.com/memsys/docker-memsys/internal/progress"
	"github.com/memsys/docker-memsys/internal/quiesce"
)

// How long a recovery waits for the docker compose of the interrupted run, and how often it looks.
const (
	composeWait = 15 * time.Second
	composeLook = 50 * time.Millisecond
)

// resumeHanded takes back what an interrupted run has handed over to docker compose, once that has ended.
func (s *session) resumeHanded(ctx context.Context, p *journal.Interrupted) error {
	items, err := quiesce.HandedOver(p.Steps)
	if err != nil || len(items) == 0 {
		return err
	}
	if !s.reachable() {
		return fmt.Errorf("services may still be stopped, and no engine answers: %s", labels(handedItems(items)))
	}
	if err := s.awaitCompose(ctx, p, items); err != nil {
		return err
	}
	back, err := quiesce.TakeBack(ctx, s.Engine.Client, items, takingOf(p.Op))
	for _, it := range back.Started {
		s.recovered("started service " + it.Label())
	}
	switch {
	case len(back.Left) > 0:
		s.app.sink().Report(progress.Event{Step: "recover", Object: s.Name, Status: progress.Warning, Text: leftText(p.Op, back)})
	case len(back.Gone) > 0:
		s.recovered(fmt.Sprintf("services are as docker compose %s has left them; it has removed or replaced %s", p.Op, labels(back.Gone)))
	}
	return err
}

// awaitCompose waits for the docker compose of an interrupted run, which may have outlived it: nobody touches services while it works. An up
// that has put anew or started all of them may go on for as long as somebody watches it.
func (s *session) awaitCompose(ctx context.Context, p *journal.Interrupted, items []quiesce.Handed) error {
	child, err := composeOf(p.Steps)
	if err != nil || child.PID == 0 {
		return err
	}
	now := s.app.world.Now
	for end := now().Add(composeWait); child.AtWork(now(), composeWait); {
		if takingOf(p.Op) == quiesce.Each {
			standing, _, err := quiesce.Standing(ctx, s.Engine.Client, items)
			if err == nil && len(standing) == 0 {
				return nil
			}
		}
		if !now().Before(end) {
			return &outcome{
				code: exitLocked, message: fmt.Sprintf("docker compose %s of the interrupted run is still at work (process %d)", p.Op, child.PID),
				hint: "run it again when it has ended",
			}
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(composeLook):
		}
	}
	return nil
}

// composeOf is the process of docker compose that the steps name; zero where they name none.
func composeOf(steps []journal.Step) (child journal.Holder, err error) {
	for _, step := range steps {
		if step.Name != stepCompose {
			continue
		}
		if err := json.Unmarshal(step.Data, &child); err != nil {
			return child, fmt.Errorf("read step %s of the journal: %w", step.Name, err)
		}
	}
	return child, nil
}

func handedItems(all []quiesce.Handed) (out []quiesce.Item) {
	for _, it := range all {
		out = append(out, it.Item)
	}
	return out
}

// handed adds to a plan what becomes of services that docker compose got.
func (p *recoveryPlan) handed(pending *journal.Interrupted) error {
	items, err := quiesce.HandedOver(pending.Steps)
	if err != nil || len(items) == 0 {
		return err
	}
	for _, it := range items {
		p.Services = append(p.Services, recoveryService{Name: it.Label(), Container: it.Name, Held: string(it.Action)})
	}
	text := "once docker compose " + pending.Op + " has ended, services that it has left as they were are started again: "
	if takingOf(pending.Op) == quiesce.AllOrNone {
		text = "once docker compose " + pending.Op + " has ended, services are started again if it has removed none of them: "
	}
	p.Actions = append(p.Actions, text+labels(handedItems(items)))
	return nil
}
