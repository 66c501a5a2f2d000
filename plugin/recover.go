package plugin

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/memsys/docker-memsys/internal/backup"
	"github.com/memsys/docker-memsys/internal/journal"
	"github.com/memsys/docker-memsys/internal/progress"
	"github.com/memsys/docker-memsys/internal/quiesce"
	"github.com/memsys/docker-memsys/internal/restore"
)

// recover finishes or reverts what an interrupted run of this project left, and says so. The lock is held.
func (s *session) recover(ctx context.Context) error {
	pending, err := s.journal.Pending()
	if err != nil || pending == nil {
		return err
	}
	s.app.sink().Report(progress.Event{Step: "recover", Object: s.Name, Status: progress.Working, Text: interruptedText(pending)})
	if err := s.resolve(ctx, pending); err != nil {
		return fmt.Errorf("recover from the interrupted %s: %w", pending.Op, err)
	}
	return s.journal.End("recovered")
}

func interruptedText(p *journal.Interrupted) string {
	text := fmt.Sprintf("the %s of %s was interrupted", p.Op, p.Began.Local().Format(time.DateTime))
	if n := len(p.Steps); n > 0 {
		text += " at step " + p.Steps[n-1].Name
	}
	return text
}

// resolve brings services and files to where they were, or to where the interrupted run wanted them.
func (s *session) resolve(ctx context.Context, p *journal.Interrupted) error {
	if err := s.resolveRestore(ctx, p); err != nil {
		return err
	}
	removed, err := backup.Recover(p.Steps)
	if err != nil {
		return err
	}
	for _, path := range removed {
		s.recovered("removed the unfinished archive " + path)
	}
	return s.resumeServices(ctx, p)
}

// resolveRestore brings the data of an interrupted restore to its old or its new state, before any service starts on it.
func (s *session) resolveRestore(ctx context.Context, p *journal.Interrupted) error {
	rec, err := restore.PlanRecovery(p.Steps)
	if err != nil || rec == nil {
		return err
	}
	if err := s.restorer().Recover(ctx, rec); err != nil {
		return err
	}
	s.recovered(rec.String())
	for _, folder := range rec.Aside {
		s.recovered("the entries that were replaced are in " + folder)
	}
	return nil
}

func (s *session) resumeServices(ctx context.Context, p *journal.Interrupted) error {
	items, err := quiesce.Pending(p.Steps)
	if err != nil || len(items) == 0 {
		return err
	}
	if !s.reachable() {
		var names []string
		for _, it := range items {
			names = append(names, it.Label())
		}
		return fmt.Errorf("services may still be held still, and no engine answers: %s", strings.Join(names, ", "))
	}
	resumed, err := quiesce.Recover(ctx, s.Engine.Client, p.Steps)
	for _, r := range resumed {
		s.recovered(fmt.Sprintf("%s service %s", r.How, r.Item.Label()))
	}
	return err
}

func (s *session) recovered(text string) {
	s.app.sink().Report(progress.Event{Step: "recover", Object: s.Name, Status: progress.Done, Text: text})
}

// unresolved tells whether an operation that has come to its end leaves something for recover.
func (s *session) unresolved(p *journal.Interrupted) (bool, error) {
	rec, err := restore.PlanRecovery(p.Steps)
	if err != nil || rec != nil {
		return rec != nil, err
	}
	items, err := quiesce.Pending(p.Steps)
	return len(items) > 0, err
}
