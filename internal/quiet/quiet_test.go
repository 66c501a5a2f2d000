package quiet_test

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/quiet"
	"github.com/memsys/docker-memsys/internal/tree"
)

const (
	database = "SQLite format 3\x00"
	journal  = "\xd9\xd5\x05\xf9\x20\xa1\x63\xd7"
)

// put writes a file below dir.
func put(t *testing.T, dir, name, content string) {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(name))
	assert.NilError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	assert.NilError(t, os.WriteFile(path, []byte(content), 0o644))
}

// age sets when a file was changed; its change time stays that of the test.
func age(t *testing.T, dir, name string, at time.Time) {
	t.Helper()
	assert.NilError(t, os.Chtimes(filepath.Join(dir, filepath.FromSlash(name)), at, at))
}

// check is the check at a moment after the test's files were written.
func check(t *testing.T, root string, later time.Duration) []quiet.Unrest {
	t.Helper()
	found, err := quiet.Check(t.Context(), root, quiet.Options{Now: time.Now().Add(later)})
	assert.NilError(t, err)
	return found
}

// TestJSONInTheMiddleOfAChangeIsUnrest: truncated, interleaved, empty, by name and by content, and what is none of that.
func TestJSONInTheMiddleOfAChangeIsUnrest(t *testing.T) {
	long := `{"first": 1, "items": [` + strings.Repeat(`"a memory",`, 20000) + `"the last"], "last": 1}`
	for name, c := range map[string]struct{ file, content, why string }{
		"truncated":                      {"a.json", long[:100000], "ends in the middle"},
		"truncated in a string":          {"a.json", `{"a": "b`, "ends in the middle"},
		"truncated behind a backslash":   {"a.json", `{"a": "b\`, "ends in the middle"},
		"truncated in a literal":         {"a.json", `{"a": tru`, "makes no sense"},
		"truncated in a lone literal":    {"a.json", `tru`, "makes no sense"},
		"truncated, any name":            {"store.dat", `{"a": [1, 2`, "ends in the middle"},
		"truncated array, any name":      {"store", `[{"a": 1}, {"b`, "ends in the middle"},
		"shorter over longer":            {"a.json", `{"a": 1}": "old end"}`, "goes on behind its end"},
		"shorter over longer, new line":  {"a.json", "{\"a\": 1}\n  \"b\": 2\n}", "goes on behind its end"},
		"new over old in the middle":     {"a.json", `{"a": "new val" 17, "b": 2}`, "makes no sense"},
		"a hole that is still to fill":   {"a.json", `{"a": "` + strings.Repeat("\x00", 4096) + `"}`, "makes no sense"},
		"only zeros":                     {"a.json", strings.Repeat("\x00", 4096), "makes no sense"},
		"emptied":                        {"a.json", "", "empty"},
		"only space":                     {"a.json", " \n", "empty"},
		"a line under way":               {"a.jsonl", "{\"a\": 1}\n{\"b\": ", "ends in the middle"},
		"two lines mixed":                {"a.jsonl", "{\"a\": 1}\n{\"b\": {\"c\": 1}\n{\"d\": 2}\n", "makes no sense"},
		"whole":                          {"a.json", long, ""},
		"whole, mark and space":          {"a.json", "\xef\xbb\xbf\n {\"a\": [], \"b\": {}, \"c\": -1.5e3, \"d\": \"\\\"\"}\n", ""},
		"as Python writes it":            {"a.json", `{"a": NaN, "b": [Infinity, -Infinity]}`, ""},
		"lines":                          {"a.jsonl", "{\"a\": 1}\n[2]\n", ""},
		"lines without the last newline": {"a.jsonl", "{\"a\": 1}\n{\"a\": 2}", ""},
		"no lines yet":                   {"a.jsonl", "", ""},
		"a scalar":                       {"a.json", `17`, ""},
		"a text that begins with [":      {"notes", "[todo] buy {", ""},
		"a settings file":                {"app.ini", "[section]\nkey = 1\n", ""},
		"a template":                     {"page", "{{ title }", ""},
		"a temporary file":               {"a.json.tmp", `{"a":`, ""},
		"a temporary file, drawn name":   {".a.json.Xy12", `{"a":`, ""},
		"npm's temporary file":           {"a.json.381947", `{"a":`, ""},
		"an editor's":                    {"a.json~", `{"a":`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			put(t, dir, "sub/"+c.file, c.content)
			found := check(t, dir, 0)
			if c.why == "" {
				assert.Equal(t, len(found), 0, "%v", found)
				return
			}
			assert.Equal(t, len(found), 1)
			assert.Equal(t, found[0].Path, "sub/"+c.file)
			assert.Assert(t, strings.Contains(found[0].Why, c.why), found[0].Why)
			assert.Equal(t, len(check(t, dir, time.Hour)), 0, "what changed long ago is as whole as it will be")
		})
	}
}

// TestEveryTruncationOfJSONIsUnrest: a writer is caught wherever it stands.
func TestEveryTruncationOfJSONIsUnrest(t *testing.T) {
	whole := `{"id": "m1", "tags": ["a", "b\"c"], "n": -1.5, "ok": true, "none": null, "deep": {"x": [{}, []]}}`
	for i := range len(whole) {
		dir := t.TempDir()
		put(t, dir, "a.json", whole[:i])
		assert.Equal(t, len(check(t, dir, 0)), 1, "%q", whole[:i])
	}
}

func TestOfBigJSONTheEndsAreLookedAt(t *testing.T) {
	for end, want := range map[string]int{"\"}\n": 0, "": 1} {
		dir := t.TempDir()
		put(t, dir, "big.json", `{"a": "`+strings.Repeat("x", 33<<20)+end)
		assert.Equal(t, len(check(t, dir, 0)), want)
	}
}

func TestASourceThatIsOneFile(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "memories.json", "")
	assert.Equal(t, len(check(t, filepath.Join(dir, "memories.json"), 0)), 1)
}

func TestAJournalInWorkIsUnrest(t *testing.T) {
	for name, c := range map[string]struct {
		journal string
		found   int
	}{
		"in work":  {journal + strings.Repeat("x", 504), 1},
		"emptied":  {"", 0},
		"zeroed":   {strings.Repeat("\x00", 512), 0},
		"no magic": {"notes of a person", 0},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			put(t, dir, "any.name", database+strings.Repeat("x", 4080))
			put(t, dir, "any.name-journal", c.journal)
			found := check(t, dir, 0)
			assert.Equal(t, len(found), c.found)
			if c.found > 0 {
				assert.Equal(t, found[0].Path, "any.name")
			}
			assert.Equal(t, len(check(t, dir, time.Hour)), 0, "what a crash left is no work")
		})
	}
}

func TestAWriteAheadLogIsFitAtEveryMoment(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "m.db", database+strings.Repeat("x", 4080))
	put(t, dir, "m.db-wal", "\x37\x7f\x06\x82 and half a frame")
	put(t, dir, "m.db-shm", "{\"no\": ")
	assert.Equal(t, len(check(t, dir, 0)), 0)
}

// header is an index header that counts n elements.
func header(n uint64) string {
	b := make([]byte, 100)
	binary.LittleEndian.PutUint64(b[20:], n)
	return string(b)
}

func TestAVectorIndexThatIsBeingWrittenIsUnrest(t *testing.T) {
	const pickle = "\x80\x03}q\x00."
	now := time.Now()
	for name, c := range map[string]struct {
		header, pickle string
		parts, ids     time.Time
		why            string
	}{
		"synced":                         {header(9), pickle, now, now, ""},
		"synced earlier":                 {header(9), pickle, now.Add(-time.Second), now, ""},
		"laid out":                       {header(0), "", now, now, ""},
		"id map older":                   {header(9), pickle, now, now.Add(-time.Millisecond), "id map is older"},
		"id map cut":                     {header(9), pickle[:4], now, now, "not whole"},
		"id map emptied":                 {header(9), "-", now, now, "not whole"},
		"first sync":                     {header(9), "", now, now, "no id map yet"},
		"id map older, long ago, copied": {header(9), pickle, now.Add(-time.Hour), now.Add(-2 * time.Hour), "id map is older"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			const folder = "chroma/0b1c/"
			for _, part := range []string{"header.bin", "data_level0.bin", "length.bin", "link_lists.bin"} {
				put(t, dir, folder+part, c.header)
				age(t, dir, folder+part, c.parts)
			}
			if c.pickle != "" {
				put(t, dir, folder+"index_metadata.pickle", c.pickle)
				age(t, dir, folder+"index_metadata.pickle", c.ids)
			}
			found := check(t, dir, 0)
			if c.why == "" {
				assert.Equal(t, len(found), 0, "%v", found)
				return
			}
			assert.Equal(t, len(found), 1)
			assert.Equal(t, found[0].Path, "chroma/0b1c")
			assert.Assert(t, strings.Contains(found[0].Why, c.why), found[0].Why)
			assert.Equal(t, len(check(t, dir, time.Hour)), 0)
		})
	}
}

