package plugin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/audit"
	"github.com/memsys/docker-memsys/internal/foreign"
	"github.com/memsys/docker-memsys/internal/progress"
	"github.com/memsys/docker-memsys/internal/store"
)

// importOptions are the flags of import.
type importOptions struct {
	lockOptions
	foreignOptions
	backups string
	note    string
	dryRun  bool
	format  string
}

// imported is the result of an import in JSON output.
type imported struct {
	Name     string           `json:"name"`
	Path     string           `json:"path"`
	Size     int64            `json:"size"`
	Files    int64            `json:"files"`
	Bytes    int64            `json:"bytes"`
	Complete bool             `json:"complete"`
	SHA256   string           `json:"sha256"`
	Origin   *archive.Origin  `json:"origin"`
	Mapping  *foreign.Mapping `json:"mapping"`
	Warnings []string         `json:"warnings,omitempty"`
}

func (a *app) importCommand() *cobra.Command {
	var opts importOptions
	cmd := &cobra.Command{
		Use:   "import [OPTIONS] FILE",
		Short: "Make a backup from an archive that others made",
		Long: `Make a backup of the project from an archive that another program made: a tar file
(packed with gzip, bzip2, xz, zstd, lz4 or lzip), a zip or a 7z, told by its content
alone. Its folders become the sources that they are by path or name; --map decides
where that is not clear, and leaves folders out. Files beside them, such as the
compose file, are kept as files of the project. Owners, modes, times and extended
attributes are those of the archive, whoever runs this.

What leads out of the archive, is damaged, or unpacks to more than its size makes
likely is refused. What no source was found for is not taken over, and the import ends
with 3. An imported backup is never latest: nobody knows which state it holds. Name it
to restore it.`,
		Example: examples("docker memsys import --dry-run old-backup.zip", "docker memsys import --map notes=data --map cache= old-backup.7z",
			"docker memsys import --note 'before the move' /mnt/usb/memory_backup_20240101_120000.tar.gz"),
		Args:              oneArg("file"),
		GroupID:           groupData,
		ValidArgsFunction: completeFiles,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.importFile(cmd.Context(), args[0], opts) },
	}
	backupsFlag(cmd, &opts.backups)
	foreignFlags(cmd, &opts.foreignOptions)
	cmd.Flags().StringVar(&opts.note, "note", "", "Text to keep with the backup")
	cmd.Flags().BoolVar(&opts.dryRun, "dry-run", false, "Show what becomes of the archive and change nothing")
	cmd.Flags().StringVar(&opts.format, "format", "", formatHelp)
	lockFlags(cmd, &opts.lockOptions)
	return cmd
}

// checkFormat refuses a template before anything is done for it.
func (o importOptions) checkFormat() error {
	if o.dryRun {
		return checkFormat(o.format, &foreignPlan{Mapping: &foreign.Mapping{}})
	}
	return checkFormat(o.format, &imported{Origin: &archive.Origin{}, Mapping: &foreign.Mapping{}})
}

func (a *app) importFile(ctx context.Context, file string, opts importOptions) error {
	if err := opts.checkFormat(); err != nil {
		return err
	}
	path, err := a.absolute(file)
	if err != nil {
		return err
	}
	if err := refuseOurs(path); err != nil {
		return err
	}
	overrides := compose.Overrides{}
	if opts.backups != "" {
		overrides.Values = map[string][]string{"backups": {opts.backups}}
	}
	s, err := a.openSession(ctx, overrides)
	if err != nil {
		return err
	}
	if opts.dryRun {
		a.noticeInterrupted(s.project)
		return s.readForeign(ctx, path, opts.foreignOptions, func(p *foreignPlan) error { return a.printForeign(p, opts.format) })
	}
	if ctx, err = s.begin(ctx, "import", opts.lockOptions, map[string]any{"file": path}); err != nil {
		return err
	}
	var res *imported
	var plan *foreignPlan
	err = s.readForeign(ctx, path, opts.foreignOptions, func(p *foreignPlan) (err error) {
		plan = p
		res, err = s.runImport(ctx, p, opts.note)
		return err
	})
	if err = errors.Join(err, s.end(ctx, err)); err != nil {
		return err
	}
	return a.printImport(res, plan, opts.format)
}

// refuseOurs refuses an archive that is a backup already.
func refuseOurs(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return usagef("there is no file %s", path)
	}
	if err != nil {
		return fmt.Errorf("open archive: %w", err)
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return errors.Join(err, usagef("%s is no file: import takes an archive", path))
	}
	if ours, err := foreign.Ours(f); err != nil || !ours {
		return err
	}
	return usagef("%s is a backup of docker memsys already: copy it into the backups directory, then docker memsys verify NAME", path)
}

// runImport makes the backup within the operation that has begun.
func (s *session) runImport(ctx context.Context, p *foreignPlan, note string) (res *imported, err error) {
	if err := p.refused(); err != nil {
		return nil, err
	}
	if err := s.Store.Ensure(); err != nil {
		return nil, err
	}
	all, err := s.Store.List(ctx)
	if err != nil {
		return nil, err
	}
	job := s.foreignJob(ctx, p, note)
	job.Sequence = store.NextSequence(all)
	run := s.importer(ctx, s.journal.Step)
	c, err := run.Convert(ctx, s.Store, job)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.Discard()) }()
	b, err := run.Publish(ctx, c)
	if err != nil {
		return nil, err
	}
	for _, warning := range c.Manifest.Warnings {
		s.app.sink().Report(progress.Event{Step: "import", Object: b.Name, Status: progress.Warning, Text: warning})
	}
	s.audited.archives = append(s.audited.archives, audit.Archive{Change: audit.Made, Name: b.Name, SHA256: c.Report.SHA256})
	s.audited.incomplete = s.audited.incomplete || !c.Manifest.Complete
	return &imported{
		Name: b.Name, Path: b.Path, Size: b.Size, Files: b.Files, Bytes: b.Bytes, Complete: c.Manifest.Complete,
		SHA256: c.Report.SHA256, Origin: c.Manifest.Origin, Mapping: p.Mapping, Warnings: c.Manifest.Warnings,
	}, nil
}

// printForeign prints what would become of an archive. What needs a decision is an error all the same.
func (a *app) printForeign(p *foreignPlan, format string) error {
	if format != "" {
		if err := a.printFormatted(format, p); err != nil {
			return err
		}
	} else if err := writeClean(a.out, p.text()); err != nil {
		return err
	}
	return p.refused()
}

func (a *app) printImport(r *imported, p *foreignPlan, format string) error {
	if format != "" {
		if err := a.printFormatted(format, r); err != nil {
			return err
		}
	} else if err := a.printf("%s  %s  %s  from %s (%s)\n", r.Name, size(r.Size), plural(r.Files, "file", "files"), p.File, p.Format); err != nil {
		return err
	}
	if r.Complete {
		return nil
	}
	return &outcome{
		code: exitIncomplete, message: "not everything was taken over: " + p.lacking(),
		hint: "docker memsys import --map FOLDER=SOURCE, or --map FOLDER= to leave it out",
	}
}
