package backup

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/tree"
)

// TestABackupOfSomePathsHasThemAndNothingElse: what leads to them comes along, as folders.
func TestABackupOfSomePathsHasThemAndNothingElse(t *testing.T) {
	b := newBed(t)
	for _, name := range []string{"stores/one/chroma.sqlite3", "stores/one/index/header.bin", "stores/one-more/x", "stores/db", "stores/db-wal", "top"} {
		b.write(t, name, name)
	}
	b.req.Paths = map[string][]tree.RawPath{"data": {"stores/one", "stores/db", "stores/db-wal", "stores/db-journal"}}
	res, err := b.backup(t)
	assert.NilError(t, err)
	assert.DeepEqual(t, filesIn(t, res.Path), []string{
		"data/data/stores/db", "data/data/stores/db-wal", "data/data/stores/one/chroma.sqlite3", "data/data/stores/one/index/header.bin",
	})
	assert.Equal(t, res.Files, int64(4))
	b.write(t, "half.json", `{"a": `)
	found, err := b.req.Side.Restless(t.Context(), RestlessRequest{
		Places: []Place{{Name: "data", Path: b.data}}, Exclusions: Exclusions{Only: b.req.Paths}, Now: time.Now(),
	})
	assert.NilError(t, err)
	assert.Equal(t, len(found), 0, "%v", found)
	b.req.Paths["data"] = []tree.RawPath{"."}
	b.now = b.now.Add(1e9)
	res, err = b.backup(t)
	assert.NilError(t, err)
	assert.Equal(t, res.Files, int64(9))
}

func filesIn(t *testing.T, path string) (out []string) {
	t.Helper()
	f, err := os.Open(path)
	assert.NilError(t, err)
	defer f.Close()
	info, err := f.Stat()
	assert.NilError(t, err)
	r, err := archive.Open(f, info.Size())
	assert.NilError(t, err)
	for e, err := range r.Entries(t.Context()) {
		assert.NilError(t, err)
		if e.Kind == tree.File && filepath.Dir(e.Path) != "." && len(e.Path) > 5 && e.Path[:5] == "data/" {
			out = append(out, e.Path)
		}
	}
	return out
}
