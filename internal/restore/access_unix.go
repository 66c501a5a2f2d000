//go:build !windows

package restore

import "golang.org/x/sys/unix"

// canWrite asks the system whether this process may write at path; a file system that is mounted read-only says no to root too.
func canWrite(path string) error { return unix.Access(path, unix.W_OK) }

// FreeSpace is what this process may still write on the file system of path, in bytes.
func FreeSpace(path string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return 0, err
	}
	return int64(st.Bavail) * int64(st.Bsize), nil //nolint:unconvert // widths differ by platform
}
