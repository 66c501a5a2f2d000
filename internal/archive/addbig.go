package archive

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/memsys/docker-memsys/internal/tree"
)

// readBig stores a big file: a unit of its own, that can be taken back.
func (w *Writer) readBig(ctx context.Context, e *tree.Entry, r tree.Reader, last bool) (*tree.Entry, error) {
	if err := w.flushGroup(); err != nil {
		return nil, err
	}
	j, err := w.take(ctx, jobFile)
	if err != nil {
		return nil, err
	}
	if err := j.open(e); err != nil {
		w.free <- j
		return nil, fmt.Errorf("store %s: %w", e.Path, err)
	}
	w.submit(j)
	changed, err := w.readChunks(ctx, e, r, last)
	if err != nil || changed && !last {
		if err := w.control(ctx, jobRollback); err != nil {
			return nil, err
		}
	}
	switch {
	case err != nil:
		return nil, err
	case changed && !last:
		return nil, errChanged
	}
	if err := w.control(ctx, jobCommit); err != nil {
		return nil, err
	}
	if changed {
		return e, errChanged
	}
	return e, nil
}

// control sends a job that brings no bytes.
func (w *Writer) control(ctx context.Context, kind jobKind) error {
	j, err := w.take(ctx, kind)
	if err != nil {
		return err
	}
	w.submit(j)
	return nil
}

func (w *Writer) readChunks(ctx context.Context, e *tree.Entry, r tree.Reader, last bool) (changed bool, err error) {
	holes := e.Holes
	for at := int64(0); at < e.Size; {
		n := min(chunkSize, e.Size-at)
		j, err := w.take(ctx, jobChunk)
		if err != nil {
			return false, err
		}
		j.content = n
		j.raw = slices.Grow(j.raw, chunkSize+blockSize)[:n]
		for len(holes) > 0 && holes[0].Offset+holes[0].Length <= at {
			holes = holes[1:]
		}
		short, err := w.readChunk(j, at, r, holes)
		if err != nil {
			w.free <- j
			return false, &UnreadableError{Path: e.Path, Err: err}
		}
		if changed = changed || short; changed && !last {
			w.free <- j
			return true, nil
		}
		at += n
		if at == e.Size {
			j.pad(e)
		}
		w.opts.OnBytes(n)
		w.submit(j)
	}
	if changed {
		return true, nil
	}
	if changed, err = moved(r); err != nil {
		return false, &UnreadableError{Path: e.Path, Err: err}
	}
	return changed, nil
}

// readChunk fills a job from the file at an offset; what lies wholly in a hole is not read where the file can seek.
func (w *Writer) readChunk(j *job, at int64, r tree.Reader, holes []tree.Extent) (short bool, err error) {
	end := at + int64(len(j.raw))
	if s, ok := r.(io.Seeker); ok && len(holes) > 0 && holes[0].Offset <= at && end <= holes[0].Offset+holes[0].Length {
		if j.zero = len(j.raw) == chunkSize; !j.zero {
			clear(j.raw)
		}
		_, err := s.Seek(end, io.SeekStart)
		return false, err
	}
	return fill(j.raw, r)
}
