package compose

import (
	"path/filepath"
	"strings"
)

// clean is a host path as it was written, without what means nothing: trailing slashes, doubled ones, dots.
func clean(path string) string {
	if !filepath.IsAbs(path) && strings.HasPrefix(path, "/") {
		return path // a path of the engine's system, not of ours
	}
	return filepath.Clean(path)
}

// identity is the path that all spellings of a place share: symbolic links followed as far as the path exists.
func identity(path string) string {
	path = clean(path)
	rest := ""
	for dir := path; ; {
		if real, err := filepath.EvalSymlinks(dir); err == nil {
			return filepath.Join(real, rest)
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return path
		}
		rest = filepath.Join(filepath.Base(dir), rest)
		dir = parent
	}
}

// below tells that path is dir or lies in it; both are clean.
func below(path, dir string) bool {
	if path == dir || dir == "/" {
		return true
	}
	return strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}

// isAbsolute tells absolute paths of this system and of the engine's.
func isAbsolute(path string) bool { return filepath.IsAbs(path) || strings.HasPrefix(path, "/") }
