package store

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/memsys/docker-memsys/internal/inventory"
)

// Validation is the last look at the data in a backup: whether it makes sense, whatever the archive's bytes.
type Validation struct {
	ID   string    `json:"id"` // of the manifest whose data was looked at
	Time time.Time `json:"time"`
	inventory.Validation
}

// Damaged tells whether a validation found damage in the data of the backup.
func (b Backup) Damaged() bool {
	return b.Validation != nil && b.Validation.Status == inventory.Damaged
}

// RecordValidation keeps beside an archive what a look at its data came to, and points latest_backup.txt anew. The data in an archive never
// changes: damage that was found stays on record until a look that could have found it does not (inventory.Renew). A folder that
// cannot be written is not an error, nor is an archive that has no id, of which nothing is kept.
func (d *Dir) RecordValidation(ctx context.Context, b Backup, now time.Time, v inventory.Validation) (Backup, error) {
	if b.ID == "" {
		return b, nil
	}
	rec, err := d.record(b.Name)
	if err != nil {
		return b, err
	}
	if now := rec.Validation; now != nil && now.ID == b.ID {
		b.Validation = now // another look may have ended since b was read
	}
	if b.Validation != nil {
		renewed := inventory.Renew(b.Validation.Validation, v)
		if renewed.Status != v.Status {
			return b, nil // the former one stays
		}
		v = renewed
	}
	b.Validation = &Validation{ID: b.ID, Time: now, Validation: v}
	rec.Validation = b.Validation
	err = d.writeRecord(b.Name, rec)
	if err == nil {
		err = d.pointLatest(ctx)
	}
	if errors.Is(err, os.ErrPermission) || readOnly(err) {
		err = nil
	}
	return b, err
}

// validated is the last look at the data that is known: the record's where it is of this archive, else that of the backup itself.
func validated(b *Backup, rec Record, own *inventory.Validation) *Validation {
	if v := rec.Validation; v != nil && v.ID == b.ID {
		return v
	}
	if own == nil {
		return nil
	}
	return &Validation{ID: b.ID, Time: b.Created, Validation: *own}
}
