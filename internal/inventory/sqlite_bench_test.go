package inventory

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
)

// BenchmarkSQLite looks at a database of about 100 MB, a third of it full-text index.
func BenchmarkSQLite(b *testing.B) {
	fill := "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM c WHERE i < 80000) "
	words := strings.Repeat("|| ' ' || substr('memoryvectorsearchpersonplacemeetingletterjourney', abs(random()) % 40, 8)", 40)
	dir := b.TempDir()
	for name, data := range written(b, "m.db",
		"CREATE TABLE memories(id TEXT PRIMARY KEY, text TEXT, created INTEGER)",
		"CREATE INDEX by_time ON memories(created)",
		"CREATE VIRTUAL TABLE said USING fts5(text)",
		fill+"INSERT INTO memories SELECT 'id-' || i, 'memory'"+words+", i * 7919 % 100000 FROM c",
		"INSERT INTO said SELECT text FROM memories") {
		assert.NilError(b, os.WriteFile(filepath.Join(dir, name), data, 0o600))
	}
	for _, depth := range []Depth{Quick, Full} {
		b.Run(string(depth), func(b *testing.B) {
			for b.Loop() {
				report, err := Inspect(b.Context(), "data", LiveTree(dir, nil), Options{Depth: depth, Scratch: b.TempDir(), Checks: []string{"databases"}}, Calls{})
				assert.NilError(b, err)
				b.SetBytes(report.Inventory.Bytes)
				assert.Equal(b, Worst(report.Results), OK)
			}
		})
	}
}
