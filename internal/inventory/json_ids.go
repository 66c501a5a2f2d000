package inventory

import (
	"fmt"
	"strings"
	"sync"
)

const (
	// maxIDs is how many ids are compared: they take about 20 bytes of memory each.
	maxIDs = 4_000_000
	// manyIDs is how many of one file are gathered before they are compared.
	manyIDs = 4096

	idShards = 64
)

// readID is an id that was read: a hash of it and its collection, itself, and where it stands.
type readID struct {
	hash uint64
	id   string
	line int
}

// idTable knows which file each id is in. Of ids it keeps hashes of 64 bits: that two different ones have the same is less likely than a
// fault of the memory.
type idTable struct {
	mu    sync.Mutex
	paths []string
	count int64

	shards [idShards]idShard
}

// idShard is a part of the table, of its own lock: open addressing, a hash of 0 is an empty place.
type idShard struct {
	mu     sync.Mutex
	hashes []uint64
	files  []uint32
	used   int
}

func newIDTable() *idTable { return &idTable{} }

func (t *idTable) full() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.count > maxIDs
}

// add compares the ids of a file with all before, and tells which occur twice.
func (t *idTable) add(path string, ids []readID, r *Recorder) {
	t.mu.Lock()
	t.count += int64(len(ids))
	full := t.count > maxIDs
	if n := len(t.paths); !full && (n == 0 || t.paths[n-1] != path) {
		t.paths = append(t.paths, path)
	}
	file := uint32(len(t.paths) - 1)
	t.mu.Unlock()
	if full {
		return
	}
	for _, one := range ids {
		if first, found := t.shards[one.hash%idShards].put(max(1, one.hash/idShards), file); found {
			t.tell(path, t.path(first), one, r)
		}
	}
}

func (t *idTable) path(file uint32) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.paths[file]
}

// tell records an id that occurs twice, at the later path whichever was read first.
func (t *idTable) tell(path, first string, one readID, r *Recorder) {
	f := Finding{Status: Warning, Path: path, Line: one.line, Text: fmt.Sprintf("the id %q stands in this file twice", shortened(one.id))}
	if path != first {
		other := first
		if strings.Compare(path, first) < 0 {
			f.Path, f.Line, other = first, 0, path
		}
		f.Text = fmt.Sprintf("the id %q stands in %s too", shortened(one.id), other)
	}
	r.Find(jsonIDs, f)
}

// put notes the file of a hash, unless one is known already.
func (s *idShard) put(hash uint64, file uint32) (first uint32, found bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if 4*(s.used+1) > 3*len(s.hashes) {
		s.grow()
	}
	mask := uint64(len(s.hashes) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		switch s.hashes[i] {
		case hash:
			return s.files[i], true
		case 0:
			s.hashes[i], s.files[i] = hash, file
			s.used++
			return file, false
		}
	}
}

func (s *idShard) grow() {
	hashes, files := s.hashes, s.files
	size := max(16, 2*len(hashes))
	s.hashes, s.files = make([]uint64, size), make([]uint32, size)
	mask := uint64(size - 1)
	for at, h := range hashes {
		if h == 0 {
			continue
		}
		i := h & mask
		for s.hashes[i] != 0 {
			i = (i + 1) & mask
		}
		s.hashes[i], s.files[i] = h, files[at]
	}
}
