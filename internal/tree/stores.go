package tree

import "strings"

// stores tells which folders of a tree look like a data store, whose *.log is no log but data.
type stores struct {
	dirs  *dirs
	known map[string]bool
}

// store answers from memory after the first time. A folder that cannot be listed counts as a store: nothing is left out of it.
func (s *stores) store(dir string) bool {
	is, ok := s.known[dir]
	if !ok {
		is = s.look(dir)
		s.known[dir] = is
	}
	return is
}

func (s *stores) look(dir string) bool {
	ref, err := s.dirs.acquire(dir)
	if err != nil {
		return true
	}
	defer ref.release()
	names, err := ref.names()
	return err != nil || looksLikeStore(names)
}

// looksLikeStore knows LevelDB and RocksDB (CURRENT and MANIFEST-*), SQLite and the segment folders of Chroma.
func looksLikeStore(names []string) bool {
	current, manifest := false, false
	for _, name := range names {
		current = current || name == "CURRENT"
		manifest = manifest || strings.HasPrefix(name, "MANIFEST-")
		if (current && manifest) || sqliteName(name) || chromaName(name) {
			return true
		}
	}
	return false
}

func sqliteName(name string) bool {
	for _, end := range []string{"-wal", "-shm", "-journal"} {
		name = strings.TrimSuffix(name, end)
	}
	for _, end := range []string{".sqlite", ".sqlite3", ".db", ".db3"} {
		if strings.HasSuffix(name, end) {
			return true
		}
	}
	return false
}

func chromaName(name string) bool {
	switch name {
	case "data_level0.bin", "link_lists.bin", "index_metadata.pickle":
		return true
	}
	return false
}

// writeAheadLog knows the names of LevelDB's and RocksDB's write-ahead logs, which can lie in a folder of their own: six or
// more digits.
func writeAheadLog(name string) bool {
	digits := strings.TrimSuffix(name, ".log")
	return len(digits) >= 6 && strings.Trim(digits, "0123456789") == ""
}
