package inventory

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/tree"
	"github.com/memsys/docker-memsys/internal/tree/treetest"
)

// packed is an archive of the tree at root, as the source s.
func packed(t *testing.T, root string) *archive.Reader {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "archive"))
	assert.NilError(t, err)
	t.Cleanup(func() { _ = f.Close() })
	w := archive.NewWriter(f, archive.WriterOptions{})
	err = tree.Walk(t.Context(), root, tree.WalkOptions{}, func(ctx context.Context, e *tree.Entry, open tree.Opener) error {
		name := "data/s/" + e.Path
		if e.Path == "." {
			name = "data/s"
		}
		if e.Kind == tree.Hardlink {
			e.Link = "data/s/" + e.Link
		}
		_, err := w.Add(ctx, name, e, open)
		return err
	})
	assert.NilError(t, err)
	_, err = w.Close(t.Context(), &archive.Manifest{Format: archive.FormatVersion, Created: time.Unix(1, 0), Sources: []archive.Source{{Name: "s", Prefix: "data/s"}}})
	assert.NilError(t, err)
	info, err := f.Stat()
	assert.NilError(t, err)
	r, err := archive.Open(f, info.Size())
	assert.NilError(t, err)
	return r
}

// contentsOf reads every file of a tree, in order and from its middle, and says what it is.
func contentsOf(t *testing.T, from Tree) (out []string) {
	t.Helper()
	err := from.Walk(t.Context(), func(e *tree.Entry, open Open) error {
		line := fmt.Sprintf("%s %s %d", e.Kind, e.Path, e.Size)
		if e.Kind == tree.Hardlink {
			line += " " + e.Link
		}
		if open == nil {
			out = append(out, line)
			return nil
		}
		f, err := open(t.Context())
		if err != nil {
			return err
		}
		all, err := io.ReadAll(f)
		if err != nil {
			return err
		}
		assert.Equal(t, f.Size(), int64(len(all)))
		half := make([]byte, len(all)-len(all)/2)
		if n, err := f.ReadAt(half, int64(len(all)/2)); n != len(half) || err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("read %s from its middle: %d: %w", e.Path, n, err)
		}
		assert.Assert(t, bytes.Equal(half, all[len(all)/2:]), e.Path)
		n, err := f.ReadAt(make([]byte, 1), f.Size())
		assert.Assert(t, n == 0 && errors.Is(err, io.EOF), e.Path)
		changed, err := f.Changed()
		assert.Assert(t, !changed && err == nil)
		out = append(out, fmt.Sprintf("%s %x", line, sumOf(all)))
		return f.Close()
	}, func(path string, err error) { t.Errorf("%s: %v", path, err) })
	assert.NilError(t, err)
	return out
}

func sumOf(b []byte) [32]byte { return digestOf(b, false, nil) }

func TestAnArchiveIsReadAsTheLiveTreeIs(t *testing.T) {
	root := filepath.Join(t.TempDir(), "tree")
	assert.NilError(t, treetest.Make(root, treetest.Options{Seed: 1, Files: 400}))
	big := make([]byte, 5<<20+17)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(big)
	assert.NilError(t, os.WriteFile(filepath.Join(root, "big.json"), big, 0o644))
	live, archived := LiveTree(root, nil), ArchiveTree(packed(t, root), "s")
	assert.DeepEqual(t, contentsOf(t, archived), contentsOf(t, live))

	one, err := Inspect(t.Context(), "s", live, Options{}, Calls{})
	assert.NilError(t, err)
	other, err := Inspect(t.Context(), "s", archived, Options{}, Calls{})
	assert.NilError(t, err)
	assert.DeepEqual(t, other, one)
	i := slices.IndexFunc(one.Inventory.Collections, func(c Collection) bool { return c.Name == "memories" })
	assert.Equal(t, one.Inventory.Collections[i].Records, int64(400))
}

