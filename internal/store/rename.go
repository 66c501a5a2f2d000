package store

import (
	"errors"
	"io/fs"
	"os"
)

// renameByLink links the new name, which fails if it exists, and removes the old one. File systems without hard links
// get a look before the rename; the project's lock keeps other runs out meanwhile.
func renameByLink(from, to string) error {
	err := os.Link(from, to)
	if err == nil {
		return os.Remove(from)
	}
	if errors.Is(err, fs.ErrExist) {
		return err
	}
	if _, err := os.Lstat(to); err == nil {
		return &fs.PathError{Op: "rename", Path: to, Err: fs.ErrExist}
	}
	return os.Rename(from, to)
}
