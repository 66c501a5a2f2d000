package archive

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/tree"
)

func TestExtractTakesWhatIsPickedUnderItsNewName(t *testing.T) {
	r := open(t, write(t, hostile(), manifest(), WriterOptions{}))
	sink := newMemorySink()
	pick := func(e *Entry) *tree.Entry {
		rest, ok := strings.CutPrefix(e.Path, "data/app/mem_01")
		if !ok {
			return nil
		}
		c := e.Entry
		c.Path = "new/" + rest
		return &c
	}
	assert.NilError(t, r.Extract(t.Context(), pick, sink, ExtractOptions{}))
	assert.Equal(t, len(sink.data), 100)
	assert.Assert(t, bytes.Equal(sink.data["new/42.json"], text(142, 200+142*7)))
}

func TestHardLinkIsUnpackedWithoutItsFirstName(t *testing.T) {
	for _, n := range []int{6, bigFile + 6} {
		all := []stored{dir("data/app"), file("data/app/first", text(1, n)), link(tree.Hardlink, "data/app/second", "data/app/first"), link(tree.Hardlink, "data/app/third", "data/app/first")}
		r := open(t, write(t, all, manifest(), WriterOptions{}))
		sink := newMemorySink()
		pick := func(e *Entry) *tree.Entry {
			if e.Kind != tree.Hardlink {
				return nil
			}
			c := e.Entry
			c.Kind, c.Link, c.Path = tree.File, "", filepath.Base(e.Path)
			return &c
		}
		assert.NilError(t, r.Extract(t.Context(), pick, sink, ExtractOptions{}))
		assert.Assert(t, bytes.Equal(sink.data["second"], text(1, n)))
		assert.Equal(t, sink.entries["second"].Mode, uint32(0o644), "attributes are those of the file")
		assert.Equal(t, sink.entries["third"].Link, "second")
	}
}

// orderSink fails unless folders come before what is in them and links last.
type orderSink struct {
	*memorySink
	t     *testing.T
	links bool
}

func (s *orderSink) Create(ctx context.Context, e *tree.Entry) error {
	s.links = s.links || e.Kind == tree.Symlink || e.Kind == tree.Hardlink
	return s.memorySink.Create(ctx, e)
}

func (s *orderSink) File(e *tree.Entry) (tree.Content, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.entries[filepath.Dir(e.Path)]
	if s.links || !ok && strings.HasPrefix(e.Path, "data/") {
		return nil, errors.New("too early or too late: " + e.Path)
	}
	return &memoryContent{s: s.memorySink, e: *e, b: make([]byte, e.Size)}, nil
}

func TestExtractMakesFoldersFirstAndLinksLast(t *testing.T) {
	all := append([]stored{dir("data/app"), link(tree.Symlink, "data/app/early", "x")}, hostile()[1:]...)
	r := open(t, write(t, all, manifest(), WriterOptions{}))
	assert.NilError(t, r.Extract(t.Context(), allEntries, &orderSink{memorySink: newMemorySink(), t: t}, ExtractOptions{Workers: 4}))
}

// brokenSink fails to write one file.
type brokenSink struct {
	*memorySink
	name string
}

type brokenContent struct{ tree.Content }

func (brokenContent) WriteAt([]byte, int64) (int, error) { return 0, errFull }

func (s brokenSink) File(e *tree.Entry) (tree.Content, error) {
	c, err := s.memorySink.File(e)
	if e.Path == s.name {
		return brokenContent{c}, err
	}
	return c, err
}

func TestExtractAbortsTheFileThatCannotBeWritten(t *testing.T) {
	r := open(t, write(t, hostile(), manifest(), WriterOptions{}))
	for _, name := range []string{"data/app/mem_0007.json", "data/app/noise.npy"} {
		sink := brokenSink{newMemorySink(), name}
		assert.ErrorIs(t, r.Extract(t.Context(), allEntries, sink, ExtractOptions{}), errFull)
		assert.Assert(t, bytes.Contains([]byte(strings.Join(sink.aborted, "\n")), []byte(name)))
		_, stored := sink.data[name]
		assert.Assert(t, !stored)
	}
}

func TestCancelledExtractAbortsOpenFiles(t *testing.T) {
	r := open(t, write(t, hostile(), manifest(), WriterOptions{}))
	ctx, cancel := context.WithCancel(t.Context())
	sink := newMemorySink()
	err := r.Extract(ctx, func(e *Entry) *tree.Entry {
		if strings.HasSuffix(e.Path, "noise.npy") {
			cancel()
		}
		return &e.Entry
	}, sink, ExtractOptions{})
	assert.ErrorIs(t, err, context.Canceled)
	_, stored := sink.data["data/app/noise.npy"]
	assert.Assert(t, !stored)
}

// holeSink counts what is written of files that are too large for memory.
type holeSink struct {
	*memorySink
	content holeContent
}

type holeContent struct {
	written int64
	island  []byte
}

func (s *holeSink) File(e *tree.Entry) (tree.Content, error) {
	if e.Size < 1<<30 {
		return s.memorySink.File(e)
	}
	return &s.content, nil
}

func (c *holeContent) WriteAt(p []byte, _ int64) (int, error) {
	c.written += int64(len(p))
	c.island = append(c.island, p...)
	return len(p), nil
}

func (*holeContent) Close() error { return nil }
func (*holeContent) Abort() error { return nil }

// onDisk is an open file as package tree gives it.
type onDisk struct{ *os.File }

func (onDisk) Changed() (bool, error) { return false, nil }

func TestSparseFileOverEightGiBCostsLittle(t *testing.T) {
	const size, at = 9 << 30, 5<<30 + 4096
	f, err := os.Create(filepath.Join(t.TempDir(), "disk.img"))
	assert.NilError(t, err)
	defer f.Close()
	_, err = f.WriteAt([]byte("island"), at)
	assert.NilError(t, err)
	assert.NilError(t, f.Truncate(size))
	s := file("data/app/disk.img", nil)
	s.Size, s.Holes = size, []tree.Extent{{Offset: 0, Length: at}, {Offset: at + 4096, Length: size - at - 4096}}

	out, err := os.Create(filepath.Join(t.TempDir(), "a"))
	assert.NilError(t, err)
	defer out.Close()
	w := NewWriter(out, WriterOptions{})
	defer w.Abort()
	_, err = w.Add(t.Context(), "data/app", &tree.Entry{Kind: tree.Dir, ModTime: stamp}, nil)
	assert.NilError(t, err)
	_, err = w.Add(t.Context(), s.Path, &s.Entry, func(context.Context) (*tree.Entry, tree.Reader, error) { return &s.Entry, onDisk{f}, nil })
	assert.NilError(t, err)
	sum, err := w.Close(t.Context(), manifest())
	assert.NilError(t, err)
	assert.Assert(t, sum.Size < size/500, "%d bytes", sum.Size)

	rep, err := Verify(t.Context(), out, sum.Size, VerifyOptions{})
	assert.NilError(t, err)
	assert.DeepEqual(t, rep.Damage, []Damage(nil))
	assert.Equal(t, rep.Bytes, int64(size))
	r, err := Open(out, sum.Size)
	assert.NilError(t, err)
	sink := &holeSink{memorySink: newMemorySink()}
	assert.NilError(t, r.Extract(t.Context(), allEntries, sink, ExtractOptions{}))
	assert.Equal(t, sink.content.written, int64(4096), "nothing is written into holes")
	assert.Assert(t, bytes.HasPrefix(sink.content.island, []byte("island")))
}
