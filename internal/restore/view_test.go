package restore

import (
	"iter"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/tree"
)

func TestAnotherOrderThanThatOfAWalkIsNoticed(t *testing.T) {
	for want, names := range map[string][]string{
		"":  {"data/app", "data/app/a", "data/app/a/x", "data/app/a-b", "data/app/b", "data/other", "data/other/a"},
		"a": {"data/app", "data/app/b", "data/app/a"},
	} {
		each := func() iter.Seq2[tree.Expected, error] {
			return func(yield func(tree.Expected, error) bool) {
				for _, name := range names {
					if !yield(tree.Expected{Entry: &tree.Entry{Path: name, Kind: tree.Dir}}, nil) {
						return
					}
				}
			}
		}
		v, err := newView("data/app", each, nil, nil)
		assert.NilError(t, err)
		assert.Equal(t, v.disorder, want)
	}
}
