// Package store keeps archives in the backups directory: their names, commit marks, records, and which one is latest.
//
// Beside NAME.tar.gz stand NAME.tar.gz.md5 and NAME.tar.gz.sha256 in the format of md5sum -c and sha256sum -c; the
// .sha256 is the commit mark, written after the archive was read back. NAME.tar.gz.json is the record of what became
// known later. latest_backup.txt holds the path of the newest good archive.
package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/memsys/docker-memsys/internal/durable"
)

// LatestFile is the file that names the newest good backup; the script that docker memsys replaces wrote it too.
const LatestFile = "latest_backup.txt"

// Latest is the word for the newest good backup.
const Latest = "latest"

// BeforeRestore is the reason of the safety backups that restore takes: they are never latest.
const BeforeRestore = "before-restore"

// Import is the reason of archives that were made from those of others: they are never latest, for nobody knows which state they hold, nor
// whether it is newer than that of the last backup.
const Import = "import"

// State is what is known of a stored archive.
type State string

// The states of a backup.
const (
	Verified   State = "verified"   // read back after it was written, and nothing bad known since
	Incomplete State = "incomplete" // sound, but something that belongs into it could not be read
	Damaged    State = "damaged"    // its bytes are not what was written
	Unverified State = "unverified" // no commit mark beside it: made by the former script, copied alone, or interrupted
)

// Backup is one archive of a backups directory.
type Backup struct {
	Name     string
	Path     string
	Size     int64
	Created  time.Time
	ID       string
	Sequence int64
	Reason   string
	Note     string
	Owner    Owner
	Selected []string // services the backup was limited to
	Files    int64
	Bytes    int64
	State    State
	Why      string    // of a state that is not Verified
	Proven   time.Time // last verification that read every byte
	// Validation is the last look at the data in it; nil where nobody has looked.
	Validation *Validation
	// Former tells that the script which docker memsys replaces made it: a plain tar.gz without manifest.
	Former bool
}

// Owner is the project that a backup is of, as far as a folder tells projects apart. The zero value is not known.
type Owner struct {
	Name       string `json:"name"`
	WorkingDir string `json:"workingDir"`
}

// Good tells whether the backup counts as a backup of the whole project: one whose data was found damaged does not.
func (b Backup) Good() bool {
	return b.State == Verified && !b.Former && len(b.Selected) == 0 && !b.Damaged()
}

// NotFoundError says that no backup answers to a name.
type NotFoundError struct {
	Arg string
	Dir string
	Why string
	// Empty tells that there is no backup at all.
	Empty bool
}

func (e *NotFoundError) Error() string {
	if e.Empty {
		return "no backups in " + e.Dir + " yet"
	}
	if e.Why != "" {
		return fmt.Sprintf("no backup %q in %s: %s", e.Arg, e.Dir, e.Why)
	}
	return fmt.Sprintf("no backup %q in %s", e.Arg, e.Dir)
}

// Dir is a backups directory. Its methods are safe for use by one process at a time that holds the project's lock;
// reading needs no lock.
type Dir struct {
	Path string
	// Location is that of the names of archives without manifest; nil means local time.
	Location *time.Location
	// Owner is whose backups latest means: several projects can share a directory. The zero value means any.
	Owner Owner
}

// Open returns the backups directory at path. It need not exist.
func Open(path string) *Dir { return &Dir{Path: path} }

// Ensure makes the directory, mode 0700, if it is missing, and with it nothing but missing parents. Their names are on the disk when it
// returns: an archive must not vanish with its folder.
func (d *Dir) Ensure() error {
	var missing []string
	for dir := d.Path; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(dir); err == nil || dir == filepath.Dir(dir) {
			break
		}
		missing = append(missing, dir)
	}
	if err := os.MkdirAll(d.Path, 0o700); err != nil {
		return fmt.Errorf("make backups directory: %w", err)
	}
	for _, dir := range missing {
		// A parent that cannot be opened is somebody else's: there is nothing that we can do for its names.
		if err := durable.SyncDir(filepath.Dir(dir)); err != nil && !errors.Is(err, fs.ErrPermission) {
			return fmt.Errorf("make backups directory: %w", err)
		}
	}
	return nil
}

// List returns all archives of the directory, newest first by (sequence, time). A missing directory is empty.
func (d *Dir) List(ctx context.Context) ([]Backup, error) {
	entries, err := os.ReadDir(d.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read backups directory: %w", err)
	}
	var all []Backup
	for _, e := range entries {
		if _, ok := ParseName(e.Name(), d.location()); !ok || !e.Type().IsRegular() {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		b, err := d.look(e.Name())
		if errors.Is(err, fs.ErrNotExist) {
			continue // deleted by someone else meanwhile
		}
		if err != nil {
			return nil, err
		}
		all = append(all, b)
	}
	order(all)
	return all, nil
}

// order sorts newest first. Archives of the former script have no sequence: they stand by time among the numbered ones,
// whose order they never change.
func order(all []Backup) {
	var numbered, former []Backup
	for _, b := range all {
		if b.Sequence != 0 {
			numbered = append(numbered, b)
		} else {
			former = append(former, b)
		}
	}
	slices.SortStableFunc(numbered, func(a, b Backup) int { return cmp.Or(cmp.Compare(b.Sequence, a.Sequence), byTime(a, b)) })
	slices.SortStableFunc(former, byTime)
	for i := range all {
		if len(numbered) == 0 || len(former) > 0 && byTime(former[0], numbered[0]) < 0 {
			all[i], former = former[0], former[1:]
		} else {
			all[i], numbered = numbered[0], numbered[1:]
		}
	}
}

// byTime puts the newer one first.
func byTime(a, b Backup) int {
	return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(b.Name, a.Name))
}

// Sorted returns the backups newest first, as List does.
func Sorted(all []Backup) []Backup {
	out := slices.Clone(all)
	order(out)
	return out
}

// NextSequence is the number for a new backup: one more than the highest in the directory.
func NextSequence(all []Backup) int64 {
	var highest int64
	for _, b := range all {
		highest = max(highest, b.Sequence)
	}
	return highest + 1
}

// NewestGood returns the newest backup that is verified, complete, of the whole project, without known damage in its data, and neither a safety
// backup nor an import.
func NewestGood(all []Backup) (Backup, bool) {
	for _, b := range all {
		if b.Good() && b.Reason != BeforeRestore && b.Reason != Import {
			return b, true
		}
	}
	return Backup{}, false
}

// NewestGood returns the backup that latest means: the newest good one of the directory's owner. Where there is none, one of
// the same name counts whose folder was another: the project has moved, which a restore asks about.
func (d *Dir) NewestGood(all []Backup) (Backup, bool) {
	if d.Owner == (Owner{}) {
		return NewestGood(all)
	}
	of := func(same func(Owner) bool) (Backup, bool) {
		return NewestGood(slices.DeleteFunc(slices.Clone(all), func(b Backup) bool { return !same(b.Owner) }))
	}
	if b, ok := of(func(o Owner) bool { return o == d.Owner }); ok {
		return b, true
	}
	return of(func(o Owner) bool { return o.Name == d.Owner.Name })
}

func (d *Dir) location() *time.Location {
	if d.Location != nil {
		return d.Location
	}
	return time.Local
}

func (d *Dir) path(name string) string { return filepath.Join(d.Path, name) }
