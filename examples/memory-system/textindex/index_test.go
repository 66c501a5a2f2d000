package textindex_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/examples/memory-system/atomicfile"
	"github.com/memsys/docker-memsys/examples/memory-system/textindex"
)

func TestBestTextComesFirst(t *testing.T) {
	x, _ := textindex.Open(t.TempDir(), atomicfile.Writer{}, none)
	x.Add("a", "1", "the garden hose and the pond")
	x.Add("b", "1", "a pond, a deep pond")
	x.Add("c", "1", "nothing of it")
	hits := x.Search("Pond deep")
	assert.Equal(t, len(hits), 2)
	assert.Equal(t, hits[0].ID, "b")
	assert.Equal(t, hits[1].ID, "a")
}

func TestIndexReadBackEqualsTheOneWritten(t *testing.T) {
	dir := t.TempDir()
	x, _ := textindex.Open(dir, atomicfile.Writer{}, none)
	sums := map[string]string{}
	for i := range 60 {
		id := fmt.Sprintf("m%d", i%25)
		sums[id] = fmt.Sprint(i)
		x.Add(id, sums[id], fmt.Sprintf("text %d of memory %d", i, i%25))
		if i%20 == 7 {
			x.Remove("m3")
			delete(sums, "m3")
		}
		// More flushes than segments may stand beside each other: they are merged on the way.
		if i%4 == 3 {
			assert.NilError(t, x.Flush())
		}
	}
	assert.NilError(t, x.Flush())
	again, damage := textindex.Open(dir, atomicfile.Writer{}, lookup(sums))
	assert.Equal(t, len(damage), 0)
	assert.DeepEqual(t, again.Postings(), x.Postings())
	for _, f := range x.Files() {
		_, err := os.Stat(filepath.Join(dir, f))
		assert.NilError(t, err)
	}
	entries, err := os.ReadDir(dir)
	assert.NilError(t, err)
	assert.Equal(t, len(entries), len(x.Files()), "merged segments are gone")
}

func TestDamagedFilesAreNamed(t *testing.T) {
	for _, file := range []string{textindex.ManifestName, "segment-000001.json"} {
		t.Run(file, func(t *testing.T) {
			dir := t.TempDir()
			x, _ := textindex.Open(dir, atomicfile.Writer{}, none)
			x.Add("a", "1", "one text")
			assert.NilError(t, x.Flush())
			path := filepath.Join(dir, file)
			data, err := os.ReadFile(path)
			assert.NilError(t, err)
			assert.NilError(t, os.WriteFile(path, data[:len(data)-4], 0o640))
			_, damage := textindex.Open(dir, atomicfile.Writer{}, none)
			assert.Equal(t, len(damage), 1)
			assert.Equal(t, damage[0].File, file)
		})
	}
}

func none(string) (string, bool) { return "", false }

func lookup(sums map[string]string) func(string) (string, bool) {
	return func(id string) (string, bool) {
		s, ok := sums[id]
		return s, ok
	}
}
