package inventory

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// maxHeld is how many records of a look that may not count are kept in memory; more of them go to a file.
const maxHeld = 4096

// held are records that wait until it is known whether they count. Its methods are for one goroutine at a time.
type held struct {
	dir    string // for the file
	first  []Record
	file   *os.File
	out    *bufio.Writer
	more   int64 // records in the file
	failed error
}

// add keeps a record; that it could not is told at the end.
func (h *held) add(one Record) {
	switch {
	case h.failed != nil:
	case len(h.first) < maxHeld:
		h.first = append(h.first, one)
	default:
		h.failed = h.spill(one)
	}
}

// spill writes a record to the file.
func (h *held) spill(one Record) error {
	if h.file == nil {
		f, err := os.CreateTemp(h.dir, "records-")
		if err != nil {
			return fmt.Errorf("keep records until they count: %w", err)
		}
		h.file, h.out = f, bufio.NewWriterSize(f, 64<<10)
	}
	h.more++
	for _, text := range []string{one.Source, one.Kind, one.Collection, one.File, one.ID} {
		_, _ = h.out.Write(binary.AppendUvarint(nil, uint64(len(text))))
		_, _ = h.out.WriteString(text)
	}
	if _, err := h.out.Write(one.Content[:]); err != nil { // that of those before, too
		return fmt.Errorf("keep records until they count: %w", err)
	}
	return nil
}

// tell tells all in the order in which they came, and drops them.
func (h *held) tell(take func(Record)) error {
	defer h.drop()
	if h.failed != nil {
		return h.failed
	}
	for _, one := range h.first {
		take(one)
	}
	if h.file == nil {
		return nil
	}
	err := h.out.Flush()
	if err == nil {
		_, err = h.file.Seek(0, io.SeekStart)
	}
	in := bufio.NewReaderSize(h.file, 64<<10)
	for ; h.more > 0 && err == nil; h.more-- {
		var one Record
		if one, err = readHeld(in); err == nil {
			take(one)
		}
	}
	if err != nil {
		return fmt.Errorf("read the records that were kept: %w", err)
	}
	return nil
}

// readHeld reads what spill has written.
func readHeld(in *bufio.Reader) (one Record, err error) {
	for _, text := range []*string{&one.Source, &one.Kind, &one.Collection, &one.File, &one.ID} {
		n, err := binary.ReadUvarint(in)
		if err != nil {
			return one, errors.Join(err, io.ErrUnexpectedEOF)
		}
		b := make([]byte, n)
		if _, err := io.ReadFull(in, b); err != nil {
			return one, err
		}
		*text = string(b)
	}
	_, err = io.ReadFull(in, one.Content[:])
	return one, err
}

// drop gives all up, and removes the file.
func (h *held) drop() {
	if h.file != nil {
		_ = h.file.Close()
		_ = os.Remove(h.file.Name()) // it goes with the folder for private copies at the latest
	}
	*h = held{dir: h.dir}
}
