//go:build unix

package foreign

import (
	"archive/tar"
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/store"
	"github.com/memsys/docker-memsys/internal/tree"
)

// entries are those of the published archive, by name.
func (b *bed) entries() map[string]*archive.Entry {
	b.t.Helper()
	all, err := store.Open(b.path("backups")).List(b.t.Context())
	assert.NilError(b.t, err)
	f, err := os.Open(all[0].Path)
	assert.NilError(b.t, err)
	b.t.Cleanup(func() { f.Close() })
	r, err := archive.Open(f, all[0].Size)
	assert.NilError(b.t, err)
	out := map[string]*archive.Entry{}
	for e, err := range r.Entries(b.t.Context()) {
		assert.NilError(b.t, err)
		out[e.Path] = e
	}
	return out
}

// Numbers of owners, attributes and times come from the headers, whoever runs this.
func TestAttributesAreThoseOfTheHeaders(t *testing.T) {
	var data bytes.Buffer
	w := tar.NewWriter(&data)
	assert.NilError(t, w.WriteHeader(&tar.Header{
		Name: "data/x", Typeflag: tar.TypeReg, Mode: 0o4711, Uid: 3_000_000, Gid: 4242, Uname: "root", ModTime: someTime, Format: tar.FormatPAX,
		PAXRecords: map[string]string{"SCHILY.xattr.user.a%3Db": "value\x00", "SCHILY.acl.access": "user::rw-,user:joe:r--:1000,group::r--,mask::r--,other::---"},
	}))
	assert.NilError(t, w.Close())
	b := newBed(t)
	assert.NilError(t, b.attempt(data.Bytes()))
	e := b.entries()["data/data/x"]
	assert.Equal(t, e.UID, 3_000_000)
	assert.Equal(t, e.GID, 4242)
	assert.Equal(t, e.Mode, uint32(0o4711))
	assert.Assert(t, e.ModTime.Equal(someTime))
	assert.Equal(t, string(e.Xattrs["user.a=b"]), "value\x00")
	assert.Assert(t, len(e.Xattrs["system.posix_acl_access"]) > 0)
}

// A hard link across sources, or to what is left out, is a file of its own with the same content.
func TestHardLinksThatLeaveTheirSourceBecomeFiles(t *testing.T) {
	b := newBed(t)
	b.maps = []string{"other="}
	data := tarOf(t, file("other/first", "content"), hardlink("data/z", "other/first"), hardlink("data/a", "data/z"), symlink("data/l", "a"), hardlink("data/m", "data/l"))
	assert.NilError(t, b.attempt(data))
	all := b.entries()
	assert.Equal(t, all["data/data/a"].Kind, tree.File)
	assert.Equal(t, all["data/data/z"].Kind, tree.Hardlink)
	assert.Equal(t, all["data/data/z"].Link, "data/data/a")
	assert.Equal(t, all["data/data/l"].Kind, tree.Symlink)
	assert.Equal(t, all["data/data/m"].Link, "data/data/l")
	assert.Equal(t, b.read("z"), "content")
}

// Entries stand in the order of a walk, whatever the order of the foreign archive; folders that it does not name are there.
func TestTheResultIsInTheOrderOfAWalk(t *testing.T) {
	b := newBed(t)
	assert.NilError(t, b.attempt(tarOf(t, file("data/z/y/x", "1"), file("data/a-b", "2"), dir("data/a"), file("data/a/c", "3"), dir("data"), dir("data/z"))))
	all := b.entries()
	for _, name := range []string{"data/data", "data/data/z", "data/data/z/y"} {
		assert.Equal(t, all[name].Kind, tree.Dir)
	}
	assert.Equal(t, b.manifest.Sources[0].Entries, int64(7))
}

func TestHolesOfASparseFileStayHoles(t *testing.T) {
	src := t.TempDir()
	assert.NilError(t, os.Mkdir(filepath.Join(src, "data"), 0o755))
	f, err := os.Create(filepath.Join(src, "data/sparse"))
	assert.NilError(t, err)
	_, err = f.WriteAt([]byte("end"), 1<<20)
	assert.NilError(t, errors.Join(err, f.Close()))
	tool(t, src, "tar", "--sparse", "-cf", "archive", "data")
	data, err := os.ReadFile(filepath.Join(src, "archive"))
	assert.NilError(t, err)
	assert.Assert(t, len(data) < 100<<10)
	b := newBed(t)
	assert.NilError(t, b.attempt(data))
	holes := b.entries()["data/data/sparse"].Holes
	assert.DeepEqual(t, holes, []tree.Extent{{Offset: 0, Length: 1 << 20}})
	assert.Equal(t, strings.Trim(b.read("sparse"), "\x00"), "end")
}

