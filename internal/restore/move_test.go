package restore

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/tree"
)

// texts are the differences of a plan as a person reads them.
func texts(p *Plan) []string {
	var out []string
	for _, d := range p.Differences {
		out = append(out, d.String())
	}
	return out
}

func TestOwnerMapsAreRead(t *testing.T) {
	for text, want := range map[string]OwnerMap{
		"1000:1001":   {Users: true, Groups: true, From: 1000, To: 1001},
		"u:0:70":      {Users: true, To: 70},
		"g:0:4294967": {Groups: true, To: 4294967},
	} {
		got, err := ParseOwnerMap(text)
		assert.NilError(t, err)
		assert.Equal(t, got, want)
	}
	for _, text := range []string{"", "1", "1:", ":1", "1:2:3", "x:1:2", "-1:2", "1:4294967295", "1:4294967296", "root:1", "u:g:1:2"} {
		_, err := ParseOwnerMap(text)
		assert.Assert(t, err != nil, text)
	}
	assert.NilError(t, CheckOwnerMaps([]OwnerMap{{Users: true, From: 1, To: 2}, {Groups: true, From: 1, To: 3}, {Users: true, From: 1, To: 2}}))
	assert.ErrorContains(t, CheckOwnerMaps([]OwnerMap{{Users: true, Groups: true, From: 1, To: 2}, {Groups: true, From: 1, To: 3}}), "1 cannot become both 2 and 3")
}

func acl(entries ...uint32) []byte { // tag, perm, id ...
	b := binary.LittleEndian.AppendUint32(nil, 2)
	for i := 0; i < len(entries); i += 3 {
		b = binary.LittleEndian.AppendUint16(b, uint16(entries[i]))
		b = binary.LittleEndian.AppendUint16(b, uint16(entries[i+1]))
		b = binary.LittleEndian.AppendUint32(b, entries[i+2])
	}
	return b
}

func TestOwnersAndACLsAreMappedAtOnce(t *testing.T) {
	const none = 1<<32 - 1
	before := acl(1, 7, none, 2, 4, 1000, 2, 2, 2000, 4, 5, none, 8, 4, 1000, 16, 7, none, 32, 5, none)
	e := &tree.Entry{Path: "a", UID: 1000, GID: 1001, Xattrs: map[string][]byte{aclAccess: before, aclDefault: []byte("none of it"), "user.x": []byte("1000")}}
	o := newOwners([]OwnerMap{{Users: true, From: 1000, To: 3000}, {Users: true, From: 3000, To: 1000}, {Groups: true, From: 1001, To: 5}})
	got := o.entry(e)
	assert.Equal(t, got.UID, 3000)
	assert.Equal(t, got.GID, 5)
	assert.DeepEqual(t, got.Xattrs[aclAccess], acl(1, 7, none, 2, 2, 2000, 2, 4, 3000, 4, 5, none, 8, 4, 1000, 16, 7, none, 32, 5, none))
	assert.Equal(t, string(got.Xattrs[aclDefault]), "none of it")
	assert.DeepEqual(t, e.Xattrs[aclAccess], before)
	assert.Equal(t, e.UID, 1000)
	// Two that become one share their permissions.
	got = newOwners([]OwnerMap{{Users: true, From: 1000, To: 2000}}).entry(e)
	assert.DeepEqual(t, got.Xattrs[aclAccess], acl(1, 7, none, 2, 6, 2000, 4, 5, none, 8, 4, 1000, 16, 7, none, 32, 5, none))
}

func TestAMappedOwnerIsRestoredComparedAndCounted(t *testing.T) {
	b := newBed(t)
	root := b.source("data")
	write(t, root, "sub/a", "1", "b", "2")
	assert.NilError(t, os.Link(filepath.Join(root, "b"), filepath.Join(root, "c")))
	path := b.backup(t)
	from := os.Getuid()
	to := from
	if from == 0 {
		to = 4711 // who may not give files away maps to itself
	}
	req := b.request(t, path)
	req.Owners = []OwnerMap{{Users: true, From: from, To: to}}
	p, err := prepare(t, req)
	assert.NilError(t, err)
	if from == 0 {
		assert.Equal(t, len(p.Differences), 1)
		assert.Assert(t, strings.HasPrefix(p.Differences[0].String(), "owner of data: in the backup 4711:"), p.Differences[0])
		assert.Assert(t, strings.Contains(p.Differences[0].Backup, "(4 entries)"), p.Differences[0].Backup)
	}
	_, err = b.restore(t, req)
	assert.NilError(t, err)
	for _, name := range []string{".", "sub", "sub/a", "b", "c"} {
		e, err := tree.Lstat(filepath.Join(root, name))
		assert.NilError(t, err)
		assert.Equal(t, e.UID, to, name)
	}
}

