package restore

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/engine"
)

// forged is one entry of an archive that no writer of ours would write.
type forged struct {
	header tar.Header
	body   string
	size   int64 // in the contents table, if not that of the body
}

func regular(name, body string) forged {
	return forged{header: tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(body))}, body: body}
}

func folderEntry(name string) forged {
	return forged{header: tar.Header{Name: name + "/", Typeflag: tar.TypeDir, Mode: 0o755}}
}

func linkEntry(kind byte, name, target string) forged {
	return forged{header: tar.Header{Name: name, Typeflag: kind, Linkname: target, Mode: 0o777}}
}

// forge writes an archive in our layout at tar level: each entry a unit of its own, then manifest, contents table, footer.
func forge(t *testing.T, path string, m *archive.Manifest, all ...forged) {
	t.Helper()
	var out bytes.Buffer
	var lines []string
	for _, f := range all {
		lines = append(lines, putEntry(t, &out, f))
	}
	data, err := json.Marshal(m)
	assert.NilError(t, err)
	lines = append(lines, putEntry(t, &out, regular("memsys.json", string(data))))
	toc := `{"version":1,"entries":[` + "\n" + strings.Join(lines, ",\n") + "\n]}"
	at := out.Len()
	table := regular("stargz.index.json", toc)
	table.header.Mode = 0o444
	out.Write(member(t, tarOf(t, table, true)))
	extra := append([]byte("SG\x16\x00"), fmt.Sprintf("%016xSTARGZ", at)...)
	out.Write(footer(extra))
	assert.NilError(t, os.WriteFile(path, out.Bytes(), 0o600))
}

// putEntry writes the unit of an entry and returns its line of the contents table.
func putEntry(t *testing.T, out *bytes.Buffer, f forged) string {
	t.Helper()
	start := out.Len()
	raw := tarOf(t, f, false)
	line := map[string]any{"name": f.header.Name, "type": typeWord(f.header.Typeflag), "mode": f.header.Mode, "unit": start, "modtime": "1970-01-01T00:00:00Z"}
	if f.header.Linkname != "" {
		line["linkName"] = f.header.Linkname
	}
	if f.header.Name == "memsys.json" {
		f.header.Mode = 0o600
	}
	if f.body != "" {
		out.Write(emptyMember())
		sum := sha256.Sum256([]byte(f.body))
		digest := fmt.Sprintf("sha256:%x", sum)
		line["size"], line["offset"], line["innerOffset"] = len(f.body), start+20, len(raw)-(len(f.body)+511)/512*512
		line["digest"], line["chunkDigest"] = digest, digest
		if f.size > 0 {
			line["size"] = f.size
		}
	}
	out.Write(member(t, raw))
	data, err := json.Marshal(line)
	assert.NilError(t, err)
	return string(data)
}

func typeWord(flag byte) string {
	return map[byte]string{tar.TypeReg: "reg", tar.TypeDir: "dir", tar.TypeSymlink: "symlink", tar.TypeLink: "hardlink", tar.TypeChar: "char", tar.TypeFifo: "fifo"}[flag]
}

func tarOf(t *testing.T, f forged, end bool) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	f.header.Format = tar.FormatUSTAR
	assert.NilError(t, w.WriteHeader(&f.header))
	_, err := w.Write([]byte(f.body))
	assert.NilError(t, err)
	assert.NilError(t, w.Flush())
	if end {
		assert.NilError(t, w.Close())
	}
	return b.Bytes()
}

// member is raw bytes as a gzip member with the header that the format asks for.
func member(t *testing.T, raw []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	assert.NilError(t, err)
	_, err = w.Write(raw)
	assert.NilError(t, err)
	assert.NilError(t, w.Close())
	out := b.Bytes()
	out[8], out[9] = 0, 0xff
	return out
}

func emptyMember() []byte {
	return append([]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff, 3, 0}, make([]byte, 8)...)
}

func footer(extra []byte) []byte {
	out := []byte{0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 0xff}
	out = binary.LittleEndian.AppendUint16(out, uint16(len(extra)))
	out = append(out, extra...)
	return append(append(out, 1, 0, 0, 0xff, 0xff), make([]byte, 8)...)
}

