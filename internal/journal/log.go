package journal

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"sync"

	"github.com/memsys/docker-memsys/internal/durable"
)

// The file begins with magic; then follow records without gaps:
//
//	4 bytes  length of the payload, little endian, never 0
//	4 bytes  CRC-32C (Castagnoli) of run, number and payload, little endian
//	8 bytes  run: random, the same in all records of one operation
//	4 bytes  number of the record in its operation, from 0, little endian
//	n bytes  payload: JSON of an entry
//
// An operation begins at the first record. Reading stops at the first record that is torn, of another run or out of order: what
// follows are remains of earlier operations, or else the journal is damaged (see damage.go). The file is made at its full size, so that a full disk cannot stop a record.
const (
	magic      = "memsys journal 1\n"
	headerSize = 4 + 4 + 8 + 4
)

// The kinds of entries.
const (
	kindBegin = "begin"
	kindStep  = "step"
	kindEnd   = "end"
)

type entry struct {
	Kind string `json:"kind"`
	Step
}

// log is the file of a journal.
type log struct {
	mu   sync.Mutex
	f    *os.File
	size int64
	scanned
}

// scanned is what stands in a journal file.
type scanned struct {
	entries []entry
	run     [8]byte
	next    int64 // where the next record goes
}

func openLog(path string, size int64) (*log, error) {
	if err := preallocate(path, size); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		f.Close()
		return nil, err
	}
	s, err := readLog(path, data)
	if err != nil {
		f.Close()
		return nil, err
	}
	return &log{f: f, size: int64(len(data)), scanned: s}, nil
}

// readLog reads the newest operation in the content of a journal; a *DamagedError where that cannot be relied on.
func readLog(path string, data []byte) (scanned, error) {
	if err := checkMagic(path, data); err != nil {
		return scanned{}, err
	}
	s := scan(data)
	err := s.judge(path, data)
	return s, err
}

// checkMagic refuses a file that is not a journal of this version: what it has on record would be overlooked.
func checkMagic(path string, data []byte) error {
	if !bytes.HasPrefix(data, []byte(magic)) {
		return &DamagedError{Path: path}
	}
	return nil
}

// preallocate makes the file, filled with zeros, unless it is there with its name: then it is complete.
func preallocate(path string, size int64) error {
	if _, err := os.Lstat(path); err == nil {
		return nil
	}
	// One name for all: what a run that died has left is overwritten by the next. The project's lock keeps other runs out.
	tmp, err := os.OpenFile(filepath.Join(filepath.Dir(path), ".journal.tmp"), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	defer tmp.Close()
	content := make([]byte, size)
	copy(content, magic)
	if _, err := tmp.Write(content); err != nil {
		return err
	}
	if err := tmp.Sync(); err != nil {
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return err
	}
	return durable.SyncDir(filepath.Dir(path))
}

// scan reads the records of the newest operation, up to the first that is not whole. data begins with magic.
func scan(data []byte) scanned {
	s := scanned{next: int64(len(magic))}
	for rest := data[s.next:]; ; rest = data[s.next:] {
		e, run, n, ok := decode(rest, uint32(len(s.entries)))
		first := len(s.entries) == 0
		if !ok || !first && run != s.run || first != (e.Kind == kindBegin) {
			return s
		}
		s.run, s.next = run, s.next+n
		s.entries = append(s.entries, e)
	}
}

func decode(b []byte, number uint32) (e entry, run [8]byte, n int64, ok bool) {
	if len(b) < headerSize {
		return e, run, 0, false
	}
	length := int64(binary.LittleEndian.Uint32(b))
	n = headerSize + length
	if length == 0 || n > int64(len(b)) || binary.LittleEndian.Uint32(b[16:]) != number {
		return e, run, 0, false
	}
	if crc32.Checksum(b[8:n], castagnoli()) != binary.LittleEndian.Uint32(b[4:]) {
		return e, run, 0, false
	}
	copy(run[:], b[8:])
	return e, run, n, json.Unmarshal(b[headerSize:n], &e) == nil
}

func encode(e entry, run [8]byte, number uint32) ([]byte, error) {
	payload, err := json.Marshal(e)
	if err != nil {
		return nil, err
	}
	b := make([]byte, headerSize, headerSize+len(payload))
	binary.LittleEndian.PutUint32(b, uint32(len(payload)))
	copy(b[8:], run[:])
	binary.LittleEndian.PutUint32(b[16:], number)
	b = append(b, payload...)
	binary.LittleEndian.PutUint32(b[4:], crc32.Checksum(b[8:], castagnoli()))
	return b, nil
}

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

// begin writes the first record of an operation over the former one. first is told whether an operation is open.
func (l *log) begin(first func(open bool) (entry, error)) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	e, err := first(interrupted(l.entries) != nil)
	if err != nil {
		return err
	}
	fresh := scanned{next: int64(len(magic))}
	if _, err := rand.Read(fresh.run[:]); err != nil {
		return err
	}
	return l.write(fresh, e, endReserve)
}

// append adds a record to the open operation, and leaves at least reserve bytes free.
func (l *log) append(e entry, reserve int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if interrupted(l.entries) == nil {
		return ErrNotBegun
	}
	return l.write(l.scanned, e, reserve)
}

// write puts e behind what at holds, and takes over the result once it is on the disk. After a failure the same place is written again.
func (l *log) write(at scanned, e entry, reserve int64) error {
	b, err := encode(e, at.run, uint32(len(at.entries)))
	if err != nil {
		return err
	}
	if at.next+int64(len(b))+reserve > l.size {
		return fmt.Errorf("%w: %d bytes do not fit", ErrFull, len(b))
	}
	if _, err := l.f.WriteAt(b, at.next); err != nil {
		return err
	}
	if err := l.f.Sync(); err != nil {
		return err
	}
	at.next += int64(len(b))
	at.entries = append(at.entries, e)
	l.scanned = at
	return nil
}

func (l *log) pending() (*Interrupted, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return interrupted(l.entries), nil
}

func (l *log) close() error { return l.f.Close() }

// interrupted returns the operation of the entries unless it has ended.
func interrupted(entries []entry) *Interrupted {
	if len(entries) == 0 || entries[len(entries)-1].Kind == kindEnd {
		return nil
	}
	begin := entries[0]
	i := &Interrupted{Op: begin.Name, Details: begin.Data, Began: begin.Time}
	for _, e := range entries[1:] {
		i.Steps = append(i.Steps, e.Step)
	}
	return i
}
