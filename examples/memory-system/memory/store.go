package memory

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/memsys/docker-memsys/examples/memory-system/atomicfile"
	"github.com/memsys/docker-memsys/examples/memory-system/vector"
)

// The folders of the data.
const (
	memoriesDir   = "memories"
	embeddingsDir = "embeddings"
	indexesDir    = "indexes"
)

// flushAt is how many memories are indexed in memory only before a segment is written.
const flushAt = 256

// Store keeps memories. All its methods may be called at the same time.
type Store struct {
	dir   string
	write atomicfile.Writer
	now   func() time.Time

	mu sync.RWMutex
	*state
}

// Options say how a Store works.
type Options struct {
	// Now is the clock.
	Now func() time.Time
	// Fast does not wait for the disk after each change; a crash of the machine may lose it. For filling a store.
	Fast bool
}

// Open reads the memories in dir and makes what is missing of its folders. Damaged data is no error: Check tells it, what
// is sound can be read, and nothing is written until the damage is repaired.
func Open(dir string, o Options) (*Store, error) {
	s := &Store{dir: dir, write: atomicfile.Writer{Durable: !o.Fast}, now: o.Now}
	for _, sub := range []string{memoriesDir, embeddingsDir, indexesDir} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o750); err != nil {
			return nil, fmt.Errorf("make data folder: %w", err)
		}
	}
	return s, s.reload()
}

// Add makes a new memory.
func (s *Store) Add(c Content) (Memory, error) {
	return s.AddAt(newID(), s.now(), c)
}

// AddAt makes a new memory with a given id and time.
func (s *Store) AddAt(id string, at time.Time, c Content) (Memory, error) {
	if err := c.Check(); err != nil {
		return Memory{}, err
	}
	m := Memory{ID: id, CreatedAt: at.UTC().Truncate(time.Millisecond)}
	m.UpdatedAt = m.CreatedAt
	m.set(c)
	s.mu.Lock()
	defer s.mu.Unlock()
	return m, s.put(m)
}

// Get reads one memory.
func (s *Store) Get(id string) (Memory, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.get(id)
}

// Update replaces the content of a memory.
func (s *Store) Update(id string, c Content) (Memory, error) {
	if err := c.Check(); err != nil {
		return Memory{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m, err := s.get(id)
	if err != nil {
		return Memory{}, err
	}
	m.set(c)
	m.UpdatedAt = s.now().UTC().Truncate(time.Millisecond)
	return m, s.put(m)
}

// Delete removes a memory. Its vector goes first: a crash in between leaves a memory that is embedded again, never a
// vector without its memory.
func (s *Store) Delete(id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.summaries[id]; !ok {
		return fmt.Errorf("%w: %s", ErrNotFound, id)
	}
	if err := s.writable(); err != nil {
		return err
	}
	files, err := s.vectors.Delete(id)
	if err != nil {
		return fmt.Errorf("delete memory %s: %w", id, err)
	}
	s.touched(embeddingsDir, files...)
	if err := s.write.Remove(filepath.Join(s.dir, memoriesDir, fileName(id))); err != nil {
		return fmt.Errorf("delete memory %s: %w", id, err)
	}
	s.forget(memoriesDir, fileName(id))
	delete(s.summaries, id)
	s.index.Remove(id)
	return nil
}

// List reads memories, newest first, and tells how many there are in all.
func (s *Store) List(offset, limit int) ([]Memory, int, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	all := make([]summary, 0, len(s.summaries))
	for _, m := range s.summaries {
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b summary) int {
		return cmp.Or(b.created.Compare(a.created), cmp.Compare(a.id, b.id))
	})
	from := min(offset, len(all))
	out := make([]Memory, 0, min(limit, len(all)-from))
	for _, m := range all[from:min(from+limit, len(all))] {
		full, err := s.get(m.id)
		if err != nil {
			return nil, 0, err
		}
		out = append(out, full)
	}
	return out, len(all), nil
}

// Flush writes what the index holds in memory only.
func (s *Store) Flush() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.writable() != nil {
		return nil
	}
	return s.flush()
}

// Close writes what is not on disk yet. The store must not be used afterwards.
func (s *Store) Close() error { return s.Flush() }

func (s *Store) get(id string) (Memory, error) {
	if _, ok := s.summaries[id]; !ok {
		return Memory{}, fmt.Errorf("%w: %s", ErrNotFound, id)
	}
	m, err := readMemory(filepath.Join(s.dir, memoriesDir), fileName(id))
	if errors.Is(err, fs.ErrNotExist) {
		return m, fmt.Errorf("%w: %s is gone", ErrDamaged, fileName(id))
	}
	if err != nil {
		return m, fmt.Errorf("%w: %s: %w", ErrDamaged, fileName(id), err)
	}
	return m, nil
}

// put writes the memory first, then its vector, then the index: what a crash leaves out is made again by load.
func (s *Store) put(m Memory) error {
	if err := s.writable(); err != nil {
		return err
	}
	data, err := encode(m)
	if err != nil {
		return err
	}
	if err := s.write.Write(filepath.Join(s.dir, memoriesDir, fileName(m.ID)), data); err != nil {
		return err
	}
	s.touched(memoriesDir, fileName(m.ID))
	s.summaries[m.ID] = summary{m.ID, m.CreatedAt, m.sum()}
	return s.derive(m)
}

// derive makes vector and postings of a memory.
func (s *Store) derive(m Memory) error {
	if e, ok := s.vectors.Entry(m.ID); !ok || e.Sum != m.sum() {
		files, err := s.vectors.Put(m.ID, m.sum(), vector.Embed(m.searchText()))
		if err != nil {
			return err
		}
		s.touched(embeddingsDir, files...)
	}
	if sum, ok := s.index.Sum(m.ID); !ok || sum != m.sum() {
		s.index.Add(m.ID, m.sum(), m.searchText())
	}
	if s.index.Pending() >= flushAt {
		return s.flush()
	}
	return nil
}

func (s *Store) flush() error {
	for _, f := range s.index.Files() {
		s.forget(indexesDir, f)
	}
	err := s.index.Flush()
	s.touched(indexesDir, s.index.Files()...)
	return err
}

func (s *Store) writable() error {
	if len(s.damage) > 0 {
		return fmt.Errorf("%w: %s", ErrDamaged, s.damage[0])
	}
	return nil
}
