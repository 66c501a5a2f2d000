package inventory

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
)

// looked validates a file of a folder where it is claimed, and sees that nothing in the folder changes.
func looked(t *testing.T, f folder, name string, depth Depth) *Recorder {
	t.Helper()
	before := folder{}
	for name, data := range f {
		before[name] = bytes.Clone(data)
	}
	r := NewRecorder("data", Options{Depth: depth, Scratch: t.TempDir()}, Calls{})
	if s := f.subject(name); (sqliteFiles{}).Claims(s) || (sqliteFiles{}).Companion(name) {
		assert.NilError(t, sqliteFiles{}.Validate(t.Context(), s, r))
	}
	assert.Assert(t, maps.EqualFunc(f, before, bytes.Equal), "a file was changed")
	return r
}

// found are the findings, each on a line: CHECK STATUS OBJECT: TEXT.
func found(r *Recorder) string {
	var b strings.Builder
	for _, res := range r.Results() {
		for _, f := range res.Findings {
			fmt.Fprintf(&b, "%s %s %s: %s\n", f.Check, f.Status, f.Object, f.Text)
		}
	}
	return b.String()
}

// page is the offset of a page that begins a b-tree of this kind (0x0d: rows, 0x0a: entries of an index), the nth of them.
func page(t *testing.T, data []byte, kind byte, nth int) int {
	t.Helper()
	size := int(binary.BigEndian.Uint16(data[16:]))
	for at := size; at < len(data); at += size {
		if data[at] == kind && binary.BigEndian.Uint16(data[at+3:]) > 3 {
			if nth == 0 {
				return at
			}
			nth--
		}
	}
	t.Fatal("no such page")
	return 0
}

// searchable is a database with a full-text index.
var searchable = []string{
	"CREATE VIRTUAL TABLE said USING fts5(text)",
	"INSERT INTO said SELECT 'what was said on day ' || value FROM json_each('[" + strings.Repeat("1,2,3,4,5,6,7,8,9,", 60) + "0]')",
}

