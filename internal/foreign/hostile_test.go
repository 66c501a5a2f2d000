package foreign

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/tree"
)

// verdict is what must become of a hostile archive.
type verdict int

const (
	refused  verdict = iota // *UnsafeError, before anything is written
	damaged                 // *DamagedError
	limited                 // *LimitError
	unknown                 // ErrUnknown
	unmade                  // taken over; unpacking refuses it
	harmless                // taken over; check sees to it
)

// hostileArchive is an archive with one planted fault.
type hostileArchive struct {
	name  string
	data  []byte
	want  verdict
	check func(t *testing.T, b *bed)
}

func hostileTars(t testing.TB) []hostileArchive {
	bomb := func(n int) []byte { return gz(t, tarOf(t, file("data/zeros", strings.Repeat("\x00", n)))) }
	return []hostileArchive{
		{name: "name leads up", data: tarOf(t, file("../evil", "x"))},
		{name: "name leads up from within", data: gz(t, tarOf(t, file("data/a/../../../evil", "x")))},
		{name: "absolute name", data: tarOf(t, file("/tmp/evil", "x"))},
		{name: "NUL in a pax name", data: bytes.Replace(tarOf(t, file("data/first", "x"), file("data/ä"+strings.Repeat("n", 120), "x")), []byte("path=data/ä"), []byte("path=data/\x00n"), 1), want: damaged},
		{name: "no name", data: tarOf(t, part{name: "a", body: "x", edit: func(h []byte) { h[0] = 0 }})},
		{name: "file below a file", data: tarOf(t, file("data/a", "x"), file("data/a/b", "x"))},
		{name: "file through a link", data: tarOf(t, symlink("data/l", "/etc"), file("data/l/passwd", "x"))},
		{name: "file through a link to a neighbour", data: gz(t, tarOf(t, symlink("data/l", "../.."), file("data/l/outside/secret", "x")))},
		{name: "folder through a link", data: tarOf(t, symlink("data/l", "/tmp"), dir("data/l"))},
		{name: "hard link up", data: tarOf(t, hardlink("data/h", "../../outside/secret"))},
		{name: "absolute hard link", data: tarOf(t, hardlink("data/h", "/etc/passwd"))},
		{name: "hard link to nothing", data: tarOf(t, hardlink("data/h", "data/none"))},
		{name: "hard link to itself", data: tarOf(t, hardlink("data/h", "data/h"))},
		{name: "hard link to a folder", data: tarOf(t, dir("data"), hardlink("data/h", "data"))},
		{name: "hard link through a link", data: tarOf(t, symlink("data/l", "/etc"), hardlink("data/h", "data/l/passwd"))},
		{name: "link in the place of a file", data: tarOf(t, file("data/a", "x"), symlink("data/a", "/etc"))},
		{name: "file in the place of a folder", data: tarOf(t, file("data/a/b", "x"), file("data/a", "x"))},
		{name: "link in the place of a folder", data: tarOf(t, dir("data/a"), symlink("data/a", "/etc"))},
		{name: "root is a link", data: tarOf(t, symlink("./", "/etc"))},
		{name: "link without target", data: tarOf(t, part{name: "data/l", kind: tar.TypeSymlink, link: "x", edit: func(h []byte) { h[157] = 0 }})},
		{name: "kind that nobody knows", data: tarOf(t, part{name: "data/x", edit: func(h []byte) { h[156] = 'Z' }})},
		{name: "a part of several volumes", data: tarOf(t, part{name: "data/x", edit: func(h []byte) { h[156] = 'M' }})},
		{name: "name of many folders", data: tarOf(t, file("data/"+strings.Repeat("a/", 3000)+"x", "x"))},
		{name: "part of a name too long", data: tarOf(t, file("data/"+strings.Repeat("a", 300), "x"))},
		{name: "size larger than the file", data: tarOf(t, part{name: "data/x", body: "x", edit: func(h []byte) { copy(h[124:], "77777777777\x00") }}), want: damaged},
		{name: "negative size", data: tarOf(t, part{name: "data/x", edit: func(h []byte) { copy(h[124:136], "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff") }}), want: unknown},
		{name: "negative owner", data: tarOf(t, part{name: "data/x", edit: func(h []byte) { copy(h[108:116], "\xff\xff\xff\xff\xff\xff\xff\xff") }})},
		{name: "bomb", data: bomb(9 << 20), want: limited},
		{name: "bomb behind the end", data: gz(t, append(tarOf(t, file("data/a", "x")), make([]byte, 9<<20)...)), want: limited},
		{name: "too many entries", data: gz(t, tarOf(t, many(1001)...)), want: limited},
		{name: "more behind the end", data: append(tarOf(t, file("data/a", "x")), tarOf(t, file("data/b", "x"))...), want: damaged},
		{name: "end is missing", data: tarOf(t, file("data/a", "x"))[:1024], want: damaged},
		{name: "device node", data: tarOf(t, part{name: "data/sda", kind: tar.TypeBlock}), want: unmade},
		{name: "ACL that nobody understands", data: paxed(t, "SCHILY.acl.access", "user:nobody:rwx,nonsense")},
		{name: "same file twice", data: tarOf(t, file("data/a", "old"), file("data/a", "new")), want: harmless, check: func(t *testing.T, b *bed) {
			assert.Equal(t, b.read("a"), "new")
			assert.Assert(t, len(b.manifest.Warnings) > 0)
		}},
		{name: "letter case", data: tarOf(t, file("data/a", "small"), file("data/A", "big")), want: harmless, check: func(t *testing.T, b *bed) {
			assert.Equal(t, b.read("a")+b.read("A"), "smallbig")
		}},
		{name: "link that leads out", data: tarOf(t, symlink("data/l", "/etc/passwd"), symlink("data/m", "../../../outside")), want: harmless, check: func(t *testing.T, b *bed) {
			target, err := os.Readlink(b.path("place/out/data/data/l"))
			assert.NilError(t, err)
			assert.Equal(t, target, "/etc/passwd")
			assert.Equal(t, len(b.contents.Warnings), 2)
		}},
		{name: "backslashes of a Unix name", data: tarOf(t, file(`data/..\..\evil`, "x")), want: harmless, check: func(t *testing.T, b *bed) {
			assert.Equal(t, b.read(`..\..\evil`), "x")
		}},
		{name: "setuid", data: tarOf(t, part{name: "data/sh", body: "x", mode: 0o4755}), want: harmless, check: func(t *testing.T, b *bed) {
			assert.Assert(t, strings.Contains(strings.Join(b.manifest.Warnings, ""), "setuid"))
		}},
	}
}

