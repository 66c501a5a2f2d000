package inventory

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/memsys/docker-memsys/internal/tree"
)

// What SQLite lays beside a database.
const (
	journalSuffix = "-journal"
	walSuffix     = "-wal"
	shmSuffix     = "-shm"
)

// copyName is the name of the private copy: nothing of the name of the database, which may be long or odd, gets into a path.
const copyName = "database"

// The tries to copy a database that is being written to, and the pause before the next one, which doubles.
const (
	copyTries = 6
	copyPause = 20 * time.Millisecond
)

// errBusy tells that a live database was written to during each try to copy it.
var errBusy = errors.New("is written to all the time")

// roomError tells that a private copy has no room.
type roomError struct{ need, free int64 }

func (e *roomError) Error() string {
	if e.need == 0 {
		return "the scratch folder is full"
	}
	return fmt.Sprintf("a copy to look at needs %d bytes in the scratch folder, which has %d", e.need, e.free)
}

// databaseCopy is a private copy of a database and of what lies beside it. The original is only read.
type databaseCopy struct {
	dir string
	// size, journal and wal are the sizes of what was copied; 0 where there is none.
	size, journal, wal int64
	// settled tells that a journal lies beside the database but that its transaction, one over several databases, is committed.
	settled bool
}

// copyDatabase copies a database. A live one is copied anew when it was written to meanwhile.
func copyDatabase(ctx context.Context, s *Subject, o Options) (_ *databaseCopy, err error) {
	dir, err := os.MkdirTemp(o.Scratch, "database-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for a copy: %w", err)
	}
	done := false
	defer func() {
		if !done {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	pause := copyPause
	for range copyTries {
		c := &databaseCopy{dir: dir}
		changed, err := c.fill(ctx, s, o)
		if err != nil {
			return nil, err
		}
		if !changed {
			done = true
			return c, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
			pause *= 2
		}
	}
	return nil, errBusy
}

// path is where the copy lies.
func (c *databaseCopy) path() string { return filepath.Join(c.dir, copyName) }

// remove removes the copy.
func (c *databaseCopy) remove() error { return os.RemoveAll(c.dir) }

// part is one file that belongs to a database.
type part struct {
	suffix string
	file   File
	size   *int64
}

// fill copies all files once, and tells whether one of them was written to meanwhile.
func (c *databaseCopy) fill(ctx context.Context, s *Subject, o Options) (changed bool, err error) {
	parts := []part{{"", nil, &c.size}, {journalSuffix, nil, &c.journal}, {walSuffix, nil, &c.wal}}
	defer func() {
		for _, p := range parts {
			if p.file != nil {
				err = errors.Join(err, p.file.Close())
			}
		}
	}()
	for i := range parts {
		if parts[i].file, err = openPart(ctx, s, parts[i].suffix); err != nil {
			return false, err
		}
	}
	if err := room(o.Scratch, parts); err != nil {
		return false, err
	}
	for _, p := range parts {
		if *p.size, err = copyPart(ctx, c.path()+p.suffix, p.file); err != nil {
			return false, err
		}
	}
	if changed, err = anyChanged(ctx, s, parts); changed || err != nil {
		return changed, err
	}
	return false, c.settle(s)
}

// openPart opens the database or a file beside it; nil where there is none.
func openPart(ctx context.Context, s *Subject, suffix string) (File, error) {
	if suffix != "" {
		if s.Sibling == nil {
			return nil, nil
		}
		if s = s.Sibling(path.Base(s.Entry.Path) + suffix); s == nil {
			return nil, nil
		}
	}
	f, err := s.Open(ctx)
	if suffix != "" && errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return f, err
}

// room tells by its error that the scratch folder has no room for the parts. A write-ahead log is taken in: it needs room twice.
func room(scratch string, parts []part) error {
	const reserve = 1 << 20
	need := int64(reserve)
	for _, p := range parts {
		if p.file == nil {
			continue
		}
		need += p.file.Size()
		if p.suffix == walSuffix {
			need += p.file.Size()
		}
	}
	free, err := tree.FreeSpace(cmp.Or(scratch, os.TempDir()))
	if err == nil && free < need {
		return &roomError{need, free}
	}
	return nil
}

// copyPart copies a file; where there is none, or an empty one beside a database, none is made.
func copyPart(ctx context.Context, to string, from File) (size int64, err error) {
	if err := os.Remove(to); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	if from == nil {
		return 0, nil
	}
	const private = 0o600
	w, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, private)
	if err != nil {
		return 0, full(err)
	}
	defer func() { err = errors.Join(err, full(w.Close())) }()
	buf := make([]byte, 1<<18)
	for {
		if err := ctx.Err(); err != nil {
			return size, err
		}
		n, err := from.Read(buf)
		if _, err := w.Write(buf[:n]); err != nil {
			return size, full(err)
		}
		size += int64(n)
		if errors.Is(err, io.EOF) {
			return size, nil
		}
		if err != nil {
			return size, err
		}
	}
}

// full turns the error of a full disk into one that says so.
func full(err error) error {
	if noSpace(err) {
		return &roomError{}
	}
	return err
}

// anyChanged tells whether a part was written to, or came, since it was opened.
func anyChanged(ctx context.Context, s *Subject, parts []part) (bool, error) {
	for _, p := range parts {
		if p.file != nil {
			if changed, err := p.file.Changed(); changed || err != nil {
				return changed, err
			}
			continue
		}
		f, err := openPart(ctx, s, p.suffix)
		if err != nil {
			return false, err
		}
		if f != nil {
			return true, f.Close()
		}
	}
	return false, nil
}

// settle decides what the copied journal is worth, so that SQLite never follows the name of a file that stands in it: a transaction over
// several databases writes the name of its common journal behind each one's, and SQLite, when it is done, removes the file of that name.
// The transaction is to be rolled back as long as the common journal is there; without it, it is committed.
func (c *databaseCopy) settle(s *Subject) error {
	if c.journal == 0 {
		return nil
	}
	name := c.path() + journalSuffix
	common, err := cutCommonJournal(name, c.journal)
	if err != nil || common == "" {
		return err
	}
	if s.Sibling(path.Base(filepath.ToSlash(common))) != nil {
		return nil
	}
	c.settled, c.journal = true, 0
	return os.Remove(name)
}

// cutCommonJournal makes the record that names a common journal, at the end of a journal, one that SQLite does not see; it returns the name,
// which is empty where the record is none: SQLite rolls such a journal back.
func cutCommonJournal(journal string, size int64) (name string, err error) {
	const tail, longest = 16, 4096 // the length of the name, a sum, and the magic
	if size < tail {
		return "", nil
	}
	f, err := os.OpenFile(journal, os.O_RDWR, 0)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	b := make([]byte, min(size, longest+tail))
	if _, err := f.ReadAt(b, size-int64(len(b))); err != nil {
		return "", err
	}
	end := b[len(b)-tail:]
	if string(end[8:]) != journalMagic {
		return "", nil
	}
	if _, err := f.WriteAt(make([]byte, len(journalMagic)), size-int64(len(journalMagic))); err != nil {
		return "", err
	}
	length := int64(binary.BigEndian.Uint32(end))
	if length == 0 || length > int64(len(b)-tail) {
		return "", nil
	}
	found := b[int64(len(b)-tail)-length : len(b)-tail]
	sum := binary.BigEndian.Uint32(end[4:])
	for _, c := range found {
		sum -= uint32(int32(int8(c)))
	}
	if sum != 0 || !bytes.Contains(found, []byte("-mj")) {
		return "", nil
	}
	return string(found), nil
}
