//go:build e2e && unix

package e2e

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"slices"

	"gotest.tools/v3/assert"
)

// chromaDamage is damage of a store, and how it must be named.
type chromaDamage struct {
	name  string
	plant func(s, before chromaStore) // before is the same store, of an earlier moment
	check string
	at    string // FILE, COLLECTION/FILE of its index, COLLECTION/ for its folder
	// object is the collection that must be named; empty where the damage is of no single one.
	object, text string
	// full tells that only a full look finds it.
	full bool
}

// The layout of an element of the index of memories: neighbours, a vector of 16 numbers, a label.
const (
	memorySize   = 204
	memoryVector = 132
)

// inIndex changes a file of the index of the memories.
func inIndex(file string, change func([]byte) []byte) func(s, _ chromaStore) {
	return func(s, _ chromaStore) { s.edit(s.place("memories/"+file), change) }
}

func without(file string) func(s, _ chromaStore) {
	return func(s, _ chromaStore) { s.remove(s.place(file)) }
}

func statements(sql ...string) func(s, _ chromaStore) {
	return func(s, _ chromaStore) { s.exec(sql...) }
}

// cut leaves a part of a file, in tenths.
func cut(tenths int) func([]byte) []byte {
	return func(b []byte) []byte { return b[:len(b)*tenths/10] }
}

func cutBytes(n int) func([]byte) []byte { return func(b []byte) []byte { return b[:len(b)-n] } }

func emptied([]byte) []byte { return nil }

func zeroed(b []byte) []byte { return make([]byte, len(b)) }

// flipped changes one bit of the largest number in the vector of element 9: what hardly changes its length, nobody can tell.
func flipped(b []byte) []byte {
	largest, size := 0, float32(0)
	for at := 9*memorySize + memoryVector; at < 10*memorySize-8; at += 4 {
		if v := math.Float32frombits(binary.LittleEndian.Uint32(b[at:]) &^ (1 << 31)); v > size {
			largest, size = at, v
		}
	}
	b[largest+2] ^= 0x40
	return b
}

// upperLevel is the place of the first upper level in link_lists.bin.
func upperLevel(b []byte) int {
	for at := 0; at < len(b); at += 4 {
		if binary.LittleEndian.Uint32(b[at:]) > 0 {
			return at + 4
		}
	}
	return -1
}

// graphDamages are those of the five files of an index.
func graphDamages() []chromaDamage {
	const check, object = "vectors.chroma-index", "memories"
	const level0, header, links, lengths, ids = "memories/data_level0.bin", "memories/header.bin", "memories/link_lists.bin", "memories/length.bin", "memories/index_metadata.pickle"
	return []chromaDamage{
		{"vectors cut in half", inIndex("data_level0.bin", cut(5)), check, level0, object, "vectors are lost", false},
		{"vectors cut by an element", inIndex("data_level0.bin", func(b []byte) []byte { return b[:(len(b)/memorySize/2)*memorySize] }), check, level0, object, "vectors are lost", false},
		{"vectors cut by a byte", inIndex("data_level0.bin", cutBytes(1)), check, level0, object, "vectors are lost", false},
		{"vectors emptied", inIndex("data_level0.bin", emptied), check, level0, object, "vectors are lost", false},
		{"vectors all zero", inIndex("data_level0.bin", zeroed), check, level0, object, "more than once", false},
		{"a page of vectors zeroed", inIndex("data_level0.bin", func(b []byte) []byte { clear(b[8*4096 : 9*4096]); return b }), check, level0, object, "more than once", false},
		{"vectors missing", without(level0), check, level0, object, "is missing", false},
		{"a delete mark", inIndex("data_level0.bin", func(b []byte) []byte { b[5*memorySize+2] ^= 1; return b }), check, level0, object, "not of the same moment", false},
		{"a label changed", inIndex("data_level0.bin", poke(8*memorySize-8, 1<<20)), check, level0, object, "not of the same moment", false},
		{"a graph pointer out of range", inIndex("data_level0.bin", poke(7*memorySize+4, 1<<30)), check, level0, object, "element 7 has a neighbour that does not exist", true},
		{"more neighbours than there is room", inIndex("data_level0.bin", func(b []byte) []byte { b[7*memorySize], b[7*memorySize+1] = 255, 255; return b }), check, level0, object, "more neighbours", true},
		{"no number in a vector", inIndex("data_level0.bin", poke(9*memorySize+memoryVector, math.Float32bits(float32(math.NaN())))), check, level0, object, "(NaN, Inf)", true},
		{"a bit of a vector", inIndex("data_level0.bin", flipped), check, level0, object, "element 9 has a vector whose length is not 1", true},
		{"header missing", without(header), check, header, object, "is missing", false},
		{"header zeroed", inIndex("header.bin", zeroed), check, header, object, "version 0", false},
		{"header cut", inIndex("header.bin", cut(5)), check, header, object, "50 bytes in place of 100", false},
		{"header counts less", inIndex("header.bin", func(b []byte) []byte { return poke(20, binary.LittleEndian.Uint32(b[20:])-60)(b) }), check, level0, object, "not of the same moment", false},
		{"header of another element size", inIndex("header.bin", poke(28, 200)), check, header, object, "in place of 204", false},
		{"entry point out of range", inIndex("header.bin", poke(56, 1<<20)), check, header, object, "begins searches at element 1048576", false},
		{"links cut", inIndex("link_lists.bin", cut(9)), check, links, object, "ends in the middle", false},
		{"links emptied", inIndex("link_lists.bin", emptied), check, links, object, "it was cut", false},
		{"links zeroed", inIndex("link_lists.bin", zeroed), check, links, object, "goes on behind", false},
		{"links missing", without(links), check, links, object, "is missing", false},
		{"a link out of range", inIndex("link_lists.bin", func(b []byte) []byte { return poke(upperLevel(b)+4, 1<<30)(b) }), check, links, object, "does not exist", true},
		{"lengths cut", inIndex("length.bin", cut(3)), check, lengths, object, "it was cut", false},
		{"pickle empty", inIndex("index_metadata.pickle", emptied), check, ids, object, "ends in the middle", false},
		{"pickle cut", inIndex("index_metadata.pickle", cut(7)), check, ids, object, "ends in the middle", false},
		{"pickle zeroed", inIndex("index_metadata.pickle", zeroed), check, ids, object, "that Chroma does not write", false},
		{"pickle with an id in one direction", inIndex("index_metadata.pickle", func(b []byte) []byte { return bytes.Replace(b, []byte("memories-0700"), []byte("memories-9700"), 1) }), check, ids, object, "one direction", false},
		{"vectors of before", older("data_level0.bin"), check, level0, object, "vectors are lost", false},
	}
}

