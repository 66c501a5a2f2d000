package inventory

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
)

const (
	// maxIDs is how many ids are compared: they take about 20 bytes of memory each, and 16 more while a live file is looked at.
	maxIDs = 3_000_000
	// manyIDs is how many of one file are gathered before they are compared.
	manyIDs = 4096
	// maxTexts is how many ids of one live file can be told by name, until it is known that what was read of it counts.
	maxTexts = 16 * manyIDs

	idShards = 64
)

// readIDs are ids that were read.
type readIDs struct {
	all   []readID
	texts []string // of the first ones
}

// readID is a hash of an id and its collection, and the line where it stands.
type readID struct {
	hash uint64
	line int
}

// text is an id for a message.
func (r *readIDs) text(i int) string {
	if i < len(r.texts) {
		return fmt.Sprintf("the id %q", shortened(r.texts[i]))
	}
	return "the id of this record"
}

// idTable knows which file each id is in. Of ids it keeps hashes of 64 bits: that two different ones have the same is less likely than a
// fault of the memory.
type idTable struct {
	count atomic.Int64
	full  atomic.Bool // there were more

	mu    sync.Mutex
	paths []string

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

// reserve tells whether there is room for n more ids; what is looked at again needs room again.
func (t *idTable) reserve(n int) bool {
	if t.count.Add(int64(n)) <= maxIDs {
		return true
	}
	t.full.Store(true)
	return false
}

// add compares the ids of a file, for which there is room, with all before, and tells which occur twice.
func (t *idTable) add(path string, ids readIDs, r *Recorder) {
	t.mu.Lock()
	if n := len(t.paths); n == 0 || t.paths[n-1] != path {
		t.paths = append(t.paths, path)
	}
	file := uint32(len(t.paths) - 1)
	t.mu.Unlock()
	for i, one := range ids.all {
		if first, found := t.shards[one.hash%idShards].put(max(1, one.hash/idShards), file); found {
			t.tell(path, t.path(first), one.line, ids.text(i), r)
		}
	}
}

func (t *idTable) path(file uint32) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.paths[file]
}

// tell records an id that occurs twice, at the later path whichever was read first.
func (t *idTable) tell(path, first string, line int, id string, r *Recorder) {
	f := Finding{Status: Warning, Path: path, Line: line, Text: id + " stands in this file twice"}
	if path != first {
		other := first
		if strings.Compare(path, first) < 0 {
			f.Path, f.Line, other = first, 0, path
		}
		f.Text = fmt.Sprintf("%s stands in %s too", id, other)
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
