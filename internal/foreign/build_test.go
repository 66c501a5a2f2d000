package foreign

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io/fs"
	"slices"
	"testing"
	"time"
	"unicode/utf16"

	"gotest.tools/v3/assert"
)

var someTime = time.Date(2024, 1, 2, 3, 4, 5, 678000000, time.UTC)

// part is an entry of an archive that a test builds.
type part struct {
	name string
	kind byte // as in tar; 0 is a file
	body string
	link string
	mode int64
	edit func(header []byte)
}

// tarOf builds a tar file; what the writer of the standard library refuses is edited into the header's bytes.
func tarOf(t testing.TB, parts ...part) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, p := range parts {
		h := &tar.Header{Name: p.name, Typeflag: p.kind, Linkname: p.link, Mode: p.mode, Size: int64(len(p.body)), ModTime: someTime.Truncate(time.Second), Uid: 1000, Gid: 1000}
		if h.Typeflag == 0 {
			h.Typeflag = tar.TypeReg
		}
		if h.Mode == 0 {
			h.Mode = 0o644
		}
		at := b.Len()
		assert.NilError(t, w.WriteHeader(h))
		_, err := w.Write([]byte(p.body))
		assert.NilError(t, err)
		assert.NilError(t, w.Flush())
		if p.edit != nil {
			header := b.Bytes()[at : at+512]
			p.edit(header)
			checksum(header)
		}
	}
	assert.NilError(t, w.Close())
	return b.Bytes()
}

// checksum sets the sum of a tar header.
func checksum(header []byte) {
	copy(header[148:156], "        ")
	sum := 0
	for _, c := range header {
		sum += int(c)
	}
	copy(header[148:156], fmt.Sprintf("%06o\x00 ", sum))
}

func dir(name string) part             { return part{name: name + "/", kind: tar.TypeDir, mode: 0o755} }
func file(name, body string) part      { return part{name: name, body: body} }
func symlink(name, target string) part { return part{name: name, kind: tar.TypeSymlink, link: target} }

func hardlink(name, target string) part { return part{name: name, kind: tar.TypeLink, link: target} }

func gz(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(data)
	assert.NilError(t, err)
	assert.NilError(t, w.Close())
	return b.Bytes()
}

// zipPart is an entry of a zip file. raw is its compressed form where that is not what the body packs to.
type zipPart struct {
	name string
	body string
	mode fs.FileMode
	dos  bool // made on DOS: no mode, backslashes are separators
	edit func(h *zip.FileHeader)
}

func zipOf(t testing.TB, parts ...zipPart) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, p := range parts {
		h := &zip.FileHeader{Name: p.name, Method: zip.Deflate, Modified: someTime}
		if p.mode == 0 {
			p.mode = 0o644
		}
		if !p.dos {
			h.SetMode(p.mode)
		}
		if p.edit != nil {
			h.CRC32, h.UncompressedSize64, h.CompressedSize64 = crc32.ChecksumIEEE([]byte(p.body)), uint64(len(p.body)), uint64(len(p.body))
			h.Method = zip.Store
			p.edit(h)
			raw, err := w.CreateRaw(h)
			assert.NilError(t, err)
			_, err = raw.Write([]byte(p.body))
			assert.NilError(t, err)
			continue
		}
		f, err := w.CreateHeader(h)
		assert.NilError(t, err)
		_, err = f.Write([]byte(p.body))
		assert.NilError(t, err)
	}
	assert.NilError(t, w.Close())
	return b.Bytes()
}

// sevenPart is a file of a 7z archive, stored.
type sevenPart struct {
	name string
	body string
	mode uint32 // of Unix, with its kind
	crc  uint32 // 0: the right one
}

// sevenOf builds a 7z archive whose files are stored, each in a stream of its own. Bodies must not be empty.
func sevenOf(parts ...sevenPart) []byte {
	var packed, head bytes.Buffer
	n := len(parts)
	num := func(v int) { head.Write(sevenNumber(uint64(v))) }
	head.Write([]byte{0x01, 0x04, 0x06}) // header, main streams, pack info
	num(0)
	num(n)
	head.WriteByte(0x09)
	for _, p := range parts {
		packed.WriteString(p.body)
		num(len(p.body))
	}
	head.Write([]byte{0x00, 0x07, 0x0b}) // end, unpack info, folders
	num(n)
	head.WriteByte(0)
	for range parts {
		head.Write([]byte{1, 1, 0}) // one coder: copy
	}
	head.WriteByte(0x0c)
	for _, p := range parts {
		num(len(p.body))
	}
	head.Write([]byte{0x00, 0x08, 0x0a, 1}) // end, one file in each stream, digests of all
	for _, p := range parts {
		crc := p.crc
		if crc == 0 {
			crc = crc32.ChecksumIEEE([]byte(p.body))
		}
		_ = binary.Write(&head, binary.LittleEndian, crc)
	}
	head.Write([]byte{0x00, 0x00, 0x05}) // end of that and of the streams, files
	num(n)
	var names, attributes bytes.Buffer
	names.WriteByte(0)
	attributes.Write([]byte{1, 0})
	for _, p := range parts {
		for _, u := range append(utf16.Encode([]rune(p.name)), 0) {
			_ = binary.Write(&names, binary.LittleEndian, u)
		}
		a := uint32(0)
		if p.mode != 0 {
			a = p.mode<<16 | sevenUnix
		}
		_ = binary.Write(&attributes, binary.LittleEndian, a)
	}
	for id, b := range map[byte]*bytes.Buffer{0x11: &names, 0x15: &attributes} {
		head.WriteByte(id)
		num(b.Len())
		head.Write(b.Bytes())
	}
	head.Write([]byte{0x00, 0x00})
	return sevenFile(packed.Bytes(), head.Bytes())
}

// sevenFile is a 7z file of packed contents and a header.
func sevenFile(packed, head []byte) []byte {
	var out, start bytes.Buffer
	for _, v := range []uint64{uint64(len(packed)), uint64(len(head))} {
		_ = binary.Write(&start, binary.LittleEndian, v)
	}
	_ = binary.Write(&start, binary.LittleEndian, crc32.ChecksumIEEE(head))
	out.WriteString("7z\xbc\xaf\x27\x1c\x00\x04")
	_ = binary.Write(&out, binary.LittleEndian, crc32.ChecksumIEEE(start.Bytes()))
	out.Write(start.Bytes())
	out.Write(packed)
	out.Write(head)
	return out.Bytes()
}

// sevenPackedHeader is a 7z file with nothing in it but a header that is stored as contents are.
func sevenPackedHeader(head []byte) []byte {
	n := sevenNumber(uint64(len(head)))
	at := slices.Concat([]byte{0x17, 0x06, 0, 1, 0x09}, n, []byte{0x00, 0x07, 0x0b, 1, 0, 1, 1, 0, 0x0c}, n, []byte{0x00, 0x00})
	return sevenFile(head, at)
}

// sevenCoder is the beginning of a 7z header whose one folder has that coder.
func sevenCoder(id, properties string) []byte {
	coder := append([]byte{1, byte(0x20 | len(id))}, id...)
	coder = append(append(coder, byte(len(properties))), properties...)
	return slices.Concat([]byte{0x01, 0x04, 0x06, 0, 1, 0x09, 1, 0x00, 0x07, 0x0b, 1, 0}, coder, []byte{0x0c, 1, 0x00, 0x00, 0x00})
}

// sevenNumber is a number as 7z writes it.
func sevenNumber(v uint64) []byte {
	if v < 0x80 {
		return []byte{byte(v)}
	}
	return binary.LittleEndian.AppendUint64([]byte{0xff}, v)
}
