package inventory

import (
	"archive/tar"
	"compress/gzip"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
	_ "modernc.org/sqlite"
)

// goldenStores are the stores of testdata/chroma, which real servers have written.
var goldenStores = []string{"chroma-1.5.9", "chroma-1.5.9-unpurged", "chroma-1.0.0", "chroma-0.4"}

// goldenChroma is a Chroma folder in a temporary one.
type goldenChroma struct {
	t   testing.TB
	dir string
}

// goldenStore unpacks one of goldenStores.
func goldenStore(t testing.TB, name string) goldenChroma {
	t.Helper()
	g := goldenChroma{t, t.TempDir()}
	packed, err := os.Open(filepath.Join("testdata", "chroma", name+".tar.gz"))
	assert.NilError(t, err)
	defer packed.Close()
	plain, err := gzip.NewReader(packed)
	assert.NilError(t, err)
	files := tar.NewReader(plain)
	for {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			return g
		}
		assert.NilError(t, err)
		b, err := io.ReadAll(files)
		assert.NilError(t, err)
		assert.NilError(t, os.MkdirAll(filepath.Dir(g.path(header.Name)), 0o755))
		assert.NilError(t, os.WriteFile(g.path(header.Name), b, 0o600))
	}
}

func (g goldenChroma) path(name string) string { return filepath.Join(g.dir, filepath.FromSlash(name)) }

// edit changes a file; what the function returns is its new content.
func (g goldenChroma) edit(name string, change func([]byte) []byte) {
	g.t.Helper()
	b, err := os.ReadFile(g.path(name))
	assert.NilError(g.t, err)
	assert.NilError(g.t, os.WriteFile(g.path(name), change(b), 0o600))
}

func (g goldenChroma) remove(name string) {
	g.t.Helper()
	assert.NilError(g.t, os.RemoveAll(g.path(name)))
}

// exec runs statements in the database, as something that damages it would.
func (g goldenChroma) exec(statements ...string) {
	g.t.Helper()
	db, err := sql.Open("sqlite", g.path(chromaDatabase))
	assert.NilError(g.t, err)
	defer db.Close()
	db.SetMaxOpenConns(1)
	for _, statement := range statements {
		_, err := db.ExecContext(g.t.Context(), statement)
		assert.NilError(g.t, err, statement)
	}
}

// ask is the first value that a query gives.
func (g goldenChroma) ask(query string) string {
	g.t.Helper()
	db, err := sql.Open("sqlite", g.path(chromaDatabase))
	assert.NilError(g.t, err)
	defer db.Close()
	var value string
	assert.NilError(g.t, db.QueryRowContext(g.t.Context(), query).Scan(&value))
	return value
}

// index is the folder of the index of a collection.
func (g goldenChroma) index(collection string) string {
	return g.ask("SELECT s.id FROM segments s JOIN collections c ON c.id = s.collection JOIN databases d ON d.id = c.database_id " +
		"WHERE s.scope = 'VECTOR' AND c.name = '" + collection + "' AND d.name = 'default_database'")
}

// segment is the metadata segment of a collection.
func (g goldenChroma) segment(collection string) string {
	return g.ask("SELECT s.id FROM segments s JOIN collections c ON c.id = s.collection JOIN databases d ON d.id = c.database_id " +
		"WHERE s.scope = 'METADATA' AND c.name = '" + collection + "' AND d.name = 'default_database'")
}

// inspect looks at the folder, and not at what surrounds it: owners, modes.
func (g goldenChroma) inspect(depth Depth) *Report {
	g.t.Helper()
	checks := []string{string(Databases), string(Vectors)}
	report, err := Inspect(g.t.Context(), "chroma", LiveTree(g.dir, nil), Options{Depth: depth, Scratch: g.t.TempDir(), Checks: checks}, Calls{})
	assert.NilError(g.t, err)
	return report
}

// said are the findings of a report, each in a line.
func said(report *Report) string {
	var lines []string
	for _, result := range report.Results {
		for _, f := range result.Findings {
			lines = append(lines, fmt.Sprintf("%s %s %s [%s] %s", f.Status, f.Check, f.Path, f.Object, f.Text))
		}
	}
	return strings.Join(lines, "\n")
}

// within calls do in the middle of a transaction whose pages are partly in the database already, and ends it without a commit.
func (g goldenChroma) within(statement string, do func()) {
	g.t.Helper()
	db, err := sql.Open("sqlite", g.path(chromaDatabase))
	assert.NilError(g.t, err)
	defer db.Close()
	db.SetMaxOpenConns(1)
	for _, s := range []string{"PRAGMA cache_size = 1", "PRAGMA cache_spill = 1", "BEGIN", statement} {
		_, err := db.ExecContext(g.t.Context(), s)
		assert.NilError(g.t, err, s)
	}
	do()
	_, err = db.ExecContext(g.t.Context(), "ROLLBACK")
	assert.NilError(g.t, err)
}
