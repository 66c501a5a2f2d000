package store

import (
	"context"
	"encoding/json"
)

// RestoreNote is how the restore is undone for which a safety backup was made, as the record beside that says.
type RestoreNote struct {
	Backup Backup
	Note   json.RawMessage
}

// NoteRestore keeps in the record of a safety backup how the restore is undone; nil takes it out again.
func (d *Dir) NoteRestore(name string, note json.RawMessage) error {
	rec, err := d.record(name)
	if err != nil {
		return err
	}
	rec.Restore = note
	return d.writeRecord(name, rec)
}

// RestoreNotes are those of the owner's safety backups, the newest first.
func (d *Dir) RestoreNotes(ctx context.Context) ([]RestoreNote, error) {
	all, err := d.List(ctx)
	if err != nil {
		return nil, err
	}
	var notes []RestoreNote
	for _, b := range all {
		if b.Reason != BeforeRestore || d.Owner != (Owner{}) && b.Owner != d.Owner {
			continue
		}
		rec, err := d.record(b.Name)
		if err != nil {
			return nil, err
		}
		if len(rec.Restore) > 0 {
			notes = append(notes, RestoreNote{b, rec.Restore})
		}
	}
	return notes, nil
}
