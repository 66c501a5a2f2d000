package inventory

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
)

// npyBytes is an .npy file of a version, padded as NumPy does it.
func npyBytes(version byte, header string, data []byte) []byte {
	out := []byte(npyMagic + string([]byte{version, 0}))
	size := 2
	if version > 1 {
		size = 4
	}
	pad := 64 - (len(out)+size+len(header)+1)%64
	header += strings.Repeat(" ", pad) + "\n"
	if version == 1 {
		out = binary.LittleEndian.AppendUint16(out, uint16(len(header)))
	} else {
		out = binary.LittleEndian.AppendUint32(out, uint32(len(header)))
	}
	return append(append(out, header...), data...)
}

// npyOf is an .npy file of a type and shape.
func npyOf(descr, shape string, data []byte) []byte {
	return npyBytes(1, fmt.Sprintf("{'descr': %s, 'fortran_order': False, 'shape': %s, }", descr, shape), data)
}

func npyCases() []vectorCase {
	matrix := npyOf("'<f4'", "(3, 4)", floats32(12))
	big := binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, math.Float64bits(1)), math.Float64bits(math.NaN()))
	header := len(matrix) - 48
	return []vectorCase{
		{name: "matrix", data: matrix, count: "3×4"},
		{name: "Fortran order", data: npyBytes(1, "{'descr': '<f4', 'fortran_order': True, 'shape': (3, 4), }", floats32(12)), count: "3×4"},
		{name: "version 2", data: npyBytes(2, "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }", floats32(12)), count: "3×4"},
		{name: "version 3 with a name in another script", data: npyBytes(3, "{'descr': [('größe', '<f4')], 'fortran_order': False, 'shape': (3,), }", floats32(3)), count: "3×0"},
		{name: "Python 2", data: npyBytes(1, "{u'descr': '<f4', 'fortran_order': False, 'shape': (3L, 4L)}", floats32(12)), count: "3×4"},
		{name: "double quotes and another order", data: npyBytes(1, `{"shape":(12,),"descr":"<f4","fortran_order":False}`, floats32(12)), count: "12×0"},
		{name: "no rows", data: npyOf("'<f4'", "(0, 384)", nil), count: "0×0"},
		{name: "no rows beside a huge number", data: npyOf("'<f4'", "(0, 9223372036854775807, 9223372036854775807)", nil), count: "0×0"},
		{name: "0-d", data: npyOf("'<f8'", "()", make([]byte, 8)), count: "1×0"},
		{name: "big-endian", data: npyOf("'>f4'", "(1, 2)", []byte{0x3f, 0x80, 0, 0, 0, 0, 0xc0, 0x7f}), count: "1×2"},
		{name: "half", data: npyOf("'<f2'", "(2, 2)", []byte{0, 0x3c, 0, 0x3c, 0, 0x3c, 0xff, 0x7b}), count: "2×2"},
		{name: "integers that look like NaN", data: npyOf("'<i4'", "(1, 2)", bytes.Repeat([]byte{0xff}, 8)), count: "1×0"},
		{name: "bools", data: npyOf("'|b1'", "(3,)", []byte{1, 0, 1}), count: "3×0"},
		{name: "unicode", data: npyOf("'<U3'", "(2,)", make([]byte, 24)), count: "2×0"},
		{name: "bytes of no length", data: npyOf("'|S0'", "(1000000000000,)", nil), count: "0×0"},
		{name: "times", data: npyOf("'<M8[ns]'", "(2,)", bytes.Repeat([]byte{0xff}, 16)), count: "2×0"},
		{name: "complex", data: npyOf("'<c8'", "(2,)", floats32(4)), count: "2×0"},
		{name: "record", data: npyOf("[('id', '<i8'), ('v', '<f4', (4,)), (('title', 'n'), '|S3'), ('', '|V1')]", "(2,)", make([]byte, 56)), count: "2×0"},
		{name: "record in a record", data: npyOf("[('a', [('b', '<i2'), ('c', ('<f4', (2, 2)))])]", "(1,)", make([]byte, 18)), count: "1×0"},
		{name: "two arrays", data: slices.Concat(matrix, npyOf("'<f4'", "(1, 4)", floats32(4))), count: "4×4"},
		{name: "two arrays of different length", data: slices.Concat(matrix, npyOf("'<f4'", "(1, 2)", floats32(2))), count: "4×0"},

		{name: "objects", data: npyOf("'|O'", "(2,)", []byte("\x80\x04cos\nsystem\n.")), quick: true, want: []string{"not checked: holds Python objects, which are not unpickled"}},
		{name: "objects in a record", data: npyOf("[('a', '<i2'), ('b', '|O')]", "(2,)", nil), quick: true, want: []string{"not checked: holds Python objects, which are not unpickled"}},
		{name: "unknown type", data: npyOf("'<q6'", "(2,)", nil), quick: true, want: []string{`not checked: its type "<q6" is not known`}},
		{name: "unknown version", data: npyBytes(4, "{}", nil), quick: true, want: []string{"not checked: its version 4.0 is not known"}},
		{name: "cut", data: matrix[:header+47], quick: true, want: []string{fmt.Sprintf("damaged: cut: %d of %d bytes", header+47, header+48)}, count: "0×0"},
		{name: "cut in the second", data: slices.Concat(matrix, matrix[:20]), quick: true, want: []string{"damaged: cut: 196 of 304 bytes"}, count: "3×4"},
		{name: "something behind", data: slices.Concat(matrix, []byte("xy")), quick: true, want: []string{"warning: 2 bytes follow its array, which NumPy does not read"}, count: "3×4"},
		{name: "empty", quick: true, want: []string{"damaged: is empty"}},
		{name: "zeros", data: make([]byte, 500), quick: true, want: []string{"damaged: begins with zeros, not as an .npy file"}},
		{name: "something else", data: []byte("hello, world"), quick: true, want: []string{"damaged: does not begin as an .npy file"}},
		{name: "NaN", data: npyOf("'<f4'", "(3, 4)", floats32(12, 5)), want: []string{"damaged: 1 of 12 numbers are not a number (NaN)"}},
		{name: "NaN, big-endian", data: npyOf("'>f8'", "(2,)", big), want: []string{"damaged: 1 of 2 numbers are not a number (NaN)"}},
		{name: "NaN, half", data: npyOf("'<f2'", "(2,)", []byte{0, 0x3c, 1, 0xfc}), want: []string{"damaged: 1 of 2 numbers are not a number (NaN)"}},
		{name: "infinite", data: npyOf("'<f2'", "(2,)", []byte{0, 0x3c, 0, 0xfc}), want: []string{"warning: 1 of 2 numbers are infinite"}},
		{name: "huge shape", data: npyOf("'<f4'", "(4294967296, 4294967296)", nil), quick: true, want: []string{"damaged: says that it has more elements than any file holds"}},
		{name: "huge number", data: npyOf("'<f4'", "(9223372036854775808,)", nil), quick: true, want: []string{"damaged: says that it has more elements than any file holds"}},
		{name: "shape of 2^63 bytes", data: npyOf("'<f4'", "(2305843009213693952,)", nil), quick: true, want: []string{"damaged: says that 2305843009213693952 times 4 bytes follow: more than any file holds"}},
		{name: "huge header", data: []byte(npyMagic + "\x02\x00\xff\xff\xff\xff{}"), quick: true, want: []string{"damaged: cut: 14 of 4294967307 bytes"}},
		{name: "negative shape", data: npyOf("'<f4'", "(-3, 4)", nil), quick: true, want: []string{"damaged: its header cannot be read"}},
		{name: "code", data: npyOf("__import__('os')", "(3, 4)", nil), quick: true, want: []string{"damaged: its header cannot be read"}},
		{name: "code in the shape", data: npyOf("'<f4'", "(3*4,)", nil), quick: true, want: []string{"damaged: its header cannot be read"}},
		{name: "nothing in the header", data: npyBytes(1, "", nil), quick: true, want: []string{"damaged: its header cannot be read"}},
		{name: "deep header", data: npyOf(strings.Repeat("[", 10_000), "(3,)", nil), quick: true, want: []string{"damaged: its header cannot be read"}},
	}
}

