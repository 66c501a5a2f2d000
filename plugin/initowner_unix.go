//go:build !windows

package plugin

import (
	"os"
	"syscall"
)

// ownerOfFile is whom a file belongs to; known is false where the system does not say.
func ownerOfFile(info os.FileInfo) (o owner, known bool) {
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return o, false
	}
	return owner{int(s.Uid), int(s.Gid)}, true
}
