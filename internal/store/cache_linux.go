package store

import (
	"os"

	"golang.org/x/sys/unix"
)

// dropCache asks the kernel to forget the cached pages of a synced file: the next read is of the disk. File systems
// that cannot are none the worse.
func dropCache(f *os.File) error {
	err := unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
	if err == unix.EINVAL || err == unix.ENOSYS || err == unix.ESPIPE {
		return nil
	}
	return err
}
