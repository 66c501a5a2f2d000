package foreign

import (
	"context"
	"errors"
	"io"
)

// meter counts what archives unpack to, over all of their entries, and fails once it is more than the limit.
type meter struct {
	ctx   context.Context
	limit int64
	read  int64
	// failed is the limit that was exceeded, or the end of the context: decoders wrap errors in ways of their own.
	failed error
	on     func(int64)
}

func (m *meter) add(n int) error {
	m.read += int64(n)
	if m.on != nil {
		m.on(int64(n))
	}
	if m.failed == nil && m.ctx.Err() != nil {
		m.failed = context.Cause(m.ctx)
	}
	if m.failed == nil && m.read > m.limit {
		m.failed = &LimitError{What: limitBytes, Limit: m.limit}
	}
	return m.failed
}

// metered is a reader whose bytes count.
type metered struct {
	r io.Reader
	m *meter
}

func (c metered) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if failed := c.m.add(n); failed != nil {
		return n, failed
	}
	return n, err
}

// disk is the archive's file. It remembers what reading it failed with, so that a bad disk is not taken for a bad archive.
type disk struct {
	r      io.ReaderAt
	failed error
}

func (d *disk) ReadAt(p []byte, off int64) (int, error) {
	n, err := d.r.ReadAt(p, off)
	if err != nil && !errors.Is(err, io.EOF) {
		d.failed = err
	}
	return n, err
}

// tail remembers whether the last blocks of what is read through it are zeros: the end mark of a tar file.
type tail struct {
	r     io.Reader
	zeros int64
}

func (t *tail) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	i := n
	for i > 0 && p[i-1] == 0 {
		i--
	}
	if i > 0 {
		t.zeros = 0
	}
	t.zeros += int64(n - i)
	return n, err
}

var (
	errNoEnd = errors.New("the end of the tar file is missing: cut short")
	errMore  = errors.New("something follows the end of the tar file")
)

// drain reads what follows the last entry: the end mark, the packing's own check, and nothing else.
func (t *tail) drain() error {
	buf := make([]byte, 32<<10)
	for {
		n, err := t.Read(buf)
		for _, b := range buf[:n] {
			if b != 0 {
				return errMore
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	if t.zeros < 2*tarBlock {
		return errNoEnd
	}
	return nil
}
