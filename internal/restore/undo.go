package restore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/tree"
)

// NoUndoError says that there is nothing to undo, or nothing left to do it with.
type NoUndoError struct{ Why string }

func (e *NoUndoError) Error() string { return "nothing to undo: " + e.Why }

// Since is what was changed in a source after the restore that is undone.
type Since struct {
	Source string   `json:"source"`
	Paths  []string `json:"paths,omitempty"`
	// Unknown says why that cannot be told.
	Unknown string `json:"unknown,omitempty"`
}

// Undone names the restore that is undone.
type Undone struct {
	ID     string    `json:"id"`
	Time   time.Time `json:"time"`
	Backup string    `json:"backup"` // that it had restored
}

func (r *Record) undone() *Undone {
	if r == nil {
		return nil
	}
	return &Undone{ID: r.ID, Time: r.Time, Backup: r.Backup.Name}
}

// asideName stands for a backup where what was set aside is put back.
const asideName = "what was set aside"

// NeedsBackup tells whether an undo takes anything from the safety backup.
func (r *Record) NeedsBackup() bool {
	return slices.ContainsFunc(r.Targets, func(s RestoredState) bool { return s.From == FromBackup })
}

// formerManifest stands for the manifest where an undo has no backup.
func formerManifest(req Request) *archive.Manifest {
	m := &archive.Manifest{Complete: true, Project: req.Project, Reason: string(FromAside)}
	if req.Undo != nil {
		m.Created = req.Undo.Time
	}
	return m
}

// archived tells whether a target's content comes from the archive.
func (t *Target) archived() bool { return t.From == "" || t.From == FromBackup }

// chooseUndo makes a target of every source that the restore has restored and that can be brought back.
func (p *Plan) chooseUndo(ctx context.Context) error {
	if p.reader == nil {
		p.Backup.Name = asideName
	}
	for _, s := range p.req.Undo.Targets {
		t, now, why := p.former(s)
		if why != "" {
			p.skip(s.Name, why, true)
			continue
		}
		if err := p.locate(ctx, t, now); err != nil {
			return fmt.Errorf("find source %s: %w", s.Name, err)
		}
	}
	p.Targets = slices.DeleteFunc(p.Targets, p.pointless)
	if len(p.Targets) == 0 && len(p.Refusals) == 0 {
		return &NoUndoError{Why: p.whyNothing()}
	}
	return nil
}

// pointless tells a target of which nothing is there that could be taken away, and refuses one that is not where it was.
func (p *Plan) pointless(t *Target) bool {
	if t.Missing && t.From == FromNothing {
		return true
	}
	if t.From == FromAside && (t.Missing || filepath.Dir(t.former) != t.Root && filepath.Dir(t.former) != filepath.Dir(t.Root)) {
		p.refuse(Conflict, t.Name, "what was set aside of source %s is in %s, and the source is now at %s", t.Name, t.former, t.Root)
	}
	return false
}

func (p *Plan) whyNothing() string {
	var parts []string
	for _, s := range p.Skipped {
		parts = append(parts, s.Name+": "+s.Why)
	}
	if len(parts) == 0 {
		return "what the last restore has made is gone"
	}
	return strings.Join(parts, "; ")
}

// former is the target that brings a source back, or why there is none.
func (p *Plan) former(s RestoredState) (*Target, compose.Source, string) {
	a := archive.Source{Name: s.Name, Kind: s.Kind, Prefix: "data/" + s.Name, SingleFile: s.Single}
	now, ok := p.present(a)
	t := &Target{Name: s.Name, Kind: s.Kind, Prefix: a.Prefix, Single: s.Single, From: s.From, whole: s.Whole, paths: s.Paths, kept: s.Kept, source: a}
	switch {
	case !ok:
		return nil, now, fmt.Sprintf("the project has no %s of this name any more", s.Kind)
	case s.From == FromBackup:
		i := slices.IndexFunc(p.manifest.Sources, func(m archive.Source) bool { return m.Name == s.Name && m.Kind == s.Kind && m.Missing == "" })
		if i < 0 {
			return nil, now, "the safety backup does not have it"
		}
		t.source = p.manifest.Sources[i]
		t.Prefix, t.Single = t.source.Prefix, t.source.SingleFile
	case s.From == FromAside:
		t.former = s.Aside
		n, why := setAside(s.Aside)
		if why != "" {
			return nil, now, why
		}
		t.kept = n.Note.Kept
		if len(n.Folders) > 0 {
			t.self = &n.Folders[0].Old
		}
	case s.From == FromNothing && s.Single:
		return nil, now, "it did not exist before, and a file that may be mounted is not removed: remove it yourself"
	case s.From != FromNothing:
		return nil, now, "nothing was kept of it, as asked for (--no-safety-backup)"
	}
	if now.Excluded != "" {
		t.Aside = "the source is not in backups now: " + now.Excluded
	}
	return t, now, ""
}

