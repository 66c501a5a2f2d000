package restore

import "golang.org/x/sys/windows"

// canWrite knows nothing on Windows: the first write tells.
func canWrite(string) error { return nil }

// FreeSpace is what this process may still write on the volume of path, in bytes.
func FreeSpace(path string) (int64, error) {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return 0, err
	}
	var free uint64
	if err := windows.GetDiskFreeSpaceEx(name, &free, nil, nil); err != nil {
		return 0, err
	}
	return int64(free), nil
}
