package inventory

import (
	"bytes"
	"encoding/binary"
	"reflect"
	"slices"
	"testing"

	"gotest.tools/v3/assert"
)

// faissBytes are parts of an index one after the other: text and bytes as they are, numbers little-endian, lists behind their length.
func faissBytes(parts ...any) []byte {
	var b bytes.Buffer
	for _, p := range parts {
		switch v := p.(type) {
		case string:
			b.WriteString(v)
		case []byte:
			b.Write(v)
		default:
			if reflect.TypeOf(p).Kind() == reflect.Slice {
				_ = binary.Write(&b, binary.LittleEndian, uint64(reflect.ValueOf(p).Len()))
			}
			_ = binary.Write(&b, binary.LittleEndian, p)
		}
	}
	return b.Bytes()
}

func faissHead(code string, dimension int32, total int64) []byte {
	return faissBytes(code, dimension, total, int64(1<<20), int64(1<<20), true, int32(1))
}

// faissVectors is a flat index of n vectors of 4 numbers.
func faissVectors(n int, odd ...int) []byte {
	return faissBytes(faissHead("IxF2", 4, int64(n)), uint64(4*n), floats32(4*n, odd...))
}

// faissGraph is an HNSW index of three vectors around its storage.
func faissGraph(code string, links []int32, levels []int32, offsets []uint64, entry int32, storage []byte) []byte {
	return faissBytes(faissHead(code, 4, 3), []float64{0.9, 0.1}, []int32{0, 2, 4}, levels, offsets, links,
		entry, int32(0), int32(40), int32(16), int32(1), storage)
}

// faissInverted is an index of inverted lists around its encoder and its sizes; two lists with three vectors.
func faissInverted(code string, encoder, sizes []byte, width, rows int) []byte {
	codes := floats32(rows * width / 4)
	for i := range rows {
		codes = append(codes, faissBytes(int64(i))...)
	}
	return faissBytes(faissHead(code, 4, 3), uint64(2), uint64(1), faissVectors(2), byte(0), []int64{}, encoder,
		"ilar", uint64(2), uint64(width), sizes, codes)
}

