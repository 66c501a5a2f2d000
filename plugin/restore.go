package plugin

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/restore"
	"github.com/memsys/docker-memsys/internal/store"
	"github.com/memsys/docker-memsys/internal/validate"
)

// restoreOptions are the flags of restore.
type restoreOptions struct {
	lockOptions
	foreignOptions
	moveOptions
	backups           string
	sources           []string
	services          []string
	paths             []string
	to                string
	undo              bool
	undoes            *restore.Record // what is undone, once that is known
	lastGood          bool
	units             []*validate.Unit // what is restored, where that was looked for
	dryRun            bool
	yes               bool
	noSafetyBackup    bool
	allowOtherProject bool
	acceptDamage      bool
	stopForeign       bool
	devices           bool
	noHooks           bool
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
compared with the archive, and its memories, collections and vectors are counted
against the backup's inventory, before the services start again. Whatever fails on the way,
everything is put back as it was. Ends with 4 where the archive is damaged, with 6
where neither the new nor the former state could be reached. A backup in whose data
a validation found damage is restored with --accept-damage alone.

A BACKUP that another program made, a tar file (packed with gzip, bzip2, xz, zstd,
lz4 or lzip), a zip or a 7z, is made one of ours in a temporary file first: folders
become the sources that they are by path or name, which the plan shows and --map
changes. So the former script's archives are restored too.

With --to nothing of the project is touched: the backup is unpacked into a new folder,
without asking an engine.

With --last-good each file that --path means comes from the newest backup in which it
is good: the archive is sound, and nothing in the file is damaged. A database comes
with what stands beside it, a store such as a Chroma folder as a whole. Files of several
backups are restored one backup after the other.

With --undo the state from before the last restore comes back, from its safety backup
or from what was set aside; of a partial restore exactly that part. What was changed
since is named first. It is a restore itself, so --undo again goes forth.`,
		Example: examples("docker memsys restore", "docker memsys restore --dry-run memory_backup_20260102_030405.tar.gz",
			"docker memsys restore --source data --path 'memories/**' latest", "docker memsys restore --to /tmp/look latest", "docker memsys restore --undo",
			"docker memsys restore --path memories/0123.json --last-good",
			"docker memsys restore --dry-run --map memory-system/old= old-backup.zip"),
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
	flags.StringArrayVar(&opts.sources, "source", nil, "Restore this source alone; may be repeated")
	flags.StringArrayVar(&opts.services, "service", nil, "Restore only the sources that this service mounts; may be repeated")
	flags.StringArrayVar(&opts.paths, "path", nil, "Restore only what matches the pattern inside the sources, such as 'memories/**'; the rest stays; may be repeated")
	flags.StringVar(&opts.to, "to", "", "Unpack into this new or empty folder and leave the project alone")
	flags.BoolVar(&opts.lastGood, "last-good", false, "Take each file of --path from the newest backup in which it is good")
	flags.BoolVar(&opts.undo, "undo", false, "Bring back the state from before the last restore")
	flags.BoolVar(&opts.dryRun, "dry-run", false, "Show the plan, and what differs from the backup, and change nothing")
	flags.BoolVarP(&opts.yes, "yes", "y", false, "Do not ask")
	flags.BoolVar(&opts.noSafetyBackup, "no-safety-backup", false, "Keep nothing of the present state")
	flags.BoolVar(&opts.allowOtherProject, "allow-other-project", false, "Accept a backup of another project, folder or engine")
	flags.BoolVar(&opts.acceptDamage, "accept-damage", false, "Restore a backup although a validation found damage in its data")
	flags.BoolVar(&opts.stopForeign, "stop-foreign", false, "Also stop containers of others that use the data, and start them again")
	flags.BoolVar(&opts.devices, "allow-devices", false, "Make device nodes that are in the backup")
	flags.StringVar(&opts.format, "format", "", formatHelp)
	moveFlags(cmd, &opts.moveOptions)
	noHooksFlag(cmd, &opts.noHooks)
	lockFlags(cmd, &opts.lockOptions)
	foreignFlags(cmd, &opts.foreignOptions)
	_ = cmd.RegisterFlagCompletionFunc("source", a.completeSources)
	_ = cmd.RegisterFlagCompletionFunc("service", a.completeServices)
	_ = cmd.RegisterFlagCompletionFunc("path", cobra.NoFileCompletions)
	_ = cmd.RegisterFlagCompletionFunc("to", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveFilterDirs
	})
}

func (a *app) restore(ctx context.Context, args []string, opts restoreOptions) error {
	if err := opts.checkFormat(); err != nil {
		return err
	}
	if err := opts.checkUndo(args); err != nil {
		return err
	}
	if opts.lastGood {
		return a.restoreLastGood(ctx, args, opts)
	}
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
	b, err := s.restoreFrom(ctx, args, &opts, opts.yes || opts.dryRun)
	if err != nil {
		return err
	}
	if opts.dryRun {
		defer s.leave(ctx)
		a.noticeInterrupted(s.project)
		return s.planned(ctx, b, opts, func(p *planned) error {
			return a.printRestorePlan(p.Plan, nil, s.restoreHooks(p.Plan, opts), s.Warnings, opts.format)
		})
	}
	res, err := s.restoreLocked(ctx, b, &opts, func(ctx context.Context) (store.Backup, error) {
		return s.restoreFrom(ctx, args, &opts, true)
	})
	if err != nil {
		return err
	}
	return a.printRestore(res, opts.format)
}

// restoreLocked restores what again finds, under the lock: a run that was waited for may have made a newer backup, or moved one. b is what was
// found before it.
func (s *session) restoreLocked(ctx context.Context, b store.Backup, opts *restoreOptions, again func(context.Context) (store.Backup, error)) (res restoreResult, err error) {
	if ctx, err = s.begin(ctx, opts.operation(), opts.lockOptions, map[string]any{"backup": b.Path}); err != nil {
		return res, err
	}
	if b, err = again(ctx); err == nil {
		err = s.planned(ctx, b, *opts, func(p *planned) error {
			if res, err = s.runRestore(ctx, p, *opts); err == nil && res.Result == nil {
				return errors.New("restore has no result")
			}
			return err
		})
	}
	if err = errors.Join(err, s.end(ctx, err)); err != nil {
		return res, err
	}
	res.Backup.Path = b.Path // not that of the temporary archive which was made from one of others
	return res, nil
}

// checkFormat refuses a template before anything is done for it.
func (o restoreOptions) checkFormat() error {
	if o.dryRun {
		return checkFormat(o.format, restorePlan{Plan: &restore.Plan{}})
	}
	return checkFormat(o.format, restoreResult{Result: &restore.Result{}})
}

// operation is the word for it in the journal and the audit log.
func (o restoreOptions) operation() string {
	if o.undo {
		return "undo"
	}
	return "restore"
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
		if b, ok = dir.NewestGood(store.Sorted(all)); !ok {
			return b, &store.NotFoundError{Arg: strings.Join(args, " "), Dir: dir.Path, Why: "none of them is verified, complete, of this project, and without damage in its data"}
		}
		if err := a.confirm(ctx, fmt.Sprintf("%d backups are named. Take the newest good one, %s?", len(all), b.Name), yes); err != nil {
			return b, err
		}
	}
	if b.Former && b.State == store.Damaged {
		return b, &outcome{
			code: exitDamaged, message: fmt.Sprintf("%s is damaged: %s; nothing was changed", b.Name, b.Why), hint: "docker memsys verify " + b.Path,
		}
	}
	return b, nil
}