func TestForgedArchiveIsReadable(t *testing.T) {
	b := newBed(t)
	b.source("data")
	path := b.path("forged.tar.gz")
	forge(t, path, b.forgedManifest(2, 1, 5), folderEntry("data/data"), regular("data/data/a", "hello"))
	_, err := b.to(t, path, b.path("out"))
	assert.NilError(t, err, "the forger makes sound archives: what is refused below is refused for its own sake")
	assert.Equal(t, read(t, b.path("out"), "data/a"), "hello")
}

func (b *bed) forgedManifest(entries, files, bytes int64) *archive.Manifest {
	return &archive.Manifest{
		Format: 1, ID: strings.Repeat("ab", 16), Created: now(), Complete: true, Project: b.identity(),
		Sources: []archive.Source{{Name: "data", Prefix: "data/data", Kind: "bind", Entries: entries, Files: files, Bytes: bytes}},
	}
}

func TestHostileArchivesAreRefused(t *testing.T) {
	root := folderEntry("data/data")
	bomb := strings.Repeat("\x00", 5<<20)
	cases := map[string]struct {
		entries []forged
		want    string
	}{
		"parent folder":               {[]forged{root, regular("data/data/../../../outside", "x")}, "unsafe name"},
		"absolute name":               {[]forged{root, regular("/outside", "x")}, "unsafe name"},
		"file through a link":         {[]forged{root, linkEntry(tar.TypeSymlink, "data/data/l", "OUTSIDE"), regular("data/data/l/outside", "x")}, "unsafe name"},
		"link instead of a folder":    {[]forged{root, folderEntry("data/data/d"), linkEntry(tar.TypeSymlink, "data/data/d", "OUTSIDE"), regular("data/data/d/outside", "x")}, "unsafe name"},
		"hard link outside":           {[]forged{root, linkEntry(tar.TypeLink, "data/data/h", "OUTSIDE/secret")}, "unsafe name"},
		"hard link to other source":   {[]forged{root, linkEntry(tar.TypeLink, "data/data/h", "data/other/x")}, "unsafe name"},
		"entry twice":                 {[]forged{root, regular("data/data/a", "1"), regular("data/data/a", "2")}, "unsafe name"},
		"device":                      {[]forged{root, {header: tar.Header{Name: "data/data/dev", Typeflag: tar.TypeChar, Mode: 0o666, Devmajor: 1, Devminor: 3}}}, ""},
		"bomb":                        {[]forged{root, regular("data/data/bomb", bomb)}, ""},
		"size that is not there":      {[]forged{root, {header: regular("data/data/a", "x").header, body: "x", size: 1 << 50}}, ""},
		"source that is not declared": {[]forged{root, folderEntry("data/sly"), regular("data/sly/a", "x")}, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			b := newBed(t)
			live := b.source("data")
			write(t, live, "precious", "1")
			write(t, b.dir, "outside-folder/secret", "s")
			app := b.app("app", live)
			clone(t, b.path("outside-folder"), b.path("outside-want"))
			clone(t, live, b.path("want"))
			for i := range c.entries {
				h := &c.entries[i].header
				h.Linkname = strings.ReplaceAll(h.Linkname, "OUTSIDE", b.path("outside-folder"))
			}
			path := b.path("forged.tar.gz")
			forge(t, path, b.forgedManifest(int64(len(c.entries)), 1, 1), c.entries...)
			err := b.refused(t, path)
			assert.ErrorContains(t, err, c.want)
			same(t, b.path("want"), live)
			same(t, b.path("outside-want"), b.path("outside-folder"))
			assert.Equal(t, b.engine.State(app), engine.Running)
			gone(t, b.dir, "outside")
			gone(t, "/outside")
			gone(t, filepath.Dir(b.dir), "outside")

			_, err = b.to(t, path, b.path("to", "x"), func(r *Request) { r.Devices = false })
			assert.Assert(t, err != nil)
			gone(t, b.path("to"))
		})
	}
}

// refused is the error of a restore that has to fail.
func (b *bed) refused(t *testing.T, path string) error {
	t.Helper()
	req := b.request(t, path)
	req.Devices = false
	f, r, err := openFile(path)
	if err != nil {
		return err
	}
	defer f.Close()
	p, err := Prepare(t.Context(), r, req)
	if err != nil {
		return err
	}
	j := b.openJournal(t)
	assert.NilError(t, j.Begin("restore", nil))
	_, err = b.runner(j).Run(t.Context(), p)
	assert.Assert(t, err != nil)
	return err
}
