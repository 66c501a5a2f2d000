package tree

import (
	"os"
	"path/filepath"
)

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

// Inside tells whether path is dir or lies below it, by device and inode of its parents, so that links and second mounts of a
// folder are seen through. Both exist.
func Inside(path, dir string) (bool, error) {
	want, err := os.Stat(dir)
	if err != nil {
		return false, err
	}
	if path, err = filepath.EvalSymlinks(path); err != nil {
		return false, err
	}
	if path, err = filepath.Abs(path); err != nil {
		return false, err
	}
	for {
		info, err := os.Stat(path)
		if err != nil {
			return false, err
		}
		if os.SameFile(info, want) {
			return true, nil
		}
		parent := filepath.Dir(path)
		if parent == path {
			return false, nil
		}
		path = parent
	}
}