func TestNumPyArrays(t *testing.T) {
	runVectorCases(t, func() Validator { return npyFiles{} }, ".npy", npyCases())
	everyCut(t, npyFiles{}, "a.npy", npyOf("'<f4'", "(3, 4)", floats32(12)))
	odd := examine(t, npyFiles{}, "noname", npyOf("'<f4'", "(3, 4)", floats32(12, 5, 6)), wholly())
	f := odd.Results()[0].Findings[0]
	assert.Assert(t, f.At)
	assert.Equal(t, f.Offset, int64(128+5*4))
}

func TestAnArraysHeadTellsTheDimension(t *testing.T) {
	for shape, want := range map[string]int{"(3, 4)": 4, "(3,)": 0, "()": 0, "(3, 4, 5)": 0, "(1, 9223372036854775807)": 0, "(5, 384)": 384} {
		assert.Equal(t, VectorDimension(npyOf("'<f4'", shape, nil)), want, shape)
	}
	assert.Equal(t, VectorDimension(npyOf("'<f4'", "(3, 4)", nil)[:40]), 0)
	assert.Equal(t, VectorDimension(nil), 0)
}

func FuzzNpy(f *testing.F) {
	for _, c := range npyCases() {
		f.Add(c.data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		fuzzed(t, npyFiles{}, "a.npy", data)
		VectorDimension(data)
	})
}

