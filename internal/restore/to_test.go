package restore

import (
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/progress"
	"github.com/memsys/docker-memsys/internal/tree"
	"github.com/memsys/docker-memsys/internal/tree/treetest"
)

func (b *bed) to(t *testing.T, path, dir string, change ...func(*Request)) (*Result, error) {
	t.Helper()
	req := Request{Backup: Backup{Name: "b", Path: path}, To: dir, ID: "to1", Devices: true, Free: tree.FreeSpace}
	for _, c := range change {
		c(&req)
	}
	f, r, err := openFile(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	p, err := PrepareTo(t.Context(), r, req)
	if err != nil {
		return nil, err
	}
	at := now()
	clock := func() time.Time {
		at = at.Add(time.Second)
		return at
	}
	run := &Runner{Clock: clock, Progress: progress.Discard}
	return run.RunTo(t.Context(), p)
}

func TestRestoreToAFolder(t *testing.T) {
	b := newBed(t)
	data := b.source("data")
	b.source("conf.yaml")
	assert.NilError(t, treetest.Make(data, treetest.Options{Seed: 3, Devices: os.Getuid() == 0}))
	write(t, b.dir, "conf.yaml", "a: 1")
	path := b.backup(t)
	dir := b.path("new", "place")
	res, err := b.to(t, path, dir)
	assert.NilError(t, err)
	assert.Assert(t, res.Complete)
	assert.Assert(t, res.Seconds.Write > 0 && res.Seconds.Check > 0, "%+v", res.Seconds)
	same(t, data, dir+"/data")
	assert.Equal(t, read(t, dir, "conf.yaml"), "a: 1")
	assert.Equal(t, read(t, dir, "project", "compose.yaml"), "services: {}\n")
	entries, err := os.ReadDir(dir)
	assert.NilError(t, err)
	assert.Equal(t, len(entries), 3)

	_, err = b.to(t, path, dir)
	assert.ErrorContains(t, err, "is not empty")
}

func TestRestoreToAFolderTakesPathsOnly(t *testing.T) {
	b := newBed(t)
	data := b.source("data")
	write(t, data, "a/b/x.json", "1", "a/b/y.txt", "2", "z.json", "3")
	assert.NilError(t, os.Link(data+"/a/b/y.txt", data+"/zz.json"))
	path := b.backup(t)
	_, err := b.to(t, path, b.path("new"), func(r *Request) { r.Paths = []string{"*.json"} })
	assert.NilError(t, err)
	assert.Equal(t, read(t, b.path("new"), "data/a/b/x.json"), "1")
	assert.Equal(t, read(t, b.path("new"), "data/zz.json"), "2", "a link takes the content of its first name")
	gone(t, b.path("new"), "data/a/b/y.txt")
	gone(t, b.path("new"), "project")
}

func TestRestoreToAFolderLeavesNothingBehindOnFailure(t *testing.T) {
	b := newBed(t)
	data := b.source("data")
	noise := make([]byte, 50000)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(noise)
	write(t, data, "a", string(noise))
	path := b.backup(t)
	bytes, err := os.ReadFile(path)
	assert.NilError(t, err)
	bytes[len(bytes)/3] ^= 1
	assert.NilError(t, os.WriteFile(path, bytes, 0o600))
	_, err = b.to(t, path, b.path("new", "deeper"))
	assert.Assert(t, err != nil)
	gone(t, b.path("new"))
}