func faissCases() []vectorCase {
	flat := faissVectors(3)
	product := faissBytes(uint64(4), uint64(2), uint64(8), make([]float32, 1024))
	scalar := faissBytes(int32(0), int32(0), float32(0), uint64(4), uint64(4), []float32{0, 1, 0, 1, 0, 1, 0, 1})
	encoded := faissBytes(faissHead("IxPq", 4, 3), product, uint64(6), make([]byte, 6), make([]byte, 9))
	quantized := faissBytes(faissHead("IxSQ", 4, 3), scalar, uint64(12), make([]byte, 12))
	links, levels, offsets := []int32{1, -1, 0, 2, 1, -1}, []int32{1, 1, 1}, []uint64{0, 2, 4, 6}
	graph := faissGraph("IHNf", links, levels, offsets, 0, flat)
	everything := faissBytes("full", []uint64{3, 0})
	lists := faissInverted("IwFl", nil, everything, 16, 3)
	damaged := func(name string, data []byte, quick bool, want string) vectorCase {
		return vectorCase{name: name, data: data, quick: quick, want: []string{"damaged: " + want}}
	}
	changed := func(data []byte, at int, with ...byte) []byte {
		out := slices.Clone(data)
		copy(out[at:], with)
		return out
	}
	return []vectorCase{
		{name: "flat", data: flat, count: "3×4"},
		{name: "flat, no vectors", data: faissVectors(0), count: "0×4"},
		{name: "flat, inner product", data: changed(flat, 3, 'I'), count: "3×4"},
		{name: "flat, another metric", data: faissBytes("IxFl", int32(4), int64(1), int64(1<<20), int64(1<<20), true, int32(4), float32(3), uint64(4), floats32(4)), count: "1×4"},
		{name: "ids", data: faissBytes(faissHead("IxMp", 4, 3), flat, []int64{10, 20, 30}), count: "3×4"},
		{name: "ids both ways around a graph", data: faissBytes(faissHead("IxM2", 4, 3), graph, []int64{10, 20, 30}), count: "3×4"},
		{name: "graph", data: graph, count: "3×4"},
		{name: "graph without vectors", data: faissGraph("IHNf", links, levels, offsets, 0, []byte("null")), count: "3×4"},
		{name: "empty graph", data: faissBytes(faissHead("IHNf", 4, 0), []float64{1}, []int32{0, 2}, []int32{}, []uint64{0}, []int32{}, int32(-1), int32(-1), int32(40), int32(16), int32(1), faissVectors(0)), count: "0×4"},
		{name: "graph of codes", data: faissGraph("IHNp", links, levels, offsets, 2, encoded), count: "3×4"},
		{name: "graph of scalar codes", data: faissGraph("IHNs", links, levels, offsets, 2, quantized), count: "3×4"},
		{name: "inverted lists", data: lists, count: "3×4"},
		{name: "inverted lists, few", data: faissInverted("IwFl", nil, faissBytes("sprs", []uint64{1, 3}), 16, 3), count: "3×4"},
		{name: "inverted lists, left out", data: faissBytes(faissHead("IwFl", 4, 3), uint64(2), uint64(1), faissVectors(2), byte(1), []int64{1, 2, 3}, "il00"), count: "3×4"},
		{name: "inverted lists of codes", data: faissInverted("IwPQ", faissBytes(true, uint64(2), uint64(4), uint64(2), uint64(8), make([]float32, 1024)), faissBytes("full", []uint64{3, 0}), 2, 0), quick: true, want: []string{"damaged: cut: 4324 of 4354 bytes"}},
		{name: "inverted lists of scalar codes", data: faissInverted("IwSq", faissBytes(scalar, uint64(4), true), everything, 4, 3), count: "3×4"},
		{name: "lists of another kind", data: faissBytes(faissHead("IwFl", 4, 3), uint64(2), uint64(1), faissVectors(2), byte(2), []int64{}, uint64(1), make([]byte, 16), "ilod"), quick: true, count: "3×4", want: []string{`not checked: the kind "ilod" of inverted lists is not known`}},
		{name: "unknown kind", data: faissBytes(faissHead("IxPT", 4, 3), int32(0), flat), quick: true, count: "3×4", want: []string{`not checked: the kind "IxPT" of FAISS index is not known`}},
		{name: "unknown kind without the common header", data: []byte("IBxF and more"), quick: true, count: "0×0", want: []string{`not checked: the kind "IBxF" of FAISS index is not known`}},
		{name: "something behind", data: append(slices.Clone(flat), 0), quick: true, count: "3×4", want: []string{"warning: 1 bytes follow the index"}},

		damaged("empty", nil, true, "is empty"),
		damaged("zeros", make([]byte, 100), true, "does not begin as a FAISS index"),
		damaged("cut", flat[:len(flat)-1], true, "cut: 92 of 93 bytes"),
		damaged("cut in the header", flat[:20], true, "cut: 20 of 37 bytes"),
		damaged("NaN", faissVectors(3, 5), false, "1 of 12 numbers are not a number (NaN)"),
		damaged("NaN in a list", changed(lists, len(lists)-28, 0, 0, 0xc0, 0x7f), false, "1 of 12 numbers are not a number (NaN)"),
		damaged("fewer vectors than said", changed(flat, 8, 4), true, "has 12 numbers instead of 16"),
		damaged("2^62 vectors", changed(flat, 15, 0x40), true, "says that it has 4611686018427387907 vectors of 4 numbers"),
		damaged("negative", changed(flat, 15, 0x80), true, "says that it has -9223372036854775805 vectors"),
		damaged("a dimension of -1", changed(flat, 4, 0xff, 0xff, 0xff, 0xff), true, "says that its vectors have -1 numbers"),
		damaged("a list of 2^63 items", changed(flat, 37, 0, 0, 0, 0, 0, 0, 0, 0x80), true, "says that 9223372036854775808 items follow: more than any file holds"),
		damaged("trained", changed(flat, 32, 7), true, "says 7 where it should say whether it is trained"),
		damaged("metric", changed(flat, 33, 200), true, "says that its metric is number 200"),
		damaged("fewer ids", faissBytes(faissHead("IxMp", 4, 3), flat, []int64{10, 20}), true, "has 2 ids instead of 3"),
		damaged("another dimension inside", faissBytes(faissHead("IxMp", 8, 3), flat, []int64{1, 2, 3}), true, "indexes vectors of 4 numbers within an index of 8"),
		damaged("another count inside", faissBytes(faissHead("IxMp", 4, 2), flat, []int64{1, 2}), true, "has 3 vectors instead of 2"),
		damaged("within itself", bytes.Repeat(faissHead("IxMp", 4, 3), 9), true, "has more than 6 indexes within each other"),
		damaged("a link out of the graph", faissGraph("IHNf", []int32{1, -1, 0, 3, 1, -1}, levels, offsets, 0, flat), false, "a link of the graph leads to vector 3 of 3"),
		damaged("a link before the graph", faissGraph("IHNf", []int32{1, -2, 0, 2, 1, -1}, levels, offsets, 0, flat), false, "a link of the graph leads to vector -2 of 3"),
		damaged("levels", faissGraph("IHNf", links, []int32{1, 0, 1}, offsets, 0, flat), false, "a vector is on 0 levels of the graph"),
		damaged("fewer levels", faissGraph("IHNf", links, []int32{1, 1}, offsets, 0, flat), true, "has 2 levels instead of 3"),
		damaged("places of links", faissGraph("IHNf", links, levels, []uint64{0, 4, 2, 6}, 0, flat), false, "the places of the links go back from 4 to 2"),
		damaged("fewer links", faissGraph("IHNf", links[:5], levels, offsets, 0, flat), true, "has 5 links instead of 6"),
		damaged("the graph's entry", faissGraph("IHNf", links, levels, offsets, 3, flat), true, "its graph begins at vector 3 of 3"),
		damaged("a graph around fewer vectors", faissGraph("IHNf", links, levels, offsets, 0, faissVectors(2)), true, "has 2 vectors instead of 3"),
		damaged("fewer in the lists", faissInverted("IwFl", nil, faissBytes("full", []uint64{1, 1}), 16, 3), true, "has 2 vectors in its lists instead of 3"),
		damaged("a list of many", faissInverted("IwFl", nil, faissBytes("full", []uint64{1 << 63, 1 << 63}), 16, 3), true, "has a list of 9223372036854775808 vectors"),
		damaged("a list out of the lists", faissInverted("IwFl", nil, faissBytes("sprs", []uint64{2, 3}), 16, 3), true, "has a list 2 of 2"),
		damaged("codes of another size", faissInverted("IwFl", nil, everything, 12, 3), true, "has 2 lists with codes of 12 bytes instead of 2 with 16"),
		damaged("quantizer", faissBytes(faissHead("IxPq", 4, 3), uint64(4), uint64(1<<40), uint64(8)), true, "its product quantizer has 1099511627776 parts of 8 bits for 4 numbers"),
	}
}

func TestFAISSIndexes(t *testing.T) {
	cases := faissCases()
	runVectorCases(t, func() Validator { return faissFiles{} }, ".faiss", cases)
	for _, c := range cases {
		if len(c.want) == 0 {
			t.Run("cut/"+c.name, func(t *testing.T) { everyCut(t, faissFiles{}, "a.faiss", c.data) })
		}
	}
}

func TestFAISSIndexesAreKnownByTheirBeginning(t *testing.T) {
	claims := faissFiles{}.Claims
	assert.Assert(t, claims(subjectOf("indexes/main.index", faissVectors(3))))
	assert.Assert(t, claims(subjectOf("x.bin", faissHead("IxPT", 4, 3))))
	assert.Assert(t, !claims(subjectOf("x.index", make([]byte, 100))))
	assert.Assert(t, !claims(subjectOf("x.index", nil)))
	assert.Assert(t, !claims(subjectOf("x.bin", []byte("IxF2"))))
}

func FuzzFAISS(f *testing.F) {
	for _, c := range faissCases() {
		f.Add(c.data)
	}
	f.Fuzz(func(t *testing.T, data []byte) { fuzzed(t, faissFiles{}, "a.faiss", data) })
}