// FuzzTrees makes trees of files of any size, of no chunk to several, and reads each live and from an archive. All together they are
// small enough for the time that the fuzzer gives one input on a busy machine.
func FuzzTrees(f *testing.F) {
	for seed := range uint64(4) {
		f.Add(seed, uint16(40), uint32(3000))
		f.Add(seed, uint16(3), uint32(3<<20))
	}
	f.Fuzz(func(t *testing.T, seed uint64, files uint16, size uint32) {
		rng := rand.New(rand.NewPCG(seed, 1))
		root, room := t.TempDir(), 8<<20
		for i := range int(files%64) + 1 {
			name := filepath.Join(root, fmt.Sprintf("%c/%d", 'a'+rng.IntN(4), i))
			assert.NilError(t, os.MkdirAll(filepath.Dir(name), 0o755))
			data := bytes.Repeat([]byte{byte(rng.Uint32())}, rng.IntN(min(room, int(size%(4<<20)))+1))
			room -= len(data)
			for j := 0; j < len(data); j += 97 {
				data[j] = byte(rng.Uint32())
			}
			assert.NilError(t, os.WriteFile(name, data, 0o644))
			if rng.IntN(5) == 0 {
				assert.NilError(t, os.Link(name, name+"-second"))
			}
		}
		assert.DeepEqual(t, contentsOf(t, ArchiveTree(packed(t, root), "s")), contentsOf(t, LiveTree(root, nil)))
	})
}

func TestASourceThatIsOneFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "memory.json")
	assert.NilError(t, os.WriteFile(name, []byte(`[{"id": 1}, {"id": 2}]`), 0o644))
	for _, from := range []Tree{LiveTree(name, nil), ArchiveTree(packed(t, name), "s")} {
		r, err := Inspect(t.Context(), "s", from, Options{}, Calls{})
		assert.NilError(t, err)
		assert.Equal(t, r.Inventory.Collections[0].Name, ".")
		assert.Equal(t, r.Inventory.Collections[0].Records, int64(2))
	}
	assert.NilError(t, os.WriteFile(name, []byte(`{"id": 1, `), 0o644))
	r, err := Inspect(t.Context(), "s", LiveTree(name, nil), memoryChecks(), Calls{})
	assert.NilError(t, err)
	assert.DeepEqual(t, lined(r), []string{"damaged :1:11: ends in the middle of an object"})
}

func TestManySmallFilesNeedLittleMemory(t *testing.T) {
	const files, each = 30_000, 10
	var most uint64
	calls := Calls{Bytes: func(int64) {}}
	n := 0
	calls.Record = func(Record) {
		if n++; n%20_000 == 0 {
			most = max(most, heap())
		}
	}
	before := heap()
	r, err := Inspect(t.Context(), "s", madeUp{files, each}, Options{Workers: 1}, calls)
	assert.NilError(t, err)
	assert.Equal(t, r.Inventory.Collections[0].Records, int64(files*each))
	// An id takes 12 bytes at a filling of 3/8 to 3/4, a file its path.
	const limit = files*each*32 + files*100 + 8<<20
	assert.Assert(t, most-min(most, before) < limit, "%d bytes for %d records", most-before, files*each)
}

// madeUp is a tree of files that are made as they are opened.
type madeUp struct{ files, each int }

// Walk implements Tree.
func (m madeUp) Walk(_ context.Context, visit func(*tree.Entry, Open) error, _ func(string, error)) error {
	for i := range m.files {
		open := func(context.Context) (File, error) {
			var b strings.Builder
			for n := range m.each {
				fmt.Fprintf(&b, "{\"id\": \"%d-%d\", \"text\": \"of no matter\"}\n", i, n)
			}
			return madeFile{strings.NewReader(b.String())}, nil
		}
		if err := visit(&tree.Entry{Path: fmt.Sprintf("m/%d/%d.jsonl", i%100, i), Kind: tree.File, Size: 1}, open); err != nil {
			return err
		}
	}
	return nil
}

type madeFile struct{ *strings.Reader }

func (madeFile) Close() error           { return nil }
func (madeFile) Changed() (bool, error) { return false, nil }

// heap is the memory that is in use.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
