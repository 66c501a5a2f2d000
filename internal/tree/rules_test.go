package tree_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/memsys/docker-memsys/internal/tree"
	"gotest.tools/v3/assert"
)

// skipped walks and returns what each rule left out.
func skipped(t *testing.T, root string, o tree.RuleOptions) map[string]string {
	t.Helper()
	rules, err := tree.NewRules(o)
	assert.NilError(t, err)
	found := map[string]string{}
	wo := tree.WalkOptions{Skip: rules.Skip(root), OnSkip: func(e *tree.Entry, rule string) { found[e.Path] = rule }}
	assert.NilError(t, tree.Walk(t.Context(), root, wo, func(context.Context, *tree.Entry, tree.Opener) error { return nil }))
	return found
}

func touch(t *testing.T, root string, paths ...string) {
	t.Helper()
	for _, path := range paths {
		full := filepath.Join(root, path)
		assert.NilError(t, os.MkdirAll(filepath.Dir(full), 0o755))
		assert.NilError(t, os.WriteFile(full, nil, 0o644))
	}
}

func TestDefaultRulesLeaveLogsOutButNotStores(t *testing.T) {
	root := t.TempDir()
	touch(t, root,
		"logs/x", "app/logs/kept", "a.log", "sub/b.log", "sub/c.tmp", "sub/d.cache", "sub/e.json", "node_modules/m/x", "sub/node_modules/y",
		"level/CURRENT", "level/MANIFEST-000001", "level/old.log", "level/x.tmp", "level/000003.log", "half/CURRENT", "half/x.log",
		"chroma/chroma.sqlite3", "chroma/x.log", "wal-only/db.sqlite3-wal", "wal-only/x.log", "segment/data_level0.bin", "segment/x.log",
		"wal/000017.log", "wal/12345.log", ".memsys-abc/new/x", "sub/.memsys-1/old/y")
	assert.DeepEqual(t, skipped(t, root, tree.RuleOptions{Defaults: true}), map[string]string{
		"logs": "logs/", "a.log": "*.log", "sub/b.log": "*.log", "sub/c.tmp": "*.tmp", "sub/d.cache": "*.cache",
		"node_modules": "node_modules", "sub/node_modules": "node_modules", "half/x.log": "*.log", "wal/12345.log": "*.log",
		".memsys-abc": ".memsys-*", "sub/.memsys-1": ".memsys-*",
	})
	assert.DeepEqual(t, skipped(t, root, tree.RuleOptions{Defaults: true, IncludeLogs: true}), map[string]string{
		"sub/c.tmp": "*.tmp", "sub/d.cache": "*.cache", "node_modules": "node_modules", "sub/node_modules": "node_modules",
		".memsys-abc": ".memsys-*", "sub/.memsys-1": ".memsys-*",
	})
	assert.DeepEqual(t, skipped(t, root, tree.RuleOptions{}), map[string]string{".memsys-abc": ".memsys-*", "sub/.memsys-1": ".memsys-*"})
}

func TestPatternsOfTheUser(t *testing.T) {
	root := t.TempDir()
	touch(t, root, "x.bak", "a/x.bak", "a/b/x.bak", "a/cache/1", "b/cache/2", "cache", "one/two/three/f.json", "one/f.json", "[x]", "x", "\xff.bak")
	for text, want := range map[string][]string{
		"*.bak":            {"x.bak", "a/x.bak", "a/b/x.bak", "\xff.bak"},
		"/*.bak":           {"x.bak", "\xff.bak"},
		"a/*.bak":          {"a/x.bak"},
		"a/**/*.bak":       {"a/x.bak", "a/b/x.bak"},
		"cache/":           {"a/cache", "b/cache"},
		"cache":            {"cache", "a/cache", "b/cache"},
		"b/cache/":         {"b/cache"},
		"one/**/f.json":    {"one/two/three/f.json", "one/f.json"},
		"{one,two}/*.json": {"one/f.json"},
		`\[x\]`:            {"[x]"},
	} {
		found := skipped(t, root, tree.RuleOptions{Patterns: []string{text}})
		assert.Equal(t, len(found), len(want), "%s: %v", text, found)
		for _, path := range want {
			assert.Equal(t, found[path], text, path)
		}
	}
}

func TestPatternsThatMakeNoSenseAreErrors(t *testing.T) {
	for _, text := range []string{"", "/", "[", "a/../b", "../x", "!keep", "a//b", "{a"} {
		_, err := tree.NewRules(tree.RuleOptions{Patterns: []string{text}})
		assert.ErrorContains(t, err, "pattern", text)
	}
}

func TestTheBackupsDirectoryIsLeftOutUnderAnyName(t *testing.T) {
	root := t.TempDir()
	touch(t, root, "deep/elsewhere/archive.tar.gz", "deep/data")
	id, err := tree.Identify(filepath.Join(root, "deep/elsewhere"))
	assert.NilError(t, err)
	if id.Inode == 0 {
		t.Skip("no inodes on this platform")
	}
	found := skipped(t, root, tree.RuleOptions{Exclude: map[tree.Identity]string{id: "backups directory"}})
	assert.DeepEqual(t, found, map[string]string{"deep/elsewhere": "backups directory"})
}
