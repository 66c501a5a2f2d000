package main

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// keep is how many rows a database has at most: old ones go in the transaction in which new ones come, so that one copy never grows.
const keep = 3000

// rows adds rows 1, 2, 3 … to a database, three in each transaction and an account of them in another table.
func rows(ctx context.Context, dir, journal string) error {
	db, err := open(filepath.Join(dir, journal+".db"), journal)
	if err != nil {
		return err
	}
	defer db.Close()
	for _, statement := range []string{
		"CREATE TABLE IF NOT EXISTS memories (n INTEGER PRIMARY KEY, text TEXT)",
		"CREATE TABLE IF NOT EXISTS account (id INTEGER PRIMARY KEY CHECK (id = 1), first INTEGER, last INTEGER)",
		"CREATE INDEX IF NOT EXISTS by_text ON memories (text)",
		"INSERT OR IGNORE INTO account VALUES (1, 1, 0)",
	} {
		if _, err := db.Exec(statement); err != nil {
			return err
		}
	}
	for ctx.Err() == nil {
		if err := addRows(db); err != nil {
			return err
		}
	}
	return db.Close()
}

// open opens a database with one connection. Every page that changes is written at once: the cache is small.
func open(path, journal string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode("+journal+")&_pragma=busy_timeout(5000)&_pragma=cache_size(20)&_pragma=wal_autocheckpoint(50)")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

func addRows(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // of no effect after the commit
	var first, last int64
	if err := tx.QueryRow("SELECT first, last FROM account").Scan(&first, &last); err != nil {
		return err
	}
	for range 3 {
		last++
		if _, err := tx.Exec("INSERT INTO memories VALUES (?, hex(randomblob(200)))", last); err != nil {
			return err
		}
	}
	first = max(first, last-keep)
	if _, err := tx.Exec("DELETE FROM memories WHERE n < ?", first); err != nil {
		return err
	}
	if _, err := tx.Exec("UPDATE account SET first = ?, last = ?", first, last); err != nil {
		return err
	}
	return tx.Commit()
}

// sound checks a copy of a database as a program would find it that opens it: SQLite itself rolls back or takes in what the journal
// or the write-ahead log beside it says.
func sound(path string) (int64, error) {
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		return 0, err
	}
	defer db.Close()
	var word string
	if err := db.QueryRow("PRAGMA integrity_check").Scan(&word); err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	if word != "ok" {
		return 0, fmt.Errorf("%s is torn: %s", path, word)
	}
	var first, last, count, lowest, highest int64
	err = db.QueryRow("SELECT a.first, a.last, count(m.n), min(m.n), max(m.n) FROM account a, memories m").Scan(&first, &last, &count, &lowest, &highest)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	if count != highest-lowest+1 || lowest != first || highest != last {
		return 0, fmt.Errorf("%s is torn: %d rows from %d to %d, accounted for %d to %d", path, count, lowest, highest, first, last)
	}
	return last, nil
}
