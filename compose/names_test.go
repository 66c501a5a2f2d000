package compose

import (
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
)

// TestNamesAreUniqueWhateverTheSources draws sources that clash in many ways and looks at their names in two orders.
func TestNamesAreUniqueWhateverTheSources(t *testing.T) {
	const seed = 7
	r := rand.New(rand.NewPCG(seed, seed))
	dir := filepath.FromSlash("/project")
	for round := range 500 {
		sources := draw(r, dir)
		first := named(t, sources, dir)
		r.Shuffle(len(sources), func(i, j int) { sources[i], sources[j] = sources[j], sources[i] })
		assert.DeepEqual(t, named(t, sources, dir), first)
		if t.Failed() {
			t.Fatalf("seed %d, round %d: %+v", seed, round, sources)
		}
	}
}

// draw makes up to eight sources, no two of the same place.
func draw(r *rand.Rand, dir string) []Source {
	words := []string{"data", "Data", "x-data", "a", "..", ".a", "data-2", "ü"}
	word := func() string { return words[r.IntN(len(words))] }
	seen := map[string]bool{}
	var all []Source
	for range 8 {
		path := "/" + strings.Join([]string{word(), word(), word()}[:1+r.IntN(3)], "/")
		if r.IntN(2) == 0 {
			path = dir + path
		}
		s := Source{Kind: Bind, Path: filepath.Clean(path)}
		if r.IntN(3) == 0 {
			s = Source{Kind: Volume, Volume: &VolumeInfo{Key: word(), Name: word()}}
		}
		if id := place(s); !seen[id] {
			seen[id] = true
			all = append(all, s)
		}
	}
	return all
}

func place(s Source) string {
	if s.Volume != nil {
		return "volume " + s.Volume.Key
	}
	return s.Path
}

// named gives names and returns them by place; two that are equal, letter case aside, or unsafe fail the test.
func named(t *testing.T, sources []Source, dir string) map[string]string {
	t.Helper()
	sources = append([]Source{}, sources...)
	name(sources, dir)
	seen, byPlace := map[string]string{}, map[string]string{}
	for _, s := range sources {
		lower := strings.ToLower(s.Name)
		assert.Check(t, seen[lower] == "", "%s and %s are both named %s", seen[lower], place(s), s.Name)
		assert.Check(t, filepath.IsLocal(s.Name) && s.Name == filepath.Base(s.Name), "unsafe name %q", s.Name)
		seen[lower], byPlace[place(s)] = place(s), s.Name
	}
	return byPlace
}
