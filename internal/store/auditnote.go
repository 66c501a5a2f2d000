package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// AuditHead is the head of the audit log as it was once the operation that made an archive was in it.
type AuditHead struct {
	Log      string `json:"log"`
	Sequence int64  `json:"sequence"`
	Hash     string `json:"hash"`
}

// NoteAudit keeps the head of the audit log in the record of an archive: who cuts the log must change that too.
func (d *Dir) NoteAudit(name string, head AuditHead) error {
	rec, err := d.record(name)
	if err != nil {
		return err
	}
	rec.Audit = &head
	return d.writeRecord(name, rec)
}

// AuditHeads are the heads of the audit log that the archives' records note, by the names of the records.
func (d *Dir) AuditHeads() (map[string]AuditHead, error) {
	entries, err := os.ReadDir(d.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read backups directory: %w", err)
	}
	heads := map[string]AuditHead{}
	for _, e := range entries {
		name, is := strings.CutSuffix(e.Name(), recordSuffix)
		if _, named := ParseName(name, d.location()); !is || !named {
			continue
		}
		rec, err := d.record(name)
		if err != nil {
			return nil, err
		}
		if rec.Audit != nil {
			heads[e.Name()] = *rec.Audit
		}
	}
	return heads, nil
}
