package atomicfile_test

import (
	"os"
	"path/filepath"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/examples/memory-system/atomicfile"
)

func TestFileIsReplacedWholeAndNothingIsLeftOver(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.json")
	for _, w := range []atomicfile.Writer{{}, {Durable: true}} {
		for _, text := range []string{"first", "second"} {
			assert.NilError(t, w.Write(path, []byte(text)))
			got, err := os.ReadFile(path)
			assert.NilError(t, err)
			assert.Equal(t, string(got), text)
		}
		assert.NilError(t, w.Remove(path))
	}
	assertEmpty(t, dir)
}

func TestFailedWriteLeavesNothingBehind(t *testing.T) {
	dir := t.TempDir()
	target := filepath.Join(dir, "taken")
	assert.NilError(t, os.MkdirAll(filepath.Join(target, "full"), 0o750))
	assert.Assert(t, atomicfile.Writer{}.Write(target, []byte("x")) != nil)
	assert.NilError(t, os.RemoveAll(target))
	assertEmpty(t, dir)
}

func TestLeftoversGoAndFilesStay(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a.json", "a.json.1.tmp"} {
		assert.NilError(t, os.WriteFile(filepath.Join(dir, name), nil, 0o640))
	}
	assert.NilError(t, atomicfile.Clean(dir))
	entries, err := os.ReadDir(dir)
	assert.NilError(t, err)
	assert.Equal(t, len(entries), 1)
	assert.Equal(t, entries[0].Name(), "a.json")
}

func assertEmpty(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	assert.NilError(t, err)
	assert.Equal(t, len(entries), 0)
}
