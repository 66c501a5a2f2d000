package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/memsys/docker-memsys/internal/archive"
)

// look reads what is known of the archive name: from its record where that fits the file, else from the archive.
func (d *Dir) look(name string) (Backup, error) {
	info, err := os.Stat(d.path(name))
	if err != nil {
		return Backup{}, err
	}
	b := Backup{Name: name, Path: d.path(name), Size: info.Size()}
	b.Created, _ = ParseName(name, d.location())
	if err := d.learn(&b); err != nil { // one that cannot be told about hides no other, and stops no backup
		b.State, b.Why = Unverified, whyUnknown(err)
	}
	return b, nil
}

// whyUnknown says why nothing can be told about an archive, in few words where somebody else may do better.
func whyUnknown(err error) string {
	var denied *fs.PathError
	if errors.As(err, &denied) && errors.Is(err, fs.ErrPermission) {
		return "this user may not read " + filepath.Base(denied.Path)
	}
	return err.Error()
}

// learn fills b with what its record, its archive and its sums tell.
func (d *Dir) learn(b *Backup) error {
	rec, err := d.record(b.Name)
	if err != nil {
		return err
	}
	complete, err := describe(b, rec)
	if errors.Is(err, fs.ErrPermission) {
		return err
	}
	if err != nil {
		b.State, b.Why = Damaged, err.Error()
		return nil
	}
	return d.judge(b, rec, complete)
}

// describe fills b from the record's summary or, without one that fits the file, from the manifest.
func describe(b *Backup, rec Record) (complete bool, err error) {
	if s := rec.Summary; s != nil && s.Size == b.Size && s.Owner.Name != "" {
		s.apply(b)
		b.Validation = validated(b, rec, nil)
		return s.Complete, nil
	}
	m, err := ReadManifest(b.Path)
	switch ours := rec.Summary != nil; {
	case errors.Is(err, archive.ErrNotOurs) && ours:
		return false, errors.New(endMissing)
	case errors.Is(err, archive.ErrNotOurs):
		b.Former = true
		return true, nil
	}
	if err != nil {
		return false, err
	}
	s := Summarize(m, b.Size)
	s.apply(b)
	b.Validation = validated(b, rec, m.Validation)
	return s.Complete, nil
}

// endMissing is why an archive that was ours has no footer.
const endMissing = "its end is missing: cut short or overwritten"

// judge sets the state of b, mildest first.
func (d *Dir) judge(b *Backup, rec Record, complete bool) error {
	marked, err := d.committed(b.Name)
	if err != nil {
		return err
	}
	b.State = Verified
	if !complete {
		b.State, b.Why = Incomplete, "something could not be read: docker memsys inspect "+b.Name
	}
	if !marked {
		b.State, b.Why = Unverified, "no checksum file beside it: docker memsys verify "+b.Name
	}
	if b.Former && marked && rec.FormerSize == 0 {
		b.State, b.Why = Damaged, endMissing
	}
	if was := knownSize(rec); was != 0 && was != b.Size {
		b.State, b.Why = Damaged, fmt.Sprintf("size is %d bytes, was %d", b.Size, was)
	}
	if p := rec.Proof; p != nil && p.ID == b.ID {
		b.Proven = p.Time
		if !p.Sound {
			b.State, b.Why = Damaged, strings.Join(p.Damage, "; ")
		}
	}
	return nil
}

// knownSize is the size that the archive had when it was last known to be sound; 0 where that is not known.
func knownSize(rec Record) int64 {
	if rec.Summary != nil {
		return rec.Summary.Size
	}
	return rec.FormerSize
}

// ReadManifest opens the archive at path and returns its manifest.
func ReadManifest(path string) (*archive.Manifest, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	r, err := archive.Open(f, info.Size())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	return r.Manifest(), nil
}

// At returns the backup at a path outside of any list: its folder is taken as backups directory.
func At(path string) (Backup, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return Backup{}, err
	}
	info, err := os.Stat(abs)
	if err != nil {
		return Backup{}, err
	}
	if !info.Mode().IsRegular() {
		return Backup{}, &fs.PathError{Op: "open backup", Path: path, Err: errors.New("not a regular file")}
	}
	b, err := Open(filepath.Dir(abs)).look(filepath.Base(abs))
	if b.Created.IsZero() {
		b.Created = info.ModTime()
	}
	return b, err
}
