package tree_test

import (
	"os"
	"path/filepath"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/tree"
	"github.com/memsys/docker-memsys/internal/tree/treetest"
)

// TestAStagingInAFolderOfSomebodyElseCanBeTakenAway: this user may write there, and not set the folder's time.
func TestAStagingInAFolderOfSomebodyElseCanBeTakenAway(t *testing.T) {
	if os.Getuid() != 0 {
		return // only root can make a folder of another user
	}
	root := filepath.Join(t.TempDir(), "shared")
	assert.NilError(t, os.Mkdir(root, 0o755))
	assert.NilError(t, os.Chmod(root, 0o777))
	treetest.WithoutRights(t, filepath.Dir(root), func() {
		_, err := tree.Stage(root, "0123")
		assert.ErrorIs(t, err, os.ErrPermission)
		s := &tree.Swap{Root: tree.RawPath(root), Staging: tree.RawPath(filepath.Join(root, tree.StagingName("0123"))), Folders: []tree.FolderChange{{Path: "."}}}
		assert.NilError(t, tree.Discard(t.Context(), s))
		left, err := os.ReadDir(root)
		assert.NilError(t, err)
		assert.Equal(t, len(left), 0)
		assert.NilError(t, tree.SettleTime(s, func(c tree.FolderChange) tree.Attributes { return c.Old }))
		aside := filepath.Join(root, tree.StagingName("4567"))
		assert.NilError(t, os.Mkdir(aside, 0o700))
		assert.NilError(t, tree.DiscardAside(t.Context(), aside))
	})
}
