package inventory

import (
	"context"
	"errors"
	"io"
)

// wholeSize is up to which size a file is read in one go.
const wholeSize = 128 << 10

// early is a file that is open already: the first who opens it gets it, from its beginning.
type early struct {
	file  File
	again Open
	whole []byte // all of it, where it is small
	head  []byte // its beginning, where it is not
	// unread tells that the place at which the file is read next is its beginning still.
	unread bool
	taken  bool
}

// readHead opens a file and reads its beginning into buf, or all of it if it fits.
func readHead(ctx context.Context, open Open, buf []byte) (*early, error) {
	f, err := open(ctx)
	if err != nil {
		return nil, err
	}
	o := &early{file: f, again: open}
	var n int
	if size := f.Size(); size < int64(len(buf)) {
		n, err = f.ReadAt(buf[:size+1], 0) // one more shows that the end was reached
		o.unread = true
	} else {
		n, err = io.ReadFull(f, buf[:HeadSize])
	}
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, errors.Join(err, f.Close())
	}
	if err != nil {
		o.whole = buf[:n:n]
	} else {
		o.head = buf[:n:n]
	}
	return o, nil
}

// start is what was read, up to HeadSize bytes.
func (o *early) start() []byte {
	b := o.head
	if b == nil {
		b = o.whole
	}
	return b[:min(len(b), HeadSize):min(len(b), HeadSize)]
}

// open is the Open of a subject. It is for one goroutine at a time until the file was taken.
func (o *early) open(ctx context.Context) (File, error) {
	if o.taken {
		return o.again(ctx)
	}
	o.taken = true
	if o.head != nil && o.unread {
		return o.file, nil
	}
	if o.head != nil {
		return &replayed{File: o.file, head: o.head}, nil
	}
	return &wholeFile{File: o.file, data: o.whole}, nil
}

// close closes the file if nobody took it.
func (o *early) close() error {
	if o.taken {
		return nil
	}
	o.taken = true
	return o.file.Close()
}

// replayed is a file whose head was read already.
type replayed struct {
	File
	head []byte
}

// Read implements io.Reader.
func (r *replayed) Read(p []byte) (int, error) {
	if len(r.head) == 0 {
		return r.File.Read(p)
	}
	n := copy(p, r.head)
	r.head = r.head[n:]
	return n, nil
}

// wholeFile is a file that was read already.
type wholeFile struct {
	File
	data []byte
	pos  int64
}

// Size implements File: it is that of what was read.
func (w *wholeFile) Size() int64 { return int64(len(w.data)) }

// Read implements io.Reader.
func (w *wholeFile) Read(p []byte) (int, error) {
	n, err := w.ReadAt(p, w.pos)
	w.pos += int64(n)
	if n > 0 {
		err = nil
	}
	return n, err
}

// ReadAt implements io.ReaderAt.
func (w *wholeFile) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 || off >= int64(len(w.data)) {
		return 0, io.EOF
	}
	n := copy(p, w.data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// wholeOf is the content of a file that was read already; ok is false for others. It is valid until the file is closed.
func wholeOf(f File) (data []byte, ok bool) {
	w, ok := f.(*wholeFile)
	if !ok {
		return nil, false
	}
	return w.data, true
}
