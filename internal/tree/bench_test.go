package tree_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/memsys/docker-memsys/internal/tree"
	"gotest.tools/v3/assert"
)

const benchFiles = 5000

// manyFiles are small files, a hundred in a folder.
func manyFiles(b *testing.B) string {
	b.Helper()
	root := b.TempDir()
	data := make([]byte, 2000)
	for i := range benchFiles {
		dir := filepath.Join(root, fmt.Sprintf("%03d", i/100))
		if i%100 == 0 {
			assert.NilError(b, os.Mkdir(dir, 0o755))
		}
		assert.NilError(b, os.WriteFile(filepath.Join(dir, fmt.Sprintf("memory-%05d.json", i)), data, 0o644))
	}
	return root
}

func reportFiles(b *testing.B) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchFiles, "ns/file")
}

func BenchmarkWalk(b *testing.B) {
	root := manyFiles(b)
	for b.Loop() {
		err := tree.Walk(b.Context(), root, tree.WalkOptions{}, func(context.Context, *tree.Entry, tree.Opener) error { return nil })
		assert.NilError(b, err)
	}
	reportFiles(b)
}

func BenchmarkWalkAndRead(b *testing.B) {
	root := manyFiles(b)
	buf := make([]byte, 4096)
	for b.Loop() {
		err := tree.Walk(b.Context(), root, tree.WalkOptions{LazyXattrs: true}, func(ctx context.Context, e *tree.Entry, open tree.Opener) error {
			if open == nil {
				return nil
			}
			_, r, err := open(ctx)
			if err != nil {
				return err
			}
			_, _ = r.Read(buf)
			return r.Close()
		})
		assert.NilError(b, err)
	}
	reportFiles(b)
}

func BenchmarkWrite(b *testing.B) {
	base, data := b.TempDir(), make([]byte, 2000)
	for n := 0; b.Loop(); n++ {
		w, err := tree.NewWriter(filepath.Join(base, fmt.Sprint(n)), tree.WriteOptions{})
		assert.NilError(b, err)
		for i := range benchFiles {
			c, err := w.File(fileEntry(fmt.Sprintf("%03d/memory-%05d.json", i/100, i), int64(len(data))))
			assert.NilError(b, err)
			_, err = c.WriteAt(data, 0)
			assert.NilError(b, err)
			assert.NilError(b, c.Close())
		}
		_, err = w.Finish(b.Context())
		assert.NilError(b, err)
	}
	reportFiles(b)
}

// BenchmarkPlainWrite is what the standard library needs for the same files without any attribute but the mode.
func BenchmarkPlainWrite(b *testing.B) {
	base, data := b.TempDir(), make([]byte, 2000)
	for n := 0; b.Loop(); n++ {
		for i := range benchFiles {
			dir := filepath.Join(base, fmt.Sprint(n), fmt.Sprintf("%03d", i/100))
			if i%100 == 0 {
				assert.NilError(b, os.MkdirAll(dir, 0o755))
			}
			assert.NilError(b, os.WriteFile(filepath.Join(dir, fmt.Sprintf("memory-%05d.json", i)), data, 0o644))
		}
	}
	reportFiles(b)
}
