package restore

import (
	"errors"
	"os"
	"strconv"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/archive"
)

// TestAContentsTableThatCannotBeReadIsDamage: the plan is the first to read it, before the archive is verified.
func TestAContentsTableThatCannotBeReadIsDamage(t *testing.T) {
	b := newBed(t)
	write(t, b.source("data"), "a", "1")
	path := b.backup(t)
	data, err := os.ReadFile(path)
	assert.NilError(t, err)
	table, err := strconv.ParseInt(string(data[len(data)-51+16:len(data)-51+32]), 16, 64)
	assert.NilError(t, err)
	data[table+100] ^= 0xff
	assert.NilError(t, os.WriteFile(path, data, 0o600))
	_, err = prepare(t, b.request(t, path))
	var damaged *DamagedError
	assert.Assert(t, errors.As(err, &damaged), "%v", err)
	assert.ErrorContains(t, err, "nothing was changed")
	_, err = b.to(t, path, b.path("to"))
	assert.Assert(t, errors.As(err, &damaged), "%v", err)
}

// TestWhatABackupCouldNotLookIntoStays: it has such a folder, but not what is in it.
func TestWhatABackupCouldNotLookIntoStays(t *testing.T) {
	b := newBed(t)
	root := b.source("data")
	write(t, root, "a", "1", "shut/", "")
	path := b.backup(t, func(m *archive.Manifest) {
		m.Complete = false
		m.Problems = []archive.Problem{{Source: "data", Path: "shut", Kind: problemUnreadable, Error: "permission denied"}}
	})
	write(t, root, "a", "2", "shut/inside", "only copy", "shut/deep/inside", "only copy", "new", "x")
	_, err := b.restore(t, b.request(t, path))
	assert.NilError(t, err)
	assert.Equal(t, read(t, root, "a"), "1")
	assert.Equal(t, read(t, root, "shut/inside"), "only copy")
	assert.Equal(t, read(t, root, "shut/deep/inside"), "only copy")
	gone(t, root, "new")
}
