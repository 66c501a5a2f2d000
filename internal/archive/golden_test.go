package archive

import (
	"bytes"
	"compress/gzip"
	"flag"
	"io"
	"os"
	"path/filepath"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/tree"
)

// updating tells whether -update (a flag of gotest.tools) was given: it writes the golden archive of this version where it is missing.
func updating() bool {
	f := flag.Lookup("update")
	return f != nil && f.Value.String() == "true"
}

// golden is the tree of the golden archives: everything that the format has, but small.
func golden() []stored {
	var all []stored
	for _, s := range hostile() {
		if s.Size < chunkSize && (len(s.Path) < 1000 || len(all)%7 == 0) {
			all = append(all, s)
		}
	}
	big := make([]byte, chunkSize+bigFile)
	copy(big[chunkSize:], "island")
	s := file("data/app/sparse.img", big)
	s.Holes = []tree.Extent{{Offset: 0, Length: chunkSize}}
	return append(all[250:], s)
}

// TestGoldenArchivesStayReadable: what a released version wrote is read for ever, and its tar stream is written the same. A golden archive is never made anew.
func TestGoldenArchivesStayReadable(t *testing.T) {
	const version1 = "testdata/v1.tar.gz"
	all := append([]stored{dir("data/app")}, golden()...)
	fresh := write(t, all, manifest(), WriterOptions{})
	if _, err := os.Stat(version1); updating() && os.IsNotExist(err) {
		assert.NilError(t, os.MkdirAll("testdata", 0o755))
		assert.NilError(t, os.WriteFile(version1, fresh, 0o644))
	}
	names, err := filepath.Glob("testdata/v*.tar.gz")
	assert.NilError(t, err)
	assert.Assert(t, len(names) > 0, "there are no golden archives")
	for _, name := range names {
		b, err := os.ReadFile(name)
		assert.NilError(t, err)
		assert.DeepEqual(t, verify(t, b).Damage, []Damage(nil))
		sink := newMemorySink()
		assert.NilError(t, open(t, b).Extract(t.Context(), allEntries, sink, ExtractOptions{}))
		for _, s := range all {
			assert.DeepEqual(t, sink.entries[s.Path], s.Entry)
			assert.Assert(t, bytes.Equal(sink.data[s.Path], s.data), s.Path)
		}
	}
	b, err := os.ReadFile(version1)
	assert.NilError(t, err)
	assert.Assert(t, bytes.Equal(tarStream(t, b), tarStream(t, fresh)), "the same entries give another tar stream than version 1 gave")
}

// tarStream is what an archive inflates to, up to the contents table, whose offsets depend on the compressor.
func tarStream(t *testing.T, b []byte) []byte {
	t.Helper()
	zr, err := gzip.NewReader(bytes.NewReader(b[:open(t, b).toc]))
	assert.NilError(t, err)
	raw, err := io.ReadAll(zr)
	assert.NilError(t, err)
	return raw
}
