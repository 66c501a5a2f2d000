package archive

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/tree"
)

// flaky is a file that behaves differently each time it is opened.
type flaky struct {
	opened int
	open   func(try int) (size int, content []byte, changed bool, err error)
	broken error // reading fails with it at the end of the content
}

type flakyReader struct {
	io.Reader
	changed bool
}

func (flakyReader) Close() error             { return nil }
func (r flakyReader) Changed() (bool, error) { return r.changed, nil }
func (f *flaky) opener(name string) tree.Opener {
	return func(context.Context) (*tree.Entry, tree.Reader, error) {
		f.opened++
		size, content, changed, err := f.open(f.opened)
		if err != nil {
			return nil, nil, err
		}
		e := file(name, nil).Entry
		e.Size = int64(size)
		var r io.Reader = bytes.NewReader(content)
		if f.broken != nil {
			r = io.MultiReader(r, errorReader{f.broken})
		}
		return &e, flakyReader{r, changed}, nil
	}
}

type errorReader struct{ err error }

func (r errorReader) Read([]byte) (int, error) { return 0, r.err }

// addFlaky writes an archive with a good file before and behind a flaky one and returns what the archive has of it.
func addFlaky(t *testing.T, f *flaky) (Outcome, []byte, bool, error) {
	t.Helper()
	out, err := os.Create(filepath.Join(t.TempDir(), "a"))
	assert.NilError(t, err)
	defer out.Close()
	w := NewWriter(out, WriterOptions{Workers: 3})
	defer w.Abort()
	add := func(s stored) {
		_, err := w.Add(t.Context(), s.Path, &s.Entry, s.opener())
		assert.NilError(t, err)
	}
	add(dir("data/app"))
	add(file("data/app/before", noise(1, 2*chunkSize+5)))
	outcome, failed := w.Add(t.Context(), "data/app/flaky", &tree.Entry{Kind: tree.File}, f.opener("data/app/flaky"))
	add(file("data/app/behind", []byte("behind")))
	_, err = w.Close(t.Context(), manifest())
	assert.NilError(t, err)
	b, err := os.ReadFile(out.Name())
	assert.NilError(t, err)
	assert.DeepEqual(t, verify(t, b).Damage, []Damage(nil))
	sink := newMemorySink()
	assert.NilError(t, open(t, b).Extract(t.Context(), allEntries, sink, ExtractOptions{}))
	assert.Assert(t, bytes.Equal(sink.data["data/app/before"], noise(1, 2*chunkSize+5)))
	assert.Equal(t, string(sink.data["data/app/behind"]), "behind")
	got, ok := sink.data["data/app/flaky"]
	return outcome, got, ok, failed
}

func eachSize(t *testing.T, f func(t *testing.T, n int)) {
	t.Run("small", func(t *testing.T) { f(t, 1000) })
	t.Run("big", func(t *testing.T) { f(t, 3*chunkSize+100) })
}

func TestFileThatChangesOnceIsReadAgain(t *testing.T) {
	eachSize(t, func(t *testing.T, n int) {
		f := &flaky{open: func(try int) (int, []byte, bool, error) { return n, noise(uint64(try), n), try == 1, nil }}
		outcome, got, _, err := addFlaky(t, f)
		assert.NilError(t, err)
		assert.Assert(t, !outcome.Changed && f.opened == 2)
		assert.Assert(t, bytes.Equal(got, noise(2, n)))
	})
}

func TestFileThatKeepsChangingIsStoredAndReported(t *testing.T) {
	eachSize(t, func(t *testing.T, n int) {
		f := &flaky{open: func(try int) (int, []byte, bool, error) { return n + try, noise(uint64(try), n+try), true, nil }}
		outcome, got, _, err := addFlaky(t, f)
		assert.NilError(t, err)
		assert.Assert(t, outcome.Changed && f.opened == tries && outcome.Entry.Size == int64(n+tries))
		assert.Assert(t, bytes.Equal(got, noise(tries, n+tries)))
	})
}

func TestFileThatShrinksIsPaddedAndFileThatGrowsIsCut(t *testing.T) {
	eachSize(t, func(t *testing.T, n int) {
		f := &flaky{open: func(int) (int, []byte, bool, error) { return n, noise(1, n/2), false, nil }}
		outcome, got, _, err := addFlaky(t, f)
		assert.NilError(t, err)
		assert.Assert(t, outcome.Changed && f.opened == tries)
		assert.Assert(t, bytes.Equal(got, append(noise(1, n/2), make([]byte, n-n/2)...)))

		f = &flaky{open: func(int) (int, []byte, bool, error) { return n, noise(1, n+1), false, nil }}
		outcome, got, _, err = addFlaky(t, f)
		assert.NilError(t, err)
		assert.Assert(t, outcome.Changed && bytes.Equal(got, noise(1, n)))
	})
}

