//go:build e2e && unix

package e2e

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/icmd"
	_ "modernc.org/sqlite" // for a database beside the memories
)

// kindsOfFiles are a file of each kind in the data of the sample with a database, by its path in the source.
func kindsOfFiles(t *testing.T, p *Project) []string {
	t.Helper()
	one := func(pattern string) string {
		found, err := filepath.Glob(p.Path("home/data", pattern))
		assert.NilError(t, err)
		assert.Assert(t, len(found) > 0, "no %s", pattern)
		rel, err := filepath.Rel(p.Path("home/data"), found[len(found)/2])
		assert.NilError(t, err)
		return rel
	}
	return []string{
		one("memories/*.json"), one("indexes/segment-*.json"), one("indexes/manifest.json"), one("embeddings/shard-*.npy"), one("embeddings/ids.jsonl"),
		one("extra/notes.db"),
	}
}

// addDatabase lays a database of some pages into the data.
func addDatabase(t *testing.T, p *Project) {
	t.Helper()
	assert.NilError(t, os.MkdirAll(p.Path("home/data/extra"), 0o755))
	query(t, p, "CREATE TABLE notes (id TEXT PRIMARY KEY, body TEXT)",
		"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 500) INSERT INTO notes SELECT 'note ' || i, hex(randomblob(200)) FROM n")
}

// query changes that database.
func query(t *testing.T, p *Project, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", p.Path("home/data/extra/notes.db"))
	assert.NilError(t, err)
	defer db.Close()
	for _, statement := range statements {
		_, err := db.ExecContext(t.Context(), statement)
		assert.NilError(t, err)
	}
}

// TestEveryKindOfFileOfTheSampleIsNamedAndMended: a memory, index and list files, vectors and a database are flipped, cut, emptied, deleted; validate
// names each, restore --last-good and validate --repair bring back the bytes that were there.
func TestEveryKindOfFileOfTheSampleIsNamedAndMended(t *testing.T) {
	p := Sample(t, 300)
	addDatabase(t, p)
	p.Backup()
	files := kindsOfFiles(t, p)
	p.Compose("stop").Assert(t, icmd.Success) // asked how it is, the service mends what it can by itself: it cuts its list back, and embeds anew
	for _, c := range []struct {
		name   string
		damage func(path string, data []byte) error
		quiet  map[string]bool // files for which this is a warning alone: a list of lines, or a database, may be empty
		repair bool            // it is mended by validate --repair
	}{
		{"flipped", func(path string, data []byte) error { data[1] ^= 0x80; return os.WriteFile(path, data, 0o644) }, nil, false},
		{"cut", func(path string, data []byte) error { return os.Truncate(path, int64(len(data))*2/3-5) }, nil, true},
		{"emptied", func(path string, _ []byte) error { return os.Truncate(path, 0) }, map[string]bool{"embeddings/ids.jsonl": true, "extra/notes.db": true}, false},
		{"deleted", func(path string, _ []byte) error { return os.Remove(path) }, nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			was := map[string]string{}
			for _, file := range files {
				was[file] = p.Read("home/data/" + file)
				assert.NilError(t, c.damage(p.Path("home/data", file), []byte(was[file])))
			}
			named(t, p, files, c.name, c.quiet)
			mend(t, p, files, c.repair)
			for _, file := range files {
				assert.Assert(t, p.Read("home/data/"+file) == was[file], "%s is not what it was", file)
			}
			Code(t, p.Memsys("validate", "--skip", "structure,connections,mounts"), 0)
			Code(t, p.Memsys("diff", "--quiet", "latest"), 0)
		})
	}
}

// named checks that a validation names each file; what is deleted, its collection, and the file by diff.
func named(t *testing.T, p *Project, files []string, what string, quiet map[string]bool) {
	t.Helper()
	result := p.Memsys("validate", "--skip", "structure,connections,mounts", "--fail-on", "warning")
	Code(t, result, 4)
	diff := p.Memsys("diff", "--all", "latest").Combined()
	for _, file := range files {
		mark := "data/" + file
		if what == "deleted" {
			mark = "(" + strings.SplitN(file, "/", 2)[0]
			switch filepath.Ext(file) {
			case ".npy", ".db":
				mark = "(" + file
			}
			assert.Assert(t, strings.Contains(diff, file), "diff does not name %s:\n%s", file, diff)
		}
		line := lineWith(result.Combined(), mark)
		assert.Assert(t, line != "", "%s was %s, and validate does not name it:\n%s", file, what, result.Combined())
		if what != "deleted" && !quiet[file] {
			assert.Assert(t, !strings.Contains(line, "warning"), "%s was %s: %s", file, what, line)
		}
	}
}

func lineWith(text, mark string) string {
	for line := range strings.Lines(text) {
		if strings.Contains(line, mark) {
			return line
		}
	}
	return ""
}

// mend brings the files back.
func mend(t *testing.T, p *Project, files []string, repair bool) {
	t.Helper()
	if repair {
		p.Memsys("validate", "--repair", "--yes", "--skip", "structure,connections,mounts").Assert(t, icmd.Success)
		return
	}
	args := []string{"restore", "--last-good", "--yes", "--source", "data"}
	for _, file := range files {
		args = append(args, "--path", file)
	}
	p.Memsys(args...).Assert(t, icmd.Success)
}
