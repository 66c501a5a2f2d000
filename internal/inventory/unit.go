package inventory

import "strings"

// StoreDir is the folder of the store that a file belongs to by its path, "." for the source itself. Files of a store make sense only together.
func StoreDir(path string) (dir string, ok bool) {
	for _, s := range stores() {
		if dir, ok = s.Belongs(path); ok {
			return dir, true
		}
	}
	return "", false
}

// BesideDatabase is the database that a file with one of SQLite's endings stands beside, by its name alone; empty for any other.
func BesideDatabase(path string) string {
	for _, end := range []string{"-journal", "-wal", "-shm"} {
		base := strings.TrimSuffix(path, end)
		if base != path && base != "" && !strings.HasSuffix(base, "/") {
			return base
		}
	}
	return ""
}
