package inventory

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"sync"
	"time"
)

// stamp says which content of which file was read; two equal stamps mean the same bytes.
type stamp struct {
	device, inode         uint64
	size, changed, status int64
}

// watch sees the files that are opened during one look, and whether they kept still.
type watch struct {
	bytes func(int64)

	mu      sync.Mutex
	stamps  map[string]stamp
	changed bool
}

func newWatch(calls Calls) *watch {
	w := &watch{bytes: calls.Bytes, stamps: map[string]stamp{}}
	if w.bytes == nil {
		w.bytes = func(int64) {}
	}
	return w
}

// still tells whether this look and another one saw the same bytes, none of which changed meanwhile.
func (w *watch) still(before map[string]stamp) bool {
	return !w.changed && maps.Equal(w.stamps, before)
}

// resized tells whether a file that both looks saw has another size.
func (w *watch) resized(before map[string]stamp) bool {
	for path, now := range w.stamps {
		if was, both := before[path]; both && was.size != now.size {
			return true
		}
	}
	return false
}

// unchangedSince tells whether all that was seen was last changed before a time, and something was seen.
func (w *watch) unchangedSince(t time.Time) bool {
	for _, s := range w.stamps {
		if max(s.changed, s.status) >= t.UnixNano() {
			return false
		}
	}
	return len(w.stamps) > 0
}

// subject is s with its files watched.
func (w *watch) subject(s *Subject) *Subject {
	c := &Subject{Entry: s.Entry, Head: s.Head, Open: w.open(s.Entry.Path, s.Open)}
	if s.Sibling != nil {
		c.Sibling = func(name string) *Subject {
			if found := s.Sibling(name); found != nil {
				return w.subject(found)
			}
			return nil
		}
	}
	return c
}

func (w *watch) open(path string, open Open) Open {
	return func(ctx context.Context) (File, error) {
		f, err := open(ctx)
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				w.move()
			}
			return nil, err
		}
		w.opened(path, f)
		return &watched{File: f, w: w}, nil
	}
}

func (w *watch) opened(path string, f File) {
	s, ok := f.(interface{ stamp() stamp })
	if !ok {
		return
	}
	now := s.stamp()
	w.mu.Lock()
	defer w.mu.Unlock()
	if before, ok := w.stamps[path]; ok && before != now {
		w.changed = true
	}
	w.stamps[path] = now
}

func (w *watch) move() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.changed = true
}

// watched is a file whose last state is asked for when it is closed.
type watched struct {
	File
	w    *watch
	once sync.Once
}

// Read implements io.Reader.
func (f *watched) Read(p []byte) (int, error) {
	n, err := f.File.Read(p)
	f.w.bytes(int64(n))
	return n, err
}

// ReadAt implements io.ReaderAt.
func (f *watched) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.File.ReadAt(p, off)
	f.w.bytes(int64(n))
	return n, err
}

// Close implements io.Closer.
func (f *watched) Close() (err error) {
	f.once.Do(func() {
		changed, failed := f.Changed()
		if changed || failed != nil {
			f.w.move()
		}
		err = f.File.Close()
	})
	return err
}