func TestEachDamageOfADatabaseIsNamed(t *testing.T) {
	const name = "m.sqlite3"
	for title, c := range map[string]struct {
		made  []string
		spoil func(t *testing.T, f folder, data []byte) []byte
		depth Depth
		want  string // in the findings
	}{
		"cut by 100 bytes":       {memories, func(_ *testing.T, _ folder, b []byte) []byte { return b[:len(b)-100] }, Quick, "databases.header damaged : is cut: has"},
		"cut in half":            {memories, func(_ *testing.T, _ folder, b []byte) []byte { return b[:len(b)/2/4096*4096] }, Quick, "databases.header damaged : is cut: has"},
		"cut in its header":      {memories, func(_ *testing.T, _ folder, b []byte) []byte { return b[:60] }, Quick, "is cut: ends after 60 bytes, in its header"},
		"cut in its magic":       {memories, func(_ *testing.T, _ folder, b []byte) []byte { return b[:9] }, Quick, "is cut: ends after 9 bytes"},
		"emptied":                {memories, func(_ *testing.T, _ folder, b []byte) []byte { return nil }, Quick, "databases.header warning : is empty"},
		"emptied beside its log": {slices.Concat(memories, ahead), func(_ *testing.T, _ folder, b []byte) []byte { return nil }, Quick, "databases.header damaged : is empty, while"},
		"full of zeros":          {memories, func(_ *testing.T, _ folder, b []byte) []byte { return make([]byte, len(b)) }, Quick, "databases.header damaged : begins with zeros"},
		"first page zeroed":      {memories, zero(0, 4096), Quick, "databases.header damaged : begins with zeros"},
		"one byte of the magic":  {memories, flip(3), Quick, "databases.header damaged : does not begin as"},
		"magic overwritten":      {memories, zero(0, 16), Quick, "databases.header damaged : does not begin as"},
		"page size":              {memories, flip(16), Quick, "databases.header damaged : its header says pages of"},
		"payload fraction":       {memories, flip(21), Quick, "payload fractions"},
		"text encoding":          {memories, flip(56), Quick, "text encoding"},
		"more pages in the header": {memories, func(_ *testing.T, _ folder, b []byte) []byte {
			binary.BigEndian.PutUint32(b[28:], binary.BigEndian.Uint32(b[28:])+7)
			return b
		}, Quick, "databases.header damaged : is cut: has"},
		"garbage at the end": {memories, func(_ *testing.T, _ folder, b []byte) []byte { return append(b, "garbage"...) }, Quick, "databases.header warning : has 7 bytes behind"},
		"page of rows zeroed": {memories, func(t *testing.T, _ folder, b []byte) []byte {
			at := page(t, b, 0x0d, 4)
			clear(b[at : at+4096])
			return b
		}, Quick, "databases.integrity damaged memories: Tree"},
		"byte in the pointers of a page": {memories, func(t *testing.T, _ folder, b []byte) []byte {
			b[page(t, b, 0x0d, 4)+8] ^= 0xff
			return b
		}, Quick, "databases.integrity damaged memories: Tree"},
		"byte in an indexed text": {memories, func(t *testing.T, _ folder, b []byte) []byte {
			at := page(t, b, 0x0d, 4)
			b[at+bytes.Index(b[at:], []byte("memory "))] ^= 1
			return b
		}, Quick, "databases.integrity damaged memories: row"},
		"page of an index zeroed": {memories, func(t *testing.T, _ folder, b []byte) []byte {
			at := page(t, b, 0x0a, 2)
			clear(b[at : at+4096])
			return b
		}, Quick, "databases.integrity damaged memories:"},
		"journal lost": {slices.Concat(memories, hot), func(_ *testing.T, f folder, b []byte) []byte {
			delete(f, name+"-journal")
			return b
		}, Quick, "databases.integrity damaged memories:"},
		"journal cut": {slices.Concat(memories, hot), func(_ *testing.T, f folder, b []byte) []byte {
			f[name+"-journal"] = f[name+"-journal"][:20000]
			return b
		}, Quick, "databases.journal damaged : its journal is broken: of a transaction,"},
		"byte in a page of the journal": {slices.Concat(memories, hot), func(_ *testing.T, f folder, b []byte) []byte {
			f[name+"-journal"][512+4+4096-200] ^= 1
			return b
		}, Quick, "databases.journal damaged : its journal is broken: of a transaction, 0 pages of"},
		"header of the journal": {slices.Concat(memories, hot), func(_ *testing.T, f folder, b []byte) []byte {
			f[name+"-journal"][26] = 3
			return b
		}, Quick, "databases.journal damaged : its journal has a broken header"},
		"magic of the journal": {slices.Concat(memories, hot), func(_ *testing.T, f folder, b []byte) []byte {
			f[name+"-journal"][2] ^= 1
			return b
		}, Quick, "databases.journal damaged : its journal has a broken header"},
		"journal cut in its header": {slices.Concat(memories, hot), func(_ *testing.T, f folder, b []byte) []byte {
			f[name+"-journal"] = f[name+"-journal"][:20]
			return b
		}, Quick, "databases.journal damaged : its journal has a broken header"},
		"byte in the write-ahead log": {slices.Concat(memories, ahead), func(_ *testing.T, f folder, b []byte) []byte {
			f[name+"-wal"][walHeaderSize+walFrameSize+2000] ^= 1
			return b
		}, Quick, "databases.journal warning : its write-ahead log is broken at page 1 of"},
		"header of the write-ahead log": {slices.Concat(memories, ahead), func(_ *testing.T, f folder, b []byte) []byte {
			f[name+"-wal"][17] ^= 1
			return b
		}, Quick, "databases.journal damaged : its write-ahead log has a broken header"},
		"a reference to nothing": {[]string{
			"CREATE TABLE p(id INTEGER PRIMARY KEY)", "CREATE TABLE c(p REFERENCES p(id))", "INSERT INTO c VALUES (1), (2)",
		}, func(_ *testing.T, _ folder, b []byte) []byte { return b }, Quick, "databases.foreignkeys warning c: 2 rows refer to rows of p that do not exist, first that with rowid 1"},
		"full-text index":               {append(searchable, "DELETE FROM said_data WHERE id > 10"), func(_ *testing.T, _ folder, b []byte) []byte { return b }, Full, "databases.fts damaged said:"},
		"text behind a full-text index": {append(searchable, "UPDATE said_content SET c0 = 'other words' WHERE id = 7"), func(_ *testing.T, _ folder, b []byte) []byte { return b }, Full, "databases.fts damaged said:"},
		"a page of no table":            {append(memories, "PRAGMA writable_schema=ON", "DELETE FROM sqlite_schema WHERE name = 'by_text'"), func(_ *testing.T, _ folder, b []byte) []byte { return b }, Full, "never used"},
	} {
		t.Run(title, func(t *testing.T) {
			f := written(t, name, c.made...)
			f[name] = c.spoil(t, f, f[name])
			got := found(looked(t, f, name, c.depth))
			assert.Assert(t, strings.Contains(got, c.want), "found: %s", got)
		})
	}
}

