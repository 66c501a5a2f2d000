//go:build linux || darwin

package tree

import (
	"errors"
	"io"

	"golang.org/x/sys/unix"
)

// file is an open regular file. ReadAt and WriteAt are safe for parallel use.
type file struct{ fd }

// ReadAt implements io.ReaderAt.
func (f *file) ReadAt(p []byte, off int64) (int, error) {
	done := 0
	for done < len(p) {
		var n int
		err := retry(func() (e error) { n, e = unix.Pread(int(f.fd), p[done:], off+int64(done)); return e })
		if err != nil {
			return done, err
		}
		if n == 0 {
			return done, io.EOF
		}
		done += n
	}
	return done, nil
}

// WriteAt implements io.WriterAt.
func (f *file) WriteAt(p []byte, off int64) (int, error) {
	done := 0
	for done < len(p) {
		var n int
		err := retry(func() (e error) { n, e = unix.Pwrite(int(f.fd), p[done:], off+int64(done)); return e })
		if err != nil {
			return done, err
		}
		if n == 0 {
			return done, io.ErrShortWrite
		}
		done += n
	}
	return done, nil
}

func (f *file) truncate(size int64) error {
	return retry(func() error { return unix.Ftruncate(int(f.fd), size) })
}

// holes are the ranges without allocated data as the file system tells them; none where it cannot tell.
func (f *file) holes(size int64) ([]Extent, error) {
	var holes []Extent
	for pos := int64(0); pos < size; {
		hole, err := unix.Seek(int(f.fd), pos, seekHole)
		if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOTSUP) {
			return nil, nil
		}
		if err != nil && !errors.Is(err, unix.ENXIO) {
			return nil, err
		}
		if err != nil || hole >= size {
			break
		}
		data, err := unix.Seek(int(f.fd), hole, seekData)
		if errors.Is(err, unix.ENXIO) || (err == nil && data > size) {
			data, err = size, nil
		}
		if err != nil {
			return nil, err
		}
		holes = append(holes, Extent{Offset: hole, Length: data - hole})
		pos = data
	}
	return holes, nil
}
