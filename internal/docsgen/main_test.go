package main

import (
	"os"
	"path/filepath"
	"testing"

	"gotest.tools/v3/assert"
)

func TestReferenceIsWhatTheCommandsSay(t *testing.T) {
	dir := t.TempDir()
	assert.NilError(t, generate(dir))
	want, have := pages(t, dir), pages(t, filepath.Join("..", "..", "docs", "reference"))
	assert.Assert(t, len(want) > 5, "found no commands")
	assert.DeepEqual(t, have, want)
}

// pages are the files of a folder by name. The reference differs: run "make docs".
func pages(t *testing.T, dir string) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	assert.NilError(t, err)
	all := map[string]string{}
	for _, file := range files {
		content, err := os.ReadFile(file)
		assert.NilError(t, err)
		all[filepath.Base(file)] = string(content)
	}
	return all
}

func TestPagesOfCommandsThatAreNoMoreGo(t *testing.T) {
	dir := t.TempDir()
	stale := filepath.Join(dir, "memsys_gone.md")
	assert.NilError(t, os.WriteFile(stale, []byte("old"), 0o644))
	assert.NilError(t, generate(dir))
	_, err := os.Stat(stale)
	assert.Assert(t, os.IsNotExist(err))
}
