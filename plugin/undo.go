package plugin

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/memsys/docker-memsys/internal/progress"
	"github.com/memsys/docker-memsys/internal/restore"
	"github.com/memsys/docker-memsys/internal/store"
)

// checkUndo refuses what says nothing beside --undo: it brings back exactly what the restore has changed.
func (o restoreOptions) checkUndo(args []string) error {
	if !o.undo {
		return nil
	}
	if len(args) > 0 {
		return &usageError{message: "--undo undoes the last restore: it takes no backup", hint: "docker memsys restore " + strings.Join(args, " ")}
	}
	for flag, given := range map[string]bool{
		"--to": o.to != "", "--source": len(o.sources) > 0, "--service": len(o.services) > 0, "--path": len(o.paths) > 0,
	} {
		if given {
			return usagef("--undo brings back what the last restore has changed, no more and no less: it does not go with %s", flag)
		}
	}
	return nil
}

// restoreFrom finds the backup that is restored. For an undo it is the safety backup of the last restore, which is noted in opts, and none
// where all is put back from what was set aside.
func (s *session) restoreFrom(ctx context.Context, args []string, opts *restoreOptions, yes bool) (store.Backup, error) {
	if !opts.undo {
		return s.app.backupToRestore(ctx, s.Store, args, yes)
	}
	rec, err := s.lastRestore(ctx)
	if err != nil {
		return store.Backup{}, err
	}
	opts.undoes = rec
	if !rec.NeedsBackup() {
		return store.Backup{}, nil
	}
	b, err := s.Store.Find(ctx, rec.Safety.Path)
	if err != nil { // the folder may have moved
		b, err = s.Store.Find(ctx, rec.Safety.Name)
	}
	if err != nil {
		return b, fmt.Errorf("find the safety backup of the last restore: %w", err)
	}
	return b, nil
}

// records are those of the project's restores, in its state folder.
func (s *session) records() restore.Records {
	return restore.Records{Dir: filepath.Join(s.state.Dir(), "restores")}
}

// lastRestore is the record of the last restore: from the state folder, or where that is lost, or another user restored last, from beside
// the safety backups.
func (s *session) lastRestore(ctx context.Context) (*restore.Record, error) {
	here, err := s.records().List()
	if err != nil {
		return nil, err
	}
	damaged, err := s.records().Damaged()
	if err != nil {
		return nil, err
	}
	for _, path := range damaged {
		s.app.sink().Report(progress.Event{
			Step: "undo", Status: progress.Warning, Text: path + " is damaged: it may be the record of the last restore, then this undoes the one before it",
		})
	}
	notes, err := s.Store.RestoreNotes(ctx)
	if err != nil {
		return nil, err
	}
	for _, n := range notes {
		rec, err := restore.ParseRecord(n.Note)
		if err != nil || slices.ContainsFunc(here, func(r restore.Record) bool { return r.ID == rec.ID }) {
			continue
		}
		if len(here) == 0 || rec.Time.After(here[0].Time) {
			s.app.sink().Report(progress.Event{
				Step: "undo", Status: progress.Warning,
				Text: "this user's state folder does not know the last restore; what stands beside its safety backup " + n.Backup.Name + " is used",
			})
			return &rec, nil
		}
		break
	}
	if len(here) == 0 {
		return nil, &restore.NoUndoError{Why: "no restore of this project is on record"}
	}
	return &here[0], nil
}

// keepRecord keeps how a restore is undone: in the state folder, and beside the safety backup for the day that folder is lost.
func (s *session) keepRecord(rec restore.Record) error {
	if err := s.records().Save(rec); err != nil {
		return err
	}
	if rec.Safety == nil {
		return nil
	}
	data, err := json.Marshal(rec)
	if err == nil {
		err = s.Store.NoteRestore(rec.Safety.Name, data)
	}
	if err != nil {
		s.app.sink().Report(progress.Event{
			Step: "restore", Status: progress.Warning, Text: fmt.Sprintf("how it is undone could not be noted beside %s, only in the state folder: %v", rec.Safety.Name, err),
		})
	}
	return nil
}

// forgetRecord takes back what keepRecord has kept of a restore that does not count.
func (s *session) forgetRecord(id string) error {
	all, err := s.records().List()
	if err != nil {
		return err
	}
	if i := slices.IndexFunc(all, func(r restore.Record) bool { return r.ID == id }); i >= 0 && all[i].Safety != nil {
		// A note that stays is harmless: what it brings back is the state that is there.
		_ = s.Store.NoteRestore(all[i].Safety.Name, nil)
	}
	return s.records().Drop(id)
}

// restoreQuestion is what a person answers before a restore, or its undo.
func restoreQuestion(p *restore.Plan) string {
	if p.Undoes == nil {
		return "Restore " + p.Backup.Name + "?"
	}
	return fmt.Sprintf("Undo the restore of %s%s?", p.Undoes.Backup, changedWords(p))
}

// changedWords says that an undo takes back what was done after the restore, too.
func changedWords(p *restore.Plan) string {
	count, unknown := 0, false
	for _, c := range p.ChangedSince {
		count += len(c.Paths)
		unknown = unknown || c.Unknown != ""
	}
	switch {
	case count > 0:
		return ", and with it what was changed since in " + plural(int64(count), "entry", "entries")
	case unknown:
		return ", and with it what may have been changed since"
	}
	return ""
}

// undoText is what the plan of an undo has beside that of a restore.
func undoText(p *restore.Plan) string {
	var b strings.Builder
	if p.Undoes == nil {
		return ""
	}
	fmt.Fprintf(&b, "undo the restore of %s, done %s\n", p.Undoes.Backup, p.Undoes.Time.Local().Format(time.DateTime))
	for _, c := range p.ChangedSince {
		if c.Unknown != "" {
			fmt.Fprintf(&b, "what was changed in %s since is not known: %s\n", c.Source, c.Unknown)
			continue
		}
		fmt.Fprintf(&b, "changed in %s since, and taken back too:\n", c.Source)
		pathsText(&b, "changed", c.Paths)
	}
	return b.String()
}

// fromText says what an undo puts back into a source.
func fromText(t *restore.Target) string {
	switch t.From {
	case restore.FromAside:
		return ", from what was set aside"
	case restore.FromNothing:
		return ": what the restore has made there is taken away, the empty folder or volume stays"
	}
	return ""
}

// safetyNote is what the list says of a safety backup.
func safetyNote(p *restore.Plan) string {
	if p.Undoes != nil {
		return "before undoing the restore of " + p.Undoes.Backup
	}
	return "before restoring " + p.Backup.Name
}
