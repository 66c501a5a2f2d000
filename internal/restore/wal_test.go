package restore

import (
	"testing"

	"gotest.tools/v3/assert"
)

// TestNoStaleLogOfADatabaseStaysBesideTheRestoredOne: a database would replay on top of its restored content what a log of the time after
// the backup holds. It goes with a whole restore, and with one of the database by its path.
func TestNoStaleLogOfADatabaseStaysBesideTheRestoredOne(t *testing.T) {
	for _, paths := range [][]string{nil, {"store/notes.db"}} {
		b := newBed(t)
		root := b.source("data")
		write(t, root, "store/notes.db", "SQLite format 3\x00 before", "store/other", "1")
		path := b.backup(t)
		write(t, root, "store/notes.db", "SQLite format 3\x00 after, longer", "store/notes.db-wal", "later rows", "store/notes.db-shm", "index", "store/other", "2")
		req := b.request(t, path)
		req.Paths = paths
		b.do(t, req)
		assert.Equal(t, read(t, root, "store/notes.db"), "SQLite format 3\x00 before", "%v", paths)
		for _, part := range []string{"-wal", "-shm"} {
			assert.Assert(t, !exists(root+"/store/notes.db"+part), "--path %v: notes.db%s stays beside a database that it does not belong to", paths, part)
		}
		assert.Equal(t, read(t, root, "store/other"), map[bool]string{true: "1", false: "2"}[paths == nil])
		b.do(t, b.undoRequest(t))
		assert.Equal(t, read(t, root, "store/notes.db-wal")+read(t, root, "store/notes.db-shm"), "later rowsindex")
		assert.Equal(t, read(t, root, "store/notes.db"), "SQLite format 3\x00 after, longer")
	}
}
