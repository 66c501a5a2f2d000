package enginetest

import (
	"slices"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/engine"
)

// layer: Fill puts files into a container's layer; the sleeper's image has the file /sleeper.
func (b Bench) layer(t *testing.T) {
	ctx := t.Context()
	id := b.container(t, "layer")
	b.Fill(t, id, map[string]string{"memories/one.json": "{}", "memories/deep/two.json": "12345"})
	changes, err := b.Changes(ctx, id, 100)
	assert.NilError(t, err)
	for _, want := range []string{"/memories", "/memories/one.json", "/memories/deep", "/memories/deep/two.json"} {
		assert.Assert(t, slices.Contains(changes, engine.Change{Path: want, Added: true}), "%s is not among %v", want, changes)
	}
	some, err := b.Changes(ctx, id, 2)
	assert.ErrorIs(t, err, engine.ErrTooMany)
	assert.Equal(t, len(some), 2)
	file, err := b.Stat(ctx, id, "/memories/deep/two.json")
	assert.NilError(t, err)
	assert.Equal(t, file.Name, "two.json")
	assert.Equal(t, file.Size, int64(5))
	assert.Assert(t, file.Mode.IsRegular())
	dir, err := b.Stat(ctx, id, "/memories/deep")
	assert.NilError(t, err)
	assert.Assert(t, dir.Mode.IsDir())
	_, err = b.Stat(ctx, id, "/memories/three.json")
	assert.ErrorIs(t, err, engine.ErrNotFound)
	_, err = b.Changes(ctx, b.Prefix+"missing", 1)
	assert.ErrorIs(t, err, engine.ErrNotFound)
	_, err = b.Stat(ctx, b.Prefix+"missing", "/")
	assert.ErrorIs(t, err, engine.ErrNotFound)
}
