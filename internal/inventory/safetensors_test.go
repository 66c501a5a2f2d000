package inventory

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
)

// safetensorsOf is a file with this header, padded as the format's own writer does it.
func safetensorsOf(header string, data []byte) []byte {
	header += strings.Repeat(" ", (8-len(header)%8)%8)
	out := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(out, header...), data...)
}

func safetensorsCases() []vectorCase {
	one := `{"a":{"dtype":"F32","shape":[3,4],"data_offsets":[0,48]}}`
	healthy := safetensorsOf(one, floats32(12))
	nan := slices.Clone(healthy)
	copy(nan[len(nan)-4:], []byte{1, 0, 0xc0, 0x7f})
	tensor := func(kind, shape string, n int) []byte {
		return safetensorsOf(fmt.Sprintf(`{"a":{"dtype":%q,"shape":%s,"data_offsets":[0,%d]}}`, kind, shape, n), make([]byte, n))
	}
	two := `{"b":{"dtype":"F32","shape":[1,4],"data_offsets":[%d,%d]},"a":{"dtype":"I64","shape":[2],"data_offsets":[%d,%d]}}`
	broken := func(name, header string, size int, want string) vectorCase {
		return vectorCase{name: name, data: safetensorsOf(header, make([]byte, size)), quick: true, want: []string{"damaged: " + want}}
	}
	return []vectorCase{
		{name: "one tensor", data: healthy, count: "3×4"},
		{name: "no tensor", data: safetensorsOf("{}", nil), count: "0×0"},
		{name: "metadata", data: safetensorsOf(`{"__metadata__":{"format":"pt","ü":"x"},"a":{"dtype":"F32","shape":[3,4],"data_offsets":[0,48]}}`, floats32(12)), count: "3×4"},
		{name: "two tensors, in another order than their data", data: safetensorsOf(fmt.Sprintf(two, 16, 32, 0, 16), make([]byte, 32)), count: "1×4"},
		{name: "no rows", data: tensor("F32", "[0,384]", 0), count: "0×0"},
		{name: "a scalar", data: tensor("F64", "[]", 8), count: "1×0"},
		{name: "four bits", data: tensor("F4", "[2,3]", 3), count: "2×3"},
		{name: "bfloat16", data: tensor("BF16", "[2,3]", 12), count: "2×3"},
		{name: "bools", data: tensor("BOOL", "[5]", 5), count: "5×0"},
		{name: "unknown type", data: tensor("Q7", "[5]", 5), quick: true, want: []string{`not checked: a: its type "Q7" is not known`}},
		{name: "NaN", data: nan, want: []string{"damaged: a: 1 of 12 numbers are not a number (NaN)"}},
		{name: "infinite", data: safetensorsOf(`{"a":{"dtype":"BF16","shape":[1],"data_offsets":[0,2]}}`, []byte{0x80, 0xff}), want: []string{"warning: a: 1 of 1 numbers are infinite"}},
		{name: "empty", quick: true, want: []string{"damaged: is empty"}},
		{name: "cut", data: healthy[:len(healthy)-1], quick: true, want: []string{"damaged: cut: 119 of 120 bytes"}, count: "0×0"},
		{name: "longer", data: append(slices.Clone(healthy), 0), quick: true, want: []string{"damaged: 1 bytes follow its last tensor"}},
		{name: "zeros", data: make([]byte, 100), quick: true, want: []string{"damaged: its header does not begin as JSON"}},
		{name: "a header of 2^60 bytes", data: append(binary.LittleEndian.AppendUint64(nil, 1<<60), '{'), quick: true, want: []string{"damaged: cut: 9 of 1152921504606846984 bytes"}},
		{name: "a header of 2^64 bytes", data: append(binary.LittleEndian.AppendUint64(nil, 1<<64-1), '{'), quick: true, want: []string{"damaged: cut: 9 of 4611686018427387912 bytes"}},
		broken("a gap", fmt.Sprintf(two, 17, 33, 0, 16), 33, `1 bytes before tensor "b" belong to none`),
		broken("overlap", fmt.Sprintf(two, 15, 31, 0, 16), 31, `tensor "b" overlaps another`),
		broken("a wrong size", `{"a":{"dtype":"F32","shape":[3,4],"data_offsets":[0,47]}}`, 47, `tensor "a" has 47 bytes, which its shape and type do not give`),
		broken("a shape that overflows", `{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}}`, 0, `tensor "a" has 0 bytes, which its shape and type do not give`),
		broken("half a byte", `{"a":{"dtype":"F4","shape":[3],"data_offsets":[0,1]}}`, 1, `tensor "a" has 1 bytes, which its shape and type do not give`),
		broken("one name twice", `{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}`, 2, `its header has two tensors "a"`),
		broken("offsets back to front", `{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,0]}}`, 1, "its header cannot be read: tensor a lacks its type, shape or range"),
		broken("no shape", `{"a":{"dtype":"U8","data_offsets":[0,1]}}`, 1, "its header cannot be read: tensor a lacks its type, shape or range"),
		broken("cut JSON", `{"a":{"dtype":"U8"`, 0, "its header cannot be read: unexpected EOF"),
		broken("JSON behind", `{} {}`, 0, "its header cannot be read: something follows it"),
		broken("no object", `["a"]`, 0, "its header does not begin as JSON"),
	}
}

func TestSafetensors(t *testing.T) {
	runVectorCases(t, func() Validator { return safetensorsFiles{} }, ".safetensors", safetensorsCases())
	everyCut(t, safetensorsFiles{}, "a.safetensors", safetensorsOf(`{"a":{"dtype":"F32","shape":[3,4],"data_offsets":[0,48]}}`, floats32(12)))
}

func TestALongHeaderOfSafetensorsIsNotRead(t *testing.T) {
	data := safetensorsOf("{"+strings.Repeat(" ", safetensorsHeader)+"}", nil)
	n := allocated(func() {
		r := examine(t, safetensorsFiles{}, "a.safetensors", data, wholly())
		assert.DeepEqual(t, told(r), []string{fmt.Sprintf("not checked: its header of %d bytes is longer than is read", len(data)-8)})
	})
	assert.Assert(t, n < 1<<20, "%d bytes", n)
}

func FuzzSafetensors(f *testing.F) {
	for _, c := range safetensorsCases() {
		f.Add(c.data)
	}
	f.Fuzz(func(t *testing.T, data []byte) { fuzzed(t, safetensorsFiles{}, "a.safetensors", data) })
}