func TestWhatIsLeftOutIsNoUnrest(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "cache/half.json", "{")
	rules, err := tree.NewRules(tree.RuleOptions{Patterns: []string{"cache/"}})
	assert.NilError(t, err)
	found, err := quiet.Check(t.Context(), dir, quiet.Options{Now: time.Now(), Skip: rules.Skip(dir)})
	assert.NilError(t, err)
	assert.Equal(t, len(found), 0)
}

func TestACheckOfNothingFails(t *testing.T) {
	_, err := quiet.Check(t.Context(), filepath.Join(t.TempDir(), "gone"), quiet.Options{Now: time.Now()})
	assert.ErrorIs(t, err, os.ErrNotExist)
}

func TestTraitsAreToldByContent(t *testing.T) {
	dir := t.TempDir()
	page := database + strings.Repeat("x", 4080)
	put(t, dir, "memories.dat", page)
	put(t, dir, "memories.dat-wal", page)
	put(t, dir, "notes.db", strings.Repeat("no database ", 512))
	put(t, dir, "vectors/chroma.sqlite3", page)
	put(t, dir, "a.json", "{}")
	put(t, dir, "b.jsonl", "{}")
	traits, err := quiet.Look(t.Context(), dir, nil)
	assert.NilError(t, err)
	assert.DeepEqual(t, traits, quiet.Traits{SQLite: []string{"memories.dat", "vectors/chroma.sqlite3"}, Chroma: []string{"vectors"}, JSON: 2})
	traits, err = quiet.Look(t.Context(), filepath.Join(dir, "memories.dat"), nil)
	assert.NilError(t, err)
	assert.Assert(t, traits.Lone)
}
