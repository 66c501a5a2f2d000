package backup

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/store"
	"github.com/memsys/docker-memsys/internal/tree"
)

// TestASourceBetweenTwoStatesMakesTheBackupIncomplete: the restore that left it so can be of another project, or of another user.
func TestASourceBetweenTwoStatesMakesTheBackupIncomplete(t *testing.T) {
	b := newBed(t)
	staging := filepath.Join(b.data, tree.StagingName("abc"))
	assert.NilError(t, os.MkdirAll(filepath.Join(staging, "old"), 0o700))
	state := func() store.State {
		res, err := b.backup(t)
		assert.NilError(t, err)
		b.now = b.now.Add(time.Hour)
		return res.Backup.State
	}
	assert.Equal(t, state(), store.Verified, "entries that were set aside are no swap")
	assert.NilError(t, os.WriteFile(filepath.Join(staging, tree.SwapFile), []byte("{}"), 0o600))
	assert.Equal(t, state(), store.Incomplete)
	single := filepath.Join(b.data, "memories/a.json")
	b.req.Sources[0].Path = single
	assert.Equal(t, state(), store.Verified)
	assert.NilError(t, os.Rename(staging, filepath.Join(filepath.Dir(single), filepath.Base(staging))))
	assert.Equal(t, state(), store.Incomplete)
	b.req.Sources[0].Path = b.data
	assert.NilError(t, os.Rename(filepath.Join(b.data, "memories", filepath.Base(staging)), staging+".finished"))
	assert.Equal(t, state(), store.Verified, "a swap that is over")
}
