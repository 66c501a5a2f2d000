package backup

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/store"
)

func TestASourceThatHasBecomeEmptyIsMissing(t *testing.T) {
	b := newBed(t)
	good, err := b.backup(t)
	assert.NilError(t, err)
	assert.NilError(t, os.RemoveAll(filepath.Join(b.data, "memories")))
	b.now = b.now.Add(time.Hour)
	for range 2 { // the one that was incomplete does not count for the next
		res, err := b.backup(t)
		assert.NilError(t, err)
		assert.Equal(t, res.Backup.State, store.Incomplete)
		assert.Equal(t, len(res.Missing), 1)
		latest, err := b.dir.Find(t.Context(), store.Latest)
		assert.NilError(t, err)
		assert.Equal(t, latest.Name, good.Name)
	}
	b.req.AllowEmpty = true
	res, err := b.backup(t)
	assert.NilError(t, err)
	assert.Assert(t, res.Complete)
	b.req.AllowEmpty = false
	res, err = b.backup(t) // what was agreed to once is the state from then on
	assert.NilError(t, err)
	assert.Assert(t, res.Complete)
}

func TestASafetyBackupTakesAnEmptySourceAsItIs(t *testing.T) {
	b := newBed(t)
	_, err := b.backup(t)
	assert.NilError(t, err)
	assert.NilError(t, os.RemoveAll(filepath.Join(b.data, "memories")))
	b.req.Reason = store.BeforeRestore
	res, err := b.backup(t)
	assert.NilError(t, err)
	assert.Assert(t, res.Complete)
}