func flip(at int) func(*testing.T, folder, []byte) []byte {
	return func(_ *testing.T, _ folder, b []byte) []byte {
		b[at] ^= 0x55
		return b
	}
}

func zero(from, to int) func(*testing.T, folder, []byte) []byte {
	return func(_ *testing.T, _ folder, b []byte) []byte {
		clear(b[from:to])
		return b
	}
}

func TestALogWithoutItsDatabaseIsNamed(t *testing.T) {
	f := written(t, "m.db", slices.Concat(memories, ahead)...)
	assert.Equal(t, found(looked(t, f, "m.db-wal", Quick)), "")
	delete(f, "m.db")
	assert.Equal(t, found(looked(t, f, "m.db-wal", Quick)), "databases.journal damaged : is the write-ahead log of m.db, which is missing\n")

	for i := range f["m.db-wal"][walHeaderSize+24:][:100] {
		f["m.db-wal"][walHeaderSize+24+i] = 0xa7
	}
	assert.Equal(t, found(looked(t, f, "m.db-wal", Quick)), "", "the log of an encrypted database")

	f = written(t, "m.db", slices.Concat(memories, hot)...)
	delete(f, "m.db")
	assert.Equal(t, found(looked(t, f, "m.db-journal", Quick)), "databases.journal warning : is the journal of a transaction in m.db, which is missing\n")
}

