package archive

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/memsys/docker-memsys/internal/tree"
	"gotest.tools/v3/assert"
)

// stored is one entry of a test's tree.
type stored struct {
	tree.Entry
	data []byte
}

func (s stored) opener() tree.Opener {
	if s.Kind != tree.File {
		return nil
	}
	return func(context.Context) (*tree.Entry, tree.Reader, error) {
		e := s.Entry
		return &e, newMemoryFile(s.data), nil
	}
}

func file(name string, data []byte) stored {
	return stored{tree.Entry{Path: name, Kind: tree.File, Mode: 0o644, UID: 1000, GID: 1000, Size: int64(len(data)), ModTime: stamp}, data}
}

func dir(name string) stored {
	return stored{Entry: tree.Entry{Path: name, Kind: tree.Dir, Mode: 0o755, ModTime: stamp}}
}

var stamp = time.Date(2026, 1, 2, 3, 4, 5, 123456789, time.UTC)

func noise(seed uint64, n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)})
	_, _ = r.Read(b)
	return b
}

func text(seed, n int) []byte {
	var b bytes.Buffer
	r := rand.New(rand.NewPCG(uint64(seed), 1))
	for b.Len() < n {
		fmt.Fprintf(&b, "{\"id\":%d,\"text\":\"memory %d of the user\",\"score\":0.%d}\n", r.IntN(1e6), r.IntN(100), r.IntN(1000))
	}
	return b.Bytes()[:n]
}

// hostile is a tree with everything that a file system keeps.
func hostile() []stored {
	all := []stored{dir("data/app")}
	add := func(s stored, change func(*tree.Entry)) {
		if change != nil {
			change(&s.Entry)
		}
		all = append(all, s)
	}
	for i := range 300 {
		add(file(fmt.Sprintf("data/app/mem_%04d.json", i), text(i, 200+i*7)), nil)
	}
	add(file("data/app/empty", nil), nil)
	add(file("data/app/edge", text(1, bigFile)), nil)
	add(file("data/app/edge+1", text(2, bigFile+1)), nil)
	add(file("data/app/noise.npy", noise(3, 3*chunkSize+777)), nil)
	add(file("data/app/exact.bin", text(4, 2*chunkSize)), nil)
	sparse := make([]byte, 5*chunkSize)
	copy(sparse[2*chunkSize+100:], "island")
	add(file("data/app/sparse.img", sparse), func(e *tree.Entry) {
		e.Holes = []tree.Extent{{Offset: 0, Length: 2 * chunkSize}, {Offset: 2*chunkSize + 4096, Length: 3*chunkSize - 4096}}
	})
	add(file("data/app/first", []byte("linked")), nil)
	add(stored{Entry: tree.Entry{Path: "data/app/second", Kind: tree.Hardlink, Mode: 0o644, UID: 1000, GID: 1000, ModTime: stamp, Link: "data/app/first"}}, nil)
	add(stored{Entry: tree.Entry{Path: "data/app/link", Kind: tree.Symlink, Mode: 0o777, ModTime: stamp, Link: "../../etc/\xffpasswd"}}, nil)
	add(stored{Entry: tree.Entry{Path: "data/app/pipe", Kind: tree.FIFO, Mode: 0o600, ModTime: stamp}}, nil)
	add(stored{Entry: tree.Entry{Path: "data/app/null", Kind: tree.CharDevice, Mode: 0o666, ModTime: stamp, Major: 1, Minor: 3}}, nil)
	add(stored{Entry: tree.Entry{Path: "data/app/disk", Kind: tree.BlockDevice, Mode: 0o660, ModTime: stamp, Major: 259, Minor: 1<<20 - 1}}, nil)
	add(dir("data/app/void"), func(e *tree.Entry) { e.Mode = 0o3777 })
	add(file("data/app/raw\xff\xfename", []byte("raw")), nil)
	add(file(`data/app/raw\xff\xfename`, []byte("looks escaped")), nil)
	add(file("data/app/ünï \"q\"\n\x7f\t", []byte("utf8")), nil)
	add(file("data/app/"+strings.Repeat("n", 255), []byte("long")), nil)
	deep := "data/app"
	for i := range 40 {
		deep += "/" + strings.Repeat(string(rune('a'+i%26)), 120)
		add(dir(deep), nil)
	}
	add(file(deep+"/leaf", []byte("deep")), nil)
	add(file("data/app/suid", []byte("x")), func(e *tree.Entry) { e.Mode, e.UID, e.GID = 0o6755, 3_000_000_000, 1<<21 })
	add(file("data/app/old", []byte("x")), func(e *tree.Entry) { e.ModTime = time.Unix(-5, 250_000_000).UTC() })
	add(file("data/app/ancient", []byte("x")), func(e *tree.Entry) { e.ModTime = time.Unix(-1e12, 5).UTC() })
	add(file("data/app/future", []byte("x")), func(e *tree.Entry) { e.ModTime = time.Unix(1<<40, 0).UTC() })
	add(file("data/app/xattrs", []byte("x")), func(e *tree.Entry) {
		e.Xattrs = map[string][]byte{"user.plain": []byte("v"), "user.binary": {0, 1, '\n', 255}, "user.eq=al%": {}, "user.\xff": []byte("raw name"), aclAccess: someACL(), aclDefault: []byte("no ACL")}
	})
	return all
}

