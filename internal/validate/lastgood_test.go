package validate

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/inventory"
	"github.com/memsys/docker-memsys/internal/progress"
	"github.com/memsys/docker-memsys/internal/store"
	"github.com/memsys/docker-memsys/internal/tree"
)

// shelf is a backups directory of archives that hold whatever a test says.
type shelf struct {
	t   *testing.T
	dir *store.Dir
	n   int
}

func newShelf(t *testing.T) *shelf {
	t.Helper()
	return &shelf{t: t, dir: store.Open(t.TempDir())}
}

func shelfTime(n int) time.Time { return time.Date(2026, 11, n, 10, 0, 0, 0, time.UTC) }

// add writes an archive of the files, SOURCE/PATH and content in turn, and returns its name.
func (s *shelf) add(files ...string) string {
	s.t.Helper()
	s.n++
	root := s.t.TempDir()
	for i := 0; i < len(files); i += 2 {
		at := filepath.Join(root, files[i])
		assert.NilError(s.t, os.MkdirAll(filepath.Dir(at), 0o755))
		assert.NilError(s.t, os.WriteFile(at, []byte(files[i+1]), 0o644))
	}
	name := fmt.Sprintf("memory_backup_202611%02d_100000.tar.gz", s.n)
	f, err := os.Create(filepath.Join(s.dir.Path, name))
	assert.NilError(s.t, err)
	defer f.Close()
	w := archive.NewWriter(f, archive.WriterOptions{})
	m := &archive.Manifest{
		Format: archive.FormatVersion, ID: fmt.Sprintf("%032d", s.n), Sequence: int64(s.n), Created: shelfTime(s.n), Reason: "manual", Complete: true,
		Project: archive.Project{Name: "notes", WorkingDir: "/notes"},
	}
	sources, err := os.ReadDir(root)
	assert.NilError(s.t, err)
	for _, source := range sources {
		prefix := "data/" + source.Name()
		m.Sources = append(m.Sources, archive.Source{Name: source.Name(), Prefix: prefix, Kind: "bind", Path: "/notes/" + source.Name(), SingleFile: !source.IsDir()})
		err := tree.Walk(s.t.Context(), filepath.Join(root, source.Name()), tree.WalkOptions{}, func(ctx context.Context, e *tree.Entry, open tree.Opener) error {
			at := prefix
			if e.Path != "." {
				at += "/" + e.Path
			}
			_, err := w.Add(ctx, at, e, open)
			return err
		})
		assert.NilError(s.t, err)
	}
	_, err = w.Close(s.t.Context(), m)
	assert.NilError(s.t, err)
	return name
}

// find looks for the newest good ones.
func (s *shelf) find(g LastGood) *Found {
	s.t.Helper()
	all, err := s.dir.List(s.t.Context())
	assert.NilError(s.t, err)
	g.Dir, g.Backups, g.Progress, g.Clock = s.dir, all, progress.Discard, func() time.Time { return shelfTime(28) }
	g.Options.Scratch = s.t.TempDir()
	found, err := g.Find(s.t.Context())
	assert.NilError(s.t, err)
	return found
}

// flip changes a byte in the middle of an archive.
func (s *shelf) flip(name string) {
	s.t.Helper()
	path := filepath.Join(s.dir.Path, name)
	data, err := os.ReadFile(path)
	assert.NilError(s.t, err)
	data[len(data)/4] ^= 1
	assert.NilError(s.t, os.WriteFile(path, data, 0o600))
}

// chosen is what was found in words: SOURCE/PATH=BACKUP.
func chosen(f *Found) string {
	var out []string
	for _, u := range f.Units {
		day := "none"
		if u.Backup != "" {
			day = strings.TrimLeft(u.Backup[len("memory_backup_202611"):][:2], "0")
		}
		out = append(out, u.Source+"/"+u.Path+"="+day)
	}
	return strings.Join(out, " ")
}