func TestEveryDifferenceOfAnotherMachineIsInThePlan(t *testing.T) {
	b := newBed(t)
	write(t, b.source("data"), "a", "1")
	services := func(image, id, digest string) []archive.Service {
		return []archive.Service{{Name: "app", Image: image, ImageID: id, RepoDigests: []string{digest}}, {Name: "same", Image: "x"}}
	}
	path := b.backup(t, func(m *archive.Manifest) {
		m.Project = archive.Project{Name: "old", WorkingDir: "/old", EngineID: "old", Host: "there", OS: "linux", Architecture: "arm64"}
		m.Services = append(services("app:1", "sha256:1", "app@1"), archive.Service{Name: "gone", Image: "g"})
	})
	req := b.request(t, path)
	req.Project.Host, req.Project.OS, req.Project.Architecture = "here", "linux", "amd64"
	req.Present = append(services("app:2", "sha256:2", "app@2"), archive.Service{Name: "new"})
	req.AllowOtherProject = true
	p, err := prepare(t, req)
	assert.NilError(t, err)
	assert.DeepEqual(t, texts(p), []string{
		`project name: the backup is of "old", here it is "notes"`,
		`working directory: the backup is of "/old", here it is "` + b.dir + `"`,
		`engine: the backup is of "old", here it is "fake-engine"`,
		`host: the backup is of "there", here it is "here"`,
		`architecture: the backup is of "arm64", here it is "amd64"`,
		"image of app: in the backup app:1, here app:2",
		"service of gone: in the backup g, here there is none",
		"service of new: in the backup there is none, here one without image",
	})
	req.Project = archive.Project{Name: "old", WorkingDir: "/old", EngineID: "old", Host: "elsewhere"}
	req.AllowOtherProject, req.Present = false, nil
	p, err = prepare(t, req)
	assert.NilError(t, err)
	assert.Equal(t, len(p.Refusals), 0, "another host name alone is no other project")
}

func TestAnImageIsToldByDigestBeforeId(t *testing.T) {
	was := archive.Service{Name: "app", Image: "app:1", ImageID: "sha256:1234567890abcdef", RepoDigests: []string{"app@1", "mirror@1"}}
	now := was
	now.ImageID = "sha256:2"
	assert.Equal(t, len(image(was, now)), 0, "the other engine's name of the same image")
	now.RepoDigests = []string{"app@2"}
	assert.Equal(t, image(was, now)[0].String(), "image build of app: in the backup app@1, here app@2")
	now.RepoDigests = nil
	assert.Equal(t, image(was, now)[0].String(), "image build of app: in the backup 1234567890ab, here 2")
	now.ImageID = ""
	assert.Equal(t, len(image(was, now)), 0, "nothing runs yet")
}

// header is the head of an index of Chroma.
func header(dim int) string {
	b := make([]byte, chromaHeaderSize)
	binary.LittleEndian.PutUint32(b, 1)
	binary.LittleEndian.PutUint64(b[28:], uint64(132+4*dim+8))
	binary.LittleEndian.PutUint64(b[36:], uint64(132+4*dim))
	binary.LittleEndian.PutUint64(b[44:], 132)
	return string(b)
}

func npy(shape string) string {
	return "\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, 'shape': " + shape + ", }\n" + strings.Repeat("\x00", 64)
}

func TestAnotherEmbeddingDimensionIsTold(t *testing.T) {
	for name, c := range map[string]struct {
		file, then, now string
		declared        int
		want            []string
	}{
		"chroma":             {"x/header.bin", header(384), header(768), 0, []string{"embedding dimension of data: in the backup 384, here 768"}},
		"chroma, the same":   {"x/header.bin", header(384), header(384), 384, nil},
		"npy":                {"v.npy", npy("(10, 384)"), npy("(9, 1536)"), 0, []string{"embedding dimension of data: in the backup 384, here 1536"}},
		"npy of one row":     {"v.npy", npy("(10,)"), npy("(9, 1536)"), 0, nil},
		"nothing here yet":   {"v.npy", npy("(10, 384)"), "", 0, nil},
		"declared":           {"v.npy", npy("(10, 384)"), "", 768, []string{"embedding dimension of data: in the backup 384, here 768 (EMBEDDING_DIMENSION of service app)"}},
		"no index by header": {"x/header.bin", strings.Repeat("x", 100), header(768), 0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t)
			root := b.source("data")
			write(t, root, c.file, c.then, "other", "1")
			path := b.backup(t)
			write(t, root, c.file, c.now)
			req := b.request(t, path)
			if c.declared > 0 {
				req.Declared = []Declared{{"app", "EMBEDDING_DIMENSION", c.declared}, {"other", "EMBEDDING_DIMENSION", 1}}
			}
			p, err := prepare(t, req)
			assert.NilError(t, err)
			assert.DeepEqual(t, texts(p), c.want)
			assert.Equal(t, len(p.Refusals), 0)
		})
	}
}

