package tree

import (
	"os"
	"path/filepath"
	"strings"
)

// Overlap tells whether two places of this machine are the same, or one lies in the other: by name, and by device and inode, so that
// a folder known under two names is seen.
func Overlap(a, b string) bool {
	a, b = Resolve(a), Resolve(b)
	return within(a, b) || within(b, a) || holds(a, b) || holds(b, a)
}

// Resolve follows the links of a path as far as it exists.
func Resolve(path string) string {
	path = filepath.Clean(path)
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	parent := filepath.Dir(path)
	if parent == path {
		return path
	}
	return filepath.Join(Resolve(parent), filepath.Base(path))
}

// within tells whether path is dir or lies below it, by name.
func within(dir, path string) bool {
	if dir == path {
		return true
	}
	if !strings.HasSuffix(dir, string(filepath.Separator)) {
		dir += string(filepath.Separator)
	}
	return strings.HasPrefix(path, dir)
}

// holds tells whether path or a folder above it is the file or folder dir, whatever its name.
func holds(dir, path string) bool {
	want, err := os.Stat(dir)
	if err != nil {
		return false
	}
	for {
		have, err := os.Stat(path)
		if err == nil && os.SameFile(want, have) {
			return true
		}
		parent := filepath.Dir(path)
		if parent == path {
			return false
		}
		path = parent
	}
}