func TestFileThatVanishesLeavesNoTrace(t *testing.T) {
	eachSize(t, func(t *testing.T, n int) {
		f := &flaky{open: func(try int) (int, []byte, bool, error) {
			if try > 1 {
				return 0, nil, false, fs.ErrNotExist
			}
			return n, noise(1, n), true, nil
		}}
		outcome, _, ok, err := addFlaky(t, f)
		assert.NilError(t, err)
		assert.Assert(t, outcome.Vanished && outcome.Entry == nil && !ok)
	})
}

func TestFileThatCannotBeReadLeavesNoTrace(t *testing.T) {
	broken := errors.New("input/output error")
	eachSize(t, func(t *testing.T, n int) {
		for _, f := range []*flaky{
			{broken: broken, open: func(int) (int, []byte, bool, error) { return n, noise(1, n/2), false, nil }},
			{open: func(int) (int, []byte, bool, error) { return 0, nil, false, broken }},
		} {
			outcome, _, ok, err := addFlaky(t, f)
			var unreadable *UnreadableError
			assert.Assert(t, errors.As(err, &unreadable) && unreadable.Path == "data/app/flaky")
			assert.ErrorIs(t, err, broken)
			assert.Assert(t, outcome.Entry == nil && !ok)
		}
	})
}

// full is an output with room for so many bytes.
type full struct {
	*os.File
	room int
}

var errFull = errors.New("no space left on device")

func (f *full) Write(p []byte) (int, error) {
	if f.room -= len(p); f.room < 0 {
		return 0, errFull
	}
	return f.File.Write(p)
}

func TestFullDiskEndsTheWriter(t *testing.T) {
	for _, room := range []int{0, 1 << 20, 3 << 20} {
		out, err := os.Create(filepath.Join(t.TempDir(), "a"))
		assert.NilError(t, err)
		w := NewWriter(&full{out, room}, WriterOptions{Workers: 2})
		for _, s := range hostile() {
			if _, err = w.Add(t.Context(), s.Path, &s.Entry, s.opener()); err != nil {
				break
			}
		}
		if err == nil {
			_, err = w.Close(t.Context(), manifest())
		}
		assert.ErrorIs(t, err, errFull)
		assert.NilError(t, w.Abort())
		assert.NilError(t, w.Abort())
		assert.NilError(t, out.Close())
	}
}

func TestCancelledWriterStops(t *testing.T) {
	out, err := os.Create(filepath.Join(t.TempDir(), "a"))
	assert.NilError(t, err)
	defer out.Close()
	w := NewWriter(out, WriterOptions{})
	ctx, cancel := context.WithCancel(t.Context())
	s := file("data/app/x", noise(1, 40*chunkSize))
	_, err = w.Add(ctx, s.Path, &s.Entry, func(context.Context) (*tree.Entry, tree.Reader, error) {
		cancel()
		return &s.Entry, newMemoryFile(s.data), nil
	})
	assert.ErrorIs(t, err, context.Canceled)
	_, err = w.Close(ctx, manifest())
	assert.ErrorIs(t, err, context.Canceled)
	assert.NilError(t, w.Abort())
}

func TestWriterRefusesWhatMustNotBeStored(t *testing.T) {
	w := NewWriter(&full{}, WriterOptions{})
	defer w.Abort()
	for _, name := range []string{"", "/etc/passwd", "data/../x", "data//x", "data/a/", "data/a\x00b", "other/x", "memsys.json", "stargz.index.json", "."} {
		_, err := w.Add(t.Context(), name, &tree.Entry{Kind: tree.Dir}, nil)
		assert.Assert(t, err != nil, name)
	}
	for _, e := range []tree.Entry{{Kind: tree.File}, {Kind: tree.Symlink}, {Kind: tree.Dir, Link: "x"}, {Kind: tree.Socket}, {Kind: tree.Dir, UID: -1}, {Kind: tree.Dir, Mode: 0o10000}, {Kind: tree.CharDevice, Major: 1 << 22}, {Kind: tree.Dir, Xattrs: map[string][]byte{"user.huge": make([]byte, maxPAX)}}} {
		_, err := w.Add(t.Context(), "data/x", &e, nil)
		assert.Assert(t, err != nil, "%v", e)
	}
}

func TestSameInputGivesSameBytes(t *testing.T) {
	want := write(t, hostile(), manifest(), WriterOptions{Workers: 1})
	for _, workers := range []int{1, 2, 7} {
		assert.Assert(t, bytes.Equal(write(t, hostile(), manifest(), WriterOptions{Workers: workers}), want))
	}
}

func TestContentsTableOutgrowsMemory(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "spool"))
	assert.NilError(t, err)
	defer file.Close()
	want := write(t, hostile(), manifest(), WriterOptions{})
	opened := 0
	got := write(t, hostile(), manifest(), WriterOptions{spoolMemory: 100, Spool: func() (io.ReadWriteSeeker, error) {
		opened++
		return file, nil
	}})
	assert.Equal(t, opened, 1)
	assert.Assert(t, bytes.Equal(got, want))
}
