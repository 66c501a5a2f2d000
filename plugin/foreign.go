package plugin

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/backup"
	"github.com/memsys/docker-memsys/internal/foreign"
	"github.com/memsys/docker-memsys/internal/progress"
	"github.com/memsys/docker-memsys/internal/restore"
	"github.com/memsys/docker-memsys/internal/store"
	"github.com/memsys/docker-memsys/internal/tree"
)

// foreignOptions are the flags of commands that take archives of others.
type foreignOptions struct {
	maps     []string
	noLimits bool
}

func foreignFlags(cmd *cobra.Command, o *foreignOptions) {
	cmd.Flags().StringArrayVar(&o.maps, "map", nil, "A source of the backup, or a folder of an archive that others made, is that source of the project: OLD=SOURCE; OLD= leaves it out; may be repeated")
	cmd.Flags().BoolVar(&o.noLimits, "no-limits", false, "Take an archive that others made although it unpacks to 200 times its size and more")
	_ = cmd.RegisterFlagCompletionFunc("map", cobra.NoFileCompletions)
}

func (o foreignOptions) assignments() ([]foreign.Assignment, error) {
	var out []foreign.Assignment
	for _, text := range o.maps {
		a, err := foreign.ParseAssignment(text)
		if err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	return out, nil
}

// foreignPlan is what becomes of an archive that others made, in JSON output.
type foreignPlan struct {
	File     string           `json:"file"`
	Format   string           `json:"format"`
	Size     int64            `json:"size"`
	Entries  int64            `json:"entries"`
	Bytes    int64            `json:"bytes"`
	Complete bool             `json:"complete"`
	Mapping  *foreign.Mapping `json:"mapping"`
	Warnings []string         `json:"warnings,omitempty"`

	path     string
	contents *foreign.Contents
}

// readForeign reads an archive that others made and maps it to the project's sources, while do works with it.
func (s *session) readForeign(ctx context.Context, path string, o foreignOptions, do func(*foreignPlan) error) error {
	assigned, err := o.assignments()
	if err != nil {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open archive: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("open archive: %w", err)
	}
	limits := foreign.DefaultLimits(info.Size())
	if o.noLimits {
		limits = foreign.NoLimits()
	}
	c, err := foreign.Scan(ctx, f, limits, progress.Counter(s.app.sink(), progress.Event{Step: "read"}))
	if err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	m, err := c.Map(foreign.Target{Sources: s.Sources, Files: s.ownFiles(), Assigned: assigned})
	if err != nil {
		return err
	}
	return do(&foreignPlan{
		File: filepath.Base(path), Format: c.Format, Size: c.Size, Entries: c.Entries, Bytes: c.Unpacked,
		Complete: m.Complete(), Mapping: m, Warnings: c.Warnings, path: path, contents: c,
	})
}

// ownFiles are the project's own files as paths below its folder.
func (s *session) ownFiles() []string {
	var out []string
	for _, f := range s.Files() {
		if rel, err := filepath.Rel(s.WorkingDir, f.Path); err == nil && filepath.IsLocal(rel) {
			out = append(out, filepath.ToSlash(rel))
		}
	}
	return out
}

// refused says why nothing can be done with a mapping; nil where something can.
func (p *foreignPlan) refused() error {
	if a := p.Mapping.Ambiguous; len(a) > 0 {
		return &outcome{
			code: exitFailed, message: fmt.Sprintf("%s is not clear: %s; nothing was changed", p.File, a[0]),
			hint: fmt.Sprintf("say which is which: --map %s=%s", a[0].Folders[0], a[0].Sources[0]),
		}
	}
	if len(p.Mapping.Taken) == 0 {
		return &outcome{
			code: exitFailed, message: fmt.Sprintf("nothing in %s is a source of the project by path or name; nothing was changed", p.File),
			hint: "docker memsys sources, and say which folder is which source: --map FOLDER=SOURCE, or --map .=SOURCE for all of it",
		}
	}
	return nil
}

// text is the plan for a person.
func (p *foreignPlan) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "read %s: %s, %s, %s\n", p.File, p.Format, plural(p.Entries, "entry", "entries"), size(p.Bytes))
	for _, t := range p.Mapping.Taken {
		fmt.Fprintf(&b, "take %s as %s %s: %s; %s, %s\n", t.Folder, t.Kind, t.Source, t.Why, plural(t.Entries, "entry", "entries"), size(t.Bytes))
	}
	for _, f := range p.Mapping.Project {
		fmt.Fprintf(&b, "keep %s as a file of the project\n", f)
	}
	for _, l := range p.Mapping.Left {
		fmt.Fprintf(&b, "leave %s: %s; %s, %s\n", l.Folder, l.Why, plural(l.Entries, "entry", "entries"), size(l.Bytes))
	}
	for _, a := range p.Mapping.Ambiguous {
		fmt.Fprintf(&b, "not clear: %s\n", a)
	}
	for _, name := range p.Mapping.Absent {
		fmt.Fprintf(&b, "source %s is not in the archive\n", name)
	}
	for _, w := range p.Warnings {
		fmt.Fprintf(&b, "warning: %s\n", w)
	}
	return b.String()
}

