package inventory

import (
	"bytes"
	"errors"
	"io"
	"os"
	"testing"

	"gotest.tools/v3/assert"
)

// seed is a file of an index of a golden store.
func seed(f testing.TB, store, collection, file string) []byte {
	g := goldenStore(f, store)
	b, err := os.ReadFile(g.path(g.index(collection) + "/" + file))
	assert.NilError(f, err)
	return b
}

// FuzzHNSWHeader: a header that is accepted lets no later step reach beyond what it says.
func FuzzHNSWHeader(f *testing.F) {
	f.Add(seed(f, "chroma-1.5.9", "notes", headerFile))
	f.Add(seed(f, "chroma-1.0.0", "small", headerFile))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := readHNSWHeader(b)
		if err != nil {
			return
		}
		assert.Assert(t, h.dataOffset < h.labelOffset && h.labelOffset+8 == h.size && h.size < 8<<20)
		assert.Assert(t, h.dimension() > 0 && h.count <= h.capacity)
		assert.Assert(t, h.count == 0 || uint64(h.entry) < h.count)
	})
}

// FuzzHNSWElements: any header with any elements and lengths ends, and reads no more than there is.
func FuzzHNSWElements(f *testing.F) {
	header := seed(f, "chroma-1.5.9", "notes", headerFile)
	f.Add(header, seed(f, "chroma-1.5.9", "notes", level0File)[:3*noteSize], make([]byte, 12))
	f.Fuzz(func(t *testing.T, header, elements, lengths []byte) {
		h, err := readHNSWHeader(header)
		if err != nil {
			return
		}
		l := &hnswLevel0{h: h, full: true, lengths: bytes.NewReader(lengths)}
		err = l.read(t.Context(), bytes.NewReader(elements))
		assert.Assert(t, err == nil || errors.Is(err, io.ErrUnexpectedEOF), "%v", err)
		assert.Assert(t, uint64(len(l.labels))*h.size <= uint64(len(elements)))
		_ = l.faults.texts()
	})
}

// FuzzHNSWLinks: any header with any links ends; what measure accepts can be read.
func FuzzHNSWLinks(f *testing.F) {
	f.Add(seed(f, "chroma-1.5.9", "notes", headerFile), seed(f, "chroma-1.5.9", "notes", linksFile))
	f.Add(seed(f, "chroma-1.0.0", "words", headerFile), seed(f, "chroma-1.0.0", "words", linksFile))
	f.Fuzz(func(t *testing.T, header, links []byte) {
		h, err := readHNSWHeader(header)
		if err != nil {
			return
		}
		l := &hnswLinks{h: h}
		err = l.measure(t.Context(), bytes.NewReader(links))
		assert.Assert(t, 4*len(l.levels) <= len(links))
		var wrong linksError
		if err != nil {
			assert.Assert(t, errors.As(err, &wrong), "%v", err)
			return
		}
		assert.NilError(t, l.read(t.Context(), bytes.NewReader(links)))
	})
}

// FuzzPickle: any pickle ends; one that is accepted is a map in both directions.
func FuzzPickle(f *testing.F) {
	f.Add(pickleOf(2, "a", "b"))
	f.Add(seed(f, "chroma-1.5.9", "emptied", idMapFile))
	f.Add(seed(f, "chroma-0.4", "emptied", idMapFile))
	f.Add(goldenPickle(f)[:400])
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _, _ = readSequence(bytes.NewReader(b), int64(len(b)))
		m, err := readIDMap(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		m.unmark()
		seen := map[uint64]bool{}
		for _, label := range m.labels {
			assert.Assert(t, !seen[label] && label <= uint64(m.added))
			seen[label] = true
		}
		assert.Assert(t, int64(len(m.labels)) == m.second)
	})
}