// setAside is the record of entries that were set aside, or why they cannot be put back.
func setAside(path string) (*noted, string) {
	if !exists(filepath.Join(path, "old")) {
		return nil, "what was set aside in " + path + " is gone"
	}
	a, n, err := readAside(path)
	switch {
	case err != nil:
		return nil, "what was set aside cannot be put back: " + err.Error()
	case n == nil:
		return nil, "what was set aside in " + path + " can only be put back by hand: " + a.Why
	}
	return n, ""
}

// newView looks through what has the content of a target.
func (p *Plan) newView(ctx context.Context, t *Target, choice func(*tree.Entry) bool, blocked []string) (*view, error) {
	var each entries
	var err error
	switch {
	case t.From == FromAside:
		each, err = asideEntries(ctx, t.Prefix, filepath.Join(t.former, "old"), t.self)
	case t.From == FromNothing:
		each, err = emptyEntries(t.Prefix, t.Root)
	default:
		each = p.owners.entries(archiveEntries(ctx, p.reader))
	}
	if err != nil {
		return nil, err
	}
	if t.From == "" || t.whole {
		return newView(t.Prefix, each, choice, blocked)
	}
	return newScopedView(t.Prefix, each, t.paths, blocked)
}

// compareSince tells what was changed after the restore that is undone, by kind, size and time of the entries that it has put in place.
func (p *Plan) compareSince(ctx context.Context) error {
	if p.req.Undo == nil || len(p.Refusals) > 0 {
		return nil
	}
	r, f, err := openArchive(p.req.Undo.Backup.Path)
	if err == nil {
		defer f.Close()
	}
	if err == nil && r.Manifest().ID != p.req.Undo.Backup.ID {
		err = errors.New("another archive has its name now")
	}
	for _, t := range p.Targets {
		if t.Missing {
			continue
		}
		since := Since{Source: t.Name}
		if err == nil {
			since.Paths, err = p.since(ctx, r, t)
		}
		if err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			since.Unknown = unknownSince(p.req.Undo.Backup, err)
		}
		if len(since.Paths) > 0 || since.Unknown != "" {
			p.ChangedSince = append(p.ChangedSince, since)
		}
	}
	return nil
}

func unknownSince(b Backup, err error) string {
	if b.Path == "" {
		return "it was put back from what was set aside: there is nothing left to compare it with"
	}
	return fmt.Sprintf("%s, which was restored, cannot be compared with it any more: %v", b.Name, err)
}

// openArchive opens an archive by its path; the caller closes the file.
func openArchive(path string) (*archive.Reader, *os.File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	r, err := archive.Open(f, info.Size())
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return r, f, nil
}

// since compares a source with what was restored there.
func (p *Plan) since(ctx context.Context, r *archive.Reader, t *Target) ([]string, error) {
	m, name := r.Manifest(), t.Name
	for _, s := range p.req.Undo.Targets {
		if s.Name == t.Name && s.Was != "" {
			name = s.Was
		}
	}
	i := slices.IndexFunc(m.Sources, func(s archive.Source) bool { return s.Name == name })
	if i < 0 {
		return nil, errors.New("it does not have the source")
	}
	then := *t
	then.source, then.Prefix, then.From, then.Changes = m.Sources[i], m.Sources[i].Prefix, FromBackup, Changes{}
	q := &Plan{manifest: m, reader: r, req: p.req, Targets: p.Targets}
	var err error
	if then.view, err = q.newView(ctx, &then, nil, t.view.blocked); err != nil {
		return nil, err
	}
	keep, err := q.keeper(&then)
	if err != nil {
		return nil, err
	}
	found, err := tree.Compare(ctx, t.Root, then.view.expected(), tree.CompareOptions{Skip: keep.skip, IgnoreOwners: true})
	if err != nil {
		return nil, err
	}
	return then.changed(found)
}

// changed are the paths whose content is not what was restored. The time of a folder says nothing.
func (t *Target) changed(found []tree.Difference) ([]string, error) {
	folders := map[string]bool{}
	for x, err := range t.view.expected() {
		if err != nil {
			return nil, err
		}
		folders[x.Entry.Path] = x.Entry.Kind == tree.Dir
	}
	var out []string
	for _, d := range found {
		if essential(d.Field) || d.Field == "mtime" && !folders[d.Path] {
			out = append(out, d.Path)
		}
	}
	return slices.Compact(out), nil
}
