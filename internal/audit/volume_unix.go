//go:build linux || darwin

package audit

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// volumeOf names the file system of a path; empty where it has no name.
func volumeOf(path string) string {
	var s unix.Statfs_t
	if unix.Statfs(path, &s) != nil || s.Fsid.Val == [2]int32{} {
		return ""
	}
	return fmt.Sprintf("%08x%08x", uint32(s.Fsid.Val[0]), uint32(s.Fsid.Val[1]))
}
