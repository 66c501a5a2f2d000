package quiet

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"

	"github.com/memsys/docker-memsys/internal/tree"
)

// What SQLite lays beside a database.
const (
	journalSuffix = "-journal"
	walSuffix     = "-wal"
	shmSuffix     = "-shm"
)

// The first bytes of a database and of a rollback journal in work. A journal that is done is deleted, emptied, or begins with zeros.
const (
	databaseMagic = "SQLite format 3\x00"
	journalMagic  = "\xd9\xd5\x05\xf9\x20\xa1\x63\xd7"
)

func sidecar(name string) bool {
	return strings.HasSuffix(name, journalSuffix) || strings.HasSuffix(name, walSuffix) || strings.HasSuffix(name, shmSuffix)
}

// journal looks for a transaction under way. An old journal beside an old database is what a crash left: who opens it rolls it back, from
// the copy too.
func (c *checker) journal(ctx context.Context, e *tree.Entry, open tree.Opener) error {
	base := strings.TrimSuffix(e.Path, journalSuffix)
	if e.Size == 0 || !c.recent[e.Path] && !c.recent[base] {
		return nil
	}
	head, err := c.read(ctx, open, len(journalMagic))
	if err != nil {
		return err
	}
	if string(head) == journalMagic {
		return c.unrest(base, "a transaction is under way: its journal is in work")
	}
	return nil
}

// head reads the first n bytes of a file, or fewer where it is shorter.
func head(ctx context.Context, open tree.Opener, n int) ([]byte, error) {
	_, r, err := open(ctx)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	b := make([]byte, n)
	n, err = io.ReadFull(r, b)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil
	}
	return b[:n], err
}

func isDatabase(head []byte) bool { return bytes.HasPrefix(head, []byte(databaseMagic)) }
