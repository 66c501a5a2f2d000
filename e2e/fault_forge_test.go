//go:build e2e && unix

package e2e

import (
	"archive/tar"
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/archive"
)

// tableOffset reads from the footer where the contents table begins.
func tableOffset(t testing.TB, r *io.SectionReader) int64 {
	t.Helper()
	var digits [16]byte
	_, err := r.ReadAt(digits[:], r.Size()-51+16)
	assert.NilError(t, err)
	at, err := strconv.ParseInt(string(digits[:]), 16, 64)
	assert.NilError(t, err)
	return at
}

// forgedEntry is an entry of a forged archive.
type forgedEntry struct {
	name, kind, link, content string
	// packed takes the place of the member that holds the entry.
	packed []byte
}

// forger writes archives by docs/archive-format.md alone, one group for each entry, whatever the names say: an archive
// that means harm, and is sound in everything else.
type forger struct {
	t     testing.TB
	out   bytes.Buffer
	table []string
}

var tarTypes = map[string]byte{"dir": tar.TypeDir, "reg": tar.TypeReg, "symlink": tar.TypeSymlink, "hardlink": tar.TypeLink, "char": tar.TypeChar}

const emptyMember = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00"

// add stores an entry in a group of its own and returns where that begins.
func (f *forger) add(e forgedEntry) int64 {
	start := int64(f.out.Len())
	if e.content != "" {
		f.out.WriteString(emptyMember)
	}
	header := f.header(e)
	f.table = append(f.table, f.line(e, start, len(header)))
	if e.packed != nil {
		f.out.Write(e.packed)
		return start
	}
	f.out.Write(member(f.t, "", append(append(header, e.content...), make([]byte, -len(e.content)&511)...)))
	return start
}

// header is the canonical ustar header of an entry with a short name.
func (f *forger) header(e forgedEntry) []byte {
	f.t.Helper()
	var raw bytes.Buffer
	h := &tar.Header{Format: tar.FormatUSTAR, Name: e.name, Typeflag: tarTypes[e.kind], Mode: 0o755, Size: int64(len(e.content)), Linkname: e.link, ModTime: time.Unix(0, 0)}
	if e.kind == "char" {
		h.Devmajor, h.Devminor = 1, 3
	}
	assert.NilError(f.t, tar.NewWriter(&raw).WriteHeader(h))
	return raw.Bytes()
}

func (f *forger) line(e forgedEntry, start int64, header int) string {
	f.t.Helper()
	line := map[string]any{"name": e.name, "type": e.kind, "mode": 0o755, "modtime": "1970-01-01T00:00:00Z", "unit": start}
	if e.link != "" {
		line["linkName"] = e.link
	}
	if e.kind == "char" {
		line["devMajor"], line["devMinor"] = 1, 3
	}
	if e.content != "" {
		sum := sha256.Sum256([]byte(e.content))
		digest := "sha256:" + hex.EncodeToString(sum[:])
		line["size"], line["offset"], line["innerOffset"] = len(e.content), start+20, header
		line["digest"], line["chunkDigest"] = digest, digest
	}
	text, err := json.Marshal(line)
	assert.NilError(f.t, err)
	return string(text)
}

// finish adds the manifest, the contents table and the footer, and returns the archive.
func (f *forger) finish(m archive.Manifest) []byte {
	f.t.Helper()
	text, err := json.Marshal(m)
	assert.NilError(f.t, err)
	at := f.add(forgedEntry{name: "memsys.json", kind: "reg", content: string(text)})
	length := int64(f.out.Len()) - at
	table := "{\"version\":1,\"entries\":[\n" + strings.Join(f.table, ",\n") + "\n]}"
	var raw bytes.Buffer
	w := tar.NewWriter(&raw)
	assert.NilError(f.t, w.WriteHeader(&tar.Header{Format: tar.FormatUSTAR, Name: "stargz.index.json", Typeflag: tar.TypeReg, Mode: 0o444, Size: int64(len(table)), ModTime: time.Unix(0, 0)}))
	_, err = w.Write([]byte(table))
	assert.NilError(f.t, err)
	assert.NilError(f.t, w.Close())
	begin := f.out.Len()
	f.out.Write(member(f.t, extra("MS", fmt.Sprintf("%016x%016x", at, length)), raw.Bytes()))
	footer := "\x1f\x8b\x08\x04\x00\x00\x00\x00\x00\xff" + extra("SG", fmt.Sprintf("%016xSTARGZ", begin)) + "\x01\x00\x00\xff\xff"
	f.out.WriteString(footer + strings.Repeat("\x00", 8))
	return f.out.Bytes()
}

