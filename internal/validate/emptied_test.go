package validate

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/inventory"
)

// emptiedNow are the files that a folder of these files has lost the records of, since the backups of a shelf.
func (s *shelf) emptiedNow(live map[string]string) string {
	s.t.Helper()
	root := s.t.TempDir()
	for name, content := range live {
		assert.NilError(s.t, os.WriteFile(filepath.Join(root, name), []byte(content), 0o600))
	}
	o := inventory.Options{Scratch: s.t.TempDir(), Depth: inventory.Quick}
	one, err := inventory.Inspect(s.t.Context(), "data", inventory.LiveTree(root, nil), o, inventory.Calls{})
	assert.NilError(s.t, err)
	all, err := s.dir.List(s.t.Context())
	assert.NilError(s.t, err)
	found, err := FindEmptied(s.t.Context(), &Report{Results: one.Results}, all[0], all[1:], o)
	assert.NilError(s.t, err)
	var out []string
	for _, e := range found {
		out = append(out, e.Path)
	}
	return strings.Join(out, " ")
}

const lines = "{\"id\":1}\n{\"id\":2}\n"

func TestAFileOfLinesThatLostItsRecordsIsToldFromOneThatIsEmptiedAsARule(t *testing.T) {
	for _, c := range []struct {
		name    string
		backups [][]string
		want    string
	}{
		{"it had records", [][]string{{"data/m.jsonl", lines}}, "m.jsonl"},
		{"it was there, and empty", [][]string{{"data/m.jsonl", lines}, {"data/m.jsonl", ""}}, ""},
		{"it was not there", [][]string{{"data/x", "1"}}, ""},
		{"it had no records", [][]string{{"data/m.jsonl", " \n"}}, ""},
		{"it is empty now and then", [][]string{{"data/m.jsonl", ""}, {"data/m.jsonl", lines}}, ""},
		{"it is rotated", [][]string{{"data/m.jsonl", lines, "data/m.jsonl.1", lines}}, ""},
		{"it is rotated by date", [][]string{{"data/m.jsonl", lines, "data/m-2026-11-01.jsonl.gz", "1"}}, ""},
		{"a copy lies beside it", [][]string{{"data/m.jsonl", lines, "data/m.jsonl.bak", lines}}, "m.jsonl"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newShelf(t)
			for _, files := range c.backups {
				s.add(files...)
			}
			assert.Equal(t, s.emptiedNow(map[string]string{"m.jsonl": "", "other.jsonl": lines}), c.want)
		})
	}
}

func TestRotatedFilesAreToldByTheirNames(t *testing.T) {
	for name, want := range map[string]string{
		"a/x.jsonl.1": "a/x.jsonl", "x.jsonl.2.gz": "x.jsonl", "x.ndjson-20260102": "x.ndjson", "x-2026-01-02.jsonl": "x.jsonl", "x.1.jsonl": "x.jsonl",
		"x.jsonl": "", "x.jsonl.bak": "", "x2.jsonl": "", "x.jsonl.": "", "1.jsonl": "", "x.json": "", "x.jsonl~": "",
	} {
		assert.Equal(t, rotatedFrom(name), want, name)
	}
}

func TestWhatWasEmptiedIsDamageThatCanBeMended(t *testing.T) {
	results := []inventory.Result{{Check: kept(), Source: "data", Status: inventory.OK}}
	results = CheckEmptied(results, []Emptied{{Source: "data", Path: "m.jsonl", Backup: "B", Records: 2}, {Source: "gone", Path: "x"}})
	assert.Equal(t, results[0].Status, inventory.Damaged)
	assert.Equal(t, results[0].Findings[0].Text, "holds nothing, and in B it holds 2 records")
	files, person := Repairable(&Report{Results: results})
	assert.DeepEqual(t, files, map[string][]string{"data": {"m.jsonl"}})
	assert.Equal(t, len(person), 0)
}

// TestADatabaseOfZerosIsPassedOver: to bring it back would mend nothing.
func TestADatabaseOfZerosIsPassedOver(t *testing.T) {
	s := newShelf(t)
	s.add("data/n.db", "anything")
	s.add("data/n.db", strings.Repeat("\x00", 4096))
	assert.Equal(t, chosen(s.find(LastGood{Patterns: []string{"n.db"}})), "data/n.db=1")
}
