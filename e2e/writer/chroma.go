package main

import (
	"bytes"
	"database/sql"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
)

// chroma checks a copy of a Chroma server's folder: the database by SQLite itself, each vector index by the sizes that its header promises,
// by its id map, which is written last, and by the lists, which must end where the file ends. It returns the number of synced indexes.
func chroma(dir string) (int64, error) {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "chroma.sqlite3"))
	if err != nil {
		return 0, err
	}
	defer db.Close()
	var word string
	if err := db.QueryRow("PRAGMA integrity_check").Scan(&word); err != nil || word != "ok" {
		return 0, fmt.Errorf("chroma.sqlite3 is torn: %s %v", word, err)
	}
	headers, err := filepath.Glob(filepath.Join(dir, "*", "header.bin"))
	if err != nil {
		return 0, err
	}
	var synced int64
	for _, header := range headers {
		one, err := vectors(filepath.Dir(header))
		if err != nil {
			return 0, err
		}
		synced += one
	}
	return synced, nil
}

func vectors(dir string) (int64, error) {
	files := map[string][]byte{}
	for _, name := range []string{"header.bin", "data_level0.bin", "length.bin", "link_lists.bin", "index_metadata.pickle"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil && name != "index_metadata.pickle" {
			return 0, err
		}
		files[name] = data
	}
	header := files["header.bin"]
	if len(header) != 100 {
		return 0, fmt.Errorf("%s: the header is torn", dir)
	}
	count, size := binary.LittleEndian.Uint64(header[20:]), binary.LittleEndian.Uint64(header[28:])
	ids := files["index_metadata.pickle"]
	switch {
	case ids == nil && count == 0:
		return 0, nil
	case !bytes.HasPrefix(ids, []byte{0x80}) || !bytes.HasSuffix(ids, []byte(".")):
		return 0, fmt.Errorf("%s: the id map is torn", dir)
	case uint64(len(files["data_level0.bin"])) < count*size || uint64(len(files["length.bin"])) < 4*count:
		return 0, fmt.Errorf("%s: parts are shorter than the header's %d elements", dir, count)
	}
	lists := files["link_lists.bin"]
	for range count {
		if len(lists) < 4 {
			return 0, fmt.Errorf("%s: the lists end too early", dir)
		}
		n := binary.LittleEndian.Uint32(lists)
		if uint64(len(lists)) < 4+uint64(n) {
			return 0, fmt.Errorf("%s: the lists end too early", dir)
		}
		lists = lists[4+n:]
	}
	if len(lists) > 0 {
		return 0, fmt.Errorf("%s: the lists go on behind the header's %d elements", dir, count)
	}
	return 1, nil
}
