package tree_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/memsys/docker-memsys/internal/tree"
	"gotest.tools/v3/assert"
)

func TestComparePathsIsTheOrderOfAWalk(t *testing.T) {
	root := t.TempDir()
	for _, path := range []string{"a/b/c", "a/b-c", "a-b", "a.b/x", "a/b/c-", "ab", "b", "A", "a/ä", "a/~"} {
		assert.NilError(t, os.MkdirAll(filepath.Join(root, path), 0o755))
	}
	var paths []string
	err := tree.Walk(t.Context(), root, tree.WalkOptions{}, func(_ context.Context, e *tree.Entry, _ tree.Opener) error {
		paths = append(paths, e.Path)
		return nil
	})
	assert.NilError(t, err)
	assert.Equal(t, paths[0], ".")
	assert.Assert(t, slices.IsSortedFunc(paths, tree.ComparePaths), "%q", paths)
	assert.DeepEqual(t, paths, []string{
		".", "A", "a", "a/b", "a/b/c", "a/b/c-", "a/b-c", "a/~", "a/ä", "a-b", "a.b", "a.b/x", "ab", "b",
	})
	for i := range paths {
		for j := range paths {
			got := tree.ComparePaths(paths[i], paths[j])
			assert.Equal(t, got < 0, i < j, "%q %q", paths[i], paths[j])
			assert.Equal(t, got == 0, i == j)
		}
	}
}
