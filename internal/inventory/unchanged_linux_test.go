package inventory

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/tree/treetest"
)

// states are all that stat tells of a tree, times of access among it.
func states(t *testing.T, root string) map[string]string {
	t.Helper()
	out := map[string]string{}
	assert.NilError(t, filepath.WalkDir(root, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil {
			return err
		}
		out[path] = fmt.Sprint(st.Ino, st.Mode, st.Size, st.Atim, st.Mtim, st.Ctim, st.Nlink)
		return nil
	}))
	return out
}

func TestAnInspectionChangesNothing(t *testing.T) {
	root := filepath.Join(t.TempDir(), "tree")
	assert.NilError(t, treetest.Make(root, treetest.Options{Seed: 3, Plain: true}))
	for name, text := range map[string]string{
		"good.json": `{"id": 1}`, "cut.json": `{"id": `, "lines.jsonl": "{\"id\": 2}\n{\"id\": 2}\n", "store/chroma.sqlite3": "SQLite format 3\x00", "v.npy": "\x93NUMPY",
		"store/chroma.sqlite3-wal": "wal", "server.pem": "-----BEGIN CERTIFICATE-----\n",
	} {
		path := filepath.Join(root, name)
		assert.NilError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		assert.NilError(t, os.WriteFile(path, []byte(text), 0o444))
	}
	// Times of access in the past, before those of change: even a mount with relatime would move them.
	old := time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)
	assert.NilError(t, filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err == nil && (d.Type().IsRegular() || d.IsDir()) {
			err = os.Chtimes(path, old, old.Add(time.Hour))
		}
		return err
	}))
	_ = states(t, root) // lists the folders, which moves their times of access
	before := states(t, root)
	for _, o := range []Options{{}, {Live: true}, {Depth: Full}} {
		o.Scratch = t.TempDir()
		r, err := Inspect(t.Context(), "s", LiveTree(root, nil), o, Calls{})
		assert.NilError(t, err)
		assert.Assert(t, len(r.Results) > 2)
		left, err := os.ReadDir(o.Scratch)
		assert.NilError(t, err)
		assert.Equal(t, len(left), 0)
	}
	assert.DeepEqual(t, states(t, root), before)
}