func TestAHealthyDatabaseRaisesNoAlarm(t *testing.T) {
	made := map[string][]string{
		"fresh":             {"CREATE TABLE t(a)"},
		"memories":          memories,
		"vacuumed":          append(memories, "DELETE FROM memories WHERE id % 2", "VACUUM"),
		"with free pages":   append(memories, "DELETE FROM memories WHERE id > 100"),
		"hot journal":       slices.Concat(memories, hot),
		"write-ahead log":   slices.Concat(memories, ahead),
		"log begun anew":    slices.Concat(memories, ahead, []string{"PRAGMA wal_checkpoint(RESTART)", "DELETE FROM memories WHERE id = 5"}),
		"log rolled back":   slices.Concat(memories, ahead[:3], []string{"PRAGMA cache_size=10", "BEGIN", "UPDATE memories SET text = 'not ' || text", "ROLLBACK", "DELETE FROM memories WHERE id = 5"}),
		"checkpointed":      append(memories, "PRAGMA journal_mode=WAL", "DELETE FROM memories WHERE id > 5", "PRAGMA wal_checkpoint(TRUNCATE)", "--"),
		"persisted journal": append(memories, "PRAGMA journal_mode=PERSIST", "DELETE FROM memories WHERE id > 5", "--"),
		"auto_vacuum":       slices.Concat([]string{"PRAGMA auto_vacuum=FULL"}, memories, []string{"DELETE FROM memories WHERE id > 10"}),
		"without rowid":     {"CREATE TABLE t(a TEXT, b INT, PRIMARY KEY(a, b)) WITHOUT ROWID", "INSERT INTO t VALUES ('x', 1), ('y', 2)"},
		"generated columns": {"CREATE TABLE t(a, b AS (a * 2), c AS (a + 1) STORED)", "INSERT INTO t VALUES (1), (2)"},
		"strict":            {"CREATE TABLE t(a INTEGER, b ANY) STRICT", "INSERT INTO t VALUES (1, x'00')"},
		"fts5":              searchable,
		"rtree":             {"CREATE VIRTUAL TABLE r USING rtree(id, a, b)", "INSERT INTO r VALUES (1, 2, 3)"},
		"UTF-16":            slices.Concat([]string{"PRAGMA encoding='UTF-16le'"}, memories),
		"partial index":     append(memories, "CREATE INDEX p ON memories(text) WHERE id > 1000", "CREATE INDEX e ON memories(length(text))"),
		"parent never made": {"CREATE TABLE c(p REFERENCES absent(id))", "INSERT INTO c VALUES (1)"},
		"views, triggers":   append(memories, "CREATE VIEW v AS SELECT * FROM missing", "CREATE TRIGGER g DELETE ON memories BEGIN SELECT 1; END"),
		"odd names":         {`CREATE TABLE "a ""b"" (c) ä"("x ""y" TEXT PRIMARY KEY, rowid)`, `INSERT INTO "a ""b"" (c) ä" VALUES ('k', 1)`},
		"another function":  append(memories, "PRAGMA writable_schema=ON", "INSERT INTO sqlite_schema VALUES ('table', 'v', 'v', 0, 'CREATE VIRTUAL TABLE v USING vec0(a float[3])')"),
	}
	for size := leastPage; size <= mostPage; size *= 2 {
		made[fmt.Sprintf("pages of %d", size)] = slices.Concat([]string{"PRAGMA page_size=" + itoa(size)}, memories)
	}
	for title, statements := range made {
		for _, depth := range []Depth{Quick, Full} {
			t.Run(title+" "+string(depth), func(t *testing.T) {
				r := looked(t, written(t, "m.db", statements...), "m.db", depth)
				assert.Equal(t, found(r), "")
				assert.Assert(t, len(r.Results()) > 0)
				assert.Assert(t, len(r.Collections()) > 0 || title == "rtree")
			})
		}
	}
}

// Some programs let a database grow in big steps.
func TestADatabaseThatGrewAheadRaisesNoAlarm(t *testing.T) {
	f := written(t, "m.db", memories...)
	f["m.db"] = append(f["m.db"], make([]byte, 1<<20)...)
	assert.Equal(t, found(looked(t, f, "m.db", Full)), "")
}

// TestAJournalThatHasOnlyBegunRaisesNoAlarm: its mark and count stay zero until all else of it is on the disk, and the database is touched
// after that alone.
func TestAJournalThatHasOnlyBegunRaisesNoAlarm(t *testing.T) {
	begun := written(t, "j.db", slices.Concat(memories, hot)...)["j.db-journal"]
	clear(begun[:journalBegun])
	assert.Assert(t, !allZero(begun[:journalHeaderSize]))
	f := written(t, "m.db", memories...)
	f["m.db-journal"] = begun
	assert.Equal(t, found(looked(t, f, "m.db", Full)), "")
}

func TestAWriteAheadLogThatEndsTornRaisesNoAlarm(t *testing.T) {
	f := written(t, "m.db", slices.Concat(memories, ahead)...)
	log := f["m.db-wal"]
	log[len(log)-50] ^= 1
	assert.Equal(t, found(looked(t, f, "m.db", Full)), "")
}

func TestWhatIsNoDatabaseIsNotClaimed(t *testing.T) {
	for name, data := range map[string][]byte{
		"encrypted.db": bytes.Repeat([]byte{0xa7, 0x13, 0x5c}, 4096),
		"Thumbs.db":    append([]byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), make([]byte, 4096)...),
		"berkeley.db":  append(make([]byte, 12), append([]byte{0x61, 0x15, 6, 0}, make([]byte, 4096)...)...),
		"memory.json":  []byte(`{"id": 1}`),
		"zeros.bin":    make([]byte, 4096),
		"empty.json":   nil,
	} {
		assert.Assert(t, !(sqliteFiles{}).Claims(folder{name: data}.subject(name)), name)
	}
}

