package archive

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/tree"
)

// forger writes archives that the Writer would refuse to write.
type forger struct {
	t testing.TB
	w *Writer
	f *os.File
	c *compressor
}

func newForger(t testing.TB) *forger {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "forged"))
	assert.NilError(t, err)
	t.Cleanup(func() { f.Close() })
	w := NewWriter(f, WriterOptions{Workers: 1})
	w.stop()
	return &forger{t, w, f, newCompressor()}
}

// group stores entries as they are; change may alter the tar bytes, pack the members.
func (f *forger) group(change func(*job), pack func([]byte) []byte, all ...stored) {
	f.t.Helper()
	j := new(job)
	for _, s := range all {
		e := s.Entry
		assert.NilError(f.t, j.open(&e))
		j.raw = append(j.raw, s.data...)
		j.pad(&e)
	}
	if change != nil {
		change(j)
	}
	j.run(f.c, f.w.zeros)
	if pack != nil {
		j.packed = pack(j.packed)
	}
	assert.NilError(f.t, f.w.emit.emit(j))
}

// finish returns the archive's bytes; change may alter the manifest once the counts are right.
func (f *forger) finish(change func(*Manifest)) []byte {
	f.t.Helper()
	m := manifest()
	m.Sources = nil
	for prefix := range f.w.emit.counts {
		if strings.HasPrefix(prefix, "data/") {
			m.Sources = append(m.Sources, Source{Name: prefix, Prefix: prefix})
		}
	}
	f.w.count(m)
	if change != nil {
		change(m)
	}
	data, err := json.Marshal(m)
	assert.NilError(f.t, err)
	e := &tree.Entry{Path: manifestName, Kind: tree.File, Mode: 0o600, Size: int64(len(data)), ModTime: stamp}
	f.group(func(j *job) { j.manifest = true }, nil, stored{*e, data})
	assert.NilError(f.t, f.w.emit.finish())
	b, err := os.ReadFile(f.f.Name())
	assert.NilError(f.t, err)
	return b
}

func link(kind tree.Kind, name, target string) stored {
	return stored{Entry: tree.Entry{Path: name, Kind: kind, ModTime: stamp, Link: target}}
}

// checkDamage verifies an archive and looks for one finding.
func checkDamage(t *testing.T, b []byte, path, reason string) {
	t.Helper()
	rep := verify(t, b)
	for _, d := range rep.Damage {
		if d.Path == path && strings.Contains(d.Reason, reason) {
			return
		}
	}
	t.Fatalf("no damage %q of %q in %v", reason, path, rep.Damage)
}

func TestUnsafeNamesAreFoundAndNotUnpacked(t *testing.T) {
	a := dir("data/a")
	deep := "project" + strings.Repeat("/x", maxProjectName)
	cases := map[string][]stored{
		"data/a/../../../etc/x": {a, file("data/a/../../../etc/x", []byte("x"))},
		"/etc/x":                {a, file("/etc/x", []byte("x"))},
		"data/a//x":             {a, file("data/a//x", []byte("x"))},
		"data/a/./x":            {a, file("data/a/./x", []byte("x"))},
		"elsewhere/x":           {a, file("elsewhere/x", []byte("x"))},
		"data/a/x\x00y":         {a, file("data/a/x\x00y", []byte("x"))},
		"data/a/l/x":            {a, link(tree.Symlink, "data/a/l", "/etc"), file("data/a/l/x", []byte("x"))},
		"data/a/d":              {a, dir("data/a/d"), link(tree.Symlink, "data/a/d", "/etc")},
		"data/a/f/x":            {a, file("data/a/f", []byte("x")), file("data/a/f/x", []byte("x"))},
		"data/a/hard":           {a, link(tree.Hardlink, "data/a/hard", "/etc/shadow")},
		"data/a/hard2":          {a, dir("data/a/l"), link(tree.Hardlink, "data/a/hard2", "data/a/l")},
		"data/a/early":          {a, link(tree.Hardlink, "data/a/early", "data/a/later")},
		"data/a/twice":          {a, file("data/a/twice", []byte("1")), file("data/a/twice", []byte("2"))},
		deep:                    {a, file(deep+strings.Repeat("/x", 100), []byte("x"))},
		"data/a/no/parent":      {a, file("data/a/no/parent", []byte("x"))},
	}
	for name, all := range cases {
		t.Run(name[:min(len(name), 30)], func(t *testing.T) {
			f := newForger(t)
			f.group(nil, nil, all...)
			b := f.finish(nil)
			checkDamage(t, b, all[len(all)-1].Path, "unsafe name")
			sink := newMemorySink()
			err := open(t, b).Extract(t.Context(), allEntries, sink, ExtractOptions{})
			assert.ErrorContains(t, err, "unsafe name")
		})
	}
}

