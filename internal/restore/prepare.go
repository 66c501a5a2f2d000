package restore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/quiesce"
	"github.com/memsys/docker-memsys/internal/tree"
)

// Prepare reads the backup and the live data and decides what to do. It changes nothing. r is the backup's archive; it stays the
// caller's to close and is used by Run too.
func Prepare(ctx context.Context, r *archive.Reader, req Request) (*Plan, error) {
	p := newPlan(r, req)
	p.compareIdentity()
	choose := p.choose
	if req.Undo != nil {
		choose = p.chooseUndo
	}
	if err := choose(ctx); err != nil {
		return nil, err
	}
	p.nameStagings()
	if err := p.look(ctx); err != nil {
		return nil, err
	}
	if err := p.users(ctx); err != nil {
		return nil, err
	}
	if err := p.compare(ctx); err != nil {
		return nil, err
	}
	if err := p.compareSince(ctx); err != nil {
		return nil, err
	}
	if err := p.differ(ctx); err != nil {
		return nil, err
	}
	p.damaged()
	p.keepPresent()
	if err := p.room(); err != nil {
		return nil, err
	}
	p.warn()
	if len(p.Targets) == 0 && len(p.Refusals) == 0 {
		p.refuse(NothingToDo, p.Backup.Name, "%s", p.nothing("can be restored here"))
	}
	return p, nil
}

func newPlan(r *archive.Reader, req Request) *Plan {
	p := &Plan{
		ID: req.ID, Backup: req.Backup, Warnings: slices.Clone(req.Warnings), Undoes: req.Undo.undone(),
		reader: r, req: req, volumes: map[string]engine.Volume{}, surveys: map[*Target]*survey{}, owners: newOwners(req.Owners),
	}
	m := formerManifest(req)
	if r != nil {
		m = r.Manifest()
	}
	p.manifest, p.Project = m, m.Project
	p.Backup.Created, p.Backup.Reason, p.Backup.ID = m.Created, m.Reason, m.ID
	return p
}

func (p *Plan) compareIdentity() {
	p.Differences = identity(p.manifest.Project, p.req.Project)
	if !p.elsewhere() || p.req.AllowOtherProject {
		return
	}
	var parts []string
	for _, d := range p.Differences {
		if d.Identity {
			parts = append(parts, d.String())
		}
	}
	p.refuse(OtherProject, p.manifest.Project.Name, "the backup is of another project (%s)", strings.Join(parts, "; "))
}

// look reads which entries of the archive belong to each target.
func (p *Plan) look(ctx context.Context) error {
	for _, t := range p.Targets {
		choice, err := p.choice(t)
		if err != nil {
			return err
		}
		blocked, err := p.blocked(t)
		if err != nil {
			return fmt.Errorf("look at source %s: %w", t.Name, err)
		}
		if t.view, err = p.newView(ctx, t, choice, blocked); err != nil {
			return p.unreadable(ctx, err)
		}
		t.Entries, t.Bytes = t.view.Entries, t.view.Bytes
		if t.view.disorder != "" {
			p.refuse(Conflict, t.Name, "the entries of source %s do not stand in the order of a walk, %q first: restore it with --to", t.Name, t.view.disorder)
		}
		if d := t.view.devices; len(d) > 0 && !p.req.Devices {
			p.refuse(DeviceNodes, t.Name, "the backup of source %s holds %d device nodes, %q first", t.Name, len(d), d[0])
		}
		if lost := t.view.Lost; len(lost) > 0 {
			p.Warnings = append(p.Warnings, fmt.Sprintf("source %s: %d entries of the backup, %s first, lie where a mount, another source or the backups directory is now: they are not restored", t.Name, len(lost), lost[0]))
			p.skip(t.Name+"/"+lost[0], "a mount, another source or the backups directory is there now", true)
		}
	}
	if p.limited() {
		p.Targets = slices.DeleteFunc(p.Targets, func(t *Target) bool { return t.Entries == 0 })
	}
	return nil
}

// unreadable tells a contents table that cannot be right from a disk that cannot be read.
func (p *Plan) unreadable(ctx context.Context, err error) error {
	if ctx.Err() != nil || errors.As(err, new(*fs.PathError)) {
		return fmt.Errorf("read contents of %s: %w", p.Backup.Name, err)
	}
	return &DamagedError{Backup: p.Backup.Name, Damage: []archive.Damage{{Reason: err.Error()}}}
}

// limited tells whether only some paths are restored.
func (p *Plan) limited() bool { return len(p.req.Paths) > 0 || p.req.Exact != nil }

// choice is the function that tells which entries the user's patterns, or the exact paths, choose; nil without any.
func (p *Plan) choice(t *Target) (func(*tree.Entry) bool, error) {
	if p.req.Exact != nil {
		exact := map[string]bool{}
		for _, path := range p.req.Exact[t.source.Name] {
			exact[string(path)] = true
		}
		return func(e *tree.Entry) bool { return exact[e.Path] }, nil
	}
	if len(p.req.Paths) == 0 {
		return nil, nil
	}
	rules, err := tree.NewRules(tree.RuleOptions{Patterns: p.req.Paths})
	if err != nil {
		return nil, &PatternError{Err: fmt.Errorf("--path: %w", err)}
	}
	skip := rules.Skip(t.Root)
	if t.Single {
		return func(e *tree.Entry) bool { return fileChosen(t, e, skip) }, nil
	}
	return func(e *tree.Entry) bool { return skip(e) != "" }, nil
}