func TestADotDBFullOfZerosIsDoubted(t *testing.T) {
	got := found(looked(t, folder{"m.db": make([]byte, 8192)}, "m.db", Quick))
	assert.Equal(t, got, "databases.header warning : begins with zeros where the header of a SQLite database stood\n")
}

func TestADotDBWhoseFirstPageIsZeroedIsDamaged(t *testing.T) {
	f := written(t, "m.db", memories...)
	clear(f["m.db"][:4096])
	got := found(looked(t, f, "m.db", Quick))
	assert.Equal(t, got, "databases.header damaged : begins with zeros where the header of a SQLite database stood\n")
}

// It may be encrypted, or overwritten.
func TestWhatIsADatabaseByItsNameAloneIsNotChecked(t *testing.T) {
	const want = "not checked : does not begin as a SQLite database does: it is encrypted, or its beginning is lost\n"
	f := written(t, "m.sqlite3", memories...)
	copy(f["m.sqlite3"], bytes.Repeat([]byte{0xa7, 0x13, 0x5c}, 1365))
	assert.Equal(t, found(looked(t, f, "m.sqlite3", Full)), "databases.header "+want)
	r := NewRecorder("data", Options{Checks: []string{checkFTS.ID}}, Calls{})
	assert.NilError(t, sqliteFiles{}.Validate(t.Context(), f.subject("m.sqlite3"), r))
	assert.Equal(t, found(r), "databases.fts "+want)
}

func TestEachTableIsCounted(t *testing.T) {
	statements := slices.Concat(memories, searchable, []string{
		"CREATE TABLE pairs(a TEXT, b INT, PRIMARY KEY(b, a)) WITHOUT ROWID", "INSERT INTO pairs VALUES ('x', 1), ('y', 2)",
	})
	tables := looked(t, written(t, "m.db", statements...), "m.db", Quick).Collections()
	names := []string{}
	for _, c := range tables {
		names = append(names, fmt.Sprintf("%s %s %d", c.Kind, c.Name, c.Records))
		assert.Assert(t, c.IDs != "" && c.Content != "")
	}
	assert.DeepEqual(t, names, []string{"sqlite m.db#memories 2000", "sqlite m.db#pairs 2", "sqlite m.db#said 541"})

	vacuumed := looked(t, written(t, "m.db", append(statements, "VACUUM")...), "m.db", Full).Collections()
	assert.DeepEqual(t, vacuumed, tables)

	changed := looked(t, written(t, "m.db", append(statements, "UPDATE memories SET text = 'x' WHERE id = 3")...), "m.db", Quick).Collections()
	assert.Equal(t, changed[0].IDs, tables[0].IDs)
	assert.Assert(t, changed[0].Content != tables[0].Content)
}

func TestTheIdOfARowIsItsKey(t *testing.T) {
	f := written(t, "m.db",
		"CREATE TABLE n(id INTEGER PRIMARY KEY, d DATE)", "INSERT INTO n VALUES (-5, '2026-01-01')",
		"CREATE TABLE t(id TEXT PRIMARY KEY)", "INSERT INTO t VALUES ('a,\"b')",
		"CREATE TABLE p(a, b, PRIMARY KEY(b, a))", "INSERT INTO p VALUES (1.5, 'x'), (NULL, x'00')",
		"CREATE TABLE r(a, rowid)", "INSERT INTO r VALUES (1, 2)")
	var ids []string
	r := NewRecorder("data", Options{Depth: Quick, Scratch: t.TempDir()}, Calls{Record: func(one Record) {
		assert.Equal(t, one.File, "m.db")
		ids = append(ids, one.Collection+" "+one.ID)
	}})
	assert.NilError(t, sqliteFiles{}.Validate(t.Context(), f.subject("m.db"), r))
	assert.DeepEqual(t, ids, []string{`m.db#n -5`, `m.db#t a,"b`, `m.db#p "x",1.5`, `m.db#p x"\x00",null`, `m.db#r 1`})
}
