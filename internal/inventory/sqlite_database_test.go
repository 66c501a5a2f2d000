package inventory

import (
	"bytes"
	"context"
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"gotest.tools/v3/assert"
)

func itoa(n int) string { return strconv.Itoa(n) }

// openDatabase copies a database and opens the copy; Close removes it again.
func openDatabase(ctx context.Context, s *Subject, o Options) (*database, error) {
	c, err := copyDatabase(ctx, s, o)
	if err != nil {
		return nil, err
	}
	return c.open(ctx)
}

// opened opens a database of a folder and sees that nothing of the copy stays.
func opened(t *testing.T, f folder, name string) *database {
	t.Helper()
	o := Options{Scratch: t.TempDir()}
	d, err := openDatabase(t.Context(), f.subject(name), o)
	assert.NilError(t, err)
	t.Cleanup(func() {
		assert.NilError(t, d.Close())
		left, err := os.ReadDir(o.Scratch)
		assert.NilError(t, err)
		assert.Equal(t, len(left), 0)
	})
	return d
}

func value(t *testing.T, d *database, query string) driver.Value {
	t.Helper()
	v, err := d.Value(t.Context(), query)
	assert.NilError(t, err)
	return v
}

func TestAHotJournalIsRolledBackOnTheCopy(t *testing.T) {
	f := written(t, "m.db", slices.Concat(memories, hot)...)
	before := bytes.Clone(f["m.db"])
	d := opened(t, f, "m.db")
	assert.Assert(t, d.journal > 0)
	assert.Equal(t, value(t, d, "SELECT count(*) FROM memories"), int64(2000))
	assert.Equal(t, value(t, d, "SELECT count(*) FROM memories WHERE text LIKE 'lost%'"), int64(0))
	assert.DeepEqual(t, f["m.db"], before)
}

func TestAWriteAheadLogIsTakenInOnTheCopy(t *testing.T) {
	d := opened(t, written(t, "m.db", slices.Concat(memories, ahead)...), "m.db")
	assert.Assert(t, d.wal > 0)
	assert.Equal(t, value(t, d, "SELECT count(*) FROM memories WHERE text LIKE 'kept%'"), int64(1000))
}

func TestACopyIsPrivate(t *testing.T) {
	d := opened(t, written(t, "m.db", memories...), "m.db")
	for path, mode := range map[string]os.FileMode{d.dir: 0o700, d.path(): 0o600} {
		info, err := os.Stat(path)
		assert.NilError(t, err)
		assert.Equal(t, info.Mode().Perm(), mode, path)
	}
}

func TestNothingOfACopyStaysWhenItFails(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	broken := written(t, "m.db", memories...)
	copy(broken["m.db"], "something else")
	for name, in := range map[string]struct {
		ctx context.Context
		f   folder
	}{
		"the context ends":  {ended, written(t, "m.db", memories...)},
		"it is no database": {t.Context(), broken},
	} {
		t.Run(name, func(t *testing.T) {
			o := Options{Scratch: t.TempDir()}
			_, err := openDatabase(in.ctx, in.f.subject("m.db"), o)
			assert.Assert(t, err != nil)
			left, err := os.ReadDir(o.Scratch)
			assert.NilError(t, err)
			assert.Equal(t, len(left), 0)
		})
	}
}

func TestALiveDatabaseIsCopiedUntilItRests(t *testing.T) {
	f := written(t, "m.db", memories...)
	for looks, want := range map[int]error{copyTries - 1: nil, copyTries: errBusy} {
		s := f.subject("m.db")
		s.Open = func(context.Context) (File, error) { return memory{bytes.NewReader(f["m.db"]), &looks}, nil }
		d, err := openDatabase(t.Context(), s, Options{Scratch: t.TempDir(), Live: true})
		assert.ErrorIs(t, err, want)
		if err == nil {
			assert.NilError(t, d.Close())
		}
	}
}

func TestAJournalThatComesWhileTheDatabaseIsCopiedIsCopiedToo(t *testing.T) {
	f := written(t, "m.db", slices.Concat(memories, hot)...)
	s := f.subject("m.db")
	looks := 0
	s.Sibling = func(name string) *Subject {
		if looks++; looks < 3 {
			return nil
		}
		return f.subject(name)
	}
	d, err := openDatabase(t.Context(), s, Options{Scratch: t.TempDir(), Live: true})
	assert.NilError(t, err)
	assert.Equal(t, value(t, d, "SELECT count(*) FROM memories"), int64(2000))
	assert.NilError(t, d.Close())
}

