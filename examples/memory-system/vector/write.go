package vector

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/memsys/docker-memsys/examples/memory-system/atomicfile"
)

// Put stores the vector of a memory and returns the files it changed. The row of a former vector of the same memory
// is used again only after the new one is on record, so a crash leaves the old vector or the new one.
func (s *Shards) Put(id, sum string, v []float32) ([]string, error) {
	row := s.takeRow()
	if err := s.writeRow(row, v); err != nil {
		s.free = append(s.free, row)
		return nil, fmt.Errorf("write vector of %s: %w", id, err)
	}
	e := Entry{ID: id, Row: row, Sum: sum}
	if err := s.appendEntry(e); err != nil {
		s.free = append(s.free, row)
		return nil, err
	}
	if old, ok := s.entries[id]; ok {
		s.free = append(s.free, old.Row)
	}
	s.entries[id], s.vectors[id] = e, v
	return []string{ShardName(row / RowsPerShard), IDsName}, nil
}

// Delete takes the vector of a memory out and returns the files it changed.
func (s *Shards) Delete(id string) ([]string, error) {
	e, ok := s.entries[id]
	if !ok {
		return nil, nil
	}
	e.Deleted, e.Sum = true, ""
	if err := s.appendEntry(e); err != nil {
		return nil, err
	}
	s.free = append(s.free, e.Row)
	delete(s.entries, id)
	delete(s.vectors, id)
	return []string{IDsName}, nil
}

// Entry returns the record of a memory's vector.
func (s *Shards) Entry(id string) (Entry, bool) {
	e, ok := s.entries[id]
	return e, ok
}

// IDs returns the memories that have a vector, in order.
func (s *Shards) IDs() []string { return slices.Sorted(maps.Keys(s.entries)) }

// Each calls f with every vector that could be read.
func (s *Shards) Each(f func(id string, v []float32)) {
	for id, v := range s.vectors {
		f(id, v)
	}
}

// Files returns the names of the files that hold the vectors.
func (s *Shards) Files() []string {
	var out []string
	if s.lines > 0 {
		out = append(out, IDsName)
	}
	for n := range (s.next + RowsPerShard - 1) / RowsPerShard {
		out = append(out, ShardName(n))
	}
	return out
}

func (s *Shards) takeRow() int {
	if n := len(s.free); n > 0 {
		row := s.free[n-1]
		s.free = s.free[:n-1]
		return row
	}
	s.next++
	return s.next - 1
}

func (s *Shards) writeRow(row int, v []float32) error {
	f, err := os.OpenFile(filepath.Join(s.dir, ShardName(row/RowsPerShard)), os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		return err
	}
	if err := errors.Join(s.fillRow(f, row%RowsPerShard, v), f.Close()); err != nil {
		return err
	}
	if s.write.Durable && row%RowsPerShard == 0 {
		return atomicfile.SyncDir(s.dir)
	}
	return nil
}

func (s *Shards) fillRow(f *os.File, row int, v []float32) error {
	if _, err := f.WriteAt(encodeRow(v), int64(headerSize+row*rowSize)); err != nil {
		return err
	}
	head := make([]byte, headerSize)
	if _, err := f.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	// A shard that has just been made has zeros here.
	if rows, err := parseHeader(head); err != nil || rows <= row {
		if _, err := f.WriteAt(header(row+1), 0); err != nil {
			return err
		}
	}
	if s.write.Durable {
		return f.Sync()
	}
	return nil
}

func (s *Shards) appendEntry(e Entry) error {
	line, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encode entry of %s: %w", e.ID, err)
	}
	f, err := os.OpenFile(filepath.Join(s.dir, IDsName), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o640)
	if err != nil {
		return fmt.Errorf("open %s: %w", IDsName, err)
	}
	if err := errors.Join(s.appendLine(f, append(line, '\n')), f.Close()); err != nil {
		return fmt.Errorf("append to %s: %w", IDsName, err)
	}
	s.lines++
	if s.write.Durable && s.lines == 1 {
		return atomicfile.SyncDir(s.dir)
	}
	return nil
}

// appendLine takes a line back that could not be written whole, so that the next one starts where it must.
func (s *Shards) appendLine(f *os.File, line []byte) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if _, err := f.Write(line); err != nil {
		return errors.Join(err, f.Truncate(info.Size()))
	}
	if s.write.Durable {
		return f.Sync()
	}
	return nil
}

func (s *Shards) rewriteIDs() error {
	var out []byte
	for _, id := range s.IDs() {
		line, err := json.Marshal(s.entries[id])
		if err != nil {
			return fmt.Errorf("encode entry of %s: %w", id, err)
		}
		out = append(append(out, line...), '\n')
	}
	s.lines = len(s.entries)
	return s.write.Write(filepath.Join(s.dir, IDsName), out)
}
