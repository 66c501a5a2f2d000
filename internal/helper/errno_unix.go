//go:build unix

package helper

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// lastErrno bounds the search for an error number by its name.
const lastErrno = 256

func errnoName(err error) string {
	if number, ok := err.(syscall.Errno); ok { //nolint:errorlint // this one alone: the walk unwraps
		return unix.ErrnoName(number)
	}
	return ""
}

// errnoOf is this system's error number of that name, nil if it has none.
func errnoOf(name string) error {
	for number := syscall.Errno(1); number < lastErrno; number++ {
		if unix.ErrnoName(number) == name {
			return number
		}
	}
	return nil
}
