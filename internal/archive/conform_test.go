package archive

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"testing"

	"github.com/containerd/stargz-snapshotter/estargz"
	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/tree"
)

func TestEstargzLibraryReadsEveryChunkThroughItsVerifier(t *testing.T) {
	all := hostile()
	b := write(t, all, manifest(), WriterOptions{})
	r, err := estargz.Open(io.NewSectionReader(bytes.NewReader(b), 0, int64(len(b))))
	assert.NilError(t, err)
	verifiers, err := r.VerifyTOC(r.TOCDigest())
	assert.NilError(t, err)
	assert.Equal(t, r.TOCDigest().Encoded(), tocSum(t, b), "the library's digest of the table is that of the JSON")
	for _, s := range all {
		e, ok := r.Lookup(escapeName(s.Path))
		assert.Assert(t, ok, s.Path)
		if s.Kind != tree.File {
			continue
		}
		f, err := r.OpenFile(escapeName(s.Path))
		assert.NilError(t, err)
		for at := int64(0); at < e.Size; {
			c, ok := r.ChunkEntryForOffset(escapeName(s.Path), at)
			assert.Assert(t, ok, s.Path)
			v, err := verifiers.Verifier(c)
			assert.NilError(t, err)
			content, err := io.ReadAll(io.NewSectionReader(f, c.ChunkOffset, c.ChunkSize))
			assert.NilError(t, err)
			assert.Assert(t, bytes.Equal(content, s.data[at:at+c.ChunkSize]), s.Path)
			_, _ = v.Write(content)
			assert.Assert(t, v.Verified(), s.Path)
			at += c.ChunkSize
		}
	}
}

// tocSum is the SHA-256 of the contents table's JSON, found without our own reader.
func tocSum(t *testing.T, b []byte) string {
	t.Helper()
	at, _, err := estargz.OpenFooter(io.NewSectionReader(bytes.NewReader(b), 0, int64(len(b))))
	assert.NilError(t, err)
	zr, err := gzip.NewReader(bytes.NewReader(b[at:]))
	assert.NilError(t, err)
	raw, err := io.ReadAll(zr)
	assert.NilError(t, err)
	end := bytes.LastIndex(raw, []byte("]}")) + 2
	sum := sha256.Sum256(raw[blockSize:end])
	return hex.EncodeToString(sum[:])
}
