package journal

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
)

// DamagedError says that a journal cannot be read as a whole, and what can be: what the operation did is not known wholly, so nobody
// may act as if it were.
type DamagedError struct {
	// Path is the file. Moved away, it stands in nobody's way any more.
	Path string
	// Known is what can be read of the operation; nil where that is nothing. Its Op is empty where its begin is lost.
	Known *Interrupted
}

// Error names the file and the place.
func (e *DamagedError) Error() string {
	switch {
	case e.Known == nil:
		return fmt.Sprintf("%s: %v: it does not begin as one", e.Path, ErrDamaged)
	case e.Known.Op == "":
		return fmt.Sprintf("%s: %v: how the operation began cannot be read, %d of its steps can", e.Path, ErrDamaged, len(e.Known.Steps))
	}
	return fmt.Sprintf("%s: %v: of the %s that began %s a record in the middle cannot be read, %d steps can",
		e.Path, ErrDamaged, e.Known.Op, e.Known.Began.Local().Format("2006-01-02 15:04:05"), len(e.Known.Steps))
}

// Is makes the error match ErrDamaged.
func (e *DamagedError) Is(target error) bool { return target == ErrDamaged }

// A record that cannot be read is the last of its operation, torn by a crash, or one that has rotted. Each record is on the disk before the
// next is written: records of the same operation behind it mean that it was whole once. Where the first cannot be read, the operation is not known;
// then the records that come next tell: they are remains of operations that have ended, whose last is their end (an operation begins only when
// the one before has ended), or of the one whose begin has rotted.

// marker is how the payload of each record begins.
const marker = `{"kind":"`

// numbered is a record found behind one that cannot be read.
type numbered struct {
	entry
	number uint32
}

// beyond looks behind a place where no record can be read for those of the operation: of the run in s, or where s has none, of the first
// that is found. It returns them in their order.
func beyond(data []byte, s scanned) []numbered {
	var found []numbered
	run, know := s.run, len(s.entries) > 0
	for at := s.next; ; {
		i := bytes.Index(data[min(at, int64(len(data))):], []byte(marker))
		if i < 0 {
			return found
		}
		start := at + int64(i) - headerSize
		at += int64(i) + 1
		if start < s.next {
			continue
		}
		record := data[start:]
		number := binary.LittleEndian.Uint32(record[16:])
		e, r, n, ok := decode(record, number)
		if !ok || know && (r != run || int(number) <= len(s.entries)) {
			continue
		}
		run, know = r, true
		found = append(found, numbered{e, number})
		at = start + n
	}
}

// judge decides what a place where reading stopped means: nothing, an operation that has ended all the same, or damage.
func (s *scanned) judge(path string, data []byte) error {
	found := beyond(data, *s)
	if len(found) == 0 || interrupted(s.entries) == nil && len(s.entries) > 0 {
		return nil
	}
	if last := found[len(found)-1]; last.Kind == kindEnd {
		if len(s.entries) > 0 {
			s.entries = append(s.entries, last.entry)
		}
		return nil
	}
	known := &Interrupted{}
	if i := interrupted(s.entries); i != nil {
		known = i
	}
	for _, n := range found {
		if n.Kind == kindBegin {
			return nil // remains whose end was overwritten: what is torn is a begin before anything was done
		}
		known.Steps = append(slices.Clip(known.Steps), n.Step)
	}
	return &DamagedError{Path: path, Known: known}
}
