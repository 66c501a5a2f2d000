package plugin

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/audit"
	"github.com/memsys/docker-memsys/internal/inventory"
	"github.com/memsys/docker-memsys/internal/progress"
	"github.com/memsys/docker-memsys/internal/store"
	"github.com/memsys/docker-memsys/internal/validate"
)

// validateBackup looks at the data in a backup. It asks no engine and unpacks nothing for good.
func (a *app) validateBackup(ctx context.Context, arg string, opts validateOptions) (err error) {
	dir, err := a.openArchives(ctx, opts.backups, []string{arg})
	if err != nil {
		return err
	}
	b, err := dir.Find(ctx, arg)
	if err != nil {
		return err
	}
	scratch, err := a.makeScratch()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, removeScratch(scratch)) }()
	o, err := opts.inspection(a, dir.Config, scratch)
	if err != nil {
		return err
	}
	if b.Former {
		return a.validateForeign(ctx, b, o, opts)
	}
	return a.validateArchive(ctx, dir.Dir, b, o, opts)
}

// validateForeign looks at the data in an archive of others, of which one of ours is made for as long as it takes.
func (a *app) validateForeign(ctx context.Context, b store.Backup, o inventory.Options, opts validateOptions) error {
	p, err := a.readProject(ctx, opts.overrides())
	if errors.Is(err, compose.ErrNoFile) {
		return &outcome{
			code: exitFailed, message: b.Name + " is no backup of docker memsys, and there is no project whose sources it could hold",
			hint: "docker memsys -f FILE validate " + b.Path, err: err,
		}
	}
	if err != nil {
		return err
	}
	s := &session{project: p, app: a, Sources: p.Sources(nil, p.Config)}
	return s.readForeign(ctx, b.Path, foreignOptions{}, func(f *foreignPlan) (err error) {
		if err := f.refused(); err != nil {
			return err
		}
		c, err := s.importer(ctx, unrecorded).Convert(ctx, store.Open(o.Scratch), s.foreignJob(ctx, f, ""))
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, c.Discard()) }()
		if opts.format == "" {
			if err := writeClean(a.err, f.text()); err != nil {
				return err
			}
		}
		own := b
		own.Path, own.Former = c.Path, false
		return a.validateArchive(ctx, s.Store, own, o, opts)
	})
}

// validateArchive looks at the data in an archive of ours, prints what it finds, and keeps it beside the archive.
func (a *app) validateArchive(ctx context.Context, dir *store.Dir, b store.Backup, o inventory.Options, opts validateOptions) error {
	began := a.world.Now()
	report, err := a.lookInto(ctx, dir, b, o, opts)
	if err != nil || report == nil {
		return err
	}
	if err := a.printValidation(report, opts); err != nil {
		return err
	}
	result := opts.validated(report)
	if err := a.recordValidation(ctx, dir, b, o, report, opts); err != nil {
		return err
	}
	a.auditValidation(ctx, dir, b, began, result)
	return result
}

// lookInto proves the bytes of an archive and looks at the data in it; nil for a dry run, whose plan it prints.
func (a *app) lookInto(ctx context.Context, dir *store.Dir, b store.Backup, o inventory.Options, opts validateOptions) (*validate.Report, error) {
	var report *validate.Report
	if err := a.knowsSources(b, opts); err != nil {
		return nil, err
	}
	bytes, err := a.proveBytes(ctx, dir, b, o, opts)
	if err != nil {
		return nil, err
	}
	if bytes != nil && bytes.Status == inventory.Damaged {
		return damagedArchive(b, o, a.world.Now(), *bytes), nil
	}
	err = withArchive(b, func(r *archive.Reader) error {
		side := archiveSide{r}
		sources, err := side.sources(b, opts.sources)
		if err != nil {
			return err
		}
		req := validate.Request{Backup: b.Name, Project: r.Manifest().Project.Name, Sources: sources, Side: side, Options: o}
		if bytes != nil {
			req.More = append(req.More, func(context.Context, func(string) bool, *validate.Report) []inventory.Result {
				return []inventory.Result{*bytes}
			})
		}
		plan, err := validate.Prepare(ctx, req)
		if err != nil {
			return err
		}
		if opts.dryRun {
			return a.printValidatePlan(validatePlan{Plan: plan}, opts.format)
		}
		run := validate.Runner{Clock: a.world.Now, Progress: a.sink()}
		report, err = run.Run(ctx, plan)
		return err
	})
	return report, err
}

