package plugin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/backup"
	"github.com/memsys/docker-memsys/internal/journal"
	"github.com/memsys/docker-memsys/internal/progress"
	"github.com/memsys/docker-memsys/internal/quiesce"
	"github.com/memsys/docker-memsys/internal/restore"
)

// recoverOptions are the flags of recover.
type recoverOptions struct {
	lockOptions
	plan bool
}

func (a *app) recoverCommand() *cobra.Command {
	var opts recoverOptions
	cmd := &cobra.Command{
		Use:   "recover [OPTIONS]",
		Short: "Put in order what an interrupted run left",
		Long: `Finish or revert what a run of this project left when it was killed or the machine
went down: data between two states comes to its old or its new state, unfinished
archives are removed, services that ran are started again. Every command that changes
something does the same first.`,
		Example:           examples("docker memsys recover --plan", "docker memsys recover"),
		Args:              noArgs,
		GroupID:           groupData,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(cmd *cobra.Command, _ []string) error { return a.recover(cmd.Context(), opts) },
	}
	cmd.Flags().BoolVar(&opts.plan, "plan", false, "Show what would be done and change nothing")
	lockFlags(cmd, &opts.lockOptions)
	return cmd
}

func (a *app) recover(ctx context.Context, opts recoverOptions) error {
	s, err := a.openSession(ctx, compose.Overrides{})
	if err != nil {
		return err
	}
	state, err := a.stateDir()
	if err != nil {
		return err
	}
	pending, err := s.interrupted(state)
	if err != nil {
		return err
	}
	if pending == nil {
		if err := s.sweepLock(ctx, opts); err != nil {
			return err
		}
		return a.printf("nothing was interrupted\n")
	}
	if opts.plan {
		return s.printRecovery(pending)
	}
	if ctx, err = s.begin(ctx, "recover", opts.lockOptions, nil); err != nil {
		return err
	}
	if err := s.end(ctx, nil); err != nil {
		return err
	}
	return a.printf("%s: everything is in order again\n", interruptedText(pending))
}

// interrupted is the operation of this project that has begun and that nobody carries on; nil if there is none.
func (p *project) interrupted(state string) (*journal.Interrupted, error) {
	view := journal.View(state, p.identity())
	pending, err := view.Pending()
	if err != nil || pending == nil {
		return nil, err
	}
	holder, err := view.Holder()
	if err != nil || holder != nil {
		return nil, err // it is under way
	}
	return pending, nil
}

// noticeInterrupted says, for commands that do not put it in order themselves, that something was interrupted.
func (a *app) noticeInterrupted(p *project) {
	state, err := a.stateDir()
	if err != nil {
		return // the command that needs the folder says so
	}
	if pending, err := p.interrupted(state); err == nil && pending != nil {
		a.sink().Report(progress.Event{
			Step: "recover", Status: progress.Warning,
			Text: interruptedText(pending) + ": the next command that changes something puts it in order, or docker memsys recover",
		})
	}
}

// printRecovery says what recover would do.
func (s *session) printRecovery(pending *journal.Interrupted) error {
	lines := []string{interruptedText(pending)}
	rec, err := restore.PlanRecovery(pending.Steps)
	if err != nil {
		return err
	}
	if rec != nil {
		lines = append(lines, rec.String())
	}
	items, err := quiesce.Pending(pending.Steps)
	if err != nil {
		return err
	}
	unfinished, err := backup.Unfinished(pending.Steps)
	if err != nil {
		return err
	}
	for _, path := range unfinished {
		lines = append(lines, "the unfinished archive "+path+" is removed")
	}
	for _, it := range items {
		lines = append(lines, "service "+it.Label()+" goes on as it did")
	}
	owed, err := s.owedLines(pending)
	if err != nil {
		return err
	}
	return writeClean(s.app.out, strings.Join(append(lines, owed...), "\n")+"\n")
}

// sweepLock removes what a run that was killed before it began anything left on the engine: its claim, for taking the lock does that,
// and its helper. A lock that is held is somebody's at work.
func (s *session) sweepLock(ctx context.Context, opts recoverOptions) error {
	if opts.plan || !s.reachable() {
		return nil
	}
	dir, err := s.app.stateDir()
	if err != nil {
		return err
	}
	if s.state, err = journal.Open(dir, s.identity()); err != nil {
		return err
	}
	locked, err := s.takeLock(ctx, "recover", lockOptions{})
	if errors.Is(err, journal.ErrLocked) {
		return nil
	}
	if err != nil {
		return err
	}
	s.sweep(locked)
	return s.lock.Release(locked)
}

// recover finishes or reverts what an interrupted run of this project left, and says so. The lock is held.
func (s *session) recover(ctx context.Context) error {
	pending, err := s.journal.Pending()
	if err != nil || pending == nil {
		return err
	}
	s.app.sink().Report(progress.Event{Step: "recover", Object: s.Name, Status: progress.Working, Text: interruptedText(pending)})
	began := s.app.world.Now()
	if err = s.resolve(ctx, pending); err != nil {
		err = fmt.Errorf("recover from the interrupted %s: %w", pending.Op, err)
	}
	s.auditRecovery(ctx, pending, began, err)
	if err != nil {
		return err
	}
	return s.journal.End("recovered")
}

func interruptedText(p *journal.Interrupted) string {
	text := fmt.Sprintf("the %s of %s was interrupted", p.Op, p.Began.Local().Format(time.DateTime))
	for _, s := range slices.Backward(p.Steps) {
		if words := stepWords(s.Name); words != "" {
			return text + " " + words
		}
	}
	return text
}

// stepWords says for a person what a step of the journal was about; empty where that tells nothing.
func stepWords(step string) string {
	switch {
	case step == backup.StepTemporary:
		return "while the archive was written"
	case step == backup.StepPublish:
		return "while the archive was published"
	case strings.HasPrefix(step, "restore."):
		return "while data was put in place"
	case strings.HasPrefix(step, "hooks."):
		return "while hooks ran"
	case strings.HasPrefix(step, "quiesce."):
		return "while services were held still"
	}
	return ""
}

// resolve brings services and files to where they were, or to where the interrupted run wanted them.
func (s *session) resolve(ctx context.Context, p *journal.Interrupted) error {
	if err := s.resolveRestore(ctx, p); err != nil {
		return err
	}
	removed, err := backup.Recover(p.Steps)
	for _, path := range removed {
		s.recovered("removed the unfinished archive " + path)
	}
	if err := errors.Join(err, s.resumeServices(ctx, p)); err != nil { // services run whatever a full or read-only disk says
		return err
	}
	return s.resolveHooks(ctx, p)
}

// resolveRestore brings the data of an interrupted restore to its old or its new state, before any service starts on it.
func (s *session) resolveRestore(ctx context.Context, p *journal.Interrupted) error {
	rec, err := restore.PlanRecovery(p.Steps)
	if err != nil || rec == nil {
		return err
	}
	if err := s.recoverData(ctx, rec, p.Steps); err != nil {
		return err
	}
	s.recovered(rec.String())
	for _, folder := range rec.Aside {
		s.recovered("the entries that were replaced are in " + folder)
	}
	return nil
}

// recoverData ends an interrupted restore where the files are.
func (s *session) recoverData(ctx context.Context, rec *restore.Recovery, steps []journal.Step) error {
	w, err := s.choose(ctx, writes)
	if err != nil {
		return err
	}
	s.way = nil // what comes after the recovery decides for itself
	if w.helper {
		return s.recoverFar(ctx, rec, steps)
	}
	return s.restorer().Recover(ctx, rec)
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
