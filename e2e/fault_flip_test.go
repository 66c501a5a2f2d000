//go:build e2e && unix

package e2e

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/store"
	"github.com/memsys/docker-memsys/internal/tree/treetest"
)

// smallBackup is a small but varied backup of a project that needs no engine, made by the program itself.
func smallBackup(t *testing.T) (p *Project, path string) {
	t.Helper()
	p = NewProject(t, boxFile(`["./data:/data"]`, ""))
	p.Setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
	assert.NilError(t, treetest.Make(p.Path("data"), treetest.Options{Seed: 3, Files: 10, Plain: true}))
	for _, big := range []string{"sparse", "embeddings"} {
		assert.NilError(t, os.RemoveAll(p.Path("data", big)))
	}
	p.Write("data/chunked.txt", strings.Repeat("two chunks of one file, ", 70_000))
	code := Code(t, p.Standalone("backup", "--format", "json"), 0)
	return p, p.made(code)
}

// flip changes one byte of a file, and returns a function that brings it back.
func flip(t testing.TB, path string, at int64) func() {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	assert.NilError(t, err)
	defer f.Close()
	var b [1]byte
	_, err = f.ReadAt(b[:], at)
	assert.NilError(t, err)
	_, err = f.WriteAt([]byte{b[0] ^ byte(1<<(at%8))}, at)
	assert.NilError(t, err)
	return func() {
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		assert.NilError(t, err)
		defer f.Close()
		_, err = f.WriteAt(b[:], at)
		assert.NilError(t, err)
	}
}

// places are positions to flip: the footer, the beginning of the contents table, the first bytes, and drawn ones.
func places(t *testing.T, size int64) []int64 {
	t.Helper()
	count, random := Campaign(t, 2000, 300)
	var all []int64
	for at := size - 51; at < size; at++ { // the footer
		all = append(all, at)
	}
	for at := range int64(30) {
		all = append(all, at)
	}
	for len(all) < count+81 {
		all = append(all, random.Int64N(size))
	}
	return all
}

func TestEveryFlippedByteOfABackupIsFound(t *testing.T) {
	_, path := smallBackup(t)
	info, err := os.Stat(path)
	assert.NilError(t, err)
	all := places(t, info.Size())
	all = append(all, contentsTable(t, path, info.Size())...)
	dir := store.Open(filepath.Dir(path))
	backup := store.Backup{Name: filepath.Base(path), Path: path}
	for _, at := range all {
		back := flip(t, path, at)
		proven, err := dir.Prove(t.Context(), backup, archive.VerifyOptions{})
		assert.NilError(t, err, "byte %d", at)
		assert.Assert(t, !proven.Sound(), "byte %d of %d was not found", at, info.Size())
		back()
	}
	proven, err := dir.Prove(t.Context(), backup, archive.VerifyOptions{})
	assert.NilError(t, err)
	assert.Assert(t, proven.Sound() && proven.Summed, "%v", proven.Damage)
	t.Logf("%d flips in %d bytes, all found", len(all), info.Size())
}

// contentsTable are the positions of the gzip header of the contents table and the bytes behind it.
func contentsTable(t *testing.T, path string, size int64) []int64 {
	t.Helper()
	f, err := os.Open(path)
	assert.NilError(t, err)
	defer f.Close()
	at := tableOffset(t, io.NewSectionReader(f, 0, size))
	var all []int64
	for i := range int64(100) {
		all = append(all, at+i)
	}
	return all
}

func TestAFlippedByteIsReportedAndNotRestored(t *testing.T) {
	p, path := smallBackup(t)
	unchanged := Keep(t, p.Path("data"))
	info, err := os.Stat(path)
	assert.NilError(t, err)
	for _, at := range []int64{5, info.Size() / 2, info.Size() - 20} {
		back := flip(t, path, at)
		before := Archives(t, filepath.Dir(path))
		Code(t, p.Standalone("restore", filepath.Base(path), "--yes"), 4, "nothing was changed")
		Code(t, p.Standalone("restore", filepath.Base(path), "--to", p.Path("to")), 4, "nothing was changed")
		assert.DeepEqual(t, Archives(t, filepath.Dir(path)), before)
		Code(t, p.Standalone("verify", path), 4, "damaged")
		Code(t, p.Standalone("list"), 0, "damaged")
		Code(t, p.Standalone("restore", "latest", "--yes"), 8, "is damaged")
		back()
		Code(t, p.Standalone("verify", path), 0, "sound")
		Code(t, p.Standalone("list"), 0, "verified")
	}
	unchanged()
	gone(t, p.Path("to"))
	Tidy(t, p.Dir)
}

// gone asserts that nothing is at a path.
func gone(t testing.TB, path string) {
	t.Helper()
	_, err := os.Lstat(path)
	assert.ErrorIs(t, err, os.ErrNotExist)
}

func TestAnArchiveCutShortIsFoundListedAndNotRestored(t *testing.T) {
	p, path := smallBackup(t)
	unchanged := Keep(t, p.Path("data"))
	whole, err := os.ReadFile(path)
	assert.NilError(t, err)
	count, random := Campaign(t, 60, 4)
	lengths := []int64{0, 1, int64(len(whole)) - 1, int64(len(whole)) - 51}
	for range count {
		lengths = append(lengths, random.Int64N(int64(len(whole))))
	}
	for _, length := range lengths {
		assert.NilError(t, os.WriteFile(path, whole[:length], 0o600))
		Code(t, p.Standalone("list"), 0, "damaged")
		Code(t, p.Standalone("restore", filepath.Base(path), "--yes"), 4, "nothing was changed")
		Code(t, p.Standalone("restore", "latest", "--yes"), 8)
		Code(t, p.Standalone("verify", path), 4, "damaged")
	}
	unchanged()
	Tidy(t, p.Dir)
}