func TestEachFileComesFromTheNewestBackupThatHasIt(t *testing.T) {
	s := newShelf(t)
	s.add("data/old.bin", "1", "data/deep/b.bin", "1", "other/old.bin", "1")
	s.add("data/a.bin", "2", "data/deep/b.bin", "2")
	s.add("data/a.bin", "3")
	assert.Equal(t, chosen(s.find(LastGood{Patterns: []string{"a.bin", "b.bin", "/old.bin"}, Sources: []string{"data"}})), "data/a.bin=3 data/deep/b.bin=2 data/old.bin=1")
	assert.Equal(t, chosen(s.find(LastGood{Patterns: []string{"old.bin"}})), "data/old.bin=1 other/old.bin=1")
	found := s.find(LastGood{Exact: map[string][]string{"data": {"old.bin", "nope"}}})
	assert.Equal(t, chosen(found), "data/old.bin=1")
	assert.DeepEqual(t, found.Unmatched, []string{"data/nope"})
	assert.Equal(t, len(found.Looked), 3)
}

// TestAGlobMeansWhatTheNewestBackupHas: what was deleted long ago does not come back because a glob matches its name.
func TestAGlobMeansWhatTheNewestBackupHas(t *testing.T) {
	s := newShelf(t)
	s.add("data/m/a.bin", "1", "data/m/deleted.bin", "1")
	s.add("data/m/a.bin", "2", "data/m/b.bin", "2")
	for _, pattern := range []string{"m/**", "m", "m/*.bin"} {
		assert.Equal(t, chosen(s.find(LastGood{Patterns: []string{pattern}})), "data/m/a.bin=2 data/m/b.bin=2", pattern)
	}
}

func TestADamagedArchiveIsPassedOver(t *testing.T) {
	s := newShelf(t)
	s.add("data/a.bin", "1")
	damaged := s.add("data/a.bin", strings.Repeat("2", 100_000), "data/b.bin", "2")
	s.flip(damaged)
	found := s.find(LastGood{Patterns: []string{"a.bin", "b.bin"}})
	if chosen(found) != "data/a.bin=1 data/b.bin=none" {
		assert.Equal(t, chosen(found), "data/a.bin=1") // the flip took the contents table
	}
	assert.Assert(t, strings.Contains(found.Units[0].Passed[0].Why, "damaged"), "%v", found.Units[0].Passed)
	assert.Equal(t, found.Units[0].Passed[0].Backup, damaged)
}

func TestAnEmptyFileComesBackOnlyWhereNoOlderOneHasContent(t *testing.T) {
	s := newShelf(t)
	s.add("data/a.bin", "1", "data/keep", "")
	s.add("data/a.bin", "", "data/keep", "")
	found := s.find(LastGood{Patterns: []string{"a.bin", "keep"}})
	assert.Equal(t, chosen(found), "data/a.bin=1 data/keep=2")
	assert.DeepEqual(t, found.Units[0].Passed, []Passed{{"memory_backup_20261102_100000.tar.gz", "it is empty"}})
}

func TestDamagedDataIsPassedOver(t *testing.T) {
	s := newShelf(t)
	s.add("data/m/a.json", `{"id":"a","text":"one"}`, "data/m/b.json", `{"id":"b"}`)
	s.add("data/m/a.json", `{"id":"a","te`, "data/m/b.json", `{"id":"b"}`)
	found := s.find(LastGood{Patterns: []string{"m"}})
	assert.Equal(t, chosen(found), "data/m/a.json=1 data/m/b.json=2")
	assert.Equal(t, len(found.ByBackup()), 2)
	assert.DeepEqual(t, found.ByBackup()[0][0].Paths, []tree.RawPath{"m/b.json"})
	found = s.find(LastGood{Patterns: []string{"m/a.json"}, Sources: []string{"data"}})
	assert.Equal(t, found.Units[0].Passed[0].Backup, "memory_backup_20261102_100000.tar.gz")
}

func TestWhatStandsBesideADatabaseMeansTheDatabase(t *testing.T) {
	s := newShelf(t)
	page := "SQLite format 3\x00" + strings.Repeat("\x00", 512-16)
	s.add("data/x.bin", page, "data/x.bin-wal", "rows", "data/plain-wal", "1")
	u := &Unit{Source: "data", Path: "x.bin", files: map[string]bool{"x.bin": true}}
	assert.Equal(t, unitOfFinding(inventory.Finding{Path: "x.bin-wal"}, []*Unit{u}), u)
	found := s.find(LastGood{Patterns: []string{"x.bin-wal", "plain-wal"}})
	var paths []string
	for _, u := range found.Units {
		paths = append(paths, u.Path)
	}
	assert.DeepEqual(t, paths, []string{"plain-wal", "x.bin"})
}

