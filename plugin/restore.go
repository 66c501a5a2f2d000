package plugin

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/quiesce"
	"github.com/memsys/docker-memsys/internal/restore"
	"github.com/memsys/docker-memsys/internal/store"
	"github.com/memsys/docker-memsys/internal/tree"
)

// restoreOptions are the flags of restore.
type restoreOptions struct {
	lockOptions
	backups           string
	sources           []string
	services          []string
	paths             []string
	to                string
	dryRun            bool
	yes               bool
	noSafetyBackup    bool
	allowOtherProject bool
	stopForeign       bool
	devices           bool
	format            string
}

func (a *app) restoreCommand() *cobra.Command {
	var opts restoreOptions
	cmd := &cobra.Command{
		Use:   "restore [OPTIONS] [BACKUP...]",
		Short: "Restore a backup",
		Long: `Bring the project's data back to what it was in a backup: the latest, or the one
named. BACKUP is a name, a path, an id, latest, or latest_backup.txt; of several the
newest good one is taken, after asking.

The whole archive is verified first. Everything that uses the data is stopped, the
present state is kept in a safety backup, and the data of the backup takes its place
as a whole: what is not in the backup leaves the source, what backups leave out (logs,
excluded files, the backups directory, other mounts) stays untouched. The result is
compared with the archive before the services start again. Whatever fails on the way,
everything is put back as it was.

With --to nothing of the project is touched: the backup is unpacked into a new folder,
without asking an engine.`,
		Example: examples("docker memsys restore", "docker memsys restore --dry-run memory_backup_20260102_030405.tar.gz",
			"docker memsys restore --source data --path 'memories/**' latest", "docker memsys restore --to /tmp/look latest"),
		GroupID:           groupData,
		ValidArgsFunction: a.completeBackups(0),
		RunE:              func(cmd *cobra.Command, args []string) error { return a.restore(cmd.Context(), args, opts) },
	}
	a.restoreFlags(cmd, &opts)
	return cmd
}

func (a *app) restoreFlags(cmd *cobra.Command, opts *restoreOptions) {
	flags := cmd.Flags()
	backupsFlag(cmd, &opts.backups)
	flags.StringArrayVar(&opts.sources, "source", nil, "Restore this source alone")
	flags.StringArrayVar(&opts.services, "service", nil, "Restore the sources that this service mounts")
	flags.StringArrayVar(&opts.paths, "path", nil, "Restore only what matches the pattern inside the sources; the rest stays")
	flags.StringVar(&opts.to, "to", "", "Unpack into this new or empty folder and leave the project alone")
	flags.BoolVar(&opts.dryRun, "dry-run", false, "Show the plan, and what differs from the backup, and change nothing")
	flags.BoolVarP(&opts.yes, "yes", "y", false, "Do not ask")
	flags.BoolVar(&opts.noSafetyBackup, "no-safety-backup", false, "Keep nothing of the present state")
	flags.BoolVar(&opts.allowOtherProject, "allow-other-project", false, "Accept a backup of another project, folder or engine")
	flags.BoolVar(&opts.stopForeign, "stop-foreign", false, "Also stop containers of others that use the data, and start them again")
	flags.BoolVar(&opts.devices, "allow-devices", false, "Make device nodes that are in the backup")
	flags.StringVar(&opts.format, "format", "", formatHelp)
	lockFlags(cmd, &opts.lockOptions)
	_ = cmd.RegisterFlagCompletionFunc("source", a.completeSources)
	_ = cmd.RegisterFlagCompletionFunc("service", a.completeServices)
	_ = cmd.RegisterFlagCompletionFunc("path", cobra.NoFileCompletions)
	_ = cmd.RegisterFlagCompletionFunc("to", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveFilterDirs
	})
}