// older brings a file of the index of the memories back from an earlier moment.
func older(file string) func(s, before chromaStore) {
	return func(s, before chromaStore) {
		s.edit(s.place("memories/"+file), func([]byte) []byte { return before.read(before.place("memories/" + file)) })
	}
}

// idDamages are those that only show where index, queue and database are compared.
func idDamages() []chromaDamage {
	const check = "vectors.chroma-ids"
	return []chromaDamage{
		{"segment missing", without("memories/"), check, "memories/", "memories", "the folder of the index is missing or empty: the vectors of", false},
		{"segment emptied", func(s, _ chromaStore) {
			s.remove(s.place("memories/"))
			assert.NilError(s.t, os.Mkdir(s.path(s.place("memories/")), 0o755))
		}, check, "memories/", "memories", "the folder of the index is missing or empty: the vectors of", false},
		{"segment stale", func(s, before chromaStore) {
			s.remove(s.place("memories/"))
			assert.NilError(s.t, os.CopyFS(s.path(s.place("memories/")), os.DirFS(before.path(s.place("memories/")))))
		}, check, "memories/", "memories", "the vectors of", false},
		{"database stale", func(s, before chromaStore) {
			s.edit("chroma.sqlite3", func([]byte) []byte { return before.read("chroma.sqlite3") })
		}, check, "memories/", "memories", "records that the database does not have", false},
		{"segments exchanged", func(s, _ chromaStore) {
			memories, twins := s.path(s.place("memories/")), s.path(s.place("twins/"))
			assert.NilError(s.t, os.Rename(memories, memories+"-"))
			assert.NilError(s.t, os.Rename(twins, memories))
			assert.NilError(s.t, os.Rename(memories+"-", twins))
		}, check, "twins/", "twins", "of another moment or of another collection", false},
		{"pickle missing", without("memories/index_metadata.pickle"), check, "memories/", "memories", "index_metadata.pickle is missing: the vectors of", false},
		{"pickle of another collection", func(s, _ chromaStore) {
			s.edit(s.place("memories/index_metadata.pickle"), func([]byte) []byte { return s.read(s.place("twins/index_metadata.pickle")) })
		}, check, "memories/", "memories", "of another collection", false},
		{"an id changed", inIndex("index_metadata.pickle", func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("memories-0700"), []byte("memories-9700")) }), check, "memories/", "memories", `"memories-0700"`, false},
		{"records lost", statements("DELETE FROM embedding_metadata WHERE id IN (SELECT id FROM embeddings WHERE embedding_id = 'memories-0005')",
			"DELETE FROM embeddings WHERE embedding_id = 'memories-0005'"), check, "memories/", "memories", "index has 1 records", false},
		{"operations that wait lost", statements("DELETE FROM embeddings_queue WHERE id = 'sessions-0007'"), check, "sessions/", "sessions", `"sessions-0007"`, false},
	}
}

