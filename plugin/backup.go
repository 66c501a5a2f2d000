package plugin

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/hooks"
	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/backup"
	"github.com/memsys/docker-memsys/internal/progress"
	"github.com/memsys/docker-memsys/internal/quiesce"
)

// backupOptions are the flags of backup.
type backupOptions struct {
	lockOptions
	backups      string
	exclude      []string
	includeLogs  bool
	acceptShrink bool
	quiesce      string
	validate     string
	note         string
	reason       string
	dryRun       bool
	noHooks      bool
	format       string
}

func (a *app) backupCommand() *cobra.Command {
	var opts backupOptions
	cmd := &cobra.Command{
		Use:   "backup [OPTIONS] [SERVICE...]",
		Short: "Back up the project's data",
		Long: `Store every source of the project, or those that the named services mount, in one
new archive in the backups directory. Services that can write the data are paused
while it is read and let go again whatever happens. The archive is read back from
the disk and checked before it gets its name.

A backup of some services only never counts as the latest of the project. Where
something could not be read the backup is made all the same, and ends with 3. So
does one of a source that is empty, not mounted, or less than half (of 20 entries, or
of 1MB, at least) of what the last good backup has of it: it does not count as good.

The copied memories, databases and vectors are looked at before the archive is
complete. What is damaged in the copy is copied once more, its writers stopped;
where it is damaged then too, the live data is: the backup is kept, is never latest,
and ends with 4.`,
		Example: examples("docker memsys backup", "docker memsys backup --note 'before the move'",
			"docker memsys backup memory-system --quiesce stop", "docker memsys backup --dry-run"),
		GroupID:           groupData,
		ValidArgsFunction: a.completeServices,
		RunE: func(cmd *cobra.Command, services []string) error {
			return a.backup(cmd.Context(), services, opts)
		},
	}
	flags := cmd.Flags()
	backupsFlag(cmd, &opts.backups)
	flags.StringArrayVar(&opts.exclude, "exclude", nil, "Leave out files that match the pattern, such as '*.bak' or 'cache/**'; may be repeated")
	flags.BoolVar(&opts.includeLogs, "include-logs", false, "Keep log files and folders too")
	flags.BoolVar(&opts.acceptShrink, "accept-shrink", false, "Accept that a source is empty, or less than half of what it was in the last good backup")
	flags.BoolVar(&opts.acceptShrink, "allow-empty", false, "Accept that a source has shrunk")
	_ = flags.MarkHidden("allow-empty") // its former name
	flags.StringVar(&opts.quiesce, "quiesce", "", "How writers are held still: auto, pause, stop, none (default: the project's)")
	flags.StringVar(&opts.validate, "validate", "", "How closely the copied data is looked at: quick, full, none (default: the project's)")
	flags.StringVar(&opts.note, "note", "", "Text to keep with the backup")
	flags.StringVar(&opts.reason, "reason", "manual", "Why the backup is made: manual, scheduled")
	flags.BoolVar(&opts.dryRun, "dry-run", false, "Show the plan and change nothing")
	flags.StringVar(&opts.format, "format", "", formatHelp)
	noHooksFlag(cmd, &opts.noHooks)
	lockFlags(cmd, &opts.lockOptions)
	completeWords(cmd, "quiesce", string(quiesce.Auto), string(quiesce.Pause), string(quiesce.Stop), string(quiesce.None))
	completeWords(cmd, "validate", proofDepths()...)
	completeWords(cmd, "reason", reasons()...)
	return cmd
}

// reasons are those that a person may give.
func reasons() []string { return []string{"manual", "scheduled"} }

// lockFlags adds the flags of commands that take the project's lock.
func lockFlags(cmd *cobra.Command, o *lockOptions) {
	cmd.Flags().DurationVar(&o.wait, "wait", 0, "How long to wait for another run of this project to end, such as 30s or 10m (default: not at all)")
}

// completeWords completes the values of a flag.
func completeWords(cmd *cobra.Command, flag string, words ...string) {
	_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
}

// overrides are the settings that the flags give.
func (o backupOptions) overrides() compose.Overrides {
	v := map[string][]string{}
	if o.backups != "" {
		v["backups"] = []string{o.backups}
	}
	if o.quiesce != "" {
		v["quiesce"] = []string{o.quiesce}
	}
	if o.validate != "" {
		v["validate"] = []string{o.validate}
	}
	if len(o.exclude) > 0 {
		v["exclude"] = o.exclude
	}
	return compose.Overrides{Values: v, IncludeLogs: o.includeLogs}
}

func (a *app) backup(ctx context.Context, services []string, opts backupOptions) error {
	if !slices.Contains(reasons(), opts.reason) {
		return usagef("--reason %s means nothing: use %s", opts.reason, strings.Join(reasons(), " or "))
	}
	if err := opts.checkFormat(); err != nil {
		return err
	}
	s, err := a.openSession(ctx, opts.overrides())
	if err != nil {
		return err
	}
	if err := s.checkServices(services); err != nil {
		return err
	}
	wish := backupWish{services: services, reason: opts.reason, note: opts.note, acceptShrink: opts.acceptShrink}
	if opts.dryRun {
		defer s.leave(ctx)
		a.noticeInterrupted(s.project)
		plan, err := s.planBackup(ctx, wish)
		if err != nil {
			return err
		}
		return a.printBackupPlan(plan, s.backupHooks(services, opts.noHooks), s.Warnings, opts.format)
	}
	err = s.backup(ctx, wish, opts)
	s.onFailure(ctx, hooks.Backup, nil, opts.noHooks, err)
	return err
}

