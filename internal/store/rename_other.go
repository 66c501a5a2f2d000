//go:build !linux

package store

// renameNew renames and fails with fs.ErrExist rather than replace a file.
func renameNew(from, to string) error { return renameByLink(from, to) }