func allEntries(e *Entry) *tree.Entry { return &e.Entry }

func TestHeaderThatDisagreesIsFound(t *testing.T) {
	for name, change := range map[string]func(*tree.Entry){
		"name": func(e *tree.Entry) { e.Path = "data/a/y" }, "mode": func(e *tree.Entry) { e.Mode = 0o4755 }, "owner": func(e *tree.Entry) { e.UID = 0 },
		"time": func(e *tree.Entry) { e.ModTime = e.ModTime.Add(1) }, "kind": func(e *tree.Entry) { e.Kind, e.Link = tree.Symlink, "/etc" },
	} {
		t.Run(name, func(t *testing.T) {
			for _, size := range []int{10, bigFile + 10} {
				good, planted := file("data/a/x", noise(1, size)), file("data/a/x", noise(1, size))
				change(&planted.Entry)
				f := newForger(t)
				f.group(nil, nil, dir("data/a"))
				if size <= bigFile {
					f.group(func(j *job) {
						h, err := appendHeader(nil, &planted.Entry)
						assert.NilError(t, err)
						copy(j.raw, h)
					}, nil, good)
				} else {
					f.big(good, planted.Entry)
				}
				b := f.finish(nil)
				checkDamage(t, b, "data/a/x", errTarHeader.Error())
				assert.ErrorContains(t, open(t, b).Extract(t.Context(), allEntries, newMemorySink(), ExtractOptions{}), "disagree")
			}
		})
	}
}

// big stores a big file whose header is that of another entry.
func (f *forger) big(s stored, header tree.Entry) {
	j := &job{kind: jobFile}
	assert.NilError(f.t, j.open(&header))
	j.items[0].entry = &s.Entry
	j.run(f.c, f.w.zeros)
	assert.NilError(f.t, f.w.emit.emit(j))
	c := &job{kind: jobChunk, raw: s.data, content: s.Size}
	c.pad(&s.Entry)
	c.run(f.c, f.w.zeros)
	assert.NilError(f.t, f.w.emit.emit(c))
	assert.NilError(f.t, f.w.emit.emit(&job{kind: jobCommit}))
}

func TestMembersThatAreNotAsTheyMustBeAreFound(t *testing.T) {
	bomb := newCompressor().appendMember(nil, make([]byte, 64<<20))
	empty := appendEmptyMember(nil)
	cases := map[string]func([]byte) []byte{
		"bomb":            func([]byte) []byte { return append(bytes.Clone(empty), bomb...) },
		"second member":   func(p []byte) []byte { return append(p, empty...) },
		"bytes behind":    func(p []byte) []byte { return append(p, "hidden"...) },
		"gzip time":       func(p []byte) []byte { p[24] = 1; return p },
		"gzip name":       func(p []byte) []byte { p[23] = 8; return p },
		"no empty member": func(p []byte) []byte { return p[20:] },
		"too short":       func(p []byte) []byte { return p[:len(p)-9] },
		"wrong checksum":  func(p []byte) []byte { p[len(p)-5]++; return p },
		"wrong length":    func(p []byte) []byte { p[len(p)-1]++; return p },
		"nothing":         func([]byte) []byte { return nil },
		"another's member": func([]byte) []byte {
			return append(bytes.Clone(empty), newCompressor().appendMember(nil, text(1, 2048))...)
		},
	}
	for name, pack := range cases {
		t.Run(name, func(t *testing.T) {
			f := newForger(t)
			f.group(nil, nil, dir("data/a"), file("data/a/good", []byte("good")))
			f.group(nil, pack, file("data/a/x", text(9, 1000)))
			f.group(nil, nil, file("data/a/z", []byte("good")))
			b := f.finish(nil)
			rep := verify(t, b)
			assert.Assert(t, len(rep.Damage) > 0)
			err := open(t, b).Extract(t.Context(), allEntries, newMemorySink(), ExtractOptions{})
			assert.Assert(t, err != nil)
			if name != "nothing" {
				assert.Equal(t, len(rep.Damage), 1)
				assert.Equal(t, rep.Damage[0].Path, "data/a/x")
			}
		})
	}
}

