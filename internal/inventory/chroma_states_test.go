package inventory

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
)

// TestChromaStatesThatAreNoDamage plants what looks like damage and is none.
func TestChromaStatesThatAreNoDamage(t *testing.T) {
	for _, state := range []struct {
		name, store string
		plant       func(g goldenChroma)
		warns       string // empty: nothing is said
	}{
		{"the index is missing, the queue has all of it", "chroma-1.5.9-unpurged", missing("notes", ""), "the queue still has all 112 records"},
		{"the id map is missing, the queue has all of it", "chroma-1.5.9-unpurged", missing("notes", idMapFile), "the queue still has all 112 records"},
		{"the folder of a collection that was deleted", "chroma-1.5.9", func(g goldenChroma) {
			assert.NilError(g.t, os.CopyFS(g.path("00000000-1111-2222-3333-444444444444"), os.DirFS(g.path(g.index("notes")))))
		}, "belongs to no collection"},
		{"nobody knows how far an index is", "chroma-1.5.9", statements("DELETE FROM max_seq_id WHERE segment_id = $index"), "which is harmless"},
		{"below the threshold the folder may be missing", "chroma-1.5.9", missing("small", ""), ""},
		{"a vector of nothing but zeros", "chroma-1.5.9", func(g goldenChroma) {
			on("notes", level0File, func(b []byte) []byte { clear(b[noteVector : noteVector+32]); return b })(g)
			on("notes", lengthFile, poke(0, 0))(g)
		}, ""},
		{"garbage behind the last element", "chroma-1.0.0", on("notes", level0File, func(b []byte) []byte {
			copy(b[100*noteSize:], bytes.Repeat([]byte{0xff}, 5000))
			return b
		}), ""},
		{"lengths of no meaning where vectors are not made 1", "chroma-1.5.9", on("words", lengthFile, func(b []byte) []byte { return bytes.Repeat([]byte{0xff}, len(b)) }), ""},
		{"a text index that Chroma 0.4 filled by other numbers", "chroma-1.5.9", statements("DELETE FROM embedding_fulltext_search",
			"INSERT INTO embedding_fulltext_search (rowid, string_value) SELECT rowid, string_value FROM embedding_metadata WHERE string_value IS NOT NULL",
			"INSERT INTO embedding_fulltext_search (rowid, string_value) SELECT id, string_value FROM embedding_metadata WHERE key = 'chroma:document' AND id NOT IN (SELECT rowid FROM embedding_fulltext_search)"), "filed"},
		{"a collection of another kind of index", "chroma-1.5.9", statements("UPDATE segments SET type = 'urn:chroma:segment/vector/spann' WHERE id = $index"), "of a kind that is not known here"},
	} {
		t.Run(state.name, func(t *testing.T) {
			g := goldenStore(t, state.store)
			state.plant(g)
			report := g.inspect(Full)
			found := said(report)
			assert.Assert(t, Worst(report.Results) != Damaged, found)
			if state.warns == "" {
				assert.Equal(t, found, "")
			} else {
				assert.Assert(t, strings.Contains(found, state.warns), found)
			}
		})
	}
}

// TestAChromaStoreWithAHotJournal copies a store in the middle of a transaction, as a backup of a paused server may.
func TestAChromaStoreWithAHotJournal(t *testing.T) {
	g := goldenStore(t, "chroma-1.5.9")
	before := g.inspect(Full)
	torn := goldenStore(t, "chroma-1.5.9")
	g.within("UPDATE embedding_metadata SET string_value = 'overwritten ' || string_value", func() {
		for _, name := range []string{chromaDatabase, chromaDatabase + "-journal"} {
			b, err := os.ReadFile(g.path(name))
			assert.NilError(t, err)
			assert.NilError(t, os.WriteFile(torn.path(name), b, 0o600))
		}
	})
	after := torn.inspect(Full)
	assert.Assert(t, Worst(after.Results) != Damaged, said(after))
	assert.DeepEqual(t, after.Inventory.Collections, before.Inventory.Collections)
	// Nothing was rolled back where the journal lies.
	_, err := os.Stat(torn.path(chromaDatabase + "-journal"))
	assert.NilError(t, err)

	torn.remove(chromaDatabase + "-journal")
	lost := torn.inspect(Full)
	assert.Equal(t, Worst(lost.Results), Damaged, said(lost))
}

