package inventory

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
)

// chromaDamage is a fault planted in a healthy store, and what must be said of it. Where quick is set, Quick must find it.
type chromaDamage struct {
	name  string
	plant func(g goldenChroma)
	check string // or a group, where more than one may be the first to see it
	quick bool
	at    string // in the finding: "notes/header.bin" is that file of the index of notes
	text  string
}

// on plants a change of a file of an index.
func on(collection, file string, change func([]byte) []byte) func(goldenChroma) {
	return func(g goldenChroma) { g.edit(g.index(collection)+"/"+file, change) }
}

func missing(collection, file string) func(goldenChroma) {
	return func(g goldenChroma) { g.remove(g.index(collection) + "/" + file) }
}

func statements(sql ...string) func(goldenChroma) {
	return func(g goldenChroma) {
		for _, s := range sql {
			s = strings.ReplaceAll(s, "$index", "'"+g.index("notes")+"'")
			g.exec(strings.ReplaceAll(s, "$records", "'"+g.segment("notes")+"'"))
		}
	}
}

func half(b []byte) []byte  { return b[:len(b)/2] }
func none([]byte) []byte    { return nil }
func zeros(b []byte) []byte { return make([]byte, len(b)) }

// poke writes a number at an offset, 4 bytes.
func poke(at int, value uint32) func([]byte) []byte {
	return func(b []byte) []byte {
		binary.LittleEndian.PutUint32(b[at:], value)
		return b
	}
}

// The notes have elements of 172 bytes: vectors begin at 132, labels at 164.
const (
	noteSize   = 172
	noteVector = 132
)

// upper finds an element that is in an upper level in link_lists.bin, and gives the place of its first level.
func upper(b []byte) int {
	for at := 0; at < len(b); {
		if n := int(binary.LittleEndian.Uint32(b[at:])); n > 0 {
			return at + 4
		}
		at += 4
	}
	return -1
}

