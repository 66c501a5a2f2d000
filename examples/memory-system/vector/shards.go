package vector

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/memsys/docker-memsys/examples/memory-system/atomicfile"
)

const (
	// IDsName is the file that says which row of which shard belongs to which memory, one JSON object a line.
	IDsName = "ids.jsonl"
	// RowsPerShard is how many vectors one shard file holds.
	RowsPerShard = 1024
)

// Entry is one line of the list of rows: memory ID has its vector in row Row of all shards together.
// Sum names the text that was embedded. A later line for the same memory replaces the earlier one.
type Entry struct {
	ID      string `json:"id"`
	Row     int    `json:"row"`
	Sum     string `json:"sum,omitempty"`
	Deleted bool   `json:"deleted,omitempty"`
}

// Damage is a file that does not hold what it must.
type Damage struct {
	// File is relative to the folder of the vectors.
	File   string
	Reason string
}

// Shards is a set of vectors in files. Its methods must not be called at the same time, but for Each and Entry.
type Shards struct {
	dir     string
	write   atomicfile.Writer
	entries map[string]Entry
	vectors map[string][]float32
	free    []int
	next    int
	lines   int
}

// Open reads the vectors kept in dir. Damaged files are reported, and their vectors left out.
func Open(dir string, write atomicfile.Writer) (*Shards, []Damage, error) {
	s := &Shards{dir: dir, write: write, entries: map[string]Entry{}, vectors: map[string][]float32{}}
	damage, err := s.readIDs()
	if err != nil {
		return nil, nil, err
	}
	more, err := s.readShards()
	if err != nil {
		return nil, nil, err
	}
	damage = append(damage, more...)
	if len(damage) == 0 && s.lines > 2*len(s.entries)+RowsPerShard {
		return s, nil, s.rewriteIDs()
	}
	return s, damage, nil
}

func (s *Shards) readIDs() ([]Damage, error) {
	path := filepath.Join(s.dir, IDsName)
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return []Damage{{IDsName, err.Error()}}, nil
	}
	whole := bytes.LastIndexByte(data, '\n') + 1
	if whole < len(data) {
		// The append of the last line was cut short; the memory it belongs to is embedded again.
		if err := os.Truncate(path, int64(whole)); err != nil {
			return nil, fmt.Errorf("cut unfinished line of %s: %w", IDsName, err)
		}
	}
	for line := range bytes.Lines(data[:whole]) {
		s.lines++
		var e Entry
		if err := json.Unmarshal(line, &e); err != nil || e.ID == "" || e.Row < 0 {
			return []Damage{{IDsName, fmt.Sprintf("line %d is not an entry", s.lines)}}, nil
		}
		s.next = max(s.next, e.Row+1)
		if e.Deleted {
			delete(s.entries, e.ID)
		} else {
			s.entries[e.ID] = e
		}
	}
	s.findFree()
	return nil, nil
}

func (s *Shards) findFree() {
	used := make(map[int]bool, len(s.entries))
	for _, e := range s.entries {
		used[e.Row] = true
	}
	for row := range s.next {
		if !used[row] {
			s.free = append(s.free, row)
		}
	}
}

func (s *Shards) readShards() ([]Damage, error) {
	byShard := map[int][]Entry{}
	for _, e := range s.entries {
		byShard[e.Row/RowsPerShard] = append(byShard[e.Row/RowsPerShard], e)
	}
	var damage []Damage
	for n := range (s.next + RowsPerShard - 1) / RowsPerShard {
		if len(byShard[n]) == 0 {
			continue
		}
		if err := s.readShard(n, byShard[n]); err != nil {
			damage = append(damage, Damage{ShardName(n), err.Error()})
		}
	}
	return damage, nil
}

func (s *Shards) readShard(n int, entries []Entry) error {
	data, err := os.ReadFile(filepath.Join(s.dir, ShardName(n)))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("missing, with %d vectors", len(entries))
	}
	if err != nil {
		return err
	}
	rows, err := parseHeader(data)
	if err != nil {
		return err
	}
	if len(data) < headerSize+rows*rowSize {
		return fmt.Errorf("%d bytes instead of %d", len(data), headerSize+rows*rowSize)
	}
	for _, e := range entries {
		row := e.Row % RowsPerShard
		if row >= rows {
			return fmt.Errorf("row %d of %s is missing", row, e.ID)
		}
		v, err := decodeRow(data[headerSize+row*rowSize:][:rowSize])
		if err != nil {
			return fmt.Errorf("vector of %s in row %d: %w", e.ID, row, err)
		}
		s.vectors[e.ID] = v
	}
	return nil
}

// ShardName is the file name of shard n.
func ShardName(n int) string { return fmt.Sprintf("shard-%05d.npy", n) }