// databaseDamages are those of the database.
func databaseDamages() []chromaDamage {
	const file, schema, queue, integrity = "chroma.sqlite3", "databases.chroma", "databases.chroma-queue", "databases.integrity"
	edit := func(change func([]byte) []byte) func(s, _ chromaStore) {
		return func(s, _ chromaStore) { s.edit(file, change) }
	}
	zero := func(object string) func(s, _ chromaStore) {
		return func(s, _ chromaStore) { s.zeroPage(object) }
	}
	return []chromaDamage{
		{"database missing", without(file), schema, file, "", "is missing: Chroma would start with an empty database", false},
		{"database empty", edit(emptied), schema, file, "", "is empty: Chroma would start with an empty database", false},
		{"database cut in half", edit(cut(5)), "databases.header", file, "", "is cut: has", false},
		{"database cut by a page", edit(cutBytes(4096)), "databases.header", file, "", "is cut: has", false},
		{"database cut by 100 bytes", edit(cutBytes(100)), "databases.header", file, "", "is cut: has", false},
		{"first page zeroed", edit(func(b []byte) []byte { clear(b[:4096]); return b }), "databases.header", file, "", "begins with zeros", false},
		{"page of records zeroed", zero("embeddings"), integrity, file, "embeddings", "page", false},
		{"page of metadata zeroed", zero("embedding_metadata"), integrity, file, "embedding_metadata", "page", false},
		{"page of the queue zeroed", zero("embeddings_queue"), integrity, file, "embeddings_queue", "page", false},
		{"page of an index zeroed", zero("embedding_metadata_string_value"), integrity, file, "embedding_metadata", "page", false},
		{"page of the text index zeroed", zero("embedding_fulltext_search_data"), integrity, file, "embedding_fulltext_search_data", "page", false},
		{"journal lost", journalLost, integrity, file, "", "", false},
		{"queue emptied", statements("DELETE FROM embeddings_queue"), queue, file, "memories", "drop those of the collection", false},
		{"sequence too high", statements("UPDATE max_seq_id SET seq_id = 999999 WHERE segment_id = $vectors"), queue, file, "memories", "has come to 999999", false},
		{"vector of the queue cut", statements("UPDATE embeddings_queue SET vector = substr(vector, 1, 8) WHERE id = 'sessions-0007'"), queue, file, "sessions", "are not of dimension 8", false},
		{"wrong dimension", statements("UPDATE collections SET dimension = 32 WHERE name = 'memories'"), "vectors.chroma-index", "memories/header.bin", "memories", "has vectors of dimension 16, but the collection has 32", false},
		{"row of a segment missing", statements("DELETE FROM segments WHERE id = $vectors"), schema, file, "memories", "has no segment VECTOR", false},
		{"tenant missing", statements("DELETE FROM tenants"), schema, file, "memories", "tenant does not exist", false},
		{"migration changed", statements("UPDATE migrations SET hash = 'x' WHERE dir = 'sysdb' AND version = 3"), schema, file, "", "Chroma will not start", false},
		{"table missing", statements("DROP TABLE max_seq_id"), schema, file, "", "the table is missing", false},
		{"rows of records missing", statements("DELETE FROM embeddings WHERE embedding_id = 'memories-0005'"), schema, file, "", "belong to records that are not there", false},
		{"a letter of a document", statements("UPDATE embedding_metadata SET string_value = replace(string_value, 'Document 7 of', 'document 7 of') WHERE string_value LIKE 'Document 7 of memories%'"), "databases.chroma-documents", file, "memories", `"memories-0007"`, true},
	}
}

// journalLost copies the database in the middle of a transaction, without the journal that would undo it.
func journalLost(s, _ chromaStore) {
	var torn []byte
	s.within(hotChange, func() { torn = s.read("chroma.sqlite3") })
	s.edit("chroma.sqlite3", func([]byte) []byte { return torn })
}

// hotChange is a large transaction.
const hotChange = "UPDATE embedding_metadata SET string_value = 'overwritten ' || string_value"

// chromaDamages are all of them.
func chromaDamages() []chromaDamage {
	return slices.Concat(graphDamages(), idDamages(), databaseDamages())
}