func indexDamages() []chromaDamage {
	const check = "vectors.chroma-index"
	level0, header, links := "notes/data_level0.bin", "notes/header.bin", "notes/link_lists.bin"
	return []chromaDamage{
		{"vectors cut in half", on("notes", level0File, half), check, true, level0, "50 vectors are lost"},
		{"vectors cut by a byte", on("notes", level0File, func(b []byte) []byte { return b[:len(b)-1] }), check, true, level0, "vectors are lost"},
		{"preallocated vectors cut by a byte", on("emptied", level0File, func(b []byte) []byte { return b[:len(b)-1] }), check, true, "emptied/data_level0.bin", "it was cut"},
		{"vectors longer than there is room", on("notes", level0File, func(b []byte) []byte { return append(b, make([]byte, 100*noteSize)...) }), check, true, level0, "room for 128"},
		{"vectors emptied", on("notes", level0File, none), check, true, level0, "100 vectors are lost"},
		{"vectors all zero", on("notes", level0File, zeros), check, true, level0, "more than once"},
		{"vectors zeroed in the middle", on("notes", level0File, func(b []byte) []byte { clear(b[3*noteSize : 6*noteSize]); return b }), check, true, level0, "not of the same moment"},
		{"a delete mark", on("notes", level0File, func(b []byte) []byte { b[2] ^= 1; return b }), check, true, level0, "not of the same moment"},
		{"marks of no meaning", on("notes", level0File, func(b []byte) []byte { b[3] = 7; return b }), check, true, level0, "marks that hnswlib does not make"},
		{"a label changed", on("notes", level0File, poke(noteSize-8, 12345)), check, true, level0, "not of the same moment"},
		{"vectors missing", missing("notes", level0File), check, true, level0, "is missing"},
		{"a neighbour out of range", on("notes", level0File, poke(7*noteSize+4, 100)), check, false, level0, "element 7 has a neighbour that does not exist"},
		{"too many neighbours", on("notes", level0File, func(b []byte) []byte { b[0], b[1] = 255, 255; return b }), check, false, level0, "more neighbours"},
		{"its own neighbour", on("notes", level0File, poke(7*noteSize+4, 7)), check, false, level0, "its own neighbour"},
		{"no number in a vector", on("notes", level0File, poke(noteVector, math.Float32bits(float32(math.NaN())))), check, false, level0, "(NaN, Inf)"},
		{"no number in a vector of l2", on("words", level0File, poke(noteVector, math.Float32bits(float32(math.Inf(1))))), check, false, "words/data_level0.bin", "(NaN, Inf)"},
		{"a bit in a vector", on("notes", level0File, func(b []byte) []byte { b[9*noteSize+noteVector+2] ^= 0x40; return b }), check, false, level0, "element 9 has a vector whose length is not 1"},
		{"header missing", missing("notes", headerFile), check, true, header, "is missing"},
		{"header zeroed", on("notes", headerFile, zeros), check, true, header, "version 0"},
		{"header emptied", on("notes", headerFile, none), check, true, header, "0 bytes in place of 100"},
		{"header cut", on("notes", headerFile, half), check, true, header, "50 bytes in place of 100"},
		{"header counts more", on("notes", headerFile, poke(20, 120)), check, true, level0, "20 vectors are lost"},
		{"header counts more than it has room for", on("notes", headerFile, poke(20, 1100)), check, true, header, "1100 elements where 128"},
		{"header counts less", on("notes", headerFile, poke(20, 60)), check, true, level0, "not of the same moment"},
		{"header counts beyond all", on("notes", headerFile, poke(24, 1<<30)), check, true, header, "elements where 128"},
		{"element size wrong", on("notes", headerFile, poke(28, 180)), check, true, header, "180 bytes in place of 172"},
		{"neighbours wrong", on("notes", headerFile, poke(76, 0)), check, true, header, "neighbours"},
		{"entry point out of range", on("notes", headerFile, poke(56, 100)), check, true, header, "begins searches at element 100"},
		{"entry point not at the top", on("notes", headerFile, poke(56, 0)), check, true, links, "entry point (element 0)"},
		{"levels wrong", on("notes", headerFile, poke(52, 5)), check, true, links, "where header.bin has 5"},
		{"lengths cut", on("notes", lengthFile, func(b []byte) []byte { return b[:200] }), check, true, "notes/length.bin", "it was cut"},
		{"lengths missing", missing("notes", lengthFile), check, true, "notes/length.bin", "is missing"},
		{"links missing", missing("notes", linksFile), check, true, links, "is missing"},
		{"links emptied", on("notes", linksFile, none), check, true, links, "it was cut"},
		{"links zeroed", on("notes", linksFile, zeros), check, true, links, "fails or dies"},
		{"links cut by a level", on("notes", linksFile, func(b []byte) []byte { return b[:len(b)-40] }), check, true, links, "ends in the middle"},
		{"links go on", on("notes", linksFile, func(b []byte) []byte { return append(b, 0, 0, 0, 0) }), check, true, links, "goes on behind"},
		{"links of no level", on("notes", linksFile, poke(0, 3)), check, true, links, "no number of levels"},
		{"a link out of range", on("notes", linksFile, func(b []byte) []byte { return poke(upper(b)+4, 100)(b) }), check, false, links, "does not exist"},
		{"a link to a level that is not there", on("notes", linksFile, func(b []byte) []byte { return poke(upper(b)+4, 0)(b) }), check, false, links, "a level that the neighbour is not in"},
		{"too many links", on("notes", linksFile, func(b []byte) []byte { return poke(upper(b), 17)(b) }), check, false, links, "more neighbours above"},
	}
}

