package store

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/durable"
)

// Pending is an archive that is being written: a temporary file in the backups directory.
type Pending struct {
	File *os.File
	dir  *Dir
	path string
	done bool
}

// TemporaryPath draws the path under which an archive of the time now is written, so that a journal knows it before
// the file exists.
func (d *Dir) TemporaryPath(now time.Time) (string, error) {
	var id [8]byte
	if _, err := rand.Read(id[:]); err != nil {
		return "", fmt.Errorf("draw id: %w", err)
	}
	return d.path(temporaryName(Name(now, 1), hex.EncodeToString(id[:]))), nil
}

// Create starts a new archive at a path from TemporaryPath. The caller ends it with Publish or Abort.
func (d *Dir) Create(path string) (*Pending, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("create archive: %w", err)
	}
	return &Pending{File: f, dir: d, path: path}, nil
}

// Flush brings the file to the disk and drops it from the page cache where the system lets us, so that what is read
// next comes from the disk. It returns the file's size.
func (p *Pending) Flush() (int64, error) {
	if err := p.File.Sync(); err != nil {
		return 0, fmt.Errorf("sync archive: %w", err)
	}
	if err := dropCache(p.File); err != nil {
		return 0, fmt.Errorf("drop archive from cache: %w", err)
	}
	info, err := p.File.Stat()
	if err != nil {
		return 0, fmt.Errorf("size of archive: %w", err)
	}
	return info.Size(), nil
}

// Abort removes the temporary file. It does nothing after Publish.
func (p *Pending) Abort() error {
	if p.done {
		return nil
	}
	p.done = true
	return errors.Join(p.File.Close(), os.Remove(p.path))
}

// Publish gives the archive its name, writes its sums and record, and points latest_backup.txt to it where it is good.
// The file's content must be synced and verified: proof is the report of that. Should Publish fail after the archive has its name, the archive stays: it is whole.
func (p *Pending) Publish(ctx context.Context, now time.Time, m *archive.Manifest, proof *archive.Report) (Backup, error) {
	info, err := p.File.Stat()
	if err != nil {
		return Backup{}, fmt.Errorf("publish archive: %w", err)
	}
	name, err := p.rename(now)
	if err != nil {
		return Backup{}, err
	}
	p.done = true
	if err := p.File.Close(); err != nil {
		return Backup{}, fmt.Errorf("close archive: %w", err)
	}
	sum := Summarize(m, info.Size())
	rec := Record{Summary: &sum, Proof: &Proof{ID: m.ID, Time: now, Sound: true, SHA256: proof.SHA256}}
	if m.Validation != nil {
		rec.Validation = &Validation{ID: m.ID, Time: now, Validation: *m.Validation}
	}
	if err := p.dir.writeRecord(name, rec); err != nil {
		return Backup{}, err
	}
	if err := p.dir.commit(name, proof); err != nil {
		return Backup{}, err
	}
	if err := p.dir.pointLatest(ctx); err != nil {
		return Backup{}, err
	}
	return p.dir.look(name)
}

// rename gives the temporary file the first free name of its second.
func (p *Pending) rename(now time.Time) (string, error) {
	for n := 1; n < 1000; n++ {
		name := Name(now, n)
		err := renameNew(p.path, p.dir.path(name))
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("name archive: %w", err)
		}
		return name, durable.SyncDir(p.dir.Path)
	}
	return "", fmt.Errorf("name archive: a thousand archives of %s exist", now.Format(layout))
}

// RemoveHalfWritten removes what a run that was killed in Publish left beside the archive: sums, a record or latest_backup.txt that
// had not got their names. temporary is the path under which the archive was written; what others write in the folder stays.
func RemoveHalfWritten(temporary string) error {
	dir, name := filepath.Split(temporary)
	stem, _, _ := strings.Cut(name, suffix)
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		final, _, half := strings.Cut(e.Name(), ".tmp-")
		ours := strings.HasPrefix(final, stem) && filepath.Ext(final) != filepath.Ext(suffix) || final == "."+LatestFile
		if !half || !ours {
			continue
		}
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// commit writes the sums beside an archive; the .sha256, written last, is the commit mark.
func (d *Dir) commit(name string, proof *archive.Report) error {
	for _, sum := range []struct{ suffix, hex string }{{md5Suffix, proof.MD5}, {sha256Suffix, proof.SHA256}} {
		line := sum.hex + "  " + name + "\n"
		if err := durable.WriteFile(d.path(name+sum.suffix), []byte(line), 0o600); err != nil {
			return fmt.Errorf("write %s of %s: %w", sum.suffix, name, err)
		}
	}
	return nil
}

// committed tells whether the commit mark of an archive is there.
func (d *Dir) committed(name string) (bool, error) {
	sum, err := d.SHA256(name)
	return sum != "", err
}

// SHA256 is the sum in hex that the commit mark of an archive says, empty without a mark.
func (d *Dir) SHA256(name string) (string, error) {
	data, err := os.ReadFile(d.path(name + sha256Suffix))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read checksum of %s: %w", name, err)
	}
	sum, rest, _ := strings.Cut(strings.TrimSpace(string(data)), " ")
	file := strings.TrimLeft(rest, " *")
	if len(sum) != 64 || filepath.Base(file) != name {
		return "", nil
	}
	return strings.ToLower(sum), nil
}

// pointLatest writes latest_backup.txt where the newest good backup is another than it says. Without one, a file that names
// an archive of ours which is damaged, or whose data is, goes: nothing is better than that.
func (d *Dir) pointLatest(ctx context.Context) error {
	named, nameErr := d.pointed(d.path(LatestFile))
	whose := *d
	if whose.Owner == (Owner{}) && nameErr == nil {
		whose.Owner = named.Owner // who has no project changes nobody's latest into that of another
	}
	b, err := whose.latest(ctx)
	var none *NotFoundError
	if errors.As(err, &none) {
		if nameErr == nil && !named.Former && (named.State == Damaged || named.Damaged()) {
			return errors.Join(os.Remove(d.path(LatestFile)), durable.SyncDir(d.Path))
		}
		return nil
	}
	if err != nil {
		return err
	}
	want := []byte(b.Path + "\n")
	if have, err := os.ReadFile(d.path(LatestFile)); err == nil && string(have) == string(want) {
		return nil
	}
	return durable.WriteFile(d.path(LatestFile), want, 0o600)
}

// RecordVerify keeps the result of a verification beside the archive. A sound archive without sums gets them: it
// counts from then on.
func (d *Dir) RecordVerify(ctx context.Context, b Backup, now time.Time, report *archive.Report, damage []string) error {
	rec, err := d.record(b.Name)
	if err != nil {
		return err
	}
	rec.Proof = &Proof{ID: b.ID, Time: now, Sound: len(damage) == 0, SHA256: report.SHA256, Damage: damage}
	if b.Former && len(damage) == 0 {
		rec.FormerSize = report.Size
	}
	if err := d.writeRecord(b.Name, rec); err != nil {
		return err
	}
	if marked, err := d.committed(b.Name); err != nil {
		return err
	} else if !marked && len(damage) == 0 {
		if err := d.commit(b.Name, report); err != nil {
			return err
		}
	}
	return d.pointLatest(ctx)
}