// knowsSources refuses sources that an archive does not have before all of it is read. One that cannot be opened is not its matter.
func (a *app) knowsSources(b store.Backup, opts validateOptions) error {
	if len(opts.sources) == 0 {
		return nil
	}
	err := withArchive(b, func(r *archive.Reader) error {
		_, err := archiveSide{r}.sources(b, opts.sources)
		return err
	})
	if wrong := (*usageError)(nil); errors.As(err, &wrong) {
		return wrong
	}
	return nil
}

// proveBytes reads every byte of an archive; nil where that is not asked for.
func (a *app) proveBytes(ctx context.Context, dir *store.Dir, b store.Backup, o inventory.Options, opts validateOptions) (*inventory.Result, error) {
	if opts.dryRun || store.IsTemporary(filepath.Base(b.Path)) || !inventory.Wanted(o.Checks, o.Skip)(validate.Bytes().ID) {
		return nil, nil
	}
	count := progress.Counter(a.sink(), progress.Event{Step: "verify", Object: b.Name, Total: b.Size})
	proven, err := storeOf(dir, b).Prove(ctx, b, archive.VerifyOptions{OnBytes: count})
	if err != nil {
		return nil, err
	}
	a.sink().Report(progress.Event{Step: "verify", Object: b.Name, Status: progress.Done, Done: b.Size, Unit: progress.Bytes})
	return validate.BytesResult(b.Name, proven.Damage), nil
}

// damagedArchive is the report on an archive of which the data is not looked at: its bytes are not those that were written.
func damagedArchive(b store.Backup, o inventory.Options, now time.Time, bytes inventory.Result) *validate.Report {
	return &validate.Report{
		Backup: b.Name, Project: b.Owner.Name, Began: now, Depth: o.Depth, Status: inventory.Damaged, Results: []inventory.Result{bytes},
	}
}

// recordValidation keeps the result beside the archive, unless its bytes are damaged, which verify keeps, or not everything was looked at.
func (a *app) recordValidation(ctx context.Context, dir *store.Dir, b store.Backup, o inventory.Options, report *validate.Report, opts validateOptions) error {
	if store.IsTemporary(filepath.Base(b.Path)) || len(opts.sources) > 0 || slices.ContainsFunc(report.Results, damagedBytes) {
		return nil
	}
	data := slices.DeleteFunc(slices.Clone(report.Results), func(r inventory.Result) bool { return r.Check.ID == validate.Bytes().ID })
	if _, err := storeOf(dir, b).RecordValidation(ctx, b, a.world.Now(), inventory.Conclude(o, data)); err != nil {
		return fmt.Errorf("keep the result beside %s: %w", b.Name, err)
	}
	return nil
}

func damagedBytes(r inventory.Result) bool {
	return r.Check.ID == validate.Bytes().ID && r.Status == inventory.Damaged
}

// auditValidation puts the validation of a backup into the audit log, as a verification.
func (a *app) auditValidation(ctx context.Context, dir *store.Dir, b store.Backup, began time.Time, result error) {
	if store.IsTemporary(filepath.Base(b.Path)) {
		return
	}
	validated := lookedAt{b.Path, audit.Archive{Change: audit.Validated, Name: b.Name}}
	a.auditLook(ctx, dir, lookAt{operation: operationValidate, began: began, archives: []lookedAt{validated}, result: result})
}

// archiveSide reads the data in an archive.
type archiveSide struct{ reader *archive.Reader }

var _ validate.Side = archiveSide{}

// sources are those of the archive, or those of them that are wanted.
func (s archiveSide) sources(b store.Backup, wanted []string) ([]validate.Source, error) {
	var out []validate.Source
	var known []compose.Source
	for _, src := range s.reader.Manifest().Sources {
		known = append(known, compose.Source{Name: src.Name})
		if len(wanted) == 0 || slices.Contains(wanted, src.Name) {
			out = append(out, validate.Source{Name: src.Name, Kind: src.Kind, Where: src.Prefix, Missing: src.Missing, Layout: storedLayout(src), Private: storedPrivate(src)})
		}
	}
	for _, name := range wanted {
		if !slices.ContainsFunc(known, func(k compose.Source) bool { return k.Name == name }) {
			return nil, &usageError{message: unknownSource(name, known), hint: "docker memsys inspect " + b.Name}
		}
	}
	return out, nil
}

// Survey implements validate.Side.
func (s archiveSide) Survey(_ context.Context, sources []validate.Source) ([]validate.Source, error) {
	return sources, nil
}

// Inspect implements validate.Side.
func (s archiveSide) Inspect(ctx context.Context, source string, o inventory.Options, calls inventory.Calls) (*inventory.Report, error) {
	return inventory.Inspect(ctx, source, inventory.ArchiveTree(s.reader, source), o, calls)
}