func TestASourceOfAnotherNameIsMapped(t *testing.T) {
	b := newBed(t)
	write(t, b.source("data"), "a", "1", "keep.log", "x")
	write(t, b.source("more"), "m", "1")
	b.exclude = []string{"*.log"}
	path := b.backup(t, func(m *archive.Manifest) { m.Project.Name = "old" })
	b.sources = nil
	moved := b.source("memories")
	write(t, moved, "b", "2", "live.log", "y")
	req := b.request(t, path)
	req.AllowOtherProject = true
	p, err := prepare(t, req)
	assert.NilError(t, err)
	assert.Equal(t, len(p.Skipped), 2)
	assert.Assert(t, p.Skipped[0].Wanted, "to another project, what is left out is lacking")
	assert.Assert(t, strings.Contains(p.Skipped[0].Why, "--map data=SOURCE"))

	req.Maps = []SourceMap{{"data", "memories"}, {"more", ""}}
	p, err = prepare(t, req)
	assert.NilError(t, err)
	assert.Equal(t, p.Targets[0].Name+" "+p.Targets[0].Was, "memories data")
	assert.Assert(t, !p.Skipped[0].Wanted, "it was asked for")
	assert.Equal(t, len(p.Warnings), 0, "%v", p.Warnings)
	res, err := b.restore(t, req)
	assert.NilError(t, err)
	assert.Assert(t, res.Complete)
	assert.Equal(t, read(t, moved, "a"), "1")
	assert.Equal(t, read(t, moved, "live.log"), "y")
	gone(t, moved, "b")
	gone(t, b.path("data"), "b")
}

func TestAMapThatCannotBeFollowedIsRefused(t *testing.T) {
	b := newBed(t)
	write(t, b.source("data"), "a", "1")
	write(t, b.source("more"), "m", "1")
	path := b.backup(t)
	for text, want := range map[string]string{
		"nothing=data": `the backup has no source "nothing"`, "data=nothing": `the project has no source "nothing"`, "data=more": "would both become",
	} {
		m, err := ParseSourceMap(text)
		assert.NilError(t, err)
		req := b.request(t, path)
		req.Maps = []SourceMap{m}
		_, err = prepare(t, req)
		var unmapped *MapError
		assert.Assert(t, errors.As(err, &unmapped), "%s: %v", text, err)
		assert.ErrorContains(t, err, want)
	}
	for _, text := range []string{"", "data", "=data"} {
		_, err := ParseSourceMap(text)
		assert.Assert(t, err != nil, text)
	}
}

func TestAVolumeMadeOtherwiseIsTold(t *testing.T) {
	b := newBed(t)
	place := b.path("volume")
	assert.NilError(t, os.Mkdir(place, 0o755))
	write(t, place, "a", "1")
	v := engine.Volume{Name: "notes_data", Driver: "local", Mountpoint: place}
	b.engine.AddVolume(v)
	b.sources = []compose.Source{{Name: "data", Kind: compose.Volume, Volume: &compose.VolumeInfo{Key: "data", Name: v.Name, Driver: "other"}}}
	path := b.backup(t, func(m *archive.Manifest) {
		m.Sources[0].Volume.Driver, m.Sources[0].Volume.Options = "nfs", map[string]string{"type": "nfs", "o": "addr=x,password=hunter2"}
	})
	p, err := prepare(t, b.request(t, path))
	assert.NilError(t, err)
	assert.DeepEqual(t, texts(p), []string{
		"volume driver of data: in the backup nfs, here local", "volume options of data: in the backup o=…,type=nfs, here none",
	})
}

// TestAVolumeThatIsGoneWithItsFolderThereIsPlanned: docker compose down --volumes leaves the folder that a volume is bound to.
func TestAVolumeThatIsGoneWithItsFolderThereIsPlanned(t *testing.T) {
	b := newBed(t)
	place := b.path("bound")
	write(t, place, "a", "1")
	options := map[string]string{"type": "none", "o": "bind", "device": place}
	v := engine.Volume{Name: "notes_bound", Driver: "local", Options: options}
	b.engine.AddVolume(v)
	b.sources = []compose.Source{{Name: "bound", Kind: compose.Volume, Path: place, Volume: &compose.VolumeInfo{Key: "bound", Name: v.Name, Options: options}}}
	path := b.backup(t)
	assert.NilError(t, b.engine.RemoveVolume(t.Context(), v.Name))
	p, err := prepare(t, b.request(t, path))
	assert.NilError(t, err)
	assert.Equal(t, len(p.Refusals), 0, "%v", p.Refusals)
	assert.Equal(t, len(p.Differences), 0, "%v", p.Differences)
}