// extra is the FEXTRA field of a gzip header with one subfield.
func extra(id, payload string) string {
	text := binary.LittleEndian.AppendUint16(nil, uint16(4+len(payload)))
	text = append(text, id...)
	text = binary.LittleEndian.AppendUint16(text, uint16(len(payload)))
	return string(append(text, payload...))
}

// member is a gzip member.
func member(t testing.TB, extra string, raw []byte) []byte {
	t.Helper()
	var packed bytes.Buffer
	w, err := flate.NewWriter(&packed, flate.BestSpeed)
	assert.NilError(t, err)
	_, err = w.Write(raw)
	assert.NilError(t, err)
	assert.NilError(t, w.Close())
	return wrapped(extra, packed.Bytes(), crc32.ChecksumIEEE(raw), uint32(len(raw)))
}

// wrapped is a deflate stream with gzip's header and trailer.
func wrapped(extra string, deflated []byte, sum, length uint32) []byte {
	flags := byte(0)
	if extra != "" {
		flags = 4
	}
	all := append([]byte{0x1f, 0x8b, 8, flags, 0, 0, 0, 0, 0, 0xff}, extra...)
	all = append(all, deflated...)
	all = binary.LittleEndian.AppendUint32(all, sum)
	return binary.LittleEndian.AppendUint32(all, length)
}

// bomb is a member of a few megabytes that inflates to 4 GiB.
func bomb(t testing.TB, extra string) []byte {
	t.Helper()
	var once bytes.Buffer
	w, err := flate.NewWriter(&once, flate.BestSpeed)
	assert.NilError(t, err)
	_, err = w.Write(make([]byte, 64<<20))
	assert.NilError(t, err)
	assert.NilError(t, w.Flush()) // ends on a byte, refers to nothing before it: it can be repeated
	return wrapped(extra, append(bytes.Repeat(once.Bytes(), 64), 3, 0), 0, 0)
}

// forge writes an archive of the entries, with its commit mark, into the backups directory of a project whose only source is
// the folder data, and returns its path.
func forge(t testing.TB, p *Project, entries ...forgedEntry) string {
	t.Helper()
	f := &forger{t: t}
	m := archive.Manifest{
		Format: 1, Tool: "forged", ID: strings.Repeat("0f", 16), Sequence: 1, Created: time.Unix(1_700_000_000, 0).UTC(), Reason: "manual", Complete: true,
		Project: archive.Project{Name: p.Name, WorkingDir: p.Dir, ConfigFiles: []string{p.Path("compose.yaml")}},
		Sources: []archive.Source{{Name: "data", Prefix: "data/data", Kind: "bind", Path: p.Path("data"), Mode: 0o755, Mounts: []archive.Mount{{Service: "app", Target: "/data"}}}},
	}
	s := &m.Sources[0]
	for _, e := range entries {
		f.add(e)
		if strings.HasPrefix(e.name, "data/data/") {
			s.Entries++
			if e.kind == "reg" {
				s.Files++
				s.Bytes += int64(len(e.content))
			}
		}
	}
	path := p.Path("backups", "memory_backup_20240101_120000.tar.gz")
	data := f.finish(m)
	assert.NilError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	assert.NilError(t, os.WriteFile(path, data, 0o600))
	sum := sha256.Sum256(data)
	assert.NilError(t, os.WriteFile(path+".sha256", []byte(hex.EncodeToString(sum[:])+"  "+filepath.Base(path)+"\n"), 0o600))
	return path
}