// npzOf is a zip of members, packed by a method.
func npzOf(t testing.TB, method uint16, members map[string][]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range slices.Sorted(func(yield func(string) bool) {
		for name := range members {
			if !yield(name) {
				return
			}
		}
	}) {
		w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: method})
		assert.NilError(t, err)
		_, err = w.Write(members[name])
		assert.NilError(t, err)
	}
	assert.NilError(t, z.Close())
	return b.Bytes()
}

func npzCases(t testing.TB) []vectorCase {
	matrix := npyOf("'<f4'", "(3, 4)", floats32(12))
	text := npyOf("'<U4'", "(2,)", make([]byte, 32))
	both := map[string][]byte{"vectors.npy": matrix, "ids.npy": text}
	stored, packed := npzOf(t, zip.Store, both), npzOf(t, zip.Deflate, both)
	flipped := slices.Clone(stored)
	flipped[bytes.Index(flipped, floats32(12))+7] ^= 1
	torn := slices.Clone(packed)
	i := bytes.Index(torn, []byte("vectors.npy"))
	clear(torn[i+11 : i+60])
	longer := slices.Clone(stored)
	table := bytes.Index(longer, []byte("PK\x01\x02"))
	binary.LittleEndian.PutUint32(longer[table+24:], 1<<31)
	shorter := slices.Clone(stored)
	binary.LittleEndian.PutUint32(shorter[table+24:], uint32(len(text)-1))
	overlap := slices.Clone(stored)
	second := table + 46 + len("ids.npy") + int(binary.LittleEndian.Uint16(overlap[table+30:]))
	copy(overlap[second+42:second+46], overlap[table+42:table+46])
	crowded := slices.Clone(stored)
	binary.LittleEndian.PutUint16(crowded[len(crowded)-12:], 65000)
	return []vectorCase{
		{name: "stored", data: stored, count: "3×4"},
		{name: "deflated", data: packed, count: "3×4"},
		{name: "no array", data: npzOf(t, zip.Store, nil), count: "0×0"},
		{name: "something beside arrays", data: npzOf(t, zip.Deflate, map[string][]byte{"a.npy": matrix, "readme.txt": []byte("x")}), count: "3×4"},
		{name: "objects", data: npzOf(t, zip.Deflate, map[string][]byte{"o.npy": npyOf("'|O'", "(1,)", []byte("pickle"))}), quick: true, want: []string{"not checked: o.npy: holds Python objects, which are not unpickled"}},
		{name: "flipped", data: flipped, want: []string{"damaged: vectors.npy: its sum is wrong"}},
		{name: "NaN", data: npzOf(t, zip.Deflate, map[string][]byte{"a.npy": npyOf("'<f4'", "(12,)", floats32(12, 1))}), want: []string{"damaged: a.npy: 1 of 12 numbers are not a number (NaN)"}},
		{name: "a cut array in a whole zip", data: npzOf(t, zip.Deflate, map[string][]byte{"a.npy": matrix[:150]}), quick: true, want: []string{"damaged: a.npy: cut: 150 of 176 bytes"}},
		{name: "cut", data: stored[:len(stored)-30], quick: true, want: []string{"damaged: cut: the table of contents at the end of the zip is missing"}},
		{name: "empty", quick: true, want: []string{"damaged: is empty"}},
		{name: "no zip", data: []byte("hello"), quick: true, want: []string{"damaged: cut: the table of contents at the end of the zip is missing"}},
		{name: "torn", data: torn, quick: true, want: []string{"damaged: vectors.npy: cannot be unpacked: flate: corrupt input before offset 5"}},
		{name: "bomb", data: longer, quick: true, want: []string{`damaged: member "ids.npy" claims 2147483648 bytes, which 160 packed ones cannot be`}},
		{name: "longer than it claims", data: shorter, quick: true, want: []string{"damaged: ids.npy: cut: 159 of 160 bytes"}},
		{name: "members one over the other", data: overlap, quick: true, want: []string{"damaged: its members overlap"}},
		{name: "too many members", data: crowded, quick: true, want: []string{"not checked: its table of contents has 65000 members in 110 bytes: more than is read"}},
	}
}

