package restore

import (
	"os"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
)

// database is the content of a database: whole pages.
func database(text string) string {
	text = "SQLite format 3\x00 " + text
	return text + strings.Repeat("\x00", 512-len(text))
}

// TestNoStaleLogOfADatabaseStaysBesideTheRestoredOne: a database would replay on top of its restored content what a log of the time after
// the backup holds. It goes with a whole restore, and with one of the database by its path.
func TestNoStaleLogOfADatabaseStaysBesideTheRestoredOne(t *testing.T) {
	for _, paths := range [][]string{nil, {"store/notes.db"}} {
		b := newBed(t)
		root := b.source("data")
		write(t, root, "store/notes.db", database("before"), "store/other", "1")
		path := b.backup(t)
		write(t, root, "store/notes.db", database("after"), "store/notes.db-wal", "later rows", "store/notes.db-shm", "index", "store/other", "2")
		req := b.request(t, path)
		req.Paths = paths
		b.do(t, req)
		assert.Equal(t, read(t, root, "store/notes.db"), database("before"), "%v", paths)
		for _, part := range []string{"-wal", "-shm"} {
			assert.Assert(t, !exists(root+"/store/notes.db"+part), "--path %v: notes.db%s stays beside a database that it does not belong to", paths, part)
		}
		assert.Equal(t, read(t, root, "store/other"), map[bool]string{true: "1", false: "2"}[paths == nil])
		b.do(t, b.undoRequest(t))
		assert.Equal(t, read(t, root, "store/notes.db-wal")+read(t, root, "store/notes.db-shm"), "later rowsindex")
		assert.Equal(t, read(t, root, "store/notes.db"), database("after"))
	}
}

// TestTheLogInTheBackupComesWithItsDatabase, chosen by the database's name, also where nothing of it is here.
func TestTheLogInTheBackupComesWithItsDatabase(t *testing.T) {
	b := newBed(t)
	root := b.source("data")
	write(t, root, "notes.db", database("before"), "notes.db-wal", "rows")
	path := b.backup(t)
	assert.NilError(t, os.Remove(root+"/notes.db"))
	assert.NilError(t, os.Remove(root+"/notes.db-wal"))
	req := b.request(t, path)
	req.Paths = []string{"notes.db"}
	b.do(t, req)
	assert.Equal(t, read(t, root, "notes.db")+read(t, root, "notes.db-wal"), database("before")+"rows")
}

// TestWhatIsOnlyNamedLikeALogStays: beside a folder or a file that is no database it is something of its own, which nobody has asked for.
func TestWhatIsOnlyNamedLikeALogStays(t *testing.T) {
	b := newBed(t)
	root := b.source("data")
	write(t, root, "plan", "1", "plan-journal", "1", "daily/a", "1", "daily-journal", "1")
	path := b.backup(t)
	write(t, root, "plan", "2", "plan-journal", "2", "plan-wal", "2", "daily/a", "2", "daily-journal", "2", "daily-wal", "2", "daily-shm/", "")
	req := b.request(t, path)
	req.Paths = []string{"plan", "daily"}
	b.do(t, req)
	assert.Equal(t, read(t, root, "plan")+read(t, root, "daily/a"), "11")
	for _, name := range []string{"plan-journal", "plan-wal", "daily-journal", "daily-wal"} {
		assert.Assert(t, exists(root+"/"+name), "%s is gone", name)
		assert.Equal(t, read(t, root, name), "2", name)
	}
	assert.Assert(t, exists(root+"/daily-shm"))
}
