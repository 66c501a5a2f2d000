package gen_test

import (
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/bench/gen"
)

const size = 6_000_000

func TestSameSeedMakesTheSameStore(t *testing.T) {
	one := sums(t, store(t, 1, 1))
	assert.DeepEqual(t, sums(t, store(t, 1, 3)), one)
	other := sums(t, store(t, 2, 2))
	assert.Assert(t, other["data/embeddings/shard-00000.npy"] != one["data/embeddings/shard-00000.npy"])
}

func TestRecordsAreWhatTheySay(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "memories")
	part, err := gen.MakeRecords(t.Context(), gen.RecordsOptions{Dir: dir, Files: 1001, Each: 10, Seed: 1, Workers: 2})
	assert.NilError(t, err)
	assert.Equal(t, part.Files, 1001)
	data, err := os.ReadFile(filepath.Join(dir, "data/memories/0001/memories-001000.json"))
	assert.NilError(t, err)
	var array []map[string]any
	assert.NilError(t, json.Unmarshal(data, &array))
	assert.Equal(t, len(array), 10)
	data, err = os.ReadFile(filepath.Join(dir, "data/memories/0000/memories-000001.jsonl"))
	assert.NilError(t, err)
	assert.Equal(t, len(strings.Split(strings.TrimSpace(string(data)), "\n")), 10)
	first, _, _ := strings.Cut(string(data), "\n")
	assert.Assert(t, json.Valid([]byte(first)))
}

func TestStoreIsWhatItSays(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	parts, err := gen.Make(t.Context(), gen.Options{Dir: dir, Size: size, Seed: 1, Workers: 2})
	assert.NilError(t, err)
	var total int64
	files := 0
	for _, p := range parts {
		total += p.Bytes
		files += p.Files
	}
	assert.Assert(t, total > size*9/10 && total < size*11/10, "%d bytes", total)
	assert.Equal(t, files, len(sums(t, dir)))

	names, err := filepath.Glob(filepath.Join(dir, "data", "memories", "*.json"))
	assert.NilError(t, err)
	assert.Equal(t, len(names), 200)
	for _, name := range names {
		data, err := os.ReadFile(name)
		assert.NilError(t, err)
		assert.Assert(t, json.Valid(data), name)
		assert.Assert(t, len(data) >= 250 && len(data) <= 4500, "%s: %d", name, len(data))
	}
}

func TestDatabaseIsSound(t *testing.T) {
	db, err := sql.Open("sqlite", filepath.Join(store(t, 1, 2), "data", "index", "memory.sqlite3"))
	assert.NilError(t, err)
	defer db.Close()
	var verdict string
	var rows int
	assert.NilError(t, db.QueryRow("PRAGMA integrity_check").Scan(&verdict))
	assert.Equal(t, verdict, "ok")
	assert.NilError(t, db.QueryRow("SELECT count(*) FROM embeddings_queue").Scan(&rows))
	assert.Assert(t, rows > 100, "%d", rows)
}

func TestFolderWithFilesIsRefused(t *testing.T) {
	dir := t.TempDir()
	assert.NilError(t, os.WriteFile(filepath.Join(dir, "mine"), nil, 0o600))
	_, err := gen.Make(t.Context(), gen.Options{Dir: dir, Size: size})
	assert.ErrorContains(t, err, "not empty")
}

func store(t *testing.T, seed uint64, workers int) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "store")
	_, err := gen.Make(t.Context(), gen.Options{Dir: dir, Size: size, Seed: seed, Workers: workers})
	assert.NilError(t, err)
	return dir
}

func sums(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		out[filepath.ToSlash(rel)] = fmt.Sprintf("%x %s", sha256.Sum256(data), info.ModTime())
		return err
	})
	assert.NilError(t, err)
	return out
}
