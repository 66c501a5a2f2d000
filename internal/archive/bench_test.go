package archive

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/tree"
)

// store is a memory store in small: JSON files, noise like embeddings, half of it compressible like a database.
func store() (all []stored, size int64) {
	all = []stored{dir("data/app")}
	for i := range 2000 {
		all = append(all, file(fmt.Sprintf("data/app/m%05d.json", i), text(i, 300+i%3700)))
	}
	embeddings, database := noise(1, 20<<20), noise(2, 30<<20)
	for at := 0; at < len(database); at += 64 {
		copy(database[at+32:], "INSERT INTO memories VALUES (0)")
	}
	all = append(all, file("data/app/embeddings.npy", embeddings), file("data/app/chroma.sqlite3", database))
	for _, s := range all {
		size += s.Size
	}
	return all, size
}

func BenchmarkWrite(b *testing.B) {
	all, size := store()
	out, err := os.Create(filepath.Join(b.TempDir(), "a"))
	assert.NilError(b, err)
	defer out.Close()
	b.SetBytes(size)
	for b.Loop() {
		assert.NilError(b, out.Truncate(0))
		_, err := out.Seek(0, io.SeekStart)
		assert.NilError(b, err)
		w := NewWriter(out, WriterOptions{})
		for _, s := range all {
			_, err := w.Add(b.Context(), s.Path, &s.Entry, s.opener())
			assert.NilError(b, err)
		}
		_, err = w.Close(b.Context(), manifest())
		assert.NilError(b, err)
	}
}

func BenchmarkVerify(b *testing.B) {
	all, size := store()
	data := write(b, all, manifest(), WriterOptions{})
	b.SetBytes(size)
	for b.Loop() {
		rep, err := Verify(b.Context(), bytes.NewReader(data), int64(len(data)), VerifyOptions{})
		assert.NilError(b, err)
		assert.Equal(b, len(rep.Damage), 0)
	}
}

// nowhere takes everything and keeps nothing.
type nowhere struct{}

func (nowhere) Create(context.Context, *tree.Entry) error { return nil }
func (nowhere) File(*tree.Entry) (tree.Content, error)    { return nowhere{}, nil }
func (nowhere) WriteAt(p []byte, _ int64) (int, error)    { return len(p), nil }
func (nowhere) Close() error                              { return nil }
func (nowhere) Abort() error                              { return nil }

func BenchmarkExtract(b *testing.B) {
	all, size := store()
	r := open(b, write(b, all, manifest(), WriterOptions{}))
	b.SetBytes(size)
	for b.Loop() {
		assert.NilError(b, r.Extract(b.Context(), allEntries, nowhere{}, ExtractOptions{}))
	}
}

func BenchmarkOpen(b *testing.B) {
	all, _ := store()
	data := write(b, all, manifest(), WriterOptions{})
	for b.Loop() {
		open(b, data)
	}
}