// fileChosen tells whether patterns choose a source that is a single file, by its name or by the source's.
func fileChosen(t *Target, e *tree.Entry, skip func(*tree.Entry) string) bool {
	return slices.ContainsFunc([]string{path.Base(filepath.ToSlash(t.source.Path)), t.Name}, func(name string) bool {
		c := *e
		c.Path = name
		return name != "." && skip(&c) != ""
	})
}

// nameStagings gives each target a staging of its own: those of single files lie beside them, where several can meet.
func (p *Plan) nameStagings() {
	for i, t := range p.Targets {
		t.staging = p.ID
		if t.Single {
			t.staging += "-" + strconv.Itoa(i)
		}
	}
}

// nothing says why there is nothing to do.
func (p *Plan) nothing(otherwise string) string {
	if p.req.Exact != nil {
		return fmt.Sprintf("the paths that were asked for are not in %s", p.Backup.Name)
	}
	if len(p.req.Paths) > 0 {
		return fmt.Sprintf("nothing in %s matches --path %s", p.Backup.Name, strings.Join(p.req.Paths, ", "))
	}
	return "nothing of the backup " + otherwise
}

// PatternError says that a pattern of paths cannot be understood.
type PatternError struct{ Err error }

func (e *PatternError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *PatternError) Unwrap() error { return e.Err }

// blocked are the folders inside the target that belong to another source, are the backups directory or mounts: no swap moves them.
func (p *Plan) blocked(t *Target) ([]string, error) {
	var out []string
	add := func(place string) {
		if rel, ok := inside(t.Root, place); ok {
			out = append(out, rel)
		}
	}
	for _, s := range p.req.Sources {
		if s.Name != t.Name {
			add(s.Path)
		}
	}
	for _, other := range p.Targets {
		if other != t {
			add(other.Root)
		}
	}
	add(p.req.Backups)
	if t.Missing || t.Single {
		return out, nil
	}
	mounts, err := tree.MountsBelow(t.Root)
	return append(out, mounts...), err
}

// users finds every container of the engine that uses a target, and plans to stop it.
func (p *Plan) users(ctx context.Context) error {
	if p.req.Volumes == nil {
		p.Warnings = append(p.Warnings, "the engine does not answer: whether containers use the data cannot be seen, and none is stopped")
		return nil
	}
	if err := p.findUsers(ctx); err != nil {
		return err
	}
	p.quiesce = quiesce.NewPlan(quiesce.Stop, p.req.Containers, func(c engine.Container) bool {
		return slices.ContainsFunc(p.Stop, func(s Container) bool { return s.ID == c.ID })
	})
	return nil
}

// keepPresent decides what keeps the present state.
func (p *Plan) keepPresent() {
	switch {
	case !p.req.Safety:
		p.Safety = Safety{Mode: SafetyNone, Why: "as asked for"}
	case p.req.NoSafety != "":
		p.setAside(p.req.NoSafety)
	case !slices.ContainsFunc(p.Targets, func(t *Target) bool { return !t.Missing }):
		p.Safety = Safety{Mode: SafetyNone, Why: "there is nothing yet"}
	default:
		p.Safety = Safety{Mode: SafetyBackup}
		if p.req.Backups == "" || p.req.Scratch != "" {
			break // whoever asks knows that it can be written
		}
		if err := Writable(p.req.Backups); err != nil {
			p.setAside(fmt.Sprintf("no safety backup can be written to %s: %v", p.req.Backups, err))
		}
	}
}

// setAside makes the entries that are replaced the safety copy.
func (p *Plan) setAside(why string) {
	p.Safety = Safety{Mode: SafetyAside, Why: why}
	for _, t := range p.Targets {
		if !t.Missing {
			t.Aside = why
		}
	}
}

// warn adds what a person should know before saying yes.
func (p *Plan) warn() {
	if !p.manifest.Complete && p.req.Undo == nil {
		p.Warnings = append(p.Warnings, "the backup is incomplete: docker memsys inspect "+p.Backup.Name+" tells what is missing")
	}
	for _, t := range p.Targets {
		if t.Entries <= 1 && t.Bytes == 0 && len(t.Changes.Removed) > 0 {
			p.Warnings = append(p.Warnings, fmt.Sprintf("source %s is empty in the backup: all of its %d entries are set aside", t.Name, len(t.Changes.Removed)))
		}
	}
	if p.req.Undo != nil {
		return
	}
	for _, s := range p.req.Sources {
		known := slices.ContainsFunc(p.manifest.Sources, func(a archive.Source) bool {
			now, ok := p.present(a)
			return ok && now.Name == s.Name
		})
		if s.Excluded == "" && !known && len(p.req.Only)+len(p.req.Services) == 0 {
			p.Warnings = append(p.Warnings, fmt.Sprintf("source %s is not in the backup: it stays as it is", s.Name))
		}
	}
}
