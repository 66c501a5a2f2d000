package durable

import (
	"os"
	"path/filepath"
	"testing"

	"gotest.tools/v3/assert"
)

func TestAFileThatCannotBeWrittenLeavesNothingBehind(t *testing.T) {
	dir := t.TempDir()
	target := filepath.Join(dir, "target")
	assert.NilError(t, os.Mkdir(target, 0o700)) // a folder in the way: the rename fails
	assert.Assert(t, WriteFile(target, []byte("x"), 0o600) != nil)
	entries, err := os.ReadDir(dir)
	assert.NilError(t, err)
	assert.Equal(t, len(entries), 1)
}
