package archive

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
)

// groupsKept is how many groups of small files Files keeps unpacked: several goroutines read neighbours.
const groupsKept = 8

// Files opens the files of an archive one by one, as often as they are asked for. Small files that share a group are unpacked together. Its methods may
// be called from several goroutines.
type Files struct {
	r *Reader

	mu     sync.Mutex
	groups []*unpacked // the last one used at the end
}

// unpacked is a group of small files.
type unpacked struct {
	at   int64
	once sync.Once
	raw  []byte
	err  error
}

// Files returns what opens the archive's files.
func (r *Reader) Files() *Files { return &Files{r: r} }

// Content is the content of one file of an archive, each chunk checked against its SHA-256 before it is given out. It is used by one goroutine at a time.
type Content struct {
	files *Files
	ctx   context.Context //nolint:containedctx // of the open file, as long as it is read
	entry *Entry
	at    int64
	d     decoder
	chunk int // that is unpacked; -1: none
	raw   []byte
}

// Open opens a file; e comes from Entries of the same Reader. Reads end with ctx.
func (f *Files) Open(ctx context.Context, e *Entry) (*Content, error) {
	c := &Content{files: f, ctx: ctx, entry: e, chunk: -1}
	if e.inner == 0 || e.Size == 0 {
		return c, nil
	}
	raw, err := f.group(e)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", e.Path, err)
	}
	if e.inner+e.Size > int64(len(raw)) {
		return nil, fmt.Errorf("read %s: %w", e.Path, errTarHeader)
	}
	c.raw, c.chunk = raw[e.inner:e.inner+e.Size], 0
	if sha256.Sum256(c.raw) != e.Chunks[0].SHA256 {
		return nil, fmt.Errorf("read %s: %w", e.Path, errDigest)
	}
	return c, nil
}

// group unpacks the group of a small file, unless it is at hand.
func (f *Files) group(e *Entry) ([]byte, error) {
	f.mu.Lock()
	i := slices.IndexFunc(f.groups, func(g *unpacked) bool { return g.at == e.unit })
	var g *unpacked
	if i >= 0 {
		g = f.groups[i]
		f.groups = slices.Delete(f.groups, i, i+1)
	} else {
		g = &unpacked{at: e.unit}
	}
	f.groups = append(f.groups, g)
	if len(f.groups) > groupsKept {
		f.groups = slices.Delete(f.groups, 0, 1)
	}
	f.mu.Unlock()
	g.once.Do(func() { g.raw, g.err = f.r.unpackGroup(e.unit, e.unitEnd) })
	return g.raw, g.err
}

// unpackGroup returns the tar bytes of a group.
func (r *Reader) unpackGroup(start, end int64) ([]byte, error) {
	if end-start > maxGroup+maxGroup/8+64<<10 || end-start < memberHeaderSize+memberTrailerSize {
		return nil, errTooLong
	}
	packed := make([]byte, end-start)
	if err := readAt(r.r, packed, start); err != nil {
		return nil, err
	}
	for empty := appendEmptyMember(nil); bytes.HasPrefix(packed, empty) && len(packed) > len(empty); {
		packed = packed[len(empty):]
	}
	size := int64(binary.LittleEndian.Uint32(packed[len(packed)-4:]))
	if size > maxGroup || size > 1040*int64(len(packed)) {
		return nil, errTooLong
	}
	raw := make([]byte, size)
	return raw, new(inflater).inflate(raw, packed)
}

// Size is the length of the file.
func (c *Content) Size() int64 { return c.entry.Size }

// Changed is always false: what is in an archive stays.
func (c *Content) Changed() (bool, error) { return false, nil }

// Close lets go of what was unpacked.
func (c *Content) Close() error {
	c.raw, c.chunk = nil, -1
	return nil
}

// Read implements io.Reader.
func (c *Content) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	n, err := c.some(p, c.at)
	c.at += int64(n)
	return n, err
}

// ReadAt implements io.ReaderAt.
func (c *Content) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, errors.New("read at a negative place")
	}
	for n < len(p) && err == nil {
		var got int
		got, err = c.some(p[n:], off+int64(n))
		n += got
	}
	return n, err
}

// some reads what one chunk has of a place.
func (c *Content) some(p []byte, off int64) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, context.Cause(c.ctx)
	}
	if off >= c.entry.Size {
		return 0, io.EOF
	}
	i := int(off / c.entry.Chunks[0].Size) // all but the last have one size
	if i != c.chunk {
		raw, err := c.files.r.readChunk(&c.d, c.entry, i)
		if err != nil {
			c.chunk = -1
			return 0, fmt.Errorf("read %s at byte %d: %w", c.entry.Path, c.entry.Chunks[i].Offset, err)
		}
		c.raw, c.chunk = raw, i
	}
	return copy(p, c.raw[off-c.entry.Chunks[i].Offset:]), nil
}
