package tree

import (
	"os"
	"path/filepath"

	"golang.org/x/sys/windows"
)

// FreeSpace is what this user may still write on the volume of path, in bytes; of a missing folder that of the nearest parent.
func FreeSpace(path string) (int64, error) {
	for {
		if _, err := os.Stat(path); err == nil || filepath.Dir(path) == path {
			break
		}
		path = filepath.Dir(path)
	}
	p, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return 0, err
	}
	var free uint64
	err = windows.GetDiskFreeSpaceEx(p, &free, nil, nil)
	return int64(free), err
}
