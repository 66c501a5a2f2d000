//go:build !windows

package restore

import "golang.org/x/sys/unix"

// canWrite asks the system whether this process may write at path; a file system that is mounted read-only says no to root too.
func canWrite(path string) error { return unix.Access(path, unix.W_OK) }