// backup makes the backup and prints what it came to.
func (s *session) backup(ctx context.Context, wish backupWish, opts backupOptions) error {
	if err := s.checkBackup(ctx, wish.services); err != nil {
		return err
	}
	if err := s.Store.Ensure(); err != nil {
		return err
	}
	ctx, err := s.begin(ctx, "backup", opts.lockOptions, map[string]any{"services": wish.services})
	if err != nil {
		return err
	}
	res, err := s.hookedBackup(ctx, wish, opts.noHooks)
	if err = errors.Join(err, s.end(ctx, err)); err != nil {
		return err
	}
	return s.app.printBackup(res, opts.format)
}

// checkFormat refuses a template before anything is done for it.
func (o backupOptions) checkFormat() error {
	if o.dryRun {
		return checkFormat(o.format, backupPlan{})
	}
	return checkFormat(o.format, backupResult{Result: &backup.Result{}})
}

// checkServices refuses names that are no service of the project.
func (s *session) checkServices(names []string) error {
	var known []string
	for _, svc := range s.Project.Services() {
		known = append(known, svc.Name)
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return &usageError{message: fmt.Sprintf("no service %q in project %s; it has: %s", name, s.Name, strings.Join(known, ", ")), hint: "docker memsys sources"}
		}
	}
	return nil
}

// checkBackup refuses a backup of nothing before the backups directory is made.
func (s *session) checkBackup(ctx context.Context, services []string) error {
	w, err := s.choose(ctx, reads)
	if err != nil || w.helper {
		return err // it is seen once the helper runs
	}
	return backup.Check(ctx, s.Store, backup.Request{Sources: s.Sources, Locate: s.locate, Only: services, Exclude: s.Config.Exclude})
}

// backupWish is what one backup is asked to be, beside the project's settings.
type backupWish struct {
	services     []string
	reason       string
	note         string
	acceptShrink bool
	// unmade leaves out what does not exist yet; else that is missing in the backup.
	unmade bool
	// problems and warnings are those of hooks that ran before.
	problems []archive.Problem
	warnings []string
}

func (s *session) planBackup(ctx context.Context, w backupWish) (*backup.Plan, error) {
	mode, err := quiesce.ParseMode(s.Config.Quiesce)
	if err != nil {
		return nil, err
	}
	side, err := s.side(ctx, reads)
	if err != nil {
		return nil, err
	}
	sources := s.Sources
	if w.unmade {
		if sources, err = s.withoutUnmade(ctx); err != nil {
			return nil, err
		}
	}
	req := backup.Request{
		Side:    side,
		Project: s.archiveProject(), Services: s.services(ctx), Sources: sources, Containers: s.Containers,
		Locate: s.place, Files: s.Files(), Only: w.services, Exclude: s.Config.Exclude, IncludeLogs: s.Config.IncludeLogs,
		AcceptShrink: w.acceptShrink, Quiesce: mode, NoPause: s.Info.NoPause, HoldLimit: s.Config.HoldLimit, Reason: w.reason, Note: w.note, Tool: buildVersion().Version, Warnings: append(slices.Clone(s.Warnings), w.warnings...), Problems: w.problems,
	}
	if req.Inspect, err = s.proof(); err != nil {
		return nil, err
	}
	if s.reachable() {
		req.Volume = s.Engine.Volume
	}
	p, err := backup.Prepare(ctx, s.Store, req)
	if err == nil {
		p.Through, p.Why = s.way.word(), s.way.why
	}
	return p, err
}

// makeBackup makes a backup within the operation that has begun. What the plan warns of is said, not only stored.
func (s *session) makeBackup(ctx context.Context, w backupWish) (*backup.Result, error) {
	plan, err := s.planBackup(ctx, w)
	if err != nil {
		return nil, err
	}
	for _, warning := range plan.Warnings[len(s.Warnings)+len(w.warnings):] { // the session and the hooks have said their own
		s.app.sink().Report(progress.Event{Step: "plan", Status: progress.Warning, Text: warning})
	}
	run := backup.Runner{
		Clock: s.clock(), Journal: s.journal, Quiescer: s.quiescer(), Progress: s.app.sink(), NewID: newID,
	}
	if s.reachable() {
		run.Containers = s.containers
	}
	res, err := run.Run(ctx, plan)
	if err == nil {
		s.auditMade(res)
		s.made = res
	}
	return res, err
}

// hookedBackup makes a backup with its hooks around it, within the operation that has begun.
func (s *session) hookedBackup(ctx context.Context, w backupWish, noHooks bool) (res backupResult, err error) {
	res.Hooks, err = s.withHooks(ctx, s.backupHooks(w.services, noHooks), func(before []hooks.Outcome) (err error) {
		w.problems, w.warnings = hookProblems(before)
		res.Result, err = s.makeBackup(ctx, w)
		return err
	})
	if err == nil && res.Result.Backup.Good() {
		s.expireAside(ctx, res.Result.Backup.Created)
	}
	return res, err
}

// clock tells the time as archive names want it.
func (s *session) clock() func() time.Time {
	if s.Config.TimeZone == "utc" {
		return func() time.Time { return s.app.world.Now().UTC() }
	}
	return s.app.world.Now
}

// newID draws the id of a backup.
func newID() (string, error) {
	var b [16]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", err
	}
	return hex.EncodeToString(b[:]), nil
}
