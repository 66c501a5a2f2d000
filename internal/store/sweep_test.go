package store

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/tree/treetest"
)

// In a folder for all, such as /tmp, lie remains of others, which only they may remove: ours go all the same.
func TestWhatCannotBeSweptKeepsNothingElse(t *testing.T) {
	root := t.TempDir()
	d := Open(filepath.Join(root, "tmp"))
	assert.NilError(t, os.Mkdir(d.Path, 0o700))
	assert.NilError(t, os.Chmod(d.Path, 0o777|os.ModeSticky))
	now := time.Now()
	names := []string{".memory_backup_20260101_000000.tar.gz.json.tmp-1", ".memory_backup_20260102_000000.tar.gz.json.tmp-2"}
	for i, name := range names {
		path := filepath.Join(d.Path, name)
		assert.NilError(t, os.WriteFile(path, nil, 0o600))
		assert.NilError(t, os.Chtimes(path, now.Add(-2*time.Hour), now.Add(-2*time.Hour)))
		if i == 1 && os.Getuid() == 0 {
			assert.NilError(t, os.Chown(path, 65534, 65534))
		}
	}
	var err error
	treetest.WithoutRights(t, root, func() { err = d.Sweep(now) })
	_, gone := os.Lstat(filepath.Join(d.Path, names[1]))
	assert.ErrorIs(t, gone, os.ErrNotExist)
	if os.Getuid() == 0 {
		assert.ErrorIs(t, err, os.ErrPermission)
	}
}

func TestWhatAKilledVerificationWasWritingIsSwept(t *testing.T) {
	d := Open(t.TempDir())
	now := time.Now()
	old := []string{".memory_backup_20260101_000000.tar.gz.json.tmp-123", ".memory_backup_20260101_000000_2.tar.gz.sha256.tmp-9", ".latest_backup.txt.tmp-4"}
	stays := []string{
		".memory_backup_20260101_000000.tar.gz.tmp-00ff", // an archive that may be in work
		"memory_backup_20260101_000000.tar.gz.json", ".notes.json.tmp-1", "my.json.tmp-1", ".memory_backup_x.tar.gz.json.tmp-1",
	}
	young := ".memory_backup_20260102_000000.tar.gz.json.tmp-1"
	for _, name := range append(append(slices.Clone(old), stays...), young) {
		path := filepath.Join(d.Path, name)
		assert.NilError(t, os.WriteFile(path, nil, 0o600))
		if name != young {
			assert.NilError(t, os.Chtimes(path, now.Add(-2*time.Hour), now.Add(-2*time.Hour)))
		}
	}
	assert.NilError(t, d.Sweep(now))
	left, err := os.ReadDir(d.Path)
	assert.NilError(t, err)
	assert.Equal(t, len(left), len(stays)+1)
	for _, name := range old {
		_, err := os.Lstat(filepath.Join(d.Path, name))
		assert.ErrorIs(t, err, os.ErrNotExist)
	}
	archive := filepath.Join(d.Path, stays[0])
	assert.NilError(t, d.Sweep(now.Add(21*time.Hour)))
	_, err = os.Lstat(archive)
	assert.NilError(t, err)
	assert.NilError(t, d.Sweep(now.Add(23*time.Hour)))
	_, err = os.Lstat(archive)
	assert.ErrorIs(t, err, os.ErrNotExist)
	assert.NilError(t, Open(filepath.Join(d.Path, "gone")).Sweep(now))
}
