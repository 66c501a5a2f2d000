package archive

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/memsys/docker-memsys/internal/tree"
)

// task is a part whose content is wanted.
type task struct {
	part
	picked []*tree.Entry // of a group, one for each entry, nil for those left out
	file   *bigTarget
}

// bigTarget is a big file that is being written.
type bigTarget struct {
	entry   *tree.Entry
	content tree.Content
	left    atomic.Int64 // tasks
	failed  atomic.Bool
}

// settle is called once for each task of the file; the last one closes it.
func (b *bigTarget) settle(err error, tasks int64) error {
	if err != nil {
		b.failed.Store(true)
	}
	if b.left.Add(-tasks) > 0 {
		return err
	}
	if b.failed.Load() {
		return errors.Join(err, b.content.Abort())
	}
	return b.content.Close()
}

func (x *extraction) dispatch(ctx context.Context, u *unit, pick func(*Entry) *tree.Entry, tasks chan<- *task) error {
	picked := make([]*tree.Entry, len(u.entries))
	files := false
	for i, e := range u.entries {
		p := pick(e)
		if p == nil {
			continue
		}
		if e.Kind == tree.File {
			picked[i], files = p, true
		} else if err := x.sink.Create(ctx, p); err != nil {
			return fmt.Errorf("create %s: %w", p.Path, err)
		}
	}
	if !files {
		return nil
	}
	if u.big() {
		return x.dispatchBig(ctx, u, picked[0], tasks)
	}
	return send(ctx, tasks, &task{part: part{u, groupPart, u.start, u.end}, picked: picked})
}

func send(ctx context.Context, tasks chan<- *task, t *task) error {
	select {
	case tasks <- t:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (x *extraction) dispatchBig(ctx context.Context, u *unit, picked *tree.Entry, tasks chan<- *task) error {
	content, err := x.sink.File(picked)
	if err != nil {
		return fmt.Errorf("create %s: %w", picked.Path, err)
	}
	b := &bigTarget{entry: picked, content: content}
	left := int64(len(u.entries[0].Chunks) + 1)
	b.left.Store(left)
	err = u.parts(func(p part) error {
		if err := send(ctx, tasks, &task{part: p, file: b}); err != nil {
			return err
		}
		left--
		return nil
	})
	if left > 0 {
		return b.settle(err, left)
	}
	return err
}

// extractor is one worker.
type extractor struct {
	x      *extraction
	ctx    context.Context
	d      decoder
	packed []byte
}

func (w *extractor) run(t *task) error {
	if t.file != nil {
		return t.file.settle(w.bigPart(t), 1)
	}
	return w.group(t)
}

func (w *extractor) read(p part) error {
	if err := w.ctx.Err(); err != nil {
		return context.Cause(w.ctx)
	}
	n := p.end - p.start
	if n <= 0 || n > p.packedLimit() {
		return fmt.Errorf("unpack %s: %w", p.path(), errTooLong)
	}
	w.packed = slices.Grow(w.packed[:0], int(n))[:n]
	if err := readAt(w.x.r.r, w.packed, p.start); err != nil {
		return fmt.Errorf("read archive at %d: %w", p.start, err)
	}
	return nil
}

func (w *extractor) bigPart(t *task) error {
	if err := w.read(t.part); err != nil {
		return err
	}
	e := t.u.entries[0]
	if t.chunk == headerPart {
		if err := w.d.header(e, w.packed); err != nil {
			return fmt.Errorf("unpack %s: %w", e.Path, err)
		}
		return nil
	}
	c := e.Chunks[t.chunk]
	content, zero, err := w.d.chunk(e, t.chunk, w.packed)
	if err != nil {
		return fmt.Errorf("unpack %s at byte %d: %w", e.Path, c.Offset, err)
	}
	if !zero || !inHole(e.Holes, c) {
		if err := writeAround(t.file.content, content, c.Offset, e.Holes); err != nil {
			return fmt.Errorf("write %s: %w", t.file.entry.Path, err)
		}
	}
	w.x.opts.OnBytes(c.Size)
	return nil
}

// writeAround writes content at an offset, but for what lies in holes.
func writeAround(to tree.Content, content []byte, offset int64, holes []tree.Extent) error {
	end := offset + int64(len(content))
	at := offset
	for _, h := range holes {
		if h.Offset+h.Length <= at {
			continue
		}
		if h.Offset >= end {
			break
		}
		if h.Offset > at {
			if _, err := to.WriteAt(content[at-offset:h.Offset-offset], at); err != nil {
				return err
			}
		}
		at = min(end, h.Offset+h.Length)
	}
	if at == end {
		return nil
	}
	_, err := to.WriteAt(content[at-offset:], at)
	return err
}

func (w *extractor) group(t *task) error {
	if err := w.read(t.part); err != nil {
		return err
	}
	raw, damage := w.d.group(t.u, w.packed)
	if len(damage) > 0 {
		return fmt.Errorf("unpack %s: %s", damage[0].Path, damage[0].Reason)
	}
	at := int64(0)
	for i, e := range t.u.entries {
		if e.Size > 0 {
			at = e.inner
		}
		if t.picked[i] == nil {
			continue
		}
		if err := w.small(t.picked[i], e, raw[at:at+e.Size]); err != nil {
			return fmt.Errorf("write %s: %w", t.picked[i].Path, err)
		}
	}
	return nil
}

func (w *extractor) small(picked *tree.Entry, e *Entry, content []byte) error {
	to, err := w.x.sink.File(picked)
	if err != nil {
		return err
	}
	if len(content) > 0 {
		if err := writeAround(to, content, 0, e.Holes); err != nil {
			return errors.Join(err, to.Abort())
		}
		w.x.opts.OnBytes(e.Size)
	}
	return to.Close()
}
