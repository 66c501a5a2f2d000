package memory

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/memsys/docker-memsys/examples/memory-system/atomicfile"
	"github.com/memsys/docker-memsys/examples/memory-system/textindex"
	"github.com/memsys/docker-memsys/examples/memory-system/vector"
)

// Damage is a file of the data that is not what it must be.
type Damage struct {
	// File is relative to the data folder, with slashes.
	File   string `json:"file"`
	Reason string `json:"reason"`
}

func (d Damage) String() string { return d.File + ": " + d.Reason }

// state is what a Store knows of its data.
type state struct {
	summaries map[string]summary
	vectors   *vector.Shards
	index     *textindex.Index
	damage    []Damage
	stamps    map[string]stamp
}

type summary struct {
	id      string
	created time.Time
	sum     string
}

// stamp tells whether a file is still the one that was read or written.
type stamp struct {
	size int64
	time time.Time
}

// reload reads all data anew. What a crash has left unfinished is finished: temporary files go, memories without vector
// or postings get them.
func (s *Store) reload() error {
	s.state = &state{summaries: map[string]summary{}, stamps: map[string]stamp{}}
	for _, sub := range []string{memoriesDir, embeddingsDir, indexesDir} {
		if err := atomicfile.Clean(filepath.Join(s.dir, sub)); err != nil {
			s.damaged(sub, ".", err.Error())
		}
	}
	memories := s.readMemories()
	if err := s.openVectors(); err != nil {
		return err
	}
	s.openIndex()
	s.findOrphans()
	s.stampAll()
	if len(s.damage) > 0 {
		return nil
	}
	for _, m := range memories {
		if err := s.derive(m); err != nil {
			return fmt.Errorf("index memory %s: %w", m.ID, err)
		}
	}
	return nil
}

func (s *Store) readMemories() []Memory {
	dir := filepath.Join(s.dir, memoriesDir)
	entries, err := os.ReadDir(dir)
	if err != nil {
		s.damaged(memoriesDir, ".", err.Error())
	}
	var out []Memory
	for _, e := range entries {
		if !e.Type().IsRegular() || !strings.HasSuffix(e.Name(), ".json") {
			continue
		}
		m, err := readMemory(dir, e.Name())
		if err != nil {
			s.damaged(memoriesDir, e.Name(), err.Error())
			continue
		}
		s.summaries[m.ID] = summary{m.ID, m.CreatedAt, m.sum()}
		out = append(out, m)
	}
	return out
}

func (s *Store) openVectors() error {
	vectors, damage, err := vector.Open(filepath.Join(s.dir, embeddingsDir), s.write)
	if err != nil {
		return fmt.Errorf("open embeddings: %w", err)
	}
	for _, d := range damage {
		s.damaged(embeddingsDir, d.File, d.Reason)
	}
	s.vectors = vectors
	return nil
}

func (s *Store) openIndex() {
	current := func(id string) (string, bool) {
		m, ok := s.summaries[id]
		return m.sum, ok
	}
	index, damage := textindex.Open(filepath.Join(s.dir, indexesDir), s.write, current)
	for _, d := range damage {
		s.damaged(indexesDir, d.File, d.Reason)
	}
	s.index = index
}

// findOrphans reports vectors whose memory is gone: Delete removes the vector first, so somebody else removed the file.
func (s *Store) findOrphans() {
	for _, id := range s.vectors.IDs() {
		if _, ok := s.summaries[id]; ok || s.reported(memoriesDir, fileName(id)) {
			continue
		}
		s.damaged(memoriesDir, fileName(id), "missing, but its embedding is there")
	}
}

func (s *Store) reported(dir, name string) bool {
	for _, d := range s.damage {
		if d.File == path.Join(dir, name) {
			return true
		}
	}
	return false
}

func (s *Store) damaged(dir, name, reason string) {
	s.damage = append(s.damage, Damage{path.Join(dir, name), reason})
}

// stampAll notes how every file of the data looks now. A name that another program has added is noted too: it is looked at
// once, not at every check.
func (s *Store) stampAll() {
	s.stamps = s.look()
}

// look returns the stamps of all files of the data; what cannot be read has no stamp.
func (s *Store) look() map[string]stamp {
	out := map[string]stamp{}
	for _, sub := range []string{memoriesDir, embeddingsDir, indexesDir} {
		entries, err := os.ReadDir(filepath.Join(s.dir, sub))
		if err != nil {
			continue
		}
		for _, e := range entries {
			if info, err := e.Info(); err == nil && !strings.HasSuffix(e.Name(), atomicfile.Suffix) {
				out[path.Join(sub, e.Name())] = stampOf(info)
			}
		}
	}
	return out
}

// touched notes how files look that this store has just written.
func (s *Store) touched(dir string, names ...string) {
	for _, n := range names {
		if info, err := os.Lstat(filepath.Join(s.dir, dir, n)); err == nil {
			s.stamps[path.Join(dir, n)] = stampOf(info)
		}
	}
}

func (s *Store) forget(dir, name string) { delete(s.stamps, path.Join(dir, name)) }

func stampOf(info fs.FileInfo) stamp { return stamp{info.Size(), info.ModTime()} }
