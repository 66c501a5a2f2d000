//go:build unix

package tree

import (
	"errors"
	"io/fs"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// FreeSpace is what this user may still write on the file system of path, in bytes; of a missing folder that of the
// nearest parent.
func FreeSpace(path string) (int64, error) {
	free, _, err := DiskSpace(path)
	return free, err
}

// DiskSpace is FreeSpace with the size of the whole file system.
func DiskSpace(path string) (free, total int64, err error) {
	var s unix.Statfs_t
	for {
		err := unix.Statfs(path, &s)
		if err == nil {
			return int64(s.Bavail) * int64(s.Bsize), int64(s.Blocks) * int64(s.Bsize), nil
		}
		parent := filepath.Dir(path)
		if !errors.Is(err, fs.ErrNotExist) || parent == path {
			return 0, 0, err
		}
		path = parent
	}
}
