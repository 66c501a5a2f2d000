package archive

import (
	"archive/tar"
	"bytes"
	"errors"
	"hash/crc32"
	"io"
	"strings"
	"testing"
	"time"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/tree"
)

func FuzzFooter(f *testing.F) {
	f.Add(footer(0))
	f.Add(footer(1 << 40))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		toc, err := parseFooter(b, 1<<41)
		if err == nil {
			assert.DeepEqual(t, footer(toc), b)
		}
		_, _, _ = parseManifestExtra(b)
	})
}

func FuzzACL(f *testing.F) {
	f.Add(someACL())
	f.Add([]byte{2, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		if text, err := aclText(b); err == nil {
			back, err := aclBinary(text)
			assert.NilError(t, err)
			assert.DeepEqual(t, back, b)
		}
		_, _ = aclBinary(string(b))
	})
}

func FuzzManifest(f *testing.F) {
	f.Add([]byte(`{"format":1,"sources":[{"name":"a","prefix":"data/a"}]}`))
	f.Add([]byte(`{"format":99}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := new(Reader)
		if r.decodeManifest(b) == nil {
			assert.Assert(t, r.manifest.Format == FormatVersion)
		}
		_, _ = inflateManifest(b)
	})
}

// FuzzTOCLine: what a line says comes back when it is written again.
func FuzzTOCLine(f *testing.F) {
	for _, s := range hostile()[290:] {
		f.Add(appendTOCEntry(nil, &s.Entry, place{unit: 7, offset: 27, inner: 512}, tree.Chunk{Size: s.Size}, false))
	}
	f.Add([]byte(`{"name":"data/a","type":"reg","size":-1}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		first, err := parseTOCLine(b)
		if err != nil {
			return
		}
		e, err := first.entry()
		if err != nil || e.Path == "" {
			return
		}
		again, err := parseTOCLine(appendTOCEntry(nil, e, place{unit: -1, offset: first.Offset}, tree.Chunk{Size: e.Size}, false))
		assert.NilError(t, err)
		back, err := again.entry()
		assert.NilError(t, err)
		if len(e.Xattrs) == 0 {
			e.Xattrs = nil
		}
		assert.DeepEqual(t, back, e)
	})
}

// FuzzTarHeader: another implementation reads from a header what was put in.
func FuzzTarHeader(f *testing.F) {
	f.Add("data/a/x", "", uint32(0o644), 1000, int64(5), int64(1700000000), int64(5), []byte("v"))
	f.Add("data/"+strings.Repeat("long/", 60)+"ü", "../ü", uint32(0o7777), 1<<31, int64(1)<<40, int64(-7), int64(999999999), []byte{0, '\n', '='})
	f.Fuzz(func(t *testing.T, name, link string, mode uint32, uid int, size, sec, nsec int64, xattr []byte) {
		e := &tree.Entry{Path: name, Kind: tree.File, Mode: mode & 0o7777, UID: uid, Size: size, ModTime: time.Unix(sec%(1<<40), nsec%1e9).UTC(), Xattrs: map[string][]byte{"user.a=b%": xattr}}
		if link != "" {
			e.Kind, e.Link, e.Size = tree.Symlink, link, 0
		}
		raw, err := appendHeader(nil, e)
		if checkName(name) != nil || strings.IndexByte(link, 0) >= 0 || err != nil {
			return
		}
		h, err := tar.NewReader(bytes.NewReader(raw)).Next()
		assert.NilError(t, err)
		assert.Equal(t, h.Name, name)
		assert.Equal(t, h.Linkname, link)
		assert.Equal(t, h.Mode, int64(e.Mode))
		assert.Equal(t, h.Uid, uid)
		assert.Equal(t, h.Size, e.Size)
		assert.Assert(t, h.ModTime.Equal(e.ModTime), "%v %v", h.ModTime, e.ModTime)
		assert.Equal(t, h.PAXRecords["SCHILY.xattr.user.a%3Db%25"], string(xattr))
	})
}

// FuzzContentsTable reads any JSON as the contents table of an archive that has nothing else.
func FuzzContentsTable(f *testing.F) {
	b := little(f)
	r := open(f, b)
	s, err := r.scan(f.Context())
	assert.NilError(f, err)
	raw, err := io.ReadAll(s.br)
	assert.NilError(f, err)
	f.Add(append([]byte(tocStart), raw...)[:len(tocStart)+200])
	f.Add([]byte(tocStart + tocEnd))
	f.Fuzz(func(t *testing.T, b []byte) {
		var out bytes.Buffer
		s, err := newSpool(nil, spoolMemory)
		assert.NilError(t, err)
		s.raw, s.crc = 0, 0
		s.zw.Reset((*spoolSink)(s))
		assert.NilError(t, s.write(b))
		assert.NilError(t, s.finish(&out, manifestExtra(0, 20)))
		_, _ = out.Write(footer(0))
		_, _ = Verify(t.Context(), bytes.NewReader(out.Bytes()), int64(out.Len()), VerifyOptions{Workers: 1})
		rd := &Reader{r: bytes.NewReader(out.Bytes()), size: int64(out.Len())}
		for _, err := range rd.Entries(t.Context()) {
			if err != nil {
				break
			}
		}
	})
}

func FuzzVerify(f *testing.F) {
	b := little(f)
	f.Add(b, 0, []byte("x"))
	f.Add(b, len(b)-51, footer(0))
	f.Fuzz(func(t *testing.T, b []byte, at int, patch []byte) {
		b = bytes.Clone(b)
		if at >= 0 && at < len(b) {
			copy(b[at:], patch)
		}
		_, err := Verify(t.Context(), bytes.NewReader(b), int64(len(b)), VerifyOptions{Workers: 1})
		assert.Assert(t, err == nil || errors.Is(err, ErrNotOurs) || errors.Is(err, ErrNewer), "%v", err)
		if r, err := Open(bytes.NewReader(b), int64(len(b))); err == nil {
			_ = r.Extract(t.Context(), allEntries, newMemorySink(), ExtractOptions{Workers: 1})
		}
	})
}

func FuzzCombineCRC(f *testing.F) {
	f.Add([]byte("first"), []byte("second"))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		got := combineCRC(crc32.ChecksumIEEE(a), crc32.ChecksumIEEE(b), int64(len(b)))
		assert.Equal(t, got, crc32.ChecksumIEEE(append(bytes.Clone(a), b...)))
	})
}