func TestNumPyArchives(t *testing.T) {
	runVectorCases(t, func() Validator { return npzFiles{} }, ".npz", npzCases(t))
	everyCut(t, npzFiles{}, "a.npz", npzOf(t, zip.Deflate, map[string][]byte{"a.npy": npyOf("'<f4'", "(3, 4)", floats32(12))}))
}

func TestAZipBombIsReadWithinBounds(t *testing.T) {
	zeros := npyOf("'<f4'", "(4096, 2048)", make([]byte, 32<<20))
	bomb := npzOf(t, zip.Deflate, map[string][]byte{"a.npy": zeros})
	n := allocated(func() {
		assert.DeepEqual(t, told(examine(t, npzFiles{}, "a.npz", bomb, wholly())), []string{})
	})
	assert.Assert(t, n < 2<<20, "%d bytes", n)
}

// The end of a zip may count fewer members, and a shorter table of contents, than the zip package then reads.
func TestALongTableOfContentsIsReadWithinBounds(t *testing.T) {
	const entries = 1<<18 + 1 // counted in 16 bits: one
	entry := make([]byte, 46)
	copy(entry, "PK\x01\x02")
	end := make([]byte, 22)
	copy(end, "PK\x05\x06")
	binary.LittleEndian.PutUint16(end[8:], 1)
	binary.LittleEndian.PutUint16(end[10:], 1)
	binary.LittleEndian.PutUint32(end[12:], 46)
	n := allocated(func() {
		r := examine(t, npzFiles{}, "a.npz", slices.Concat(bytes.Repeat(entry, entries), end), wholly())
		assert.DeepEqual(t, told(r), []string{"not checked: its table of contents is longer than is read"})
	})
	assert.Assert(t, n < 64<<20, "%d bytes", n)
}

func FuzzNpz(f *testing.F) {
	for _, c := range npzCases(f) {
		f.Add(c.data)
	}
	f.Fuzz(func(t *testing.T, data []byte) { fuzzed(t, npzFiles{}, "a.npz", data) })
}