// lacking are the folders that nobody decided about, the first few by name.
func (p *foreignPlan) lacking() string {
	const most = 3
	var out []string
	for _, l := range p.Mapping.Left {
		if !l.Wanted {
			continue
		}
		if len(out) == most {
			out = append(out, "and more")
			break
		}
		out = append(out, l.Folder+": "+l.Why)
	}
	return strings.Join(out, "; ")
}

// importer takes over archives. record puts the path of a temporary file on record.
func (s *session) importer(ctx context.Context, record func(step string, data any) error) *foreign.Runner {
	return &foreign.Runner{
		Clock: s.clock(), Progress: s.app.sink(), NewID: newID, Free: tree.FreeSpace, Owner: s.ownerOf(ctx),
		Temporary:  func(path string) error { return record(backup.StepTemporary, path) },
		Publishing: func(path string) error { return record(backup.StepPublish, path) },
	}
}

// ownerOf tells whose a source is now: who gets what an archive does not say the owner of. Where that cannot be seen, it is this user.
func (s *session) ownerOf(ctx context.Context) func(string) (uid, gid int, seen bool) {
	type owner struct {
		uid, gid int
		seen     bool
	}
	known := map[string]owner{}
	return func(name string) (int, int, bool) {
		if _, ok := known[name]; !ok {
			known[name] = owner{uid: max(0, s.app.world.UID), gid: max(0, os.Getgid())}
			for _, src := range s.Sources {
				if src.Name != name {
					continue
				}
				if place, err := s.locate(ctx, src); err == nil {
					if e, err := tree.Lstat(tree.Resolve(place)); err == nil {
						known[name] = owner{e.UID, e.GID, true}
					}
				}
			}
		}
		o := known[name]
		return o.uid, o.gid, o.seen
	}
}

// foreignJob is an archive to take over, with the project that it becomes a backup of.
func (s *session) foreignJob(ctx context.Context, p *foreignPlan, note string) foreign.Job {
	return foreign.Job{
		Name: p.File, Contents: p.contents, Mapping: p.Mapping, Project: s.archiveProject(), Services: s.services(ctx),
		Note: note, Tool: buildVersion().Version,
	}
}

// unrecorded is the record of a run that changes nothing.
func unrecorded(string, any) error { return nil }

