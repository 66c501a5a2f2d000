package tree_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/tree"
)

// TestADatabaseAndItsSidecarsAreKeptOrLeftOutTogether: patterns of users and built-in rules, either way.
func TestADatabaseAndItsSidecarsAreKeptOrLeftOutTogether(t *testing.T) {
	const database = "SQLite format 3\x00 and pages"
	files := map[string]string{
		"m.db": database, "m.db-wal": "w", "m.db-shm": "s", "sub/n": database, "sub/n-journal": "j",
		"other/x.tmp": database, "other/x.tmp-wal": "w", "notes": "no database", "notes-journal": "of a person",
	}
	for name, c := range map[string]struct {
		patterns []string
		left     string
	}{
		"none":                    {nil, "other/x.tmp other/x.tmp-wal"},
		"sidecars of what's kept": {[]string{"*-wal", "*-shm", "*-journal"}, "notes-journal other/x.tmp other/x.tmp-wal"},
		"databases alone":         {[]string{"m.db", "sub/n"}, "m.db m.db-shm m.db-wal other/x.tmp other/x.tmp-wal sub/n sub/n-journal"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for file, content := range files {
				path := filepath.Join(dir, file)
				assert.NilError(t, os.MkdirAll(filepath.Dir(path), 0o755))
				assert.NilError(t, os.WriteFile(path, []byte(content), 0o600))
			}
			rules, err := tree.NewRules(tree.RuleOptions{Patterns: c.patterns, Defaults: true})
			assert.NilError(t, err)
			var left []string
			o := tree.WalkOptions{Skip: rules.Skip(dir), OnSkip: func(e *tree.Entry, _ string) { left = append(left, e.Path) }}
			assert.NilError(t, tree.Walk(t.Context(), dir, o, func(context.Context, *tree.Entry, tree.Opener) error { return nil }))
			slices.Sort(left)
			assert.Equal(t, strings.Join(left, " "), c.left)
		})
	}
}
