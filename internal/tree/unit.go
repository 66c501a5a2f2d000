package tree

import (
	"bytes"
	"io"
	"strings"
)

// unit is the database that an entry is a part of, nil where it is none: SQLite's journal, write-ahead log and its index stay with the
// database, kept or left out, whatever pattern their own names match. A database is told by its first bytes.
func (s *stores) unit(e *Entry) *Entry {
	if e.Kind != File && e.Kind != Hardlink {
		return nil
	}
	for _, end := range []string{"-journal", "-wal", "-shm"} {
		base := strings.TrimSuffix(e.Path, end)
		if base == e.Path || strings.HasSuffix(base, "/") || base == "" {
			continue
		}
		return s.database(base)
	}
	return nil
}

// database is the entry of a file that is a database of SQLite, nil for any other.
func (s *stores) database(path string) *Entry {
	ref, name, err := s.dirs.at(path)
	if err != nil {
		return nil
	}
	defer ref.release()
	e, err := ref.lstat(name)
	if err != nil || e.Kind != File {
		return nil
	}
	f, _, err := openRegular(ref.folder, name)
	if err != nil {
		return nil
	}
	defer f.Close()
	const magic = "SQLite format 3\x00"
	head := make([]byte, len(magic))
	if _, err := f.ReadAt(head, 0); err != nil && err != io.EOF || !bytes.Equal(head, []byte(magic)) {
		return nil
	}
	e.Path = path
	return e
}