func (a *app) restore(ctx context.Context, args []string, opts restoreOptions) error {
	if opts.to != "" {
		return a.restoreTo(ctx, args, opts)
	}
	overrides := compose.Overrides{}
	if opts.backups != "" {
		overrides.Values = map[string][]string{"backups": {opts.backups}}
	}
	s, err := a.openSession(ctx, overrides)
	if err != nil {
		return err
	}
	b, err := a.backupToRestore(ctx, s.Store, args, opts.yes || opts.dryRun)
	if err != nil {
		return err
	}
	if opts.dryRun {
		return s.planned(ctx, b, opts, func(p *restore.Plan) error { return a.printRestorePlan(p, opts.format) })
	}
	if ctx, err = s.begin(ctx, "restore", opts.lockOptions, map[string]any{"backup": b.Path}); err != nil {
		return err
	}
	var res *restore.Result
	err = s.planned(ctx, b, opts, func(p *restore.Plan) error {
		if res, err = s.runRestore(ctx, p, opts); err == nil && res == nil {
			return errors.New("restore has no result")
		}
		return err
	})
	if err = errors.Join(err, s.end(ctx, err)); err != nil {
		return err
	}
	return a.printRestore(res, opts.format)
}

// backupToRestore finds the backup that the words name: the latest without a word, of several the newest good one.
func (a *app) backupToRestore(ctx context.Context, dir *store.Dir, args []string, yes bool) (store.Backup, error) {
	if len(args) == 0 {
		args = []string{store.Latest}
	}
	var all []store.Backup
	for _, arg := range args {
		b, err := dir.Find(ctx, arg)
		if err != nil {
			return b, err
		}
		all = append(all, b)
	}
	b := all[0]
	if len(all) > 1 {
		var ok bool
		if b, ok = store.NewestGood(store.Sorted(all)); !ok {
			return b, &store.NotFoundError{Arg: strings.Join(args, " "), Dir: dir.Path, Why: "none of them is verified and complete"}
		}
		if err := a.confirm(ctx, fmt.Sprintf("%d backups are named. Take the newest good one, %s?", len(all), b.Name), yes); err != nil {
			return b, err
		}
	}
	switch {
	case b.Former && b.State == store.Damaged:
		return b, &outcome{
			code: exitDamaged, message: fmt.Sprintf("%s is damaged: %s; nothing was changed", b.Name, b.Why), hint: "docker memsys verify " + b.Path,
		}
	case b.Former:
		return b, &outcome{
			code: exitFailed, message: b.Name + " was made by the former script; nothing was changed",
			hint: "stop the services, then: tar xzpf " + b.Path + " -C FOLDER",
		}
	}
	return b, nil
}

// planned opens the archive, plans the restore and hands the plan on while the archive is open.
func (s *session) planned(ctx context.Context, b store.Backup, opts restoreOptions, do func(*restore.Plan) error) error {
	return withArchive(b, func(r *archive.Reader) error {
		req, err := s.restoreRequest(ctx, b, opts)
		if err != nil {
			return err
		}
		p, err := restore.Prepare(ctx, r, req)
		if err != nil {
			return err
		}
		return do(p)
	})
}

