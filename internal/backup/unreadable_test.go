//go:build unix

package backup

import (
	"os"
	"path/filepath"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/store"
)

func TestAnUnreadableFileOrFolderMakesTheBackupIncompleteAndIsNamed(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root reads everything; the end-to-end tests do this as a user")
	}
	b := newBed(t)
	assert.NilError(t, os.Chmod(filepath.Join(b.data, "memories/a.json"), 0))
	b.write(t, "closed/c.json", "{}")
	assert.NilError(t, os.Chmod(filepath.Join(b.data, "closed"), 0))
	t.Cleanup(func() { _ = os.Chmod(filepath.Join(b.data, "closed"), 0o700) })
	res, err := b.backup(t)
	assert.NilError(t, err)
	assert.Assert(t, !res.Complete)
	assert.Equal(t, res.Backup.State, store.Incomplete)
	var paths []string
	for _, p := range res.Problems {
		paths = append(paths, p.Kind+" "+p.Path)
	}
	assert.DeepEqual(t, paths, []string{"unreadable closed", "unreadable memories/a.json"})
}
