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

// What a database begins with, and how long its header is.
const (
	sqliteMagic      = "SQLite format 3\x00"
	sqliteHeaderSize = 100
)

// zeroHeader is what is wrong with a header that is not there.
const zeroHeader = "begins with zeros where the header of a SQLite database stood"

// The sizes that a page can have.
const (
	leastPage = 512
	mostPage  = 65536
)

// sqliteHeader is what the first 100 bytes of a database say.
type sqliteHeader struct {
	page     int64
	pages    int64 // 0: the header does not know, the size of the file tells
	reserved int64
	format   uint32
	encoding uint32
}

// readSQLiteHeader reads the header of a database and tells what is wrong with it.
func readSQLiteHeader(b []byte) (h sqliteHeader, wrong string) {
	switch {
	case allZero(b):
		return h, zeroHeader
	case !bytes.HasPrefix(b, []byte(sqliteMagic)[:min(len(b), len(sqliteMagic))]):
		return h, "does not begin as a SQLite database does"
	case len(b) < sqliteHeaderSize:
		return h, fmt.Sprintf("is cut: ends after %d bytes, in its header", len(b))
	}
	h.page = int64(binary.BigEndian.Uint16(b[16:]))
	if h.page == 1 {
		h.page = mostPage
	}
	h.reserved = int64(b[20])
	h.format, h.encoding = binary.BigEndian.Uint32(b[44:]), binary.BigEndian.Uint32(b[56:])
	if bytes.Equal(b[24:28], b[92:96]) {
		h.pages = int64(binary.BigEndian.Uint32(b[28:]))
	}
	return h, h.wrong(b)
}

func (h sqliteHeader) wrong(b []byte) string {
	const leastUsable, fractions = 480, "\x40\x20\x20"
	switch {
	case h.page < leastPage || h.page&(h.page-1) != 0:
		return fmt.Sprintf("its header says pages of %d bytes", h.page)
	case b[18] < 1 || b[18] > 2 || b[19] < 1 || b[19] > 2:
		return fmt.Sprintf("its header says format versions %d and %d", b[18], b[19])
	case string(b[21:24]) != fractions:
		return fmt.Sprintf("its header says payload fractions %d, %d, %d", b[21], b[22], b[23])
	case h.page-h.reserved < leastUsable:
		return fmt.Sprintf("its header says that %d bytes of each page of %d are reserved", h.reserved, h.page)
	case h.format > 4:
		return fmt.Sprintf("its header says schema format %d", h.format)
	case h.encoding > 3:
		return fmt.Sprintf("its header says text encoding %d", h.encoding)
	}
	return ""
}

// header reads the header of the copy.
func (c *databaseCopy) header() (h sqliteHeader, wrong string, err error) {
	f, err := os.Open(c.path())
	if err != nil {
		return h, "", err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	b := make([]byte, sqliteHeaderSize)
	n, err := io.ReadFull(f, b)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return h, "", err
	}
	h, wrong = readSQLiteHeader(b[:n])
	return h, wrong, nil
}

// doubt is how bad it is that a .db begins with zeros: where it has a page or something beside it, it was a database, else it may never have
// been one.
func (c *databaseCopy) doubt() (status Status, err error) {
	if c.journal > 0 || c.wal > 0 {
		return Damaged, nil
	}
	f, err := os.Open(c.path())
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	in, b := bufio.NewReaderSize(f, 1<<18), make([]byte, leastPage)
	for !resemblesPage(b) {
		if _, err := io.ReadFull(in, b); err != nil {
			return Warning, ignoreEnd(err)
		}
	}
	return Damaged, nil
}

// resemblesPage tells that a page of a table or an index may begin here, by its kind and the places of its cells, which lie behind them.
func resemblesPage(b []byte) bool {
	cells := map[byte]int{0x02: 12, 0x05: 12, 0x0a: 8, 0x0d: 8}[b[0]]
	n, content := int(binary.BigEndian.Uint16(b[3:])), int(binary.BigEndian.Uint16(b[5:]))
	if cells == 0 || n == 0 || content < cells+2*n {
		return false
	}
	for at := cells; at+2 <= min(cells+2*n, len(b)); at += 2 {
		if int(binary.BigEndian.Uint16(b[at:])) < content {
			return false
		}
	}
	return true
}

// size compares the size of the file with what its header says. A file may be longer: some programs let it grow in big steps.
func (at databaseReport) size(c *databaseCopy) error {
	info, err := os.Stat(c.path())
	if err != nil {
		return err
	}
	h, wrong, err := c.header()
	if err != nil {
		return err
	}
	if wrong != "" {
		at.find(checkHeader, Damaged, "", wrong)
		return nil
	}
	size, want := info.Size(), h.pages*h.page
	switch {
	case size < want:
		at.find(checkHeader, Damaged, "", fmt.Sprintf("is cut: has %d bytes of the %d of its %d pages", size, want, h.pages))
	case h.pages == 0 && size%h.page != 0:
		at.find(checkHeader, Damaged, "", fmt.Sprintf("is cut: ends inside its page %d", size/h.page+1))
	case size%h.page != 0:
		at.find(checkHeader, Warning, "", fmt.Sprintf("has %d bytes behind its %d pages", size-want, h.pages))
	}
	return nil
}
