package tree

import (
	"errors"
	"io"
)

// reader is an open file of the tree.
type reader struct {
	file   *file
	opened *Entry
	pos    int64
}

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	n, err := r.file.ReadAt(p, r.pos)
	r.pos += int64(n)
	if err == io.EOF && n > 0 {
		err = nil
	}
	return n, err
}

// Seek implements io.Seeker, so that holes need not be read. It knows io.SeekStart and io.SeekCurrent.
func (r *reader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekStart:
	case io.SeekCurrent:
		offset += r.pos
	default:
		return r.pos, errors.New("seek: from the end is not supported")
	}
	if offset < 0 {
		return r.pos, errors.New("seek: before the start")
	}
	r.pos = offset
	return offset, nil
}

// ReadAt implements io.ReaderAt.
func (r *reader) ReadAt(p []byte, off int64) (int, error) { return r.file.ReadAt(p, off) }

// Close implements io.Closer.
func (r *reader) Close() error { return r.file.Close() }

// Changed implements Reader.
func (r *reader) Changed() (bool, error) {
	now, err := r.file.stat()
	if err != nil {
		return false, err
	}
	was := r.opened
	return now.Size != was.Size || !now.ModTime.Equal(was.ModTime) || !now.ChangeTime.Equal(was.ChangeTime), nil
}
