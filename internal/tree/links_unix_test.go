//go:build linux || darwin

package tree_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
	"gotest.tools/v3/assert"
)

// stampLinks gives every symbolic link a time that depends on its path; folders keep theirs.
func stampLinks(t *testing.T, root string) {
	t.Helper()
	assert.NilError(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Type()&os.ModeSymlink == 0 {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		at, err := unix.TimeToTimespec(stamp(rel))
		assert.NilError(t, err)
		return unix.UtimesNanoAt(unix.AT_FDCWD, path, []unix.Timespec{at, at}, unix.AT_SYMLINK_NOFOLLOW)
	}))
}
