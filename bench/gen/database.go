package gen

import (
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"

	_ "modernc.org/sqlite" // The driver.
)

const (
	databaseName = "data/index/memory.sqlite3"
	segmentID    = "6f0d1a3e-5b0c-4a56-9c1b-2f6f8b7d4e10"
	// elementSize is what hnswlib keeps for a vector: 33 links, the vector, a label.
	elementSize = 4 + 2*16*4 + 4*dim + 8
)

// sqlite makes a database with tables like those of Chroma: texts, metadata, and a queue with vectors. It is none, and is not named as one: a backup
// would find it damaged.
func (m *maker) sqlite(size int64) job {
	p := m.part("SQLite database", false)
	words := dictionary(m.random("words"))
	return func() (err error) {
		path := filepath.Join(m.Dir, filepath.FromSlash(databaseName))
		db, err := sql.Open("sqlite", "file:"+path+"?_pragma=page_size(4096)&_pragma=journal_mode(off)&_pragma=synchronous(off)")
		if err != nil {
			return fmt.Errorf("open database: %w", err)
		}
		db.SetMaxOpenConns(1)
		rng := m.random(databaseName)
		if err := errors.Join(fillDatabase(db, rng, newProse(rng, words), size), db.Close()); err != nil {
			return fmt.Errorf("fill database: %w", err)
		}
		return m.finish(p, databaseName)
	}
}

func fillDatabase(db *sql.DB, rng *rand.Rand, text *prose, size int64) (err error) {
	for _, table := range []string{
		`CREATE TABLE embeddings (id INTEGER PRIMARY KEY, segment_id TEXT NOT NULL, embedding_id TEXT NOT NULL, seq_id INTEGER NOT NULL)`,
		`CREATE TABLE embedding_metadata (id INTEGER, key TEXT NOT NULL, string_value TEXT, PRIMARY KEY (id, key))`,
		`CREATE TABLE embeddings_queue (seq_id INTEGER PRIMARY KEY, id TEXT NOT NULL, vector BLOB, metadata TEXT)`,
	} {
		if _, err := db.Exec(table); err != nil {
			return err
		}
	}
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, tx.Rollback())
		}
	}()
	if err := fillTables(tx, rng, text, size); err != nil {
		return err
	}
	return tx.Commit()
}

func fillTables(tx *sql.Tx, rng *rand.Rand, text *prose, size int64) error {
	var inserts [3]*sql.Stmt
	for i, q := range []string{
		`INSERT INTO embeddings VALUES (?, ?, ?, ?)`,
		`INSERT INTO embedding_metadata VALUES (?, ?, ?)`,
		`INSERT INTO embeddings_queue VALUES (?, ?, ?, ?)`,
	} {
		stmt, err := tx.Prepare(q)
		if err != nil {
			return err
		}
		defer stmt.Close()
		inserts[i] = stmt
	}
	const checkEvery = 200
	for row := int64(1); ; row++ {
		if row%checkEvery == 0 {
			var bytes int64
			if err := tx.QueryRow("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size").Scan(&bytes); err != nil || bytes >= size {
				return err
			}
		}
		id := fmt.Sprintf("mem_%08x%012x", row, rng.Uint64()>>16)
		document := text.text(200 + rng.IntN(1200))
		metadata := fmt.Sprintf(`{"chroma:document": %q, "topic": %q}`, document, text.word())
		vector := appendVector(nil, rng)
		_, err1 := inserts[0].Exec(row, segmentID, id, row)
		_, err2 := inserts[1].Exec(row, "chroma:document", document)
		_, err3 := inserts[2].Exec(row, id, vector, metadata)
		if err := errors.Join(err1, err2, err3); err != nil {
			return err
		}
	}
}

// hnsw makes the files of a vector index as hnswlib keeps it for Chroma.
func (m *maker) hnsw(size int64) []job {
	p := m.part("HNSW vector index", false)
	const dir = "data/index/hnsw/"
	n := int(size / elementSize)
	return []job{
		func() error { return m.write(p, dir+"data_level0.bin", elements(m.random(dir+"data_level0.bin"), n)) },
		func() error { return m.write(p, dir+"header.bin", make([]byte, 100)) },
		func() error {
			return m.write(p, dir+"length.bin", lengths(m.random(dir+"length.bin"), n))
		},
		func() error {
			return m.write(p, dir+"index_metadata.pickle", pickle(m.random(dir+"index_metadata.pickle"), n))
		},
	}
}

func elements(rng *rand.Rand, n int) []byte {
	out := make([]byte, 0, n*elementSize)
	for i := range n {
		links := 8 + rng.IntN(25)
		out = binary.LittleEndian.AppendUint32(out, uint32(links))
		for l := range 32 {
			link := 0
			if l < links {
				link = rng.IntN(n)
			}
			out = binary.LittleEndian.AppendUint32(out, uint32(link))
		}
		out = appendVector(out, rng)
		out = binary.LittleEndian.AppendUint64(out, uint64(i))
	}
	return out
}

func lengths(rng *rand.Rand, n int) []byte {
	out := make([]byte, 0, 4*n)
	for range n {
		out = binary.LittleEndian.AppendUint32(out, uint32(rng.IntN(64)))
	}
	return out
}

// pickle is the table of ids and labels in Python's format, protocol 3.
func pickle(rng *rand.Rand, n int) []byte {
	out := []byte{0x80, 3, '}', '('}
	for i := range n {
		id := fmt.Sprintf("mem_%08x%012x", i, rng.Uint64()>>16)
		out = append(out, 'X')
		out = binary.LittleEndian.AppendUint32(out, uint32(len(id)))
		out = append(append(out, id...), 'J')
		out = binary.LittleEndian.AppendUint32(out, uint32(i))
	}
	return append(out, 'u', '.')
}
