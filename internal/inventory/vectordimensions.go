package inventory

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/memsys/docker-memsys/internal/tree"
)

// dimensions compares the lengths of the vectors of one source: with what is declared, with its Chroma collections, and within a folder.
// Only files count whose vectors all have the same length.
type dimensions struct{}

func (dimensions) check() Check {
	return Check{ID: "vectors.dimension", Title: "dimensions of vectors"}
}

// Checks tells what it looks at.
func (d dimensions) Checks() []Check { return []Check{d.check()} }

// Observe does nothing: all is told at the end.
func (dimensions) Observe(*tree.Entry) {}

// After compares what was counted.
func (d dimensions) After(r *Recorder) {
	if !r.Wants(d.check().ID) {
		return
	}
	folders, stored := map[string]map[int][]string{}, map[int]bool{}
	n := int64(0)
	for _, c := range r.Collections() {
		switch {
		case c.Dimension == 0:
		case c.Kind == KindChroma:
			stored[c.Dimension] = true
		case c.Kind == KindVector:
			n++
			dir := path.Dir(c.Name)
			if folders[dir] == nil {
				folders[dir] = map[int][]string{}
			}
			folders[dir][c.Dimension] = append(folders[dir][c.Dimension], path.Base(c.Name))
		}
	}
	if n == 0 {
		return
	}
	r.Checked(d.check(), n)
	for _, dir := range slices.Sorted(maps.Keys(folders)) {
		if text := differ(folders[dir], r.Options.Dimension, stored); text != "" {
			r.Find(d.check(), Finding{Status: Warning, Path: dir, Text: text})
		}
	}
}

// differ says how the dimensions of the files of one folder differ, "" where they do not.
func differ(here map[int][]string, declared int, stored map[int]bool) string {
	switch wrong := without(here, map[int]bool{declared: true}); {
	case declared > 0 && len(wrong) > 0:
		return fmt.Sprintf("%s, but the dimension is declared as %d", dimensionList(wrong), declared)
	case declared > 0:
		return ""
	}
	switch wrong := without(here, stored); {
	case len(stored) > 0 && len(wrong) > 0:
		return fmt.Sprintf("%s, but the Chroma collections have %s", dimensionList(wrong), listed(stored))
	case len(stored) == 0 && len(here) > 1:
		return "dimensions differ: " + dimensionList(here)
	}
	return ""
}

// without are the dimensions that are not among those wanted.
func without(here map[int][]string, wanted map[int]bool) map[int][]string {
	out := maps.Clone(here)
	maps.DeleteFunc(out, func(d int, _ []string) bool { return wanted[d] })
	return out
}

func listed(dims map[int]bool) string {
	var out []string
	for _, d := range slices.Sorted(maps.Keys(dims)) {
		out = append(out, fmt.Sprint(d))
	}
	return strings.Join(out, ", ")
}

// dimensionList names each dimension with its first files, the most frequent first.
func dimensionList(here map[int][]string) string {
	dims := slices.SortedFunc(maps.Keys(here), func(a, b int) int {
		return cmp.Or(cmp.Compare(len(here[b]), len(here[a])), cmp.Compare(a, b))
	})
	var out []string
	for _, d := range dims {
		e := examples{n: int64(len(here[d])), first: here[d][:min(len(here[d]), mostExamples)]}
		out = append(out, fmt.Sprintf("%d in %s", d, e.text("file", "files")))
	}
	return strings.Join(out, "; ")
}
