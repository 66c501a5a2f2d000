package plugin

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/display"
	"github.com/memsys/docker-memsys/internal/layout"
	"github.com/memsys/docker-memsys/internal/store"
	"github.com/memsys/docker-memsys/internal/tree"
)

// exportOptions are the flags of export.
type exportOptions struct {
	backups string
	plain   string
	devices bool
	format  string
}

func (a *app) exportCommand() *cobra.Command {
	var opts exportOptions
	cmd := &cobra.Command{
		Use:   "export [OPTIONS] BACKUP --plain DIR",
		Short: "Lay a backup out as plain folders",
		Long: `Lay a backup out as folders that every program reads: data/SOURCE for each source,
project for the compose file and the like, memsys.json that describes it all, and
SHA256SUMS for sha256sum -c. DIR is new or empty. The archive is verified first; the
files come into DIR as a whole. BACKUP is a name, a path, an id, latest, or
latest_backup.txt. Asks no engine.`,
		Example: examples("docker memsys export latest --plain /mnt/usb/memories",
			"docker memsys export memory_backup_20260102_030405.tar.gz --plain ./out"),
		Args:              oneArg("backup"),
		GroupID:           groupData,
		ValidArgsFunction: a.completeBackups(1),
		RunE:              func(cmd *cobra.Command, args []string) error { return a.export(cmd.Context(), args[0], opts) },
	}
	backupsFlag(cmd, &opts.backups)
	cmd.Flags().StringVar(&opts.plain, "plain", "", "The new or empty folder that the files are laid out in")
	cmd.Flags().BoolVar(&opts.devices, "allow-devices", false, "Make device nodes that are in the backup")
	cmd.Flags().StringVar(&opts.format, "format", "", formatHelp)
	_ = cmd.RegisterFlagCompletionFunc("plain", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveFilterDirs
	})
	return cmd
}

func (a *app) export(ctx context.Context, arg string, opts exportOptions) error {
	if opts.plain == "" {
		return &usageError{message: "export needs a folder", hint: "docker memsys export " + arg + " --plain DIR"}
	}
	if err := checkFormat(opts.format, &layout.Result{}); err != nil {
		return err
	}
	to, err := a.absolute(opts.plain)
	if err != nil {
		return err
	}
	if err := layout.CheckEmpty(to); err != nil {
		return err
	}
	dir, err := a.openArchives(ctx, opts.backups, []string{arg})
	if err != nil {
		return err
	}
	b, err := dir.Find(ctx, arg)
	if err != nil {
		return err
	}
	if b.Former {
		return &outcome{
			code: exitFailed, message: b.Name + " is no backup of docker memsys: its own program lays it out; nothing was changed",
			hint: "docker memsys import " + b.Path,
		}
	}
	if err := a.proveFirst(ctx, dir.Dir, b); err != nil {
		return err
	}
	return withArchive(b, func(r *archive.Reader) error {
		res, err := layout.Lay(ctx, layout.Request{
			Archive: r, Dir: to, ID: strings.ToLower(rand.Text()[:12]), Devices: opts.devices, SkipOwners: a.world.UID != 0,
			Free: tree.FreeSpace, Progress: a.sink(),
		})
		if err != nil {
			return err
		}
		return a.printExport(res, b, opts.format)
	})
}

// proveFirst reads every byte of a backup before anything is made of it.
func (a *app) proveFirst(ctx context.Context, dir *store.Dir, b store.Backup) error {
	p, err := storeOf(dir, b).Prove(ctx, b, archive.VerifyOptions{})
	if err != nil {
		return err
	}
	if p.Sound() {
		return nil
	}
	return &outcome{
		code: exitDamaged, message: fmt.Sprintf("%s is damaged: %s; nothing was changed", b.Name, display.Clean(p.Damage[0])), hint: "docker memsys verify " + b.Path,
	}
}

func (a *app) printExport(r *layout.Result, b store.Backup, format string) error {
	if format != "" {
		if err := a.printFormatted(format, r); err != nil {
			return err
		}
	} else if err := a.printf("%s  %s  %s  in %s\n", b.Name, plural(r.Files, "file", "files"), size(r.Bytes), r.Dir); err != nil {
		return err
	}
	if len(r.Problems) == 0 {
		return nil
	}
	first := r.Problems[0]
	return &outcome{
		code: exitIncomplete, hint: "run it as root, who may give files to others",
		message: display.Clean(fmt.Sprintf("not every attribute could be set, of %d entries, first: %s: %s", len(r.Problems), first.Path, first.Text)),
	}
}
