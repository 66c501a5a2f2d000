package restore

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"gotest.tools/v3/assert"
)

// TestWhatNoSafetyBackupHasIsSetAsideThoughItCameAfterThePlan: a service can write it until it is stopped.
func TestWhatNoSafetyBackupHasIsSetAsideThoughItCameAfterThePlan(t *testing.T) {
	b := newBed(t)
	root := b.source("data")
	write(t, root, "a", "1", "x.bak", "archived")
	path := b.backup(t)
	b.exclude = []string{"*.bak"}
	write(t, root, "a", "2")
	assert.NilError(t, os.Remove(filepath.Join(root, "x.bak")))
	p, err := prepare(t, b.request(t, path))
	assert.NilError(t, err)
	assert.Equal(t, p.Targets[0].Aside, "")
	j := b.openJournal(t)
	assert.NilError(t, j.Begin("restore", nil))
	r := b.runner(j)
	r.Safety = func(context.Context) (Saved, error) {
		write(t, root, "x.bak", "only copy")
		return b.saved, nil
	}
	res, err := r.Run(t.Context(), p)
	assert.NilError(t, err)
	assert.Equal(t, read(t, root, "x.bak"), "archived")
	assert.Equal(t, len(res.Aside), 1)
	assert.Equal(t, read(t, res.Aside[0], "x.bak"), "only copy")
}
