package inventory

import (
	"context"
	"errors"
	"strings"

	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"
)

// faulty tells what an error of opening or asking a database means for it: Damaged, or Unchecked where it says nothing about the data.
// Where it is neither, but an error of reading or of the context, ok is false.
func faulty(err error) (status Status, text string, ok bool) {
	var room *roomError
	var in *tableError
	var fault *sqlite.Error
	switch {
	case err == nil, errors.Is(err, context.Canceled):
		return "", "", false
	case errors.As(err, &in):
		if status, text, ok = faulty(in.err); ok {
			text = "table " + in.table + ": " + text
		}
		return status, text, ok
	case errors.As(err, &room):
		return Unchecked, room.Error(), true
	case errors.Is(err, errBusy):
		return Unchecked, errBusy.Error(), true
	case errors.Is(err, errEndless):
		return Unchecked, errEndless.Error(), true
	case errors.Is(err, errPages):
		return Damaged, errPages.Error(), true
	case !errors.As(err, &fault):
		return "", "", false
	}
	const primary = 0xff
	switch fault.Code() & primary {
	case lib.SQLITE_CORRUPT, lib.SQLITE_NOTADB:
		return Damaged, plain(fault), true
	case lib.SQLITE_IOERR:
		if fault.Code() == lib.SQLITE_IOERR_SHORT_READ {
			return Damaged, plain(fault), true
		}
		return "", "", false
	case lib.SQLITE_FULL:
		return Unchecked, (&roomError{}).Error(), true
	}
	return Unchecked, plain(fault), true
}

// plain is what SQLite says, without the numbers and the repetitions of the driver.
func plain(err *sqlite.Error) string {
	text := err.Error()
	if i := strings.LastIndex(text, " ("); i > 0 {
		text = text[:i]
	}
	if kind, detail, two := strings.Cut(text, ": "); two {
		if kind == detail || kind == "SQL logic error" || strings.HasPrefix(detail, "malformed") || strings.HasPrefix(detail, kind) {
			text = detail
		}
	}
	return text
}