// TestAChromaStoreWithoutAReadableDatabaseIsNotInOrder asks for checks that need the database.
func TestAChromaStoreWithoutAReadableDatabaseIsNotInOrder(t *testing.T) {
	for name, plant := range map[string]func(goldenChroma){
		"missing": func(g goldenChroma) { g.remove(chromaDatabase) },
		"empty":   func(g goldenChroma) { g.edit(chromaDatabase, none) },
		"zeroed":  func(g goldenChroma) { g.edit(chromaDatabase, zeros) },
		"cut":     func(g goldenChroma) { g.edit(chromaDatabase, func(b []byte) []byte { return b[:4096] }) },
	} {
		g := goldenStore(t, "chroma-1.5.9")
		plant(g)
		for _, check := range []string{"databases.chroma", "databases.chroma-queue", "databases.chroma-documents", "vectors.chroma-index", "vectors.chroma-ids"} {
			o := Options{Depth: Full, Scratch: t.TempDir(), Checks: []string{check}}
			report, err := Inspect(t.Context(), "chroma", LiveTree(g.dir, nil), o, Calls{})
			assert.NilError(t, err)
			assert.Assert(t, Worst(report.Results) == Damaged || Worst(report.Results) == Unchecked && check != "databases.chroma", "%s: %s: %s", name, check, said(report))
		}
	}
}

// TestAJournalOfAChromaDatabaseThatIsMissingIsNamed: below the threshold no index says that there was a store.
func TestAJournalOfAChromaDatabaseThatIsMissingIsNamed(t *testing.T) {
	dir := t.TempDir()
	assert.NilError(t, os.WriteFile(filepath.Join(dir, chromaDatabase+journalSuffix), append([]byte(journalMagic), make([]byte, 504)...), 0o600))
	assert.Assert(t, strings.Contains(said(goldenChroma{t, dir}.inspect(Quick)), "damaged databases.chroma chroma.sqlite3 [] is missing"))
}

// TestDamageOfAStoreOfChroma04IsFound plants faults in what only the older form has.
func TestDamageOfAStoreOfChroma04IsFound(t *testing.T) {
	for _, d := range []chromaDamage{
		{"another class", on("notes", idMapFile, func(b []byte) []byte { return bytes.Replace(b, []byte("PersistentData"), []byte("PersistentDate"), 1) }), "vectors.chroma-index", true, "", "only Chroma's own is read"},
		{"a function of Python", on("notes", idMapFile, func(b []byte) []byte { return append([]byte("cos\nsystem\n"), b...) }), "vectors.chroma-index", true, "", "only Chroma's own is read"},
		{"an index of later than the queue says", on("notes", idMapFile, func(b []byte) []byte {
			return bytes.Replace(b, []byte("max_seq_id\x94K\x64"), []byte("max_seq_id\x94K\x8a"), 1)
		}), "vectors.chroma-ids", true, "", "vectors of"},
		{"a dimension of another index", on("notes", idMapFile, func(b []byte) []byte {
			return bytes.Replace(b, []byte("dimensionality\x94K\x08"), []byte("dimensionality\x94K\x09"), 1)
		}), "vectors.chroma-index", true, "", "dimension 9, the index of 8"},
		{"index missing", missing("notes", ""), "vectors.chroma-ids", true, "", "of 112 records are lost"},
	} {
		t.Run(d.name, func(t *testing.T) {
			g := goldenStore(t, "chroma-0.4")
			d.plant(g)
			report := g.inspect(Quick)
			found := false
			for _, r := range report.Results {
				for _, f := range r.Findings {
					found = found || f.Check == d.check && f.Status == Damaged && f.Object == "notes" && strings.Contains(f.Text, d.text)
				}
			}
			assert.Assert(t, found, said(report))
		})
	}
}

func TestAFolderThatOnlyLooksLikeAnIndexIsNoStore(t *testing.T) {
	dir := t.TempDir()
	folder := filepath.Join(dir, "5517cb3f-481b-4e22-936f-c13110a247f9")
	assert.NilError(t, os.MkdirAll(folder, 0o755))
	assert.NilError(t, os.WriteFile(filepath.Join(folder, "header.bin"), []byte("something else"), 0o600))
	report := goldenChroma{t, dir}.inspect(Full)
	assert.Equal(t, said(report), "")
	assert.Equal(t, len(report.Inventory.Collections), 0)
}

func TestAStoreIsNotChangedByLookingAtIt(t *testing.T) {
	g := goldenStore(t, "chroma-1.5.9")
	state := func() (out []string) {
		assert.NilError(t, filepath.Walk(g.dir, func(path string, info os.FileInfo, err error) error {
			assert.NilError(t, err)
			if info.IsDir() {
				out = append(out, path+info.ModTime().String())
				return nil
			}
			b, err := os.ReadFile(path)
			out = append(out, path+info.ModTime().String()+string(b))
			return err
		}))
		return out
	}
	before := state()
	g.inspect(Full)
	assert.DeepEqual(t, before, state())
}