func idDamages() []chromaDamage {
	const check, index = "vectors.chroma-ids", "vectors.chroma-index"
	ids := "notes/index_metadata.pickle"
	return []chromaDamage{
		{"id map missing", missing("notes", idMapFile), check, true, "notes", "vectors of 87 of 112 records are lost"},
		{"id map emptied", on("notes", idMapFile, none), index, true, ids, "ends in the middle"},
		{"id map cut", on("notes", idMapFile, half), index, true, ids, "ends in the middle"},
		{"id map goes on", on("notes", idMapFile, func(b []byte) []byte { return append(b, '.') }), index, true, ids, "behind its end"},
		{"an id changed", on("notes", idMapFile, func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("notes-0002"), []byte("notes-9992")) }), check, true, "notes", `"notes-0002"`},
		{"an id changed in one direction", on("notes", idMapFile, func(b []byte) []byte { return bytes.Replace(b, []byte("notes-0002"), []byte("notes-9992"), 1) }), index, true, ids, "one direction"},
		{"an id twice", on("notes", idMapFile, func(b []byte) []byte { return bytes.Replace(b, []byte("notes-0002"), []byte("notes-0003"), 1) }), index, true, ids, "twice"},
		{"fewer elements than there are", on("notes", idMapFile, func(b []byte) []byte { return bytes.Replace(b, []byte("addedJ\x64"), []byte("addedJ\x07"), 1) }), index, true, ids, "only 7 were ever added"},
		{"id map of another collection", func(g goldenChroma) {
			b, err := os.ReadFile(g.path(g.index("words") + "/" + idMapFile))
			assert.NilError(g.t, err)
			g.edit(g.index("notes")+"/"+idMapFile, func([]byte) []byte { return b })
		}, check, true, "notes", "the index has 60 records"},
		{"index of another collection", func(g goldenChroma) {
			notes, words := g.index("notes"), g.index("words")
			g.remove(notes)
			assert.NilError(g.t, os.Rename(g.path(words), g.path(notes)))
		}, index, true, "notes/header.bin", "vectors of dimension 4"},
		{"index missing", missing("notes", ""), check, true, "notes", "the folder of the index is missing or empty: the vectors of 87 of 112"},
		{"indexes exchanged", func(g goldenChroma) {
			words, emptied := g.index("words"), g.index("emptied")
			assert.NilError(g.t, os.Rename(g.path(words), g.path("other")))
			assert.NilError(g.t, os.Rename(g.path(emptied), g.path(words)))
			assert.NilError(g.t, os.Rename(g.path("other"), g.path(emptied)))
		}, check, true, "words", "vectors of 60 of 60 records"},
		{"index of before", statements("UPDATE max_seq_id SET seq_id = 147 WHERE segment_id = $index"), check, true, "notes", "vectors of 22 of 112 records"},
		{"records lost", statements("DELETE FROM embedding_metadata WHERE id IN (SELECT id FROM embeddings WHERE embedding_id = 'notes-0005')", "DELETE FROM embeddings WHERE embedding_id = 'notes-0005'"), check, true, "notes", "index has 1 records"},
		{"waiting operations lost", statements("DELETE FROM embeddings_queue WHERE id LIKE 'notes-010%'"), check, true, "notes", "vectors of 10 of 112"},
		{"waiting deletions lost", statements("DELETE FROM embeddings_queue WHERE id = 'notes-0041'"), check, true, "notes", "index has 1 records"},
	}
}

