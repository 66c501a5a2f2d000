package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/durable"
)

const (
	recordSuffix = ".json"
	sha256Suffix = ".sha256"
	md5Suffix    = ".md5"
)

// Record is what became known of an archive after it was written. The archive is the authority: a record that does
// not fit its file is not used.
type Record struct {
	Version int      `json:"version"` // 1
	Summary *Summary `json:"summary,omitempty"`
	Proof   *Proof   `json:"proof,omitempty"`
	// Validation is the last look at the data in the archive.
	Validation *Validation `json:"validation,omitempty"`
	// FormerSize is the size of an archive of the former script when it was verified: it has no summary.
	FormerSize int64 `json:"formerSize,omitempty"`
	// Audit is the head of the audit log once the operation that made the archive was in it.
	Audit *AuditHead `json:"audit,omitempty"`
	// Restore is, of a safety backup, how the restore is undone.
	Restore json.RawMessage `json:"restore,omitempty"`
}

// Summary repeats what a list shows of the manifest, so that a list opens no archive.
type Summary struct {
	ID       string    `json:"id"`
	Sequence int64     `json:"sequence"`
	Created  time.Time `json:"created"`
	Reason   string    `json:"reason"`
	Note     string    `json:"note,omitempty"`
	Owner    Owner     `json:"project"`
	Selected []string  `json:"selected,omitempty"`
	Complete bool      `json:"complete"`
	Files    int64     `json:"files"`
	Bytes    int64     `json:"bytes"`
	Size     int64     `json:"size"` // of the archive's file
}

// Proof is the last verification that read every byte.
type Proof struct {
	ID     string    `json:"id"` // of the manifest that was proven
	Time   time.Time `json:"time"`
	Sound  bool      `json:"sound"`
	SHA256 string    `json:"sha256"`
	Damage []string  `json:"damage,omitempty"`
}

// Summarize takes from a manifest what a list shows; size is that of the archive's file.
func Summarize(m *archive.Manifest, size int64) Summary {
	s := Summary{
		ID: m.ID, Sequence: m.Sequence, Created: m.Created, Reason: m.Reason, Note: m.Note,
		Owner: Owner{m.Project.Name, m.Project.WorkingDir}, Selected: m.Project.Selected, Complete: m.Complete, Size: size,
	}
	for _, src := range m.Sources {
		s.Files += src.Files
		s.Bytes += src.Bytes
	}
	return s
}

func (s Summary) apply(b *Backup) {
	b.ID, b.Sequence, b.Created, b.Reason, b.Note = s.ID, s.Sequence, s.Created, s.Reason, s.Note
	b.Owner, b.Selected, b.Files, b.Bytes = s.Owner, s.Selected, s.Files, s.Bytes
}

// record reads the record of an archive; a missing or unreadable one is empty, for the archive is the authority.
func (d *Dir) record(name string) (Record, error) {
	data, err := os.ReadFile(d.path(name + recordSuffix))
	if errors.Is(err, fs.ErrNotExist) {
		return Record{}, nil
	}
	if err != nil {
		return Record{}, fmt.Errorf("read record of %s: %w", name, err)
	}
	var r Record
	if json.Unmarshal(data, &r) != nil || r.Version != 1 {
		return Record{}, nil
	}
	return r, nil
}

func (d *Dir) writeRecord(name string, r Record) error {
	r.Version = 1
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("encode record of %s: %w", name, err)
	}
	if err := durable.WriteFile(d.path(name+recordSuffix), append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("write record of %s: %w", name, err)
	}
	return nil
}