// native hands a backup on as it is where it is ours. An archive of others is made one of ours first, in a temporary file that is
// removed at the end, or by recover.
func (s *session) native(ctx context.Context, b store.Backup, opts restoreOptions, do func(store.Backup, *foreignPlan) error) error {
	if !b.Former {
		return do(b, nil)
	}
	return s.readForeign(ctx, b.Path, opts.foreignOptions, func(p *foreignPlan) (err error) {
		if err := p.refused(); err != nil {
			return err
		}
		dir, record := s.scratch(opts.dryRun || opts.to != "")
		r := s.importer(ctx, record)
		c, err := r.Convert(ctx, dir, s.foreignJob(ctx, p, ""))
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, c.Discard()) }()
		p.Warnings = c.Manifest.Warnings
		own := b
		own.Path, own.Former = c.Path, false
		return do(own, p)
	})
}

// scratch is where a temporary archive is made: in the backups directory, on record; by a run that changes nothing of the project, or
// where that cannot be written, in the system's folder for such files.
func (s *session) scratch(unlocked bool) (*store.Dir, func(string, any) error) {
	if unlocked {
		return store.Open(os.TempDir()), unrecorded
	}
	if s.Store.Ensure() == nil {
		if probe, err := os.CreateTemp(s.Store.Path, ".memory_backup_probe.tar.gz.tmp-"); err == nil {
			_ = errors.Join(probe.Close(), os.Remove(probe.Name()))
			return s.Store, s.journal.Step
		}
	}
	return store.Open(os.TempDir()), s.journal.Step
}

// restoreForeignTo unpacks an archive of others into a folder, each source in a folder of its name. The project says which those are.
func (a *app) restoreForeignTo(ctx context.Context, b store.Backup, opts restoreOptions) error {
	overrides := compose.Overrides{}
	if opts.backups != "" {
		overrides.Values = map[string][]string{"backups": {opts.backups}}
	}
	p, err := a.readProject(ctx, overrides)
	if errors.Is(err, compose.ErrNoFile) {
		return &outcome{
			code: exitFailed, message: b.Name + " is no backup of docker memsys, and there is no project whose sources it could hold; nothing was changed",
			hint: "docker memsys -f FILE restore …", err: err,
		}
	}
	if err != nil {
		return err
	}
	s := &session{project: p, app: a, Sources: p.Sources(nil, p.Config)}
	return s.native(ctx, b, opts, func(own store.Backup, plan *foreignPlan) error {
		if err := s.showForeign(plan, opts); err != nil {
			return err
		}
		return a.unpackTo(ctx, s.Store, own, opts)
	})
}

// plannedForeign is planned for an archive of others: what becomes of it stands above the plan.
func (s *session) plannedForeign(ctx context.Context, b store.Backup, opts restoreOptions, do func(*planned) error) error {
	return s.native(ctx, b, opts, func(own store.Backup, plan *foreignPlan) error {
		if err := s.showForeign(plan, opts); err != nil {
			return err
		}
		opts.maps = nil // what was made of it has the names of the project
		return s.planned(ctx, own, opts, func(p *planned) error {
			if opts.dryRun {
				p.Backup.Path = b.Path
			}
			p.Skipped = plan.addLeft(p.Skipped)
			run := p.run
			p.run = func(ctx context.Context) (*restore.Result, error) {
				res, err := run(ctx)
				if res != nil {
					res.Skipped = plan.addLeft(res.Skipped)
				}
				return res, err
			}
			return do(p)
		})
	})
}

// addLeft adds the folders that nobody decided about to what a restore skips.
func (p *foreignPlan) addLeft(skipped []restore.Skipped) []restore.Skipped {
	for _, l := range p.Mapping.Left {
		s := restore.Skipped{Name: l.Folder, Why: l.Why, Wanted: true}
		if l.Wanted && !slices.Contains(skipped, s) {
			skipped = append(skipped, s)
		}
	}
	return skipped
}

// showForeign shows what becomes of an archive of others: as a part of the result of a dry run, else to the person who is asked.
func (s *session) showForeign(p *foreignPlan, opts restoreOptions) error {
	if opts.dryRun && opts.format == "" {
		return writeClean(s.app.out, p.text())
	}
	s.app.pauseDisplay()
	return writeClean(s.app.err, p.text())
}
