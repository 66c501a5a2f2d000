package tree

import (
	"os"
	"path/filepath"

	"golang.org/x/sys/windows"
)

// FreeSpace is what this user may still write on the volume of path, in bytes; of a missing folder that of the nearest parent.
func FreeSpace(path string) (int64, error) {
	free, _, err := DiskSpace(path)
	return free, err
}

// DiskSpace is FreeSpace with the size of the whole volume.
func DiskSpace(path string) (free, total int64, err error) {
	for {
		if _, err := os.Stat(path); err == nil || filepath.Dir(path) == path {
			break
		}
		path = filepath.Dir(path)
	}
	p, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return 0, 0, err
	}
	var left, all uint64
	err = windows.GetDiskFreeSpaceEx(p, &left, &all, nil)
	return int64(left), int64(all), err
}