func TestAViewIsNotRun(t *testing.T) {
	d := opened(t, written(t, "m.db", append(memories, "CREATE VIEW v AS SELECT * FROM memories")...), "m.db")
	_, err := d.Value(t.Context(), "SELECT count(*) FROM v")
	assert.ErrorContains(t, err, "prohibited")
}

func TestNothingCanBeWrittenOrAttached(t *testing.T) {
	d := opened(t, written(t, "m.db", memories...), "m.db")
	other := filepath.Join(t.TempDir(), "other.db")
	for _, statement := range []string{"DELETE FROM memories", "ATTACH '" + other + "' AS other", "SELECT load_extension('x')"} {
		err := d.Query(t.Context(), statement, func([]driver.Value) error { return nil })
		assert.Assert(t, err != nil, statement)
	}
}

func TestAnEndlessStatementEnds(t *testing.T) {
	d := opened(t, written(t, "m.db", memories...), "m.db")
	const endless = "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM c) SELECT count(*) FROM c"
	d.patience = 1
	_, err := d.Value(t.Context(), endless)
	assert.ErrorIs(t, err, errEndless)

	d.patience = patience
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err = d.Query(ctx, "SELECT 1 UNION ALL SELECT 2", func([]driver.Value) error { cancel(); return nil })
	assert.ErrorIs(t, err, context.Canceled)
}

func TestAHugeValueIsRefused(t *testing.T) {
	d := opened(t, written(t, "m.db", "CREATE TABLE t(b)", "INSERT INTO t VALUES (zeroblob("+itoa(mostValue+1)+"))"), "m.db")
	_, err := d.Value(t.Context(), "SELECT b FROM t")
	status, text, ok := faulty(err)
	assert.Assert(t, ok)
	assert.Equal(t, status, Unchecked)
	assert.Equal(t, text, "string or blob too big")
}

// commonJournal appends the record of a transaction over several databases.
func commonJournal(journal []byte, name string) []byte {
	sum := uint32(0)
	for _, c := range []byte(name) {
		sum += uint32(int32(int8(c)))
	}
	journal = append(journal, 0, 0, 0, 0)
	journal = append(journal, name...)
	journal = binary.BigEndian.AppendUint32(journal, uint32(len(name)))
	journal = binary.BigEndian.AppendUint32(journal, sum)
	return append(journal, journalMagic...)
}

// SQLite follows the name of the common journal to wherever it leads, and removes the file in the end.
func TestACommonJournalIsNeverFollowed(t *testing.T) {
	victim := filepath.Join(t.TempDir(), "victim-mj12345678")
	for name, want := range map[string]int64{"it is there": 2000, "it is gone, so the transaction is committed": 0} {
		t.Run(name, func(t *testing.T) {
			assert.NilError(t, os.WriteFile(victim, []byte("/m.db-journal\x00"), 0o600))
			f := written(t, "m.db", slices.Concat(memories[:1], memories[2:], []string{"--", "PRAGMA cache_size=2", "BEGIN", "DELETE FROM memories"})...)
			f["m.db-journal"] = commonJournal(f["m.db-journal"], victim)
			if want > 0 {
				f[filepath.Base(victim)] = []byte("m.db-journal\x00")
			}
			d := opened(t, f, "m.db")
			assert.Equal(t, d.settled, want == 0)
			got, err := d.Value(t.Context(), "SELECT count(*) FROM memories")
			if want > 0 {
				assert.NilError(t, err)
				assert.Equal(t, got, want)
			}
			_, err = os.Stat(victim)
			assert.NilError(t, err)
		})
	}
}

func TestACopyNeedsRoom(t *testing.T) {
	err := room(t.TempDir(), []part{{file: huge{}}})
	var no *roomError
	assert.Assert(t, errors.As(err, &no))
	assert.Assert(t, no.need > no.free)
}

// huge claims to be as large as a file can be.
type huge struct{ File }

func (huge) Size() int64 { return 1 << 60 }
