package plugin

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/hooks"
	"github.com/memsys/docker-memsys/internal/backup"
	"github.com/memsys/docker-memsys/internal/journal"
	"github.com/memsys/docker-memsys/internal/progress"
	"github.com/memsys/docker-memsys/internal/quiesce"
	"github.com/memsys/docker-memsys/internal/restore"
	"github.com/memsys/docker-memsys/internal/store"
)

// recoverOptions are the flags of recover.
type recoverOptions struct {
	lockOptions
	plan         bool
	servicesOnly bool
	yes          bool
	format       string
}

func (a *app) recoverCommand() *cobra.Command {
	var opts recoverOptions
	cmd := &cobra.Command{
		Use:   "recover [OPTIONS]",
		Short: "Put in order what an interrupted run left",
		Long: `Finish or revert what a run of this project left when it was killed or the machine
went down: data between two states comes to its old or its new state, unfinished
archives are removed, services that ran are started again. Every command that changes
something does the same first.

With --services-only only services are started again that run on data which the
interrupted run left alone; all else waits for the next command: that is for the boot
of a machine, when disks may not be mounted yet. Ends with 6 where the record of the
run is damaged, and says what is where.`,
		Example:           examples("docker memsys recover --plan", "docker memsys recover", "docker memsys recover --yes --services-only"),
		Args:              noArgs,
		GroupID:           groupData,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(cmd *cobra.Command, _ []string) error { return a.recover(cmd.Context(), opts) },
	}
	cmd.Flags().BoolVar(&opts.plan, "plan", false, "Show what would be done and change nothing")
	cmd.Flags().BoolVar(&opts.servicesOnly, "services-only", false, "Only start services again, as far as their data was left alone")
	cmd.Flags().BoolVarP(&opts.yes, "yes", "y", false, "Do not ask (recover never asks: for scripts that give it everywhere)")
	cmd.Flags().StringVar(&opts.format, "format", "", formatHelp)
	lockFlags(cmd, &opts.lockOptions)
	return cmd
}

func (a *app) recover(ctx context.Context, opts recoverOptions) error {
	if err := checkFormat(opts.format, &recoveryPlan{}); err != nil {
		return err
	}
	s, err := a.openSession(ctx, compose.Overrides{})
	if err != nil {
		return err
	}
	if !opts.plan {
		defer a.sweepScratch()
	}
	state, err := a.stateDir()
	if err != nil {
		return err
	}
	pending, err := s.interrupted(state)
	if damaged := damagedJournal(err); damaged != nil {
		return s.recoverDamaged(ctx, damaged, opts.format)
	}
	if err != nil {
		return err
	}
	if pending == nil {
		if err := s.sweepLock(ctx, opts); err != nil {
			return err
		}
		return a.printNothing(opts)
	}
	plan, err := s.recoveryPlan(pending)
	if err != nil {
		return err
	}
	switch {
	case opts.plan:
		return a.printRecovery(pending, plan, opts.format)
	case opts.servicesOnly:
		err = s.recoverServices(ctx, opts)
	default:
		err = s.recoverAll(ctx, opts)
	}
	if err != nil {
		return err
	}
	return a.printRecovered(pending, plan, opts)
}

// recoverAll is an operation that does nothing but what each one does first.
func (s *session) recoverAll(ctx context.Context, opts recoverOptions) error {
	ctx, err := s.begin(ctx, "recover", opts.lockOptions, nil)
	if err != nil {
		return err
	}
	s.expireAfterRecovery(ctx)
	return s.end(ctx, nil)
}

// recoverServices starts services again whose data the interrupted run left alone. All else stays on record.
func (s *session) recoverServices(ctx context.Context, opts recoverOptions) (err error) {
	dir, err := s.app.stateDir()
	if err != nil {
		return err
	}
	if s.state, err = journal.Open(dir, s.identity()); err != nil {
		return err
	}
	if ctx, err = s.takeLock(ctx, "recover", opts.lockOptions); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.lock.Release(ctx)) }()
	pending, err := s.state.Pending()
	if err != nil || pending == nil {
		return err
	}
	rec, err := restore.PlanRecovery(pending.Steps)
	if err != nil {
		return err
	}
	if rec != nil && len(rec.Roots) > 0 && !rec.Committed {
		return &outcome{
			code: exitFailed, message: interruptedText(pending) + ": services start once the data is in order; nothing was changed", hint: "docker memsys recover",
		}
	}
	began := s.app.world.Now()
	err = s.resumeServices(ctx, pending)
	s.auditRecovery(ctx, pending, began, err)
	return err
}

// interrupted is the operation of this project that has begun and that nobody carries on; nil if there is none.
func (p *project) interrupted(state string) (*journal.Interrupted, error) {
	view := journal.View(state, p.identity())
	pending, err := view.Pending()
	if err == nil && pending == nil || err != nil && damagedJournal(err) == nil {
		return nil, err
	}
	holder, lookErr := view.Holder()
	if lookErr != nil || holder != nil {
		return nil, lookErr // it is under way
	}
	return pending, err
}

// noticeInterrupted says, for commands that do not put it in order themselves, that something was interrupted.
func (a *app) noticeInterrupted(p *project) {
	state, err := a.stateDir()
	if err != nil {
		return // the command that needs the folder says so
	}
	pending, err := p.interrupted(state)
	if damagedJournal(err) != nil {
		a.sink().Report(progress.Event{Step: "recover", Status: progress.Warning, Text: err.Error() + ": docker memsys recover says what is where"})
	}
	a.noticeRemains(p)
	if pending != nil {
		a.sink().Report(progress.Event{
			Step: "recover", Status: progress.Warning,
			Text: interruptedText(pending) + ": the next command that changes something puts it in order, or docker memsys recover",
		})
	}
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
	s.sweepFiles()
	return s.lock.Release(locked)
}

// sweepFiles removes files that no journal names and that nobody writes any more: in the backups directory, and where runs that change
// nothing take over archives of others. What a full or read-only disk keeps hinders nobody.
func (s *session) sweepFiles() {
	now := s.app.world.Now()
	_ = s.Store.Sweep(now)
	_ = store.Open(os.TempDir()).Sweep(now)
}

// recover finishes or reverts what an interrupted run of this project left, and says so. The lock is held.
func (s *session) recover(ctx context.Context) error {
	s.sweepFiles()
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
	case step == stepCompose, step == "quiesce.handed":
		return "while docker compose was at work"
	case step == "quiesce.released":
		return "" // what came before tells
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
	if errors.Is(err, syscall.EROFS) { // it is swept once the disk can be written
		s.app.miss(err)
		err = nil
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
	if s.unswept != nil {
		return fmt.Errorf("a helper container of the interrupted run may still be at work: %w", s.unswept)
	}
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
	if err := s.resumeHanded(ctx, p); err != nil {
		return err
	}
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
	if err != nil || len(items) > 0 {
		return true, err
	}
	handed, err := quiesce.HandedOver(p.Steps)
	if err != nil || len(handed) > 0 {
		return true, err
	}
	owed, err := hooks.Owed(p.Steps)
	return len(owed) > 0 && hooks.Began(p.Steps), err
}
