package restore

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/tree"
)

// TestWhatAKilledRemovalHasLeftIsNoCopyAndGoes: it still has its record and a part of the entries.
func TestWhatAKilledRemovalHasLeftIsNoCopyAndGoes(t *testing.T) {
	root := t.TempDir()
	left := filepath.Join(root, tree.StagingName("abc")+".finished")
	assert.NilError(t, os.MkdirAll(filepath.Join(left, "old"), 0o700))
	assert.NilError(t, os.WriteFile(filepath.Join(left, "old", "a"), []byte("half of it"), 0o600))
	assert.NilError(t, os.WriteFile(filepath.Join(left, asideFile), []byte("{}"), 0o600))
	found, err := FindAside(t.Context(), []Place{{Source: "data", Root: root}})
	assert.NilError(t, err)
	assert.Equal(t, len(found), 1)
	assert.Assert(t, found[0].Remains())
	assert.Assert(t, !found[0].Due(time.Now(), time.Now()), "somebody may be removing it")
	assert.Assert(t, found[0].Due(time.Now().Add(2*time.Hour), time.Time{}))
	assert.NilError(t, RemoveAside(t.Context(), found[0]))
	entries, err := os.ReadDir(root)
	assert.NilError(t, err)
	assert.Equal(t, len(entries), 0)
}
