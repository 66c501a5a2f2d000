package inventory

import (
	"bufio"
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
	walFrameSize      = 24
)

// walMagic tells that a write-ahead log begins here.
func walMagic(b []byte) bool { return len(b) >= 4 && binary.BigEndian.Uint32(b)&^1 == 0x377f0682 }

// logOfPages tells that a write-ahead log holds pages of a database that is not encrypted: an encrypted one is nobody's here, and its log
// begins like any other.
func logOfPages(head []byte) bool {
	const page = walHeaderSize + walFrameSize
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
	for suffix, look := range map[string]func(*os.File, int64) (Status, string, error){journalSuffix: brokenJournal, walSuffix: brokenLog} {
		f, err := os.Open(c.path() + suffix)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		info, err := f.Stat()
		if err == nil {
			var status Status
			var wrong string
			if status, wrong, err = look(f, info.Size()); wrong != "" {
				at.find(checkJournal, status, "", wrong)
			}
		}
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	return nil
}

// brokenLog tells what is wrong with a write-ahead log. SQLite reads it up to the first page whose sum is wrong; what lies behind is left
// from before, or belongs to a transaction that did not come to its end.
func brokenLog(f *os.File, size int64) (status Status, wrong string, err error) {
	b := make([]byte, walHeaderSize)
	n, err := io.ReadFull(f, b)
	if n < len(b) || size == walHeaderSize {
		return OK, "", ignoreEnd(err)
	}
	if allZero(b) {
		return OK, "", nil
	}
	l := newWalReader(b)
	if !walMagic(b) || l.sum != walSumIn(b[24:]) {
		return Damaged, "its write-ahead log has a broken header: what was written since the last checkpoint is lost", nil
	}
	broken, all, err := l.frames(f)
	if broken > 0 {
		wrong = fmt.Sprintf("its write-ahead log is broken at page %d of %d: SQLite drops the transactions behind it without a word", broken, all)
	}
	return Warning, wrong, err
}

// walSum are the two sums over all that a write-ahead log holds up to some place.
type walSum struct{ one, two uint32 }

// walSumIn is the sum that stands in a header.
func walSumIn(b []byte) walSum {
	return walSum{binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])}
}

// over is the sum once b follows.
func (s walSum) over(order binary.ByteOrder, b []byte) walSum {
	for ; len(b) >= 8; b = b[8:] {
		s.one += order.Uint32(b) + s.two
		s.two += order.Uint32(b[4:]) + s.one
	}
	return s
}

// walReader reads a write-ahead log.
type walReader struct {
	order binary.ByteOrder
	page  int64
	salts []byte
	sum   walSum // of all so far
}

// newWalReader reads the header of a log.
func newWalReader(b []byte) *walReader {
	l := &walReader{order: binary.LittleEndian, page: int64(binary.BigEndian.Uint32(b[8:])), salts: b[16:24]}
	if b[3]&1 == 1 {
		l.order = binary.BigEndian
	}
	l.sum = l.sum.over(l.order, b[:24])
	return l
}

// frames reads the frames behind the header. broken is the first that does not fit, though behind it a transaction ends in a frame that is
// of the same time as the header and follows from the one before it, the last of which is the number all; 0 where there is none. It is a page
// that was changed after it was written, or one that a power failure kept from the disk.
func (l *walReader) frames(r io.Reader) (broken, all int64, err error) {
	if l.page < leastPage || l.page > mostPage {
		return 0, 0, nil
	}
	in, frame := bufio.NewReaderSize(r, 1<<18), make([]byte, walFrameSize+l.page)
	for n, first := int64(1), int64(0); ; n++ {
		if _, err := io.ReadFull(in, frame); err != nil {
			return broken, all, ignoreEnd(err)
		}
		sum, says := l.sum.over(l.order, frame[:8]).over(l.order, frame[walFrameSize:]), walSumIn(frame[16:])
		fits, commits := bytes.Equal(frame[8:16], l.salts) && sum == says, binary.BigEndian.Uint32(frame[4:]) > 0
		switch {
		case !fits && first == 0:
			first = n
		case fits && commits && first > 0:
			broken, all = first, n
		}
		l.sum = says
	}
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

// journalBegun is how long the beginning of a journal is, mark and count, that SQLite leaves zero until all else is on the disk: until then
// the database was not touched, and after the transaction it need not be any more.
const journalBegun = 12

// brokenJournal tells what is wrong with a journal: fewer pages in it than were on the disk before the database was touched, or other
// ones. A count of zero, or of all ones, promises nothing.
func brokenJournal(f *os.File, size int64) (status Status, wrong string, err error) {
	const uncounted = 1<<32 - 1
	b := make([]byte, journalHeaderSize)
	for at := int64(0); at < size; {
		n, err := f.ReadAt(b, at)
		if ignoreEnd(err) != nil {
			return OK, "", err
		}
		h, ok := readJournalHeader(b[:n])
		switch {
		case !ok && at == 0 && !allZero(b[:min(n, journalBegun)]):
			return Damaged, "its journal has a broken header: a transaction cannot be rolled back", nil
		case !ok || h.records == 0 || h.records == uncounted:
			return OK, "", nil
		}
		good, err := h.good(io.NewSectionReader(f, at+h.sector, max(size-at-h.sector, 0)))
		if err != nil {
			return OK, "", err
		}
		if good < h.records {
			return Damaged, fmt.Sprintf("its journal is broken: of a transaction, %d pages of %d can be rolled back", good, h.records), nil
		}
		at += h.sector + int64(h.records)*(h.page+8)
		at = (at + h.sector - 1) / h.sector * h.sector
	}
	return OK, "", nil
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
