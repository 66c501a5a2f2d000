package inventory

import (
	"bytes"
	"context"
	"database/sql"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/tree"
)

// memory is a file in memory; changed says for how many more looks it was written to meanwhile.
type memory struct {
	*bytes.Reader
	changed *int
}

func (m memory) Close() error { return nil }

func (m memory) Changed() (bool, error) {
	if m.changed == nil || *m.changed == 0 {
		return false, nil
	}
	*m.changed--
	return true, nil
}

// folder is a folder of files in memory, for validators that look beside their file.
type folder map[string][]byte

// subject is a file of the folder.
func (f folder) subject(name string) *Subject {
	data, ok := f[name]
	if !ok {
		return nil
	}
	return &Subject{
		Entry: &tree.Entry{Path: name, Kind: tree.File, Size: int64(len(data)), Mode: 0o600},
		Head:  data[:min(len(data), HeadSize)],
		Open: func(context.Context) (File, error) {
			data, ok := f[name]
			if !ok {
				return nil, fs.ErrNotExist
			}
			return memory{Reader: bytes.NewReader(data)}, nil
		},
		Sibling: func(sibling string) *Subject { return f.subject(path.Join(path.Dir(name), sibling)) },
	}
}

// read is the folder of files that lie in dir.
func read(t testing.TB, dir string) folder {
	t.Helper()
	f := folder{}
	entries, err := os.ReadDir(dir)
	assert.NilError(t, err)
	for _, e := range entries {
		f[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name()))
		assert.NilError(t, err)
	}
	return f
}

// written makes a database of statements and returns its folder, in which it is called name. Statements after a "--" are left open: what
// they wrote is in the file, in a journal or a write-ahead log when the folder is read.
func written(t testing.TB, name string, statements ...string) folder {
	t.Helper()
	dir := t.TempDir()
	source := filepath.Join(dir, name)
	if !slices.Contains(statements, "--") { // what is not to be left open need not be on the disk
		source += "?_pragma=synchronous(OFF)"
	}
	db, err := sql.Open("sqlite", source)
	assert.NilError(t, err)
	defer db.Close()
	conn, err := db.Conn(t.Context())
	assert.NilError(t, err)
	defer conn.Close()
	for i, s := range statements {
		if s == "--" {
			for _, s := range statements[i+1:] {
				_, err := conn.ExecContext(t.Context(), s)
				assert.NilError(t, err, s)
			}
			return read(t, dir)
		}
		_, err := conn.ExecContext(t.Context(), s)
		assert.NilError(t, err, s)
	}
	assert.NilError(t, conn.Close())
	assert.NilError(t, db.Close())
	return read(t, dir)
}

// rows is a statement that fills a table of id and text with n rows.
func rows(table string, n int) string {
	return "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM c WHERE i < " + itoa(n) + ") " +
		"INSERT INTO " + table + " SELECT i, 'memory ' || i || ' of what was said on a day like this' FROM c"
}

// Transactions that are left open with pages already written to the file, and those that are left in the write-ahead log.
var (
	memories = []string{"CREATE TABLE memories(id INTEGER PRIMARY KEY, text TEXT)", "CREATE INDEX by_text ON memories(text)", rows("memories", 2000)}
	hot      = []string{"--", "PRAGMA cache_size=10", "BEGIN", "UPDATE memories SET text = 'lost ' || text", "DELETE FROM memories WHERE id % 3 = 0"}
	ahead    = []string{"PRAGMA journal_mode=WAL", "--", "PRAGMA wal_autocheckpoint=0", "UPDATE memories SET text = 'kept ' || text", "DELETE FROM memories WHERE id > 1000"}
)
