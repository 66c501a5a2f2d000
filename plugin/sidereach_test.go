package plugin

import (
	"os"
	"path/filepath"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/tree/treetest"
)

// Where this user may not even look, as in the folder of an engine's volumes, there is something that is not ours: only what does not exist is
// nobody's.
func TestWhatThisUserMayNotLookAtIsNotItsOwn(t *testing.T) {
	s, _ := openTestSession(t)
	root := t.TempDir()
	closed := filepath.Join(root, "volumes")
	assert.NilError(t, os.MkdirAll(filepath.Join(closed, "notes_store", "_data"), 0o700))
	assert.NilError(t, os.Chmod(closed, 0))
	t.Cleanup(func() { assert.NilError(t, os.Chmod(closed, 0o700)) })
	for place, ours := range map[string]bool{filepath.Join(closed, "notes_store", "_data"): false, filepath.Join(root, "nowhere"): true} {
		treetest.WithoutRights(t, root, func() {
			why, err := s.notOurs(t.Context(), place, reads)
			assert.NilError(t, err)
			assert.Equal(t, why == "", ours, "%s: %q", place, why)
		})
	}
}