// withArchive opens an archive for as long as do takes.
func withArchive(b store.Backup, do func(*archive.Reader) error) error {
	f, err := os.Open(b.Path)
	if err != nil {
		return fmt.Errorf("open backup: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("open backup: %w", err)
	}
	r, err := archive.Open(f, info.Size())
	if err != nil {
		return &outcome{code: exitDamaged, message: fmt.Sprintf("%s cannot be read: %v; nothing was changed", b.Name, err), hint: "docker memsys verify " + b.Path, err: err}
	}
	return do(r)
}

// archiveOf is a stored backup in the words of a restore.
func archiveOf(dir *store.Dir, b store.Backup) (restore.Backup, error) {
	sum, err := storeOf(dir, b).SHA256(b.Name)
	return restore.Backup{Name: b.Name, Path: b.Path, SHA256: sum}, err
}

// restoreRequest is the restore that is asked for, with the world as it is now.
func (s *session) restoreRequest(ctx context.Context, b store.Backup, opts restoreOptions) (restore.Request, error) {
	from, err := archiveOf(s.Store, b)
	if err != nil {
		return restore.Request{}, err
	}
	req := restore.Request{
		Backup: from, Project: s.archiveProject(), Sources: s.Sources, Local: s.Info.Local, Locate: s.locate,
		Backups: s.Store.Path, Exclude: s.Config.Exclude, Only: opts.sources, Services: opts.services, Paths: opts.paths,
		AllowOtherProject: opts.allowOtherProject, StopForeign: opts.stopForeign, Devices: opts.devices,
		Safety: !opts.noSafetyBackup, ID: strings.ToLower(rand.Text()[:12]), Free: tree.FreeSpace, Warnings: s.Warnings,
	}
	if s.reachable() {
		req.Volumes = s.Engine.Client
		if req.Containers, err = s.Engine.Containers(ctx, engine.Filter{}); err != nil {
			return req, err
		}
		s.Containers = req.Containers
	}
	if !req.Safety {
		return req, nil
	}
	plan, err := s.planBackup(ctx, nil, store.BeforeRestore, "")
	if ctx.Err() != nil {
		return req, context.Cause(ctx)
	}
	if err != nil {
		req.NoSafety = "no safety backup can be made: " + err.Error()
		return req, nil
	}
	req.SafetySize = plan.Expected
	return req, nil
}

// runRestore shows the plan, asks, and carries it out.
func (s *session) runRestore(ctx context.Context, p *restore.Plan, opts restoreOptions) (*restore.Result, error) {
	a := s.app
	if len(p.Refusals) > 0 {
		return nil, &restore.RefusedError{Refusals: p.Refusals}
	}
	if err := a.showRestorePlan(p); err != nil {
		return nil, err
	}
	if err := a.confirm(ctx, "Restore "+p.Backup.Name+"?", opts.yes); err != nil {
		return nil, err
	}
	r := s.restorer()
	r.Safety = func(ctx context.Context) (restore.Saved, error) { return s.saveBefore(ctx, p.Backup.Name) }
	return r.Run(ctx, p)
}

// restorer carries out restores, and recovers interrupted ones.
func (s *session) restorer() *restore.Runner {
	a := s.app
	r := &restore.Runner{Clock: a.world.Now, Journal: s.journal, Progress: a.sink(), SkipOwners: a.world.UID != 0}
	if s.reachable() {
		r.Volumes = s.Engine.Client
		r.Containers = func(ctx context.Context) ([]engine.Container, error) {
			return s.Engine.Containers(ctx, engine.Filter{})
		}
		r.Quiescer = &quiesce.Quiescer{Engine: s.Engine.Client, Journal: s.journal, Guard: quiesce.Unguarded{}, Now: a.world.Now, Sink: a.sink()}
	}
	return r
}

// saveBefore makes the safety backup.
func (s *session) saveBefore(ctx context.Context, restoring string) (restore.Saved, error) {
	if err := s.Store.Ensure(); err != nil {
		return restore.Saved{}, err
	}
	res, err := s.makeBackup(ctx, nil, store.BeforeRestore, "before restoring "+restoring)
	if err != nil {
		return restore.Saved{}, err
	}
	saved := restore.Saved{Name: res.Name, Path: res.Path, Complete: res.Complete}
	for _, m := range res.Missing {
		saved.Lacking = append(saved.Lacking, m.Name)
	}
	for _, problem := range res.Problems {
		saved.Lacking = append(saved.Lacking, problem.Source)
	}
	return saved, nil
}

// restoreTo unpacks a backup into a folder. It asks no engine and needs no project.
func (a *app) restoreTo(ctx context.Context, args []string, opts restoreOptions) error {
	dir, err := a.openArchives(ctx, opts.backups, args)
	if err != nil {
		return err
	}
	b, err := a.backupToRestore(ctx, dir.Dir, args, opts.yes || opts.dryRun)
	if err != nil {
		return err
	}
	from, err := archiveOf(dir.Dir, b)
	if err != nil {
		return err
	}
	to, err := a.absolute(opts.to)
	if err != nil {
		return err
	}
	req := restore.Request{
		Backup: from, To: to, Only: opts.sources, Services: opts.services, Paths: opts.paths, Devices: opts.devices,
		ID: strings.ToLower(rand.Text()[:12]), Free: tree.FreeSpace,
	}
	return withArchive(b, func(r *archive.Reader) error {
		p, err := restore.PrepareTo(ctx, r, req)
		if err != nil {
			return err
		}
		if opts.dryRun {
			return a.printRestorePlan(p, opts.format)
		}
		run := restore.Runner{Clock: a.world.Now, Progress: a.sink(), SkipOwners: a.world.UID != 0}
		res, err := run.RunTo(ctx, p)
		if err != nil {
			return err
		}
		return a.printRestore(res, opts.format)
	})
}
