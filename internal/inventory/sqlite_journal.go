package inventory

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// The first bytes of a rollback journal in work, and the last of one that names a common journal. A journal that is done is removed,
// emptied, or begins with zeros.
const journalMagic = "\xd9\xd5\x05\xf9\x20\xa1\x63\xd7"

// The sizes of headers: of a journal, of a write-ahead log, of one frame in it.
const (
	journalHeaderSize = 28
	walHeaderSize     = 32
)

// walMagic tells that a write-ahead log begins here.
func walMagic(b []byte) bool { return len(b) >= 4 && binary.BigEndian.Uint32(b)&^1 == 0x377f0682 }

// logOfPages tells that a write-ahead log holds pages of a database that is not encrypted: an encrypted one is nobody's here, and its log
// begins like any other.
func logOfPages(head []byte) bool {
	const page = walHeaderSize + 24
	if !walMagic(head) || len(head) < page+len(sqliteMagic) {
		return false
	}
	if binary.BigEndian.Uint32(head[walHeaderSize:]) == 1 {
		return bytes.HasPrefix(head[page:], []byte(sqliteMagic))
	}
	return bytes.IndexByte([]byte{0, 2, 5, 10, 13}, head[page]) >= 0 // an overflow page, or the kinds of b-trees
}

// journals looks at what lies beside a database, before SQLite takes it in: whatever is broken there it passes over in silence, though a
// transaction is then half undone, or lost.
func (at databaseReport) journals(c *databaseCopy) error {
	if c.journal == 0 && c.wal == 0 && !c.settled {
		return nil
	}
	at.r.Checked(checkJournal, 1)
	for suffix, look := range map[string]func(*os.File, int64) (string, error){journalSuffix: brokenJournal, walSuffix: brokenLog} {
		f, err := os.Open(c.path() + suffix)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		info, err := f.Stat()
		if err == nil {
			var wrong string
			if wrong, err = look(f, info.Size()); wrong != "" {
				at.find(checkJournal, Damaged, "", wrong)
			}
		}
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	return nil
}

// brokenLog tells what is wrong with a write-ahead log. Frames are none of it: from the first on that does not fit, they are left from
// before, or belong to a transaction that did not come to its end.
func brokenLog(f *os.File, size int64) (wrong string, err error) {
	b := make([]byte, walHeaderSize)
	n, err := io.ReadFull(f, b)
	if n < len(b) || size == walHeaderSize {
		return "", ignoreEnd(err)
	}
	if allZero(b) {
		return "", nil
	}
	if !walMagic(b) || !walSum(b) {
		return "its write-ahead log has a broken header: what was written since the last checkpoint is lost", nil
	}
	return "", nil
}

// walSum tells whether the sums in the header of a write-ahead log are right.
func walSum(b []byte) bool {
	order := binary.ByteOrder(binary.LittleEndian)
	if b[3]&1 == 1 {
		order = binary.BigEndian
	}
	const summed = 24
	var one, two uint32
	for i := 0; i < summed; i += 8 {
		one += order.Uint32(b[i:]) + two
		two += order.Uint32(b[i+4:]) + one
	}
	return one == binary.BigEndian.Uint32(b[summed:]) && two == binary.BigEndian.Uint32(b[summed+4:])
}

// journalHeader is the beginning of a segment of a journal.
type journalHeader struct {
	records, nonce uint32
	sector, page   int64
}

func readJournalHeader(b []byte) (h journalHeader, ok bool) {
	if !bytes.HasPrefix(b, []byte(journalMagic)) || len(b) < journalHeaderSize {
		return h, false
	}
	h.records, h.nonce = binary.BigEndian.Uint32(b[8:]), binary.BigEndian.Uint32(b[12:])
	h.sector, h.page = int64(binary.BigEndian.Uint32(b[20:])), int64(binary.BigEndian.Uint32(b[24:]))
	return h, h.page >= leastPage && h.page <= mostPage && h.page&(h.page-1) == 0 && h.sector >= 32 && h.sector <= mostPage
}

// brokenJournal tells what is wrong with a journal: fewer pages in it than were on the disk before the database was touched, or other
// ones. A count of zero, or of all ones, promises nothing.
func brokenJournal(f *os.File, size int64) (wrong string, err error) {
	const uncounted = 1<<32 - 1
	b := make([]byte, journalHeaderSize)
	for at, first := int64(0), true; at+journalHeaderSize <= size; first = false {
		if _, err := f.ReadAt(b, at); err != nil {
			return "", err
		}
		h, ok := readJournalHeader(b)
		switch {
		case !ok && first && bytes.HasPrefix(b, []byte(journalMagic)):
			return "its journal has a broken header: a transaction cannot be rolled back", nil
		case !ok || h.records == 0 || h.records == uncounted:
			return "", nil
		}
		good, err := h.good(io.NewSectionReader(f, at+h.sector, size-at-h.sector))
		if err != nil {
			return "", err
		}
		if good < h.records {
			return fmt.Sprintf("its journal is broken: of a transaction, %d pages of %d can be rolled back", good, h.records), nil
		}
		at += h.sector + int64(h.records)*(h.page+8)
		at = (at + h.sector - 1) / h.sector * h.sector
	}
	return "", nil
}

// good counts the records that are there and whose sum is right, up to the first one that is not.
func (h journalHeader) good(r io.Reader) (n uint32, err error) {
	record := make([]byte, 4+h.page+4)
	for ; n < h.records; n++ {
		if _, err := io.ReadFull(r, record); err != nil {
			return n, ignoreEnd(err)
		}
		page := record[4 : 4+h.page]
		sum := h.nonce
		const step = 200
		for i := h.page - step; i > 0; i -= step {
			sum += uint32(page[i])
		}
		if sum != binary.BigEndian.Uint32(record[4+h.page:]) {
			return n, nil
		}
	}
	return n, nil
}

func ignoreEnd(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}
