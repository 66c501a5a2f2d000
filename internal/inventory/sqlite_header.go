package inventory

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// What a database begins with, and how long its header is.
const (
	sqliteMagic      = "SQLite format 3\x00"
	sqliteHeaderSize = 100
)

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
	wal      bool
	format   uint32
	encoding uint32
}

// readSQLiteHeader reads the header of a database and tells what is wrong with it.
func readSQLiteHeader(b []byte) (h sqliteHeader, wrong string) {
	switch {
	case !bytes.HasPrefix(b, []byte(sqliteMagic)[:min(len(b), len(sqliteMagic))]):
		return h, "does not begin as a SQLite database does"
	case len(b) < sqliteHeaderSize:
		return h, fmt.Sprintf("ends after %d bytes, in its header", len(b))
	}
	h.page = int64(binary.BigEndian.Uint16(b[16:]))
	if h.page == 1 {
		h.page = mostPage
	}
	h.reserved, h.wal = int64(b[20]), b[18] == 2 && b[19] == 2
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
