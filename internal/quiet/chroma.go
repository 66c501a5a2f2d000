package quiet

import (
	"context"
	"encoding/binary"
	"io"
	"maps"
	"slices"

	"github.com/memsys/docker-memsys/internal/tree"
)

// The files of one vector index of Chroma. A sync rewrites the four parts in place and the id map last, so that an id map older than
// a part means a sync under way. Before the first sync there is none, and the header counts no element.
const (
	idMap       = "index_metadata.pickle"
	indexHeader = "header.bin"
)

func indexFiles() []string {
	return []string{idMap, indexHeader, "data_level0.bin", "length.bin", "link_lists.bin"}
}

// index is one folder that may hold a vector index.
type index struct {
	entries map[string]*tree.Entry
	open    map[string]tree.Opener
}

func (c *checker) index(dir string) *index {
	if c.indexes[dir] == nil {
		c.indexes[dir] = &index{map[string]*tree.Entry{}, map[string]tree.Opener{}}
	}
	return c.indexes[dir]
}

func (x *index) add(name string, e *tree.Entry, open tree.Opener) {
	x.entries[name], x.open[name] = e, open
}

// newest is the part that was written last, nil where there is none.
func (x *index) newest() *tree.Entry {
	var last *tree.Entry
	for name, e := range x.entries {
		if name != idMap && (last == nil || e.ModTime.After(last.ModTime)) {
			last = e
		}
	}
	return last
}

func (c *checker) checkIndexes(ctx context.Context) error {
	for _, dir := range slices.Sorted(maps.Keys(c.indexes)) {
		if err := c.checkIndex(ctx, dir, c.indexes[dir]); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) checkIndex(ctx context.Context, dir string, x *index) error {
	part, ids := x.newest(), x.entries[idMap]
	switch {
	case part == nil || !c.changed(part) && (ids == nil || !c.changed(ids)):
		return nil // what stands still for longer is as whole as it will be
	case ids == nil:
		return c.firstSync(ctx, dir, x)
	case ids.ModTime.Before(part.ModTime):
		return c.unrest(dir, "the vector index is being written: its id map is older than it")
	}
	whole, err := c.pickled(ctx, ids, x.open[idMap])
	if err != nil || whole {
		return err
	}
	return c.unrest(dir, "the vector index is being written: its id map is not whole")
}

// firstSync tells an index that was only laid out from one whose first sync is under way.
func (c *checker) firstSync(ctx context.Context, dir string, x *index) error {
	open := x.open[indexHeader]
	if open == nil {
		return nil
	}
	const count = 20 // offset of the number of elements
	head, err := c.read(ctx, open, count+8)
	if err != nil || len(head) < count+8 || binary.LittleEndian.Uint64(head[count:]) == 0 {
		return err
	}
	return c.unrest(dir, "the vector index is being written: it has no id map yet")
}

// pickled tells whether an id map has its beginning and its end.
func (c *checker) pickled(ctx context.Context, e *tree.Entry, open tree.Opener) (bool, error) {
	const proto, stop = 0x80, '.'
	_, r, err := open(ctx)
	if err != nil {
		return true, passing(err)
	}
	defer r.Close()
	first, last, err := ends(r, e.Size, 1)
	if err != nil {
		return true, passing(err)
	}
	return len(first) == 1 && first[0] == proto && last[0] == stop, nil
}

// ends reads the first and the last n bytes of a file of a size; of a shorter one all of it, twice.
func ends(r io.ReadCloser, size int64, n int) (first, last []byte, err error) {
	first = make([]byte, min(size, int64(n)))
	if _, err := io.ReadFull(r, first); err != nil {
		return nil, nil, err
	}
	if size <= int64(n) {
		return first, first, nil
	}
	if _, err := r.(io.Seeker).Seek(size-int64(n), io.SeekStart); err != nil {
		return nil, nil, err
	}
	last = make([]byte, n)
	_, err = io.ReadFull(r, last)
	return first, last, err
}
