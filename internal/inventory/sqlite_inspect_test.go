package inventory

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/tree"
)

// Walk implements Tree: a folder is also a source that does not change, as one inside an archive.
func (f folder) Walk(_ context.Context, visit func(*tree.Entry, Open) error, _ func(string, error)) error {
	for _, name := range slices.SortedFunc(maps.Keys(f), tree.ComparePaths) {
		if s := f.subject(name); s != nil {
			if err := visit(s.Entry, s.Open); err != nil {
				return err
			}
		}
	}
	return nil
}

// databases is a folder with databases in all states.
func databases(t *testing.T) folder {
	f := folder{"kept/empty.sqlite3": nil}
	add := func(dir string, from folder) {
		for name, data := range from {
			f[dir+"/"+name] = data
		}
	}
	add("hot", written(t, "memory", slices.Concat(memories, hot)...))
	add("ahead", written(t, "m.db", slices.Concat(memories, ahead)...))
	add("cut", written(t, "m.sqlite3", memories...))
	add("lost", written(t, "m.db", slices.Concat(memories, ahead)...))
	f["cut/m.sqlite3"] = f["cut/m.sqlite3"][:5000]
	delete(f, "lost/m.db")
	return f
}

func TestInspectLooksAtDatabasesWithWhatLiesBesideThem(t *testing.T) {
	f := databases(t)
	dir := t.TempDir()
	when := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for name, data := range f {
		to := filepath.Join(dir, name)
		assert.NilError(t, os.MkdirAll(filepath.Dir(to), 0o700))
		assert.NilError(t, os.WriteFile(to, data, 0o600))
		assert.NilError(t, os.Chtimes(to, when, when))
	}
	for kind, source := range map[string]Tree{"archived": f, "live": LiveTree(dir, nil)} {
		t.Run(kind, func(t *testing.T) {
			o := Options{Depth: Full, Scratch: t.TempDir(), Live: kind == "live", Checks: []string{"databases"}}
			report, err := Inspect(t.Context(), "data", source, o, Calls{})
			assert.NilError(t, err)
			var got []string
			for _, r := range report.Results {
				for _, f := range r.Findings {
					got = append(got, f.Check+" "+f.Path+" "+string(f.Status))
				}
			}
			slices.Sort(got)
			assert.DeepEqual(t, slices.Compact(got), []string{
				"databases.header cut/m.sqlite3 damaged",
				"databases.header kept/empty.sqlite3 warning",
				"databases.integrity cut/m.sqlite3 damaged",
				"databases.journal lost/m.db-wal damaged",
			})
			var counted []string
			for _, c := range report.Inventory.Collections {
				counted = append(counted, c.Name+" "+itoa(int(c.Records)))
			}
			assert.DeepEqual(t, counted, []string{"ahead/m.db#memories 1000", "hot/memory#memories 2000"})
		})
	}
	for name, data := range f {
		got, err := os.ReadFile(filepath.Join(dir, name))
		assert.NilError(t, err)
		info, err := os.Stat(filepath.Join(dir, name))
		assert.NilError(t, err)
		assert.Assert(t, bytes.Equal(got, data) && info.ModTime().Equal(when), name)
		entries, err := os.ReadDir(filepath.Join(dir, path.Dir(name)))
		assert.NilError(t, err)
		for _, e := range entries {
			assert.Assert(t, f[path.Dir(name)+"/"+e.Name()] != nil || strings.HasPrefix(e.Name(), "empty"), "%s was made", e.Name())
		}
	}
}

// Each page of the tree leads to the next one again and again, so that its rows have no end.
func TestATreeWithoutEndEnds(t *testing.T) {
	f := written(t, "m.db", "CREATE TABLE memories(id INTEGER PRIMARY KEY, text TEXT)", rows("memories", 20000))
	data := f["m.db"]
	const size, root, levels = 4096, 2, 16
	at := func(page int) []byte { return data[(page-1)*size : page*size] }
	assert.Equal(t, at(root)[0], byte(5), "the root is a page that leads to others")
	for level := range levels {
		page := at(root + level)
		if level > 0 {
			copy(page, at(root))
		}
		next := uint32(root + level + 1)
		binary.BigEndian.PutUint32(page[8:], next)
		for cell := range int(binary.BigEndian.Uint16(page[3:])) {
			pointer := binary.BigEndian.Uint16(page[12+2*cell:])
			binary.BigEndian.PutUint32(page[pointer:], next)
		}
	}
	for _, depth := range []Depth{Quick, Full} {
		got := found(looked(t, f, "m.db", depth))
		assert.Assert(t, strings.Contains(got, "databases.integrity damaged memories: Tree 2"), got)
	}

	d := opened(t, f, "m.db")
	d.patience = 200 * time.Millisecond
	_, err := d.Value(t.Context(), "SELECT count(*) FROM memories")
	assert.ErrorIs(t, err, errEndless)
	schema, err := d.schema(t.Context())
	assert.NilError(t, err)
	d.tables, d.patience = schema, 200*time.Millisecond
	r := NewRecorder("data", Options{}, Calls{})
	assert.NilError(t, d.countTables(t.Context(), "m.db", r))
	assert.Equal(t, len(r.Collections()), 0)
}