// many are so many small files.
func many(n int) []part {
	var out []part
	for i := range n {
		out = append(out, file(fmt.Sprintf("data/%d", i), ""))
	}
	return out
}

// paxed is a tar file of one file with one pax record.
func paxed(t testing.TB, key, value string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	assert.NilError(t, w.WriteHeader(&tar.Header{Name: "data/x", Typeflag: tar.TypeReg, PAXRecords: map[string]string{key: value}, Format: tar.FormatPAX}))
	assert.NilError(t, w.Close())
	return b.Bytes()
}

func hostileZips(t testing.TB) []hostileArchive {
	link := fs.ModeSymlink | 0o777
	return []hostileArchive{
		{name: "name leads up", data: zipOf(t, zipPart{name: "../evil", body: "x"})},
		{name: "absolute name", data: zipOf(t, zipPart{name: "/tmp/evil", body: "x"})},
		{name: "backslashes", data: zipOf(t, zipPart{name: `data\..\..\evil`, body: "x", dos: true})},
		{name: "drive", data: zipOf(t, zipPart{name: "C:/evil", body: "x", dos: true})},
		{name: "NUL", data: zipOf(t, zipPart{name: "data/a\x00b", body: "x"})},
		{name: "twice", data: zipOf(t, zipPart{name: "data/a", body: "x"}, zipPart{name: "data/a", body: "y"})},
		{name: "file through a link", data: zipOf(t, zipPart{name: "data/l", body: "/etc", mode: link}, zipPart{name: "data/l/passwd", body: "x"})},
		{name: "link without target", data: zipOf(t, zipPart{name: "data/l", mode: link})},
		{name: "link with an endless target", data: zipOf(t, zipPart{name: "data/l", body: strings.Repeat("a", 1<<16), mode: link})},
		{name: "device", data: zipOf(t, zipPart{name: "data/d", mode: fs.ModeDevice | 0o600})},
		{name: "encrypted", data: zipOf(t, zipPart{name: "data/a", body: "x", edit: func(h *zip.FileHeader) { h.Flags |= zipEncrypted }})},
		{name: "wrong sum", data: zipOf(t, zipPart{name: "data/a", body: "xyz", edit: func(h *zip.FileHeader) { h.CRC32++ }}), want: damaged},
		{name: "size that lies", data: zipOf(t, zipPart{name: "data/a", body: "xyz", edit: func(h *zip.FileHeader) { h.UncompressedSize64 = 1 << 40 }}), want: damaged},
		{name: "folder with content", data: zipOf(t, zipPart{name: "data", body: "xyz", edit: func(h *zip.FileHeader) { h.SetMode(fs.ModeDir | 0o755) }})},
		{name: "bomb", data: zipOf(t, zipPart{name: "data/zeros", body: strings.Repeat("\x00", 9<<20)}), want: limited},
		{name: "bomb of many parts", data: zipOf(t, manyZeros()...), want: limited},
		{name: "packing that nobody knows", data: zipOf(t, zipPart{name: "data/a", body: "xyz", edit: func(h *zip.FileHeader) { h.Method = 77 }}), want: damaged},
		{name: "a bad attribute", data: zipOf(t, zipPart{name: "data/a", body: "x", edit: func(h *zip.FileHeader) { h.Extra = []byte{0x75, 0x78, 0xff, 0xff, 1} }}), want: harmless, check: func(t *testing.T, b *bed) {
			assert.Equal(t, b.read("a"), "x")
		}},
	}
}

func manyZeros() []zipPart {
	var out []zipPart
	for i := range 10 {
		out = append(out, zipPart{name: fmt.Sprintf("data/%d", i), body: strings.Repeat("\x00", 1<<20)})
	}
	return out
}

