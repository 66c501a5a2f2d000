package restore

import (
	"testing"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/tree"
)

// TestExactPathsAreOfTheirSource: the same name in another source stays, a folder comes with all below it, and no character of a name is a pattern's.
func TestExactPathsAreOfTheirSource(t *testing.T) {
	b := newBed(t)
	data, conf := b.source("data"), b.source("conf")
	write(t, data, "a.json", "1", "[b]*.json", "1", "sub/a.json", "1", "store/x", "1", "store/deep/y", "1")
	write(t, conf, "a.json", "1")
	path := b.backup(t)
	write(t, data, "a.json", "2", "[b]*.json", "2", "bb.json", "2", "sub/a.json", "2", "store/x", "2", "store/extra", "2")
	write(t, conf, "a.json", "2")
	req := b.request(t, path)
	req.Exact = map[string][]tree.RawPath{"data": {"a.json", "[b]*.json", "store"}}
	b.do(t, req)
	for file, want := range map[string]string{"a.json": "1", "[b]*.json": "1", "bb.json": "2", "sub/a.json": "2", "store/x": "1", "store/deep/y": "1"} {
		assert.Equal(t, read(t, data, file), want, file)
	}
	gone(t, data, "store/extra")
	assert.Equal(t, read(t, conf, "a.json"), "2")
	b.do(t, b.undoRequest(t))
	assert.Equal(t, read(t, data, "a.json")+read(t, data, "store/x")+read(t, data, "store/extra"), "222")
	req = b.request(t, path)
	req.Exact = map[string][]tree.RawPath{"data": {"nope"}}
	p, err := prepare(t, req)
	assert.NilError(t, err)
	assert.Equal(t, len(p.Refusals), 1)
	assert.Equal(t, p.Refusals[0].Reason, NothingToDo)
}
