package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// halfWrittenAge is how old a file must be that was never given its name, before it counts as left behind: a verification, which takes no
// lock, may be writing a younger one.
const halfWrittenAge = time.Hour

// unfinishedAge is the same for an archive that is being written, on a file system without locks perhaps by a run of another machine. Its journal
// names it; what could not be removed then, because the disk was read-only or not mounted, goes here.
const unfinishedAge = 24 * time.Hour

// Sweep removes sums, records, latest_backup.txt, private copies and archives that were being written by a run that was killed and that no journal names,
// such as a verification's. What cannot be removed stays: it hinders nobody.
func (d *Dir) Sweep(now time.Time) error {
	entries, err := os.ReadDir(d.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var failed error
	for _, e := range entries {
		age := halfWrittenAge
		switch {
		case e.IsDir() && IsTemporary(e.Name()) && strings.HasSuffix(e.Name(), scratchSuffix):
			age = unfinishedAge
		case !e.Type().IsRegular():
			continue
		case IsTemporary(e.Name()):
			age = unfinishedAge
		case !d.halfWritten(e.Name()):
			continue
		}
		info, err := e.Info()
		if err != nil || now.Sub(info.ModTime()) < age {
			continue
		}
		if removed := os.RemoveAll(filepath.Join(d.Path, e.Name())); removed != nil && !errors.Is(removed, fs.ErrNotExist) {
			failed = errors.Join(failed, removed)
		}
	}
	return failed
}

// halfWritten tells the names that durable.WriteFile uses for files that stand beside archives.
func (d *Dir) halfWritten(name string) bool {
	final, _, temporary := strings.Cut(strings.TrimPrefix(name, "."), ".tmp-")
	if !temporary || !strings.HasPrefix(name, ".") {
		return false
	}
	if final == LatestFile {
		return true
	}
	for _, suffix := range []string{recordSuffix, sha256Suffix, md5Suffix} {
		if archive, ok := strings.CutSuffix(final, suffix); ok {
			_, named := ParseName(archive, d.location())
			return named
		}
	}
	return false
}
