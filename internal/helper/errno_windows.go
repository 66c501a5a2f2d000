package helper

import (
	"io/fs"

	"golang.org/x/sys/windows"
)

// errnoName is empty: helpers run on Linux, and what comes from Windows is told in words.
func errnoName(error) string { return "" }

// errnoOf is what Windows has for an error number of Linux.
func errnoOf(name string) error {
	switch name {
	case "ENOSPC", "EDQUOT":
		return windows.ERROR_DISK_FULL
	case "EROFS":
		return windows.ERROR_WRITE_PROTECT
	case "EACCES", "EPERM":
		return fs.ErrPermission
	case "ENOENT":
		return fs.ErrNotExist
	case "EEXIST":
		return fs.ErrExist
	}
	return nil
}
