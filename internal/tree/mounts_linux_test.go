package tree

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
	"gotest.tools/v3/assert"
)

// TestWithinTellsADiskFromTheFolderBelowIt: CI runs as root; other users see the one half that needs no mount.
func TestWithinTellsADiskFromTheFolderBelowIt(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "disk")
	assert.NilError(t, os.Mkdir(dir, 0o700))
	bare, err := Within(dir)
	assert.NilError(t, err)
	assert.Equal(t, filepath.Base(bare), "disk")
	if os.Getuid() != 0 {
		return
	}
	assert.NilError(t, unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"))
	t.Cleanup(func() { assert.NilError(t, unix.Unmount(dir, 0)) })
	assert.NilError(t, os.MkdirAll(filepath.Join(dir, "a/b"), 0o700))
	for path, want := range map[string]string{".": "/", "a": "/a", "a/b": "/a/b"} {
		got, err := Within(filepath.Join(dir, path))
		assert.NilError(t, err)
		assert.Equal(t, got, want)
	}
	// A container that has a folder of the disk mounted sees the same.
	shown := filepath.Join(filepath.Dir(dir), "shown")
	assert.NilError(t, os.Mkdir(shown, 0o700))
	assert.NilError(t, unix.Mount(filepath.Join(dir, "a"), shown, "", unix.MS_BIND, ""))
	t.Cleanup(func() { assert.NilError(t, unix.Unmount(shown, 0)) })
	got, err := Within(filepath.Join(shown, "b"))
	assert.NilError(t, err)
	assert.Equal(t, got, "/a/b")
}