func hostileSevens() []hostileArchive {
	const regular, link = 0o100644, 0o120777
	files := func(n uint64) []byte { return append([]byte{0x01, 0x05}, append(sevenNumber(n), 0x15, 2, 1, 0)...) }
	return []hostileArchive{
		{name: "name leads up", data: sevenOf(sevenPart{name: "../evil", body: "x", mode: regular})},
		{name: "absolute name", data: sevenOf(sevenPart{name: "/tmp/evil", body: "x", mode: regular})},
		{name: "backslashes", data: sevenOf(sevenPart{name: `data\..\evil`, body: "x"})},
		{name: "drive", data: sevenOf(sevenPart{name: "C:/evil", body: "x"})},
		{name: "twice", data: sevenOf(sevenPart{name: "data/a", body: "x", mode: regular}, sevenPart{name: "data/a", body: "y", mode: regular})},
		{name: "file through a link", data: sevenOf(sevenPart{name: "data/l", body: "/etc", mode: link}, sevenPart{name: "data/l/passwd", body: "x", mode: regular})},
		{name: "wrong sum", data: sevenOf(sevenPart{name: "data/a", body: "xyz", mode: regular, crc: 7}), want: damaged},
		{name: "device", data: sevenOf(sevenPart{name: "data/d", body: "x", mode: 0o060600})},
		{name: "socket", data: sevenOf(sevenPart{name: "data/s", body: "x", mode: 0o140600})},
		{name: "header of too many files", data: sevenFile(nil, files(1<<31)), want: limited},
		{name: "packed header of too many files", data: sevenPackedHeader(files(1 << 31)), want: limited},
		{name: "header of more files than it can name", data: sevenFile(nil, files(999)), want: damaged},
		{name: "header of too many streams", data: sevenFile(nil, append([]byte{0x01, 0x04, 0x06, 0}, sevenNumber(1<<31)...)), want: damaged},
		{name: "header behind the end", data: sevenFile(nil, files(1))[:34], want: damaged},
		{name: "window of a gigabyte", data: sevenFile([]byte("x"), sevenCoder("\x03\x01\x01", "\x5d\x00\x00\x00\x40")), want: limited},
		{name: "window of four gigabytes", data: sevenFile([]byte("x"), sevenCoder("\x21", "\x28")), want: limited},
		{name: "model of a gigabyte", data: sevenFile([]byte("x"), sevenCoder("\x03\x04\x01", "\x06\x00\x00\x00\x40")), want: limited},
		{name: "password that takes a lifetime to try", data: sevenFile([]byte("x"), sevenCoder("\x06\xf1\x07\x01", "\x3e\x00"))},
	}
}

func TestHostileArchivesDoNoHarm(t *testing.T) {
	total := 0
	for kind, all := range map[string][]hostileArchive{"tar": hostileTars(t), "zip": hostileZips(t), "7z": hostileSevens()} {
		total += len(all)
		for _, h := range all {
			t.Run(kind+"/"+h.name, func(t *testing.T) {
				b := newBed(t)
				judge(t, b.attempt(h.data), h.want)
				if h.check != nil {
					h.check(t, b)
				}
				if h.want != harmless && h.want != unmade {
					_, err := os.Lstat(b.path("place/out"))
					assert.Assert(t, errors.Is(err, fs.ErrNotExist), "something was unpacked")
				}
			})
		}
	}
	assert.Assert(t, total >= 30)
}

func judge(t *testing.T, err error, want verdict) {
	t.Helper()
	var (
		unsafe *UnsafeError
		broken *DamagedError
		limit  *LimitError
	)
	switch want {
	case refused:
		assert.Assert(t, errors.As(err, &unsafe), "%v", err)
	case damaged:
		assert.Assert(t, errors.As(err, &broken), "%v", err)
	case limited:
		assert.Assert(t, errors.As(err, &limit), "%v", err)
	case unknown:
		assert.ErrorIs(t, err, ErrUnknown)
	case unmade:
		assert.ErrorIs(t, err, tree.ErrUnsafe)
	case harmless:
		assert.NilError(t, err)
	}
}

// A good archive of each builder is taken over: what is refused above is refused for its fault.
func TestArchivesWithoutFaultAreTakenOver(t *testing.T) {
	for name, data := range map[string][]byte{
		"tar": tarOf(t, dir("data"), file("data/a", "x"), symlink("data/l", "a"), hardlink("data/h", "data/a")),
		"zip": zipOf(t, zipPart{name: "data/a", body: "x"}, zipPart{name: "data/l", body: "a", mode: fs.ModeSymlink | 0o777}),
		"7z":  sevenOf(sevenPart{name: "data/a", body: "x", mode: 0o100600}, sevenPart{name: "data/l", body: "a", mode: 0o120777}),
	} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t)
			assert.NilError(t, b.attempt(data))
			assert.Equal(t, b.contents.Format, name)
			assert.Equal(t, b.read("a"), "x")
			assert.Equal(t, b.read("l"), "x")
			assert.Assert(t, b.manifest.Complete)
		})
	}
}
