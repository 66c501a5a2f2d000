package tree

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"time"
)

const (
	timeFormat = "2006-01-02T15:04:05.000000000Z"
	// coarseTime is what file systems of platforms without exact times keep.
	coarseTime = 2 * time.Second
	// jobBytes is how much of a large file one worker takes at once.
	jobBytes = 64 << 20
)

// contentJob is a range of one file: some chunks of it, and whether gaps between all chunks have to be looked at.
type contentJob struct {
	open   Opener
	want   *Entry
	chunks []Chunk
	gaps   []Extent
	holes  bool
}

// content hands a file to the workers, a large one in several jobs.
func (c *comparer) content(ctx context.Context, want Expected, got *Entry, open Opener) error {
	if want.Entry.Kind != File || got.Kind != File || (!c.o.Content && !c.o.Holes) {
		return nil
	}
	chunks := slices.SortedFunc(slices.Values(want.Chunks), func(a, b Chunk) int { return cmp.Compare(a.Offset, b.Offset) })
	gaps, err := chunkGaps(chunks, want.Entry.Size)
	if err != nil {
		return pathError("compare", want.Entry.Path, err)
	}
	if !c.o.Content {
		chunks, gaps = nil, nil
	}
	job := contentJob{open: open, want: want.Entry, gaps: gaps, holes: c.o.Holes}
	for {
		n := jobLength(chunks)
		job.chunks, chunks = chunks[:n], chunks[n:]
		select {
		case c.jobs <- job:
		case <-ctx.Done():
			return ctx.Err()
		}
		if len(chunks) == 0 {
			return nil
		}
		job = contentJob{open: open, want: want.Entry}
	}
}

func jobLength(chunks []Chunk) int {
	size := int64(0)
	for i, chunk := range chunks {
		if size += chunk.Size; size > jobBytes && i > 0 {
			return i
		}
	}
	return len(chunks)
}

// chunkGaps are the ranges that no chunk covers.
func chunkGaps(chunks []Chunk, size int64) ([]Extent, error) {
	var gaps []Extent
	pos := int64(0)
	for _, c := range chunks {
		if c.Offset < pos || c.Size < 0 || c.Size > size-c.Offset {
			return nil, fmt.Errorf("chunk %d+%d overlaps or leaves the file of %d bytes", c.Offset, c.Size, size)
		}
		if c.Offset > pos {
			gaps = append(gaps, Extent{pos, c.Offset - pos})
		}
		pos = c.Offset + c.Size
	}
	if pos < size {
		gaps = append(gaps, Extent{pos, size - pos})
	}
	return gaps, nil
}

func (c *comparer) run(ctx context.Context, job contentJob, buf []byte) {
	got, r, err := job.open(ctx)
	if err != nil {
		c.unread(ctx, job.want.Path, err)
		return
	}
	defer r.Close()
	if job.holes && !slices.Equal(got.Holes, job.want.Holes) {
		c.add(job.want.Path, "holes", fmt.Sprint(job.want.Holes), fmt.Sprint(got.Holes))
	}
	if got.Size != job.want.Size {
		return // already told
	}
	at := r.(io.ReaderAt)
	for _, chunk := range job.chunks {
		sum, err := sumRange(ctx, at, chunk, buf, c.o.OnBytes)
		if err != nil {
			c.unread(ctx, job.want.Path, err)
			return
		}
		if sum != chunk.SHA256 {
			where := fmt.Sprintf(" at %d+%d", chunk.Offset, chunk.Size)
			c.add(job.want.Path, "content", fmt.Sprintf("%x", chunk.SHA256)+where, fmt.Sprintf("%x", sum))
		}
	}
	for _, gap := range job.gaps {
		c.zeros(ctx, job.want.Path, at, gap, got.Holes, buf)
	}
}

func (c *comparer) unread(ctx context.Context, path string, err error) {
	switch {
	case ctx.Err() != nil:
		c.mu.Lock()
		defer c.mu.Unlock()
		c.failed = ctx.Err()
	case errors.Is(err, fs.ErrNotExist):
		c.add(path, "missing", string(File), "")
	default:
		c.add(path, "unreadable", "readable", err.Error())
	}
}

func sumRange(ctx context.Context, r io.ReaderAt, chunk Chunk, buf []byte, onBytes func(int64)) (sum [32]byte, err error) {
	h := sha256.New()
	err = eachPart(ctx, r, Extent{chunk.Offset, chunk.Size}, buf, func(p []byte) bool {
		h.Write(p)
		if onBytes != nil {
			onBytes(int64(len(p)))
		}
		return true
	})
	h.Sum(sum[:0])
	return sum, err
}

// zeros looks at a range that should read as zeros; what is a hole needs no reading.
func (c *comparer) zeros(ctx context.Context, path string, r io.ReaderAt, gap Extent, holes []Extent, buf []byte) {
	clean := true
	for _, part := range without(gap, holes) {
		err := eachPart(ctx, r, part, buf, func(p []byte) bool { clean = allZero(p); return clean })
		if err != nil {
			c.unread(ctx, path, err)
			return
		}
		if !clean {
			c.add(path, "content", fmt.Sprintf("zeros at %d+%d", gap.Offset, gap.Length), "data")
			return
		}
	}
}

// without is what holes leave of a range.
func without(e Extent, holes []Extent) []Extent {
	var parts []Extent
	pos, end := e.Offset, e.Offset+e.Length
	for _, h := range holes {
		if h.Offset+h.Length <= pos || h.Offset >= end {
			continue
		}
		if h.Offset > pos {
			parts = append(parts, Extent{pos, h.Offset - pos})
		}
		pos = h.Offset + h.Length
	}
	if pos < end {
		parts = append(parts, Extent{pos, end - pos})
	}
	return parts
}

func eachPart(ctx context.Context, r io.ReaderAt, e Extent, buf []byte, f func([]byte) bool) error {
	for e.Length > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := r.ReadAt(buf[:min(int64(len(buf)), e.Length)], e.Offset)
		if n > 0 && !f(buf[:n]) {
			return nil
		}
		e.Offset, e.Length = e.Offset+int64(n), e.Length-int64(n)
		if err != nil && e.Length > 0 {
			return err
		}
	}
	return nil
}

// Matches tells whether the file of an entry has the content that is expected of it.
func Matches(ctx context.Context, e *Entry, open Opener, want Expected) (bool, error) {
	if e.Size != want.Entry.Size {
		return false, nil
	}
	chunks := slices.SortedFunc(slices.Values(want.Chunks), func(a, b Chunk) int { return cmp.Compare(a.Offset, b.Offset) })
	gaps, err := chunkGaps(chunks, want.Entry.Size)
	if err != nil {
		return false, pathError("compare", e.Path, err)
	}
	c := &comparer{}
	c.run(ctx, contentJob{open: open, want: want.Entry, chunks: chunks, gaps: gaps}, make([]byte, 256<<10))
	return len(c.found) == 0, c.failed
}
