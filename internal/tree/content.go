package tree

import (
	"errors"
	"fmt"
	"io/fs"
	"sync/atomic"
)

// content is a file that is being written.
type content struct {
	w     *Writer
	dir   *dirRef
	name  string
	file  *file
	entry *Entry
	end   atomic.Int64 // of what was written
	done  atomic.Bool
}

// WriteAt implements io.WriterAt. Zeros inside the entry's holes are not written.
func (c *content) WriteAt(p []byte, off int64) (int, error) {
	if off < 0 || int64(len(p)) > c.entry.Size-off {
		return 0, pathError("write", c.entry.Path, fmt.Errorf("%w: bytes beyond the size %d", ErrUnsafe, c.entry.Size))
	}
	written := 0
	for _, part := range c.parts(p, off) {
		n, err := c.file.WriteAt(p[part.Offset-off:part.Offset-off+part.Length], part.Offset)
		written = int(part.Offset-off) + n
		if err != nil {
			return written, pathError("write", c.entry.Path, err)
		}
		c.reached(part.Offset + part.Length)
	}
	return len(p), nil
}

// parts are the ranges of p that have to be written: all but zeros in holes.
func (c *content) parts(p []byte, off int64) []Extent {
	var parts []Extent
	pos, end := off, off+int64(len(p))
	for _, h := range c.entry.Holes {
		from, to := max(h.Offset, pos), min(h.Offset+h.Length, end)
		if from >= to || !allZero(p[from-off:to-off]) {
			continue
		}
		if from > pos {
			parts = append(parts, Extent{pos, from - pos})
		}
		pos = to
	}
	if pos < end {
		parts = append(parts, Extent{pos, end - pos})
	}
	return parts
}

func (c *content) reached(end int64) {
	for {
		old := c.end.Load()
		if end <= old || c.end.CompareAndSwap(old, end) {
			return
		}
	}
}

// Close implements Content.
func (c *content) Close() error {
	if c.done.Swap(true) {
		return fs.ErrClosed
	}
	defer c.dir.release()
	err := c.complete()
	return pathError("write", c.entry.Path, errors.Join(err, c.file.Close()))
}

func (c *content) complete() error {
	if len(c.entry.Holes) == 0 && c.end.Load() < c.entry.Size {
		if err := c.file.truncate(c.entry.Size); err != nil {
			return err
		}
	}
	c.w.apply(c.file, c.entry)
	if c.w.o.Sync && !syncsAll {
		return c.file.sync()
	}
	return nil
}

// Abort implements Content.
func (c *content) Abort() error {
	if c.done.Swap(true) {
		return nil
	}
	defer c.dir.release()
	err := errors.Join(c.file.Close(), c.dir.remove(c.name))
	return pathError("remove", c.entry.Path, err)
}

func allZero(p []byte) bool {
	for len(p) >= 8 {
		if p[0]|p[1]|p[2]|p[3]|p[4]|p[5]|p[6]|p[7] != 0 {
			return false
		}
		p = p[8:]
	}
	for _, b := range p {
		if b != 0 {
			return false
		}
	}
	return true
}
