package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/memsys/docker-memsys/internal/durable"
)

// Appended is what came of an append.
type Appended struct {
	Record Record
	// Warnings say what is wrong with the log or with keeping its head; the record is in the log all the same.
	Warnings []string
	// Lost tells that the log lacks records that this machine knows, or is on another disk than the one it knows, or that this cannot be told.
	Lost bool
}

// Head is the head of the log that ends with the record.
func (a Appended) Head() Head { return a.Record.head() }

// Append adds a record; it is on the disk when it returns without an error. What stands in the log already is never changed: a line
// that a crash cut short stays, and the new record says so. A directory that is missing is not made.
func (l *Log) Append(ctx context.Context, e Entry) (Appended, error) {
	out, err := l.tryAppend(ctx, e)
	if errors.Is(err, fs.ErrExist) { // another run has just begun a new file
		out, err = l.tryAppend(ctx, e)
	}
	if err != nil {
		return out, fmt.Errorf("append to the audit log in %s: %w", l.Dir, err)
	}
	return out, nil
}

func (l *Log) tryAppend(ctx context.Context, e Entry) (Appended, error) {
	release, err := l.lock(ctx)
	if err != nil {
		return Appended{}, fmt.Errorf("lock it: %w", err)
	}
	defer release()
	return l.append(e)
}

func (l *Log) append(e Entry) (out Appended, err error) {
	h, err := l.known()
	out.Record = Record{Version: 1, Entry: e}
	if err != nil { // a state folder that is damaged must not keep the log from going on
		out.lost("whether the audit log lacks records is not known: " + err.Error())
		if err := l.setAside(); err != nil {
			out.Warnings = append(out.Warnings, err.Error())
		}
	}
	end, err := l.end()
	if err != nil {
		return out, err
	}
	if err := l.link(&out, end, h); err != nil {
		return out, err
	}
	line, err := encode(&out.Record)
	if err != nil {
		return out, err
	}
	if end.open {
		line = append([]byte("\n"), line...)
	}
	if err := l.write(append(line, '\n'), end); err != nil {
		return out, err
	}
	if err := l.keep(h, out.Record.head()); err != nil {
		out.Warnings = append(out.Warnings, fmt.Sprintf("the head of the audit log could not be kept: %v", err))
	}
	return out, nil
}

// ending is how the log ends.
type ending struct {
	last  Record // the last sound record
	found bool   // there is one
	torn  []byte // what stands behind it in the newest file
	open  bool   // the newest file does not end with a newline
	size  int64  // of audit.jsonl; -1: it is not there
}

// end looks at the end of the log.
func (l *Log) end() (ending, error) {
	e := ending{size: -1}
	names, err := l.names()
	if err != nil {
		return e, err
	}
	for i := len(names) - 1; i >= 0 && !e.found; i-- {
		data, err := l.read(names[i])
		if err != nil {
			return e, err
		}
		var at int
		e.last, at, e.found = lastSound(data)
		if names[i] == FileName {
			e.size = int64(len(data))
			e.torn = bytes.TrimSuffix(data[at:], []byte("\n"))
			e.open = len(data) > 0 && data[len(data)-1] != '\n'
		}
	}
	return e, nil
}

// link binds the new record to what is there, or to the head that is known where that is further on: then the records between are
// missing, and the gap shows for ever.
func (l *Log) link(out *Appended, end ending, h heads) error {
	r := &out.Record
	from := end.last.head()
	known := h.of(from.Log)
	switch {
	case !end.found:
		return l.first(out, end, h)
	case known.Sequence > from.Sequence:
		out.lost(fmt.Sprintf("records %d to %d of the audit log are missing or were changed", from.Sequence+1, known.Sequence))
		from = known
	case known.Sequence == from.Sequence && known.Hash != from.Hash:
		out.lost(fmt.Sprintf("record %d of the audit log was another one", known.Sequence))
		from = known
	case len(end.torn) > 0:
		r.Torn = &Torn{Bytes: int64(len(end.torn)), SHA256: hashOf(end.torn)}
		out.Warnings = append(out.Warnings, "the audit log ends with a line that a crash cut short: the new record says so")
	}
	r.Log, r.Sequence, r.Prev = from.Log, from.Sequence+1, from.Hash
	return nil
}

// first begins a new log.
func (l *Log) first(out *Appended, end ending, h heads) error {
	id, err := l.NewID()
	if err != nil {
		return err
	}
	r := &out.Record
	r.Log, r.Sequence, r.Prev = id, 1, zero
	gone := h.missing(volumeOf(l.Dir), id)
	for _, m := range gone { // removed, perhaps with all backups: the new log says so
		out.note(fmt.Sprintf("the former audit log of %s, %s, is gone", counted(m.Sequence), m.Log))
	}
	if len(h.Logs) > len(gone) {
		out.lost("the audit log that this machine knows here is on another file system: is it mounted?")
	}
	if len(end.torn) > 0 {
		r.Torn = &Torn{Bytes: int64(len(end.torn)), SHA256: hashOf(end.torn)}
	}
	return nil
}

// counted is a number of records.
func counted(n int64) string {
	if n == 1 {
		return "1 record"
	}
	return fmt.Sprintf("%d records", n)
}

// lost notes that the log is not the known one, or not all of it.
func (a *Appended) lost(what string) {
	a.Lost = true
	a.note(what)
}

// note keeps in the record itself what is missing.
func (a *Appended) note(what string) {
	a.Warnings = append(a.Warnings, what)
	a.Record.Notes = append(a.Record.Notes, what)
}

// write appends bytes to the log and brings them to the disk. What a full disk takes only in part is taken back.
func (l *Log) write(data []byte, end ending) error {
	if end.size > 0 && !end.open && end.size+int64(len(data)) > l.limit() {
		if err := l.rotate(); err != nil {
			return err
		}
		end.size = -1
	}
	f, err := l.open(end.size < 0)
	if err != nil {
		return err
	}
	err = writeAll(f, data, max(end.size, 0))
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if end.size < 0 {
		return durable.SyncDir(l.Dir)
	}
	return nil
}

func writeAll(f *os.File, data []byte, size int64) error {
	n, err := f.Write(data)
	if err != nil {
		if n > 0 {
			err = errors.Join(err, f.Truncate(size))
		}
		return err
	}
	return f.Sync()
}

// open opens audit.jsonl. A new one belongs to the owner of the directory, so that root's first record keeps no user out.
func (l *Log) open(fresh bool) (*os.File, error) {
	if !fresh {
		return os.OpenFile(l.path(FileName), os.O_WRONLY|os.O_APPEND, 0)
	}
	dir, err := os.Stat(l.Dir)
	if err != nil {
		return nil, err
	}
	const private, group = 0o600, 0o060
	f, err := os.OpenFile(l.path(FileName), os.O_WRONLY|os.O_APPEND|os.O_CREATE|os.O_EXCL, private|dir.Mode().Perm()&group)
	if err != nil {
		return nil, err
	}
	giveTo(f, dir)
	return f, nil
}

// rotate gives the full file its number.
func (l *Log) rotate() error {
	numbers, err := l.full()
	if err != nil {
		return err
	}
	next := 1
	if len(numbers) > 0 {
		next = numbers[len(numbers)-1] + 1
	}
	to := l.path(nameOf(next))
	if _, err := os.Lstat(to); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: %w", to, fs.ErrExist)
	}
	if err := os.Rename(l.path(FileName), to); err != nil {
		return err
	}
	return durable.SyncDir(l.Dir)
}
