package tree

import (
	"fmt"
	"strings"
)

// ComparePaths orders entry paths as Walk visits them: "." first, a folder before what is in it, and the names of one
// folder by their raw bytes. It is negative where a comes before b, 0 where they are equal.
func ComparePaths(a, b string) int {
	if a == "." || b == "." {
		return rootFirst(a, b)
	}
	for i := 0; i < len(a) && i < len(b); i++ {
		if a[i] != b[i] {
			return int(sortByte(a[i])) - int(sortByte(b[i]))
		}
	}
	return len(a) - len(b)
}

func rootFirst(a, b string) int {
	switch {
	case a == b:
		return 0
	case a == ".":
		return -1
	default:
		return 1
	}
}

// sortByte makes the separator the smallest byte, so that a folder's content comes before a longer name ("a/b" before "a-b").
// No name holds NUL.
func sortByte(c byte) byte {
	if c == '/' {
		return 0
	}
	return c
}

// CheckPath says why a path may not be used below a root: empty, absolute, with NUL, empty, "." or ".." components; on
// Windows also drives, backslashes and reserved names. The error is ErrUnsafe.
func CheckPath(path string) error {
	if path == "." {
		return nil
	}
	if path == "" {
		return fmt.Errorf("%w: empty path", ErrUnsafe)
	}
	for name := range strings.SplitSeq(path, "/") {
		if name == "" || name == "." || name == ".." || strings.IndexByte(name, 0) >= 0 || !localName(name) {
			return fmt.Errorf("%w: %q", ErrUnsafe, path)
		}
	}
	return nil
}

// splitPath cuts a checked path in its folder ("." at the top) and its name.
func splitPath(path string) (dir, name string) {
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		return path[:i], path[i+1:]
	}
	return ".", path
}

// joinPath is the path of a name in a folder of the tree.
func joinPath(dir, name string) string {
	if dir == "." {
		return name
	}
	return dir + "/" + name
}