func TestManifestThatDisagreesIsFound(t *testing.T) {
	for name, change := range map[string]func(*Manifest){
		"files": func(m *Manifest) { m.Sources[0].Files++ }, "entries": func(m *Manifest) { m.Sources[0].Entries-- }, "bytes": func(m *Manifest) { m.Sources[0].Bytes = 0 },
		"unknown source": func(m *Manifest) { m.Sources = nil }, "source that is not there": func(m *Manifest) { m.Sources = append(m.Sources, Source{Prefix: "data/b", Files: 1}) },
	} {
		t.Run(name, func(t *testing.T) {
			f := newForger(t)
			f.group(nil, nil, dir("data/a"), file("data/a/x", []byte("x")))
			checkDamage(t, f.finish(change), manifestName, "")
		})
	}
}

func TestManifestOfANewerVersionIsToldApart(t *testing.T) {
	f := newForger(t)
	b := f.finish(func(m *Manifest) { m.Format = FormatVersion + 1 })
	_, err := Open(bytes.NewReader(b), int64(len(b)))
	assert.ErrorIs(t, err, ErrNewer)
	rep, err := Verify(t.Context(), bytes.NewReader(b), int64(len(b)), VerifyOptions{})
	assert.ErrorIs(t, err, ErrNewer)
	assert.Assert(t, rep.SHA256 != "")
}

func TestVerifyGoesOnBehindDamage(t *testing.T) {
	f := newForger(t)
	f.group(nil, nil, dir("data/a"))
	var want []string
	for i := range 20 {
		name := fmt.Sprintf("data/a/%02d", i)
		pack := func(p []byte) []byte { p[len(p)-20] ^= 4; return p }
		if i%3 > 0 {
			pack = nil
		} else {
			want = append(want, name)
		}
		f.group(nil, pack, file(name, noise(uint64(i), 3000)))
	}
	var got []string
	for _, d := range verify(t, f.finish(nil)).Damage {
		got = append(got, d.Path)
	}
	assert.DeepEqual(t, got, want)
}

func TestPlainTarGzIsNotOurs(t *testing.T) {
	for _, b := range [][]byte{nil, []byte("x"), newCompressor().appendMember(nil, make([]byte, 10240))} {
		_, err := Open(bytes.NewReader(b), int64(len(b)))
		assert.ErrorIs(t, err, ErrNotOurs)
	}
}

// failing is a source whose disk breaks at an offset.
type failing struct {
	*bytes.Reader
	at int64
}

var errDisk = errors.New("input/output error")

func (f failing) ReadAt(p []byte, at int64) (int, error) {
	if at <= f.at && f.at < at+int64(len(p)) {
		return 0, errDisk
	}
	return f.Reader.ReadAt(p, at)
}

func TestDiskThatBreaksIsAnErrorNotDamage(t *testing.T) {
	b := write(t, hostile(), manifest(), WriterOptions{})
	for at := int64(0); at < int64(len(b)); at += int64(len(b)) / 20 {
		r := failing{bytes.NewReader(b), at}
		_, err := Verify(t.Context(), r, int64(len(b)), VerifyOptions{})
		assert.ErrorIs(t, err, errDisk)
	}
}
