package validate

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
)

// chromaFiles is a real Chroma folder: SOURCE/PATH and content in turn.
func chromaFiles(t *testing.T, source string) []string {
	t.Helper()
	f, err := os.Open("../inventory/testdata/chroma/chroma-1.5.9.tar.gz")
	assert.NilError(t, err)
	defer f.Close()
	zr, err := gzip.NewReader(f)
	assert.NilError(t, err)
	var out []string
	for tr := tar.NewReader(zr); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			assert.Assert(t, len(out) > 10)
			return out
		}
		assert.NilError(t, err)
		if h.Typeflag != tar.TypeReg {
			continue
		}
		content, err := io.ReadAll(tr)
		assert.NilError(t, err)
		out = append(out, source+"/"+h.Name, string(content))
	}
}

// TestAStoreIsGoodOrBadAsAWhole: a folder whose index is cut is passed over, and what comes back is all of it but not the memories beside it.
func TestAStoreIsGoodOrBadAsAWhole(t *testing.T) {
	for _, dir := range []string{"data/db", "data"} {
		s := newShelf(t)
		files := append(chromaFiles(t, dir), dir+"/memories/a.json", `{"id":"a"}`)
		s.add(files...)
		cut := slices.Clone(files)
		at := slices.IndexFunc(cut, func(name string) bool { // of a collection that was synced
			return path.Base(name) == "data_level0.bin" && slices.Contains(cut, path.Dir(name)+"/index_metadata.pickle")
		})
		cut[at+1] = cut[at+1][:100] // less than one element
		s.add(cut...)
		_, inside, _ := strings.Cut(cut[at], "/")
		index := path.Dir(inside)
		unit := path.Dir(index)

		found := s.find(LastGood{Patterns: []string{"link_lists.bin"}})
		assert.Equal(t, chosen(found), "data/"+unit+"=1")
		assert.Assert(t, found.Units[0].Store)
		assert.Equal(t, len(found.Units[0].Passed), 1)
		paths := found.Units[0].Paths
		for _, p := range paths {
			assert.Assert(t, !strings.Contains(string(p), "memories"), "%v", paths)
		}
		texts := make([]string, len(paths))
		for i, p := range paths {
			texts[i] = string(p)
		}
		assert.Assert(t, slices.Contains(texts, index) && slices.Contains(texts, path.Join(unit, "chroma.sqlite3")), "%v", texts)
		assert.Assert(t, len(found.Units[0].Records) > 0)

		// A finding may name the folder, the index, or a file that the backup does not have.
		for _, exact := range []string{unit, path.Join(index, "data_level0.bin"), path.Join(unit, "00000000-0000-0000-0000-000000000000/header.bin"), path.Join(unit, "chroma.sqlite3-journal")} {
			assert.Equal(t, chosen(s.find(LastGood{Exact: map[string][]string{"data": {exact}}})), "data/"+unit+"=1", exact)
		}
	}
}
