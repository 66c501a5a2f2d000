package restore

import (
	"os"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/tree/treetest"
)

func TestRestoreBringsBackAHostileTree(t *testing.T) {
	b := newBed(t)
	root := b.source("data")
	assert.NilError(t, treetest.Make(root, treetest.Options{Seed: 7, Devices: os.Getuid() == 0}))
	id := b.app("app", root)
	idle := b.engine.Add(engine.Container{
		Project: "notes", Service: "job", Number: "1", State: engine.Exited,
		Mounts: []engine.Mount{{Type: "bind", Source: root}},
	})
	want := b.path("want")
	clone(t, root, want)
	same(t, want, root)
	path := b.backup(t)
	before, err := os.Stat(root)
	assert.NilError(t, err)

	assert.NilError(t, os.RemoveAll(root+"/memories"))
	write(t, root, "extra/new.json", "{}", "stray", "x")
	res, err := b.restore(t, b.request(t, path))
	assert.NilError(t, err)
	same(t, want, root)
	after, err := os.Stat(root)
	assert.NilError(t, err)
	assert.Assert(t, os.SameFile(before, after), "the root keeps its inode")
	assert.Equal(t, b.engine.State(id), engine.Running)
	assert.Equal(t, b.engine.State(idle), engine.Exited)
	assert.Equal(t, b.saves, 1)
	assert.Assert(t, res.Complete, "%+v", res.Problems)
}

func TestPlanTellsWhatChanges(t *testing.T) {
	b := newBed(t)
	root := b.source("data")
	write(t, root, "a", "1", "b", "2", "c", "3", "logs/x", "log", "d/e", "5")
	path := b.backup(t)
	assert.NilError(t, os.Remove(root+"/a"))
	write(t, root, "b", "two", "n/m", "new")
	assert.NilError(t, os.Chmod(root+"/c", 0o600))
	p, err := prepare(t, b.request(t, path))
	assert.NilError(t, err)
	c := p.Targets[0].Changes
	assert.DeepEqual(t, c.Added, []string{"a"})
	assert.DeepEqual(t, c.Changed, []string{"b"})
	assert.DeepEqual(t, c.Removed, []string{"n", "n/m"})
	assert.DeepEqual(t, c.Attributes, []string{".", "c"})
	assert.DeepEqual(t, c.Kept, []string{"logs"})
	assert.Equal(t, len(p.Refusals), 0)
	assert.Equal(t, read(t, root, "b"), "two")
}