func TestASourceThatIsOneFileIsFoundByItsName(t *testing.T) {
	s := newShelf(t)
	s.add("settings.yaml", "a: 1")
	assert.Equal(t, chosen(s.find(LastGood{Patterns: []string{"settings.yaml"}})), "settings.yaml/.=1")
}

// TestADamagedSourceThatIsOneFileIsPassedOver: its findings name no path, for it is the source itself.
func TestADamagedSourceThatIsOneFileIsPassedOver(t *testing.T) {
	s := newShelf(t)
	s.add("notes.json", `{"id":"a"}`)
	s.add("notes.json", `{"id":`)
	files, person := Repairable(&Report{Results: []inventory.Result{{
		Check: inventory.Check{ID: "memories.json"}, Findings: []inventory.Finding{{Status: inventory.Damaged, Source: "notes.json"}},
	}}})
	assert.Equal(t, len(person), 0)
	for _, g := range []LastGood{{Patterns: []string{"notes.json"}}, {Exact: files}} {
		found := s.find(g)
		assert.Equal(t, chosen(found), "notes.json/.=1")
		assert.Equal(t, found.Units[0].Where(), "notes.json")
		assert.Equal(t, len(found.Units[0].Passed), 1)
	}
}

func TestOnlyDamageOfFilesCanBeMended(t *testing.T) {
	of := func(check, path string, status inventory.Status) inventory.Result {
		c := inventory.Check{ID: check}
		return inventory.Result{Check: c, Status: status, Findings: []inventory.Finding{{Check: check, Status: status, Source: "data", Path: path}}}
	}
	files, person := Repairable(&Report{Results: []inventory.Result{
		of("memories.json", "a.json", inventory.Damaged), of("databases.integrity", "a.json", inventory.Damaged), of("vectors.npy", "v.npy", inventory.Damaged),
		of("memories.json", "w.json", inventory.Warning), of("structure.permissions", "secret", inventory.Damaged), of("connections.health", "", inventory.Damaged),
	}})
	assert.DeepEqual(t, files, map[string][]string{"data": {"a.json", "v.npy"}})
	assert.Equal(t, len(person), 2)
}

func TestFewerRecordsThanTheLastGoodBackupHasAreTold(t *testing.T) {
	of := func(all ...inventory.Collection) map[string]inventory.Inventory {
		return map[string]inventory.Inventory{"data": {Collections: all}}
	}
	a, b := inventory.Collection{Kind: "json", Name: "a", Records: 5}, inventory.Collection{Kind: "vector", Name: "b.npy", Records: 3}
	less := a
	less.Records = 4
	all := func(string) bool { return true }
	check := func(now map[string]inventory.Inventory) []string {
		var out []string
		for _, res := range CheckKept(now, Before{Backup: "B", Inventories: of(a, b)}, all) {
			for _, f := range res.Findings {
				out = append(out, f.Object+": "+f.Text)
			}
		}
		return out
	}
	assert.Equal(t, len(check(of(a, b))), 0)
	assert.DeepEqual(t, check(of(less)), []string{"a: has fewer records than B: 4, not 5", "b.npy: is gone with its 3 records: B has it"})
	assert.Equal(t, len(check(map[string]inventory.Inventory{"new": {}})), 0)
	gone := CheckKept(nil, Before{Backup: "B", Inventories: of(a, b), Gone: []string{"data", "never counted"}}, all)
	assert.Equal(t, len(gone), 1)
	assert.Equal(t, gone[0].Findings[0].Text, "is gone, and with it 8 records: B has them")
	assert.Equal(t, len(CheckKept(of(less), Before{Inventories: of(a)}, func(string) bool { return false })), 0)
}

func TestRecordsThatOnlyTheDamagedStoreHasAreCounted(t *testing.T) {
	u := &Unit{Path: "notes.db", Records: map[string]int64{"notes.db#notes": 5}}
	now := inventory.Inventory{Collections: []inventory.Collection{{Kind: "sqlite", Name: "notes.db#notes", Records: 7}, {Kind: "sqlite", Name: "notes.db2#x", Records: 9}}}
	assert.DeepEqual(t, u.Loses(now), []string{"records of notes.db#notes that came since then: 2"})
	assert.Assert(t, slices.Equal(u.Loses(inventory.Inventory{}), nil))
}