// What no format says belongs to the owner of the place, and nobody else may write it.
func TestWhatAFormatDoesNotSayComesFromThePlace(t *testing.T) {
	b := newBed(t)
	assert.NilError(t, b.attempt(zipOf(t, zipPart{name: "data/a", body: "x", dos: true})))
	e := b.entries()["data/data/a"]
	assert.Equal(t, e.UID, os.Getuid())
	assert.Equal(t, e.Mode, uint32(0o644))
	assert.Assert(t, strings.Contains(strings.Join(b.manifest.Warnings, ""), "does not say whose"))
}

// Whose a place is may not be seen from here: then it is said whom the files are given to.
func TestAnOwnerThatCannotBeSeenIsTold(t *testing.T) {
	b := newBed(t)
	b.unseen = true
	assert.NilError(t, b.attempt(zipOf(t, zipPart{name: "data/a", body: "x", dos: true})))
	assert.Assert(t, strings.Contains(strings.Join(b.manifest.Warnings, ""), "whose source data is cannot be seen from here: its files are given to "), b.manifest.Warnings)
}

func TestAFileThatChangesBetweenTheReadingsIsRefused(t *testing.T) {
	b := newBed(t)
	path := b.path("archive")
	assert.NilError(t, os.WriteFile(path, tarOf(t, file("data/a", "one")), 0o600))
	f, err := os.Open(path)
	assert.NilError(t, err)
	defer f.Close()
	c, err := Scan(t.Context(), f, b.limits, nil)
	assert.NilError(t, err)
	m, err := c.Map(b.target)
	assert.NilError(t, err)
	assert.NilError(t, os.WriteFile(path, tarOf(t, file("data/b", "two")), 0o600))
	assert.NilError(t, os.Mkdir(b.path("backups"), 0o700))
	_, err = b.runner().Convert(t.Context(), store.Open(b.path("backups")), Job{Contents: c, Mapping: m})
	assert.ErrorIs(t, err, errDiffers)
	left, err := os.ReadDir(b.path("backups"))
	assert.NilError(t, err)
	assert.Equal(t, len(left), 0)
}

// Every file that a conversion makes is on record before it exists; where there is no room nothing is made.
func TestEveryTemporaryFileIsOnRecordFirst(t *testing.T) {
	b := newBed(t)
	path := b.path("archive")
	assert.NilError(t, os.WriteFile(path, tarOf(t, file("data/a", "one")), 0o600))
	assert.NilError(t, os.Mkdir(b.path("backups"), 0o700))
	f, err := os.Open(path)
	assert.NilError(t, err)
	defer f.Close()
	c, err := Scan(t.Context(), f, b.limits, nil)
	assert.NilError(t, err)
	m, err := c.Map(b.target)
	assert.NilError(t, err)
	run := b.runner()
	recorded := 0
	run.Temporary = func(p string) error {
		_, err := os.Lstat(p)
		assert.ErrorIs(t, err, os.ErrNotExist)
		assert.Assert(t, store.IsTemporary(filepath.Base(p)))
		recorded++
		return nil
	}
	out, err := run.Convert(t.Context(), store.Open(b.path("backups")), Job{Contents: c, Mapping: m})
	assert.NilError(t, err)
	assert.Equal(t, recorded, 2)
	left, err := os.ReadDir(b.path("backups"))
	assert.NilError(t, err)
	assert.Equal(t, len(left), 1) // the spool is gone
	assert.NilError(t, out.Discard())
	run.Free = func(string) (int64, error) { return 1000, nil }
	_, err = run.Convert(t.Context(), store.Open(b.path("backups")), Job{Contents: c, Mapping: m})
	assert.Assert(t, errors.As(err, new(*NoSpaceError)), "%v", err)
	assert.Equal(t, recorded, 2)
}
