package inventory

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
)

// pickleOf makes a pickle as Chroma 1.x writes it, of these ids.
func pickleOf(added byte, ids ...string) []byte {
	var b bytes.Buffer
	word := func(s string) { fmt.Fprintf(&b, "X%c\x00\x00\x00%s", len(s), s) }
	b.WriteString("\x80\x03}(")
	word("dimensionality")
	b.WriteString("N")
	word("total_elements_added")
	fmt.Fprintf(&b, "K%s", []byte{added})
	word("id_to_label")
	b.WriteString("}(")
	for i, id := range ids {
		word(id)
		fmt.Fprintf(&b, "K%s", []byte{byte(i + 1)})
	}
	b.WriteString("u")
	word("label_to_id")
	b.WriteString("}(")
	for i, id := range ids {
		fmt.Fprintf(&b, "K%s", []byte{byte(i + 1)})
		word(id)
	}
	b.WriteString("uu.")
	return b.Bytes()
}

func TestIDMapsAreRead(t *testing.T) {
	b := pickleOf(2, "a", "b")
	m, err := readIDMap(bytes.NewReader(b), int64(len(b)))
	assert.NilError(t, err)
	m.unmark()
	assert.DeepEqual(t, m.labels, map[string]uint64{"a": 1, "b": 2})
	assert.Equal(t, m.added, int64(2))
	assert.Assert(t, !m.inPickle)
}

func TestPicklesAreReadInTheFormsThatPythonHas(t *testing.T) {
	const begin, end = "\x80\x02}q\x00(X\x14\x00\x00\x00total_elements_added", "X\x0b\x00\x00\x00id_to_label}X\x01\x00\x00\x00aK\x01sX\x0b\x00\x00\x00label_to_id}K\x01X\x01\x00\x00\x00asu."
	for name, number := range map[string]string{
		"one byte": "K\x05", "two bytes": "M\x05\x00", "four bytes": "J\x05\x00\x00\x00", "a long": "\x8a\x01\x05",
		"a long of nine": "\x8a\x09\x05\x00\x00\x00\x00\x00\x00\x00\x00", "a string that is kept": "K\x05X\x01\x00\x00\x00aq\x01h\x01", "a string that is kept far": "K\x05X\x01\x00\x00\x00ar\x01\x00\x00\x00j\x01\x00\x00\x00",
	} {
		b := begin + number + end
		m, err := readIDMap(strings.NewReader(b), int64(len(b)))
		assert.NilError(t, err, name)
		assert.Equal(t, m.added, int64(5), name)
		assert.Equal(t, len(m.labels), 1, name)
	}
}

func TestPicklesThatAreNoMapAreRefused(t *testing.T) {
	for name, b := range map[string]string{
		"nothing":                      "",
		"no map":                       "\x80\x03N.",
		"an empty map":                 "\x80\x03}.",
		"a command":                    "cos\nsystem\n(X\x02\x00\x00\x00lstR.",
		"a command by the stack":       "\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x02ls\x85R.",
		"a reduction":                  "\x80\x04}R.",
		"a string beyond the end":      "\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\x7fa",
		"a string of four gigabytes":   "\x80\x03X\xff\xff\xff\xffa",
		"a long of 255 bytes":          "\x80\x03\x8a\xff" + strings.Repeat("a", 255),
		"a long beyond 63 bits":        "\x80\x03}X\x01\x00\x00\x00a\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x80s.",
		"nothing to set":               "\x80\x03u.",
		"a mark without a map":         "\x80\x03(K\x01K\x02u.",
		"a memo that is not there":     "\x80\x03}h\x05.",
		"memo on memo":                 "\x80\x04}\x94\x94.",
		"a number in the memo":         "\x80\x04}K\x01\x94.",
		"a place far off":              "\x80\x03}X\x01\x00\x00\x00ar\xff\xff\xff\xff.",
		"a map in the memo":            "\x80\x04}\x94h\x00.",
		"a stack of marks":             "\x80\x03" + strings.Repeat("(", 10_000),
		"a stack of maps":              "\x80\x03" + strings.Repeat("}(X\x01\x00\x00\x00a", 10_000),
		"a stack of numbers":           "\x80\x03" + strings.Repeat("N", 10_000),
		"a line without end":           "c" + strings.Repeat("a", 10_000),
		"a label that is a string":     string(bytes.Replace(pickleOf(2, "a"), []byte("aK\x01"), []byte("aX\x00\x00\x00\x00"), 1)),
		"a label for two":              string(bytes.ReplaceAll(pickleOf(2, "a", "b"), []byte("K\x02"), []byte("K\x01"))),
		"elements that were not added": string(pickleOf(1, "a", "b")),
		"a direction that is missing":  string(bytes.Replace(pickleOf(1, "a"), []byte("label_to_id"), []byte("label_to_it"), 1)),
	} {
		_, err := readIDMap(strings.NewReader(b), int64(len(b)))
		assert.Assert(t, err != nil, name)
	}
}

func TestAPickleThatIsCutAnywhereIsRefused(t *testing.T) {
	for _, b := range [][]byte{pickleOf(3, "a", "b", "c"), goldenPickle(t)} {
		for n := range len(b) {
			_, err := readIDMap(bytes.NewReader(b[:n]), int64(n))
			assert.ErrorIs(t, err, io.ErrUnexpectedEOF, n)
		}
	}
}

// goldenPickle is one of the form of Chroma 0.4.
func goldenPickle(t testing.TB) []byte {
	g := goldenStore(t, "chroma-0.4")
	b, err := os.ReadFile(g.path(g.index("notes") + "/" + idMapFile))
	assert.NilError(t, err)
	return b
}

// TestAPickleTakesMemoryBySize reads what a reader that keeps all it is given would build large things of.
func TestAPickleTakesMemoryBySize(t *testing.T) {
	const size = 4 << 20
	for name, unit := range map[string]string{
		"pairs that nobody wants": "K\x01K\x01",
		"strings that are kept":   "\x8c\x00\x94K\x01",
		"one string again":        "h\x01h\x01",
	} {
		b := "\x80\x04}\x94(" + "\x8c\x01a\x94K\x01" + strings.Repeat(unit, size/len(unit)) + "u."
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := readIDMap(strings.NewReader(b), int64(len(b)))
		runtime.ReadMemStats(&after)
		assert.ErrorContains(t, err, "is no map of an index", name)
		assert.Assert(t, after.TotalAlloc-before.TotalAlloc < 40*size, "%s: %d", name, after.TotalAlloc-before.TotalAlloc)
	}
}

// TestAStringOfAPickleIsNoLongerThanAnID reads one that takes a whole file.
func TestAStringOfAPickleIsNoLongerThanAnID(t *testing.T) {
	const size = 64 << 20
	b := "\x80\x04}(\x8d\x00\x00\x00\x04\x00\x00\x00\x00"
	n := allocated(func() {
		_, err := readIDMap(io.MultiReader(strings.NewReader(b), zeroReader{}), int64(len(b))+size)
		assert.ErrorContains(t, err, "makes no sense")
	})
	assert.Assert(t, n < 1<<20, "%d bytes", n)
}

// zeroReader reads zeros.
type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
