package restore

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/tree"
)

// TestWhatAKilledRemovalHasLeftIsNoCopyAndGoes: it still has its record and a part of the entries.
func TestWhatAKilledRemovalHasLeftIsNoCopyAndGoes(t *testing.T) {
	root := t.TempDir()
	left := filepath.Join(root, tree.StagingName("abc")+".finished")
	assert.NilError(t, os.MkdirAll(filepath.Join(left, "old"), 0o700))
	assert.NilError(t, os.WriteFile(filepath.Join(left, "old", "a"), []byte("half of it"), 0o600))
	assert.NilError(t, os.WriteFile(filepath.Join(left, asideFile), []byte("{}"), 0o600))
	found, err := FindAside(t.Context(), []Place{{Source: "data", Root: root}})
	assert.NilError(t, err)
	assert.Equal(t, len(found), 1)
	assert.Assert(t, found[0].Remains())
	assert.Assert(t, !found[0].Due(time.Now(), time.Now()), "somebody may be removing it")
	assert.Assert(t, found[0].Due(time.Now().Add(2*time.Hour), time.Time{}))
	assert.NilError(t, RemoveAside(t.Context(), found[0]))
	entries, err := os.ReadDir(root)
	assert.NilError(t, err)
	assert.Equal(t, len(entries), 0)
}

// TestADamagedRecordHidesNoOtherEntriesSetAside, nor its own: they go when somebody says so.
func TestADamagedRecordHidesNoOtherEntriesSetAside(t *testing.T) {
	b := newBed(t)
	root := b.source("data")
	write(t, root, "a", "1")
	path := b.backup(t)
	write(t, root, "a", "2")
	req := b.request(t, path)
	req.NoSafety = "no space"
	b.do(t, req)
	write(t, root, tree.StagingName("rotten")+"/old/a", "3", tree.StagingName("rotten")+"/"+asideFile, `{"root":"/`)
	found, err := FindAside(t.Context(), b.places())
	assert.NilError(t, err)
	assert.Equal(t, len(found), 2, "%+v", found)
	for _, a := range found {
		assert.Equal(t, a.Unknown, a.ID == "", "%+v", a)
		assert.Equal(t, a.Entries, int64(1))
		_, why := setAside(a.Path)
		assert.Equal(t, why != "", a.Unknown, why)
		assert.NilError(t, RemoveAside(t.Context(), a))
	}
}

// TestEntriesSetAsideMoveWithTheirSource: the folder of a project has another name since, or its volume another place.
func TestEntriesSetAsideMoveWithTheirSource(t *testing.T) {
	b := newBed(t)
	b.source("in/data")
	b.sources[0].Name = "data"
	b.source("in/conf.yaml")
	b.sources[1].Name = "conf.yaml"
	write(t, b.dir, "in/data/a", "1", "in/conf.yaml", "1")
	path := b.backup(t)
	write(t, b.dir, "in/data/a", "2", "in/conf.yaml", "2")
	req := b.request(t, path)
	req.NoSafety = "no space"
	b.do(t, req)
	assert.NilError(t, os.Rename(b.path("in"), b.path("moved")))
	for i := range b.sources {
		b.sources[i].Path = b.path("moved", b.sources[i].Name)
	}
	places := append(b.places(), Place{Source: "all", Root: b.path("moved")}) // the folder around a single file is another source
	found, err := FindAside(t.Context(), places)
	assert.NilError(t, err)
	got := map[string]string{}
	for _, a := range found {
		got[a.Source] = a.Root
	}
	assert.DeepEqual(t, got, map[string]string{"data": b.sources[0].Path, "conf.yaml": b.sources[1].Path})
}
