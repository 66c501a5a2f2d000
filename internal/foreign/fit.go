package foreign

import (
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/memsys/docker-memsys/compose"
)

// fit says how well a path of the archive fits a source: by the end of the source's path above all, then by its names, then by where
// services see it.
func fit(p string, s compose.Source) (score int, why string) {
	better := func(n int, text string) {
		if n > score {
			score, why = n, text
		}
	}
	if n := common(p, filepath.ToSlash(s.Path)); n > 0 {
		better(4*n, "its path ends like "+s.Path)
	}
	names := []string{s.Name}
	if s.Volume != nil && !s.Volume.Anonymous {
		names = append(names, s.Volume.Key, s.Volume.Name)
	}
	if slices.Contains(names, path.Base(p)) {
		better(6, "the source has its name")
	}
	for _, m := range s.Mounts {
		if n := common(p, m.Target); n > 0 {
			better(4*n-1, "service "+m.Service+" sees it at "+m.Target)
		}
	}
	return score, why
}

// common counts the parts at the end of both paths that are the same.
func common(a, b string) int {
	x, y := strings.Split(a, "/"), strings.Split(strings.Trim(b, "/"), "/")
	n := 0
	for n < len(x) && n < len(y) && x[len(x)-1-n] != "" && x[len(x)-1-n] == y[len(y)-1-n] {
		n++
	}
	return n
}

// under tells whether p lies below dir.
func under(dir, p string) bool {
	return dir == "." && p != "." || strings.HasPrefix(p, dir+"/")
}

// relative is a path below dir without it; "." for dir itself.
func relative(dir, p string) string {
	if p == dir {
		return "."
	}
	if dir == "." {
		return p
	}
	return strings.TrimPrefix(p, dir+"/")
}

func join(dir, p string) string {
	if dir == "." {
		return p
	}
	return dir + "/" + p
}