func someACL() []byte {
	b, err := aclBinary("user::rw-,user:1000:r--,group::r--,group:5:rwx,mask::rwx,other::---")
	if err != nil {
		panic(err)
	}
	return b
}

func manifest() *Manifest {
	return &Manifest{Format: 1, Tool: "test", ID: "00", Sequence: 1, Created: stamp, Reason: "manual", Complete: true, Sources: []Source{{Name: "app", Prefix: "data/app", Kind: "bind"}}}
}

// write stores a tree in an archive and returns its bytes.
func write(t testing.TB, all []stored, m *Manifest, o WriterOptions) []byte {
	t.Helper()
	out, err := os.Create(filepath.Join(t.TempDir(), "a.tar.gz"))
	assert.NilError(t, err)
	defer out.Close()
	w := NewWriter(out, o)
	defer w.Abort()
	for _, s := range all {
		e := s.Entry
		got, err := w.Add(t.Context(), s.Path, &e, s.opener())
		assert.NilError(t, err)
		assert.Assert(t, got.Entry != nil && !got.Changed && !got.Vanished, s.Path)
	}
	assert.NilError(t, w.AddBytes(t.Context(), "project/sub/compose.yaml", 0o644, stamp, []byte("services: {}\n")))
	sum, err := w.Close(t.Context(), m)
	assert.NilError(t, err)
	b, err := os.ReadFile(out.Name())
	assert.NilError(t, err)
	assert.Equal(t, sum.Size, int64(len(b)))
	return b
}

func open(t testing.TB, b []byte) *Reader {
	t.Helper()
	r, err := Open(bytes.NewReader(b), int64(len(b)))
	assert.NilError(t, err)
	return r
}

// memorySink keeps what is unpacked.
type memorySink struct {
	mu      sync.Mutex
	entries map[string]tree.Entry
	data    map[string][]byte
	aborted []string
}

func newMemorySink() *memorySink {
	return &memorySink{entries: map[string]tree.Entry{}, data: map[string][]byte{}}
}

func (s *memorySink) Create(_ context.Context, e *tree.Entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.entries[e.Path] = *e
	return nil
}

func (s *memorySink) File(e *tree.Entry) (tree.Content, error) {
	return &memoryContent{s: s, e: *e, b: make([]byte, e.Size)}, nil
}

type memoryContent struct {
	s *memorySink
	e tree.Entry
	b []byte
}

func (c *memoryContent) WriteAt(p []byte, at int64) (int, error) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if at < 0 || at+int64(len(p)) > int64(len(c.b)) {
		return 0, io.ErrShortWrite
	}
	return copy(c.b[at:], p), nil
}

func (c *memoryContent) Close() error {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.s.entries[c.e.Path], c.s.data[c.e.Path] = c.e, c.b
	return nil
}

func (c *memoryContent) Abort() error {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.s.aborted = append(c.s.aborted, c.e.Path)
	return nil
}

func verify(t testing.TB, b []byte) *Report {
	t.Helper()
	rep, err := Verify(t.Context(), bytes.NewReader(b), int64(len(b)), VerifyOptions{})
	assert.NilError(t, err)
	return rep
}

func TestRoundTripKeepsEverything(t *testing.T) {
	tree := hostile()
	m := manifest()
	b := write(t, tree, m, WriterOptions{})
	rep := verify(t, b)
	assert.DeepEqual(t, rep.Damage, []Damage(nil))
	assert.Equal(t, rep.Entries, int64(len(tree)+1))
	r := open(t, b)
	assert.DeepEqual(t, r.Manifest(), m)
	sink := newMemorySink()
	assert.NilError(t, r.Extract(t.Context(), allEntries, sink, ExtractOptions{}))
	assert.Equal(t, len(sink.entries), len(tree)+2)
	for _, s := range tree {
		got := sink.entries[s.Path]
		assert.DeepEqual(t, got, s.Entry)
		assert.Assert(t, bytes.Equal(sink.data[s.Path], s.data), s.Path)
	}
	i := 0
	for e, err := range r.Entries(t.Context()) {
		assert.NilError(t, err)
		if i < len(tree) {
			assert.DeepEqual(t, e.Entry, tree[i].Entry)
			var buf bytes.Buffer
			assert.NilError(t, r.ReadFile(t.Context(), e, &buf))
			assert.Assert(t, bytes.Equal(buf.Bytes(), tree[i].data), e.Path)
		}
		i++
	}
	assert.Equal(t, i, len(tree)+2)
}