func databaseDamages() []chromaDamage {
	const check, queue, documents = "databases.chroma", "databases.chroma-queue", "databases.chroma-documents"
	return []chromaDamage{
		{"database missing", func(g goldenChroma) { g.remove(chromaDatabase) }, check, true, chromaDatabase, "is missing: Chroma would start with an empty database"},
		{"database empty", func(g goldenChroma) { g.edit(chromaDatabase, none) }, check, true, chromaDatabase, "is empty: Chroma would start"},
		{"no database", func(g goldenChroma) { g.edit(chromaDatabase, func(b []byte) []byte { b[0] = 'X'; return b }) }, "databases", true, chromaDatabase, "database"},
		{"database cut", func(g goldenChroma) { g.edit(chromaDatabase, half) }, "databases", true, chromaDatabase, "malformed"},
		{"another database", func(g goldenChroma) {
			g.remove(chromaDatabase)
			g.exec("CREATE TABLE notes (a)")
		}, check, true, chromaDatabase, "no database of Chroma"},
		{"a migration changed", statements("UPDATE migrations SET hash = 'x' WHERE dir = 'sysdb' AND version = 3"), check, true, chromaDatabase, "Chroma will not start"},
		{"a migration missing", statements("DELETE FROM migrations WHERE dir = 'metadb' AND version = 2"), check, true, chromaDatabase, "metadb has migration 3 behind 1"},
		{"a table missing", statements("DROP TABLE max_seq_id"), check, true, chromaDatabase, "the table is missing"},
		{"a column missing", statements("ALTER TABLE collections DROP COLUMN schema_str"), check, true, chromaDatabase, "the column schema_str is missing"},
		{"text index missing", statements("DROP TABLE embedding_fulltext_search"), check, true, chromaDatabase, "the table is missing"},
		{"segment missing", statements("DELETE FROM segments WHERE id = $index"), check, true, chromaDatabase, "has no segment VECTOR"},
		{"segment of records missing", statements("DELETE FROM segments WHERE id = $records"), check, true, chromaDatabase, "has no segment METADATA"},
		{"segment twice", statements("INSERT INTO segments SELECT 'x', type, scope, collection FROM segments WHERE id = $index"), check, true, chromaDatabase, "two segments VECTOR"},
		{"tenant missing", statements("DELETE FROM tenants WHERE id = 'team'"), check, true, chromaDatabase, "tenant does not exist"},
		{"database row missing", statements("DELETE FROM databases WHERE name = 'archive'"), check, true, chromaDatabase, "tenant does not exist"},
		{"records without their rows", statements("DELETE FROM embeddings WHERE embedding_id = 'notes-0005'"), check, true, chromaDatabase, "belong to records that are not there"},
		{"queue emptied", statements("DELETE FROM embeddings_queue"), queue, true, chromaDatabase, "drop those of the collection"},
		{"sequence too high", statements("UPDATE max_seq_id SET seq_id = 99999 WHERE segment_id = $records"), queue, true, chromaDatabase, "has come to 99999"},
		{"vector of the queue cut", statements("UPDATE embeddings_queue SET vector = substr(vector, 1, 28) WHERE id = 'notes-0101'"), queue, true, chromaDatabase, "1 vectors in the queue are not of dimension 8"},
		{"dimension changed", statements("UPDATE collections SET dimension = 16 WHERE name = 'notes' AND database_id LIKE '00000000%'"), "vectors.chroma-index", true, "notes/header.bin", "the collection has 16"},
		{"a letter of a document", statements("UPDATE embedding_metadata SET string_value = replace(string_value, 'Document 7 of notes', 'document 7 of notes') WHERE key = 'chroma:document'"), documents, false, chromaDatabase, `the first is "notes-0007"`},
		{"a text lost", statements("DELETE FROM embedding_fulltext_search WHERE rowid = (SELECT id FROM embeddings WHERE embedding_id = 'words-0009')"), documents, false, chromaDatabase, "which has none for 1 of them"},
	}
}

func TestDamageOfAChromaStoreIsFoundAndNamed(t *testing.T) {
	damages := append(append(indexDamages(), idDamages()...), databaseDamages()...)
	assert.Assert(t, len(damages) >= 70)
	for _, d := range damages {
		t.Run(d.name, func(t *testing.T) {
			g := goldenStore(t, "chroma-1.5.9")
			at := d.at
			if at != chromaDatabase {
				collection, _, _ := strings.Cut(at, "/")
				at = strings.Replace(at, collection, g.index(collection), 1)
			}
			d.plant(g)
			depths := []Depth{Quick, Full}
			if d.quick {
				depths = depths[:1] // Full looks at all that Quick does
			}
			for _, depth := range depths {
				found := false
				report := g.inspect(depth)
				for _, r := range report.Results {
					for _, f := range r.Findings {
						found = found || (f.Check == d.check || string(r.Check.Group()) == d.check) && f.Status == Damaged && f.Path == at && strings.Contains(f.Text, d.text)
					}
				}
				assert.Equal(t, found, depth == Full || d.quick, "%s:\n%s", depth, said(report))
			}
		})
	}
}
