package tree

import "path/filepath"

// Identify is the identity of what a path leads to, links followed. It is zero on platforms without inodes.
func Identify(path string) (Identity, error) {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return Identity{}, err
	}
	e, err := Lstat(real)
	if err != nil {
		return Identity{}, err
	}
	return Identity{e.Device, e.Inode}, nil
}