func TestADatabaseThatHasNoRoomIsNotChecked(t *testing.T) {
	s := written(t, "m.db", memories...).subject("m.db")
	open := s.Open
	s.Open = func(ctx context.Context) (File, error) {
		file, err := open(ctx)
		return vast{file}, err
	}
	r := NewRecorder("data", Options{Scratch: t.TempDir()}, Calls{})
	assert.NilError(t, sqliteFiles{}.Validate(t.Context(), s, r))
	assert.Assert(t, strings.Contains(found(r), "databases.integrity not checked : a copy to look at needs"), found(r))
}

// A check that was asked for and could not be made must not look as if it had found nothing.
func TestADatabaseThatCannotBeLookedAtIsNotInOrder(t *testing.T) {
	noRoom := written(t, "m.db", memories...).subject("m.db")
	open := noRoom.Open
	noRoom.Open = func(ctx context.Context) (File, error) {
		file, err := open(ctx)
		return vast{file}, err
	}
	garbled := written(t, "m.db", memories...)
	copy(garbled["m.db"], "something else")
	cut := written(t, "m.db", memories...)
	cut["m.db"] = cut["m.db"][:4096]
	clear(cut["m.db"][100:])
	for name, s := range map[string]*Subject{"no room": noRoom, "its beginning": garbled.subject("m.db"), "its schema": cut.subject("m.db")} {
		for _, c := range databaseChecks() {
			r := NewRecorder("data", Options{Depth: Full, Scratch: t.TempDir(), Checks: []string{c.ID}}, Calls{})
			assert.NilError(t, sqliteFiles{}.Validate(t.Context(), s, r))
			assert.Assert(t, Worst(r.Results()) != OK, "%s: %s", name, c.ID)
		}
	}
}

// vast is a file that claims to be as large as a file can be.
type vast struct{ File }

func (vast) Size() int64 { return 1 << 60 }

// What is not known here, a collation or a function, is no damage.
func TestATableThatNeedsWhatIsNotKnownHereIsNotChecked(t *testing.T) {
	f := written(t, "m.db", append(memories, "PRAGMA writable_schema=ON",
		"UPDATE sqlite_schema SET sql = 'CREATE INDEX by_text ON memories(text COLLATE other)' WHERE name = 'by_text'")...)
	for _, depth := range []Depth{Quick, Full} {
		got := found(looked(t, f, "m.db", depth))
		assert.Equal(t, got, "databases.integrity not checked memories: no such collation sequence: other\n")
	}
}

// FuzzSQLite has a database, its journal and its log looked at.
func FuzzSQLite(f *testing.F) {
	small := slices.Concat([]string{"PRAGMA page_size=512", memories[0], memories[1]}, searchable[:1], []string{rows("memories", 50)})
	for _, more := range [][]string{nil, hot, ahead} {
		made := written(f, "m", slices.Concat(small, more)...)
		f.Add(made["m"], made["m-journal"], made["m-wal"], true)
	}
	f.Fuzz(func(t *testing.T, data, journal, log []byte, full bool) {
		const most = 1 << 18
		if len(data)+len(journal)+len(log) > most {
			return
		}
		files := folder{"m.sqlite3": data, "m.sqlite3-journal": journal, "m.sqlite3-wal": log}
		depth := Quick
		if full {
			depth = Full
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		o := Options{Depth: depth, Scratch: t.TempDir()}
		for name := range files {
			r := NewRecorder("data", o, Calls{})
			if err := (sqliteFiles{}).Validate(ctx, files.subject(name), r); errors.Is(err, context.DeadlineExceeded) {
				t.Fatal("hangs")
			}
		}
		left, err := os.ReadDir(o.Scratch)
		assert.NilError(t, err)
		assert.Equal(t, len(left), 0)
	})
}
