package foreign

import (
	"strings"

	"github.com/memsys/docker-memsys/internal/tree"
)

// The longest names that are taken over; Linux knows no longer ones.
const (
	maxName = 4096
	maxPart = 255
)

// cleanName is the path that a name in an archive means: "." for the root, without the "./" that tar writes before names and the "/"
// behind folders. What leads anywhere else is refused.
func cleanName(raw string) (string, error) {
	if raw == "" {
		return "", &UnsafeError{Name: raw, Why: "it has no name"}
	}
	if strings.HasPrefix(raw, "/") {
		return "", &UnsafeError{Name: raw, Why: "its name is absolute"}
	}
	if len(raw) > maxName {
		return "", &UnsafeError{Name: raw[:64] + "…", Why: "its name is too long"}
	}
	var parts []string
	for part := range strings.SplitSeq(raw, "/") {
		switch {
		case part == "" || part == ".":
			continue
		case part == "..":
			return "", &UnsafeError{Name: raw, Why: "its name leads out of the archive"}
		case len(part) > maxPart:
			return "", &UnsafeError{Name: raw[:min(len(raw), 64)] + "…", Why: "a part of its name is too long"}
		}
		parts = append(parts, part)
	}
	path := strings.Join(parts, "/")
	if path == "" {
		path = "."
	}
	if err := tree.CheckPath(path); err != nil {
		return "", &UnsafeError{Name: raw, Why: "its name is not one of a file"}
	}
	return path, nil
}

// checkWindows refuses what a name made on Windows can mean there and here it cannot: drives and backslashes.
func checkWindows(raw string) error {
	if strings.Contains(raw, `\`) {
		return &UnsafeError{Name: raw, Why: "its name has backslashes"}
	}
	if len(raw) > 1 && raw[1] == ':' {
		return &UnsafeError{Name: raw, Why: "its name begins with a drive"}
	}
	return nil
}

// leadsOut tells whether a symbolic link at path, which is relative to a root, points to somewhere outside of that, or to an absolute place.
func leadsOut(path, target string) bool {
	if strings.HasPrefix(target, "/") {
		return true
	}
	depth := strings.Count(path, "/")
	for part := range strings.SplitSeq(target, "/") {
		switch part {
		case "", ".":
		case "..":
			depth--
		default:
			depth++
		}
		if depth < 0 {
			return true
		}
	}
	return false
}
