package compose

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// name gives each source a name of its own and sorts them by it. Names depend on what the sources are, not on their order:
// the key of a volume, the last folder of a bind mount; those that would share one get the folders before it too, then a digest.
// Inside the project's folder dir only the folders below it count, so that a moved project keeps its names.
func name(sources []Source, dir string) {
	for depth := 1; depth <= maxDepth; depth++ {
		clashes := clashing(sources, depth == 1)
		if len(clashes) == 0 {
			break
		}
		for _, i := range clashes {
			sources[i].Name = candidate(sources[i], dir, depth)
		}
	}
	for _, i := range clashing(sources, false) {
		if sources[i].Kind != Bind && !keyed(sources[i]) {
			continue // anonymous volumes have new names after each recreation: a digest would not last
		}
		sources[i].Name = candidate(sources[i], dir, 1) + "-" + digest(sources[i], dir)
	}
	number(sources)
	slices.SortStableFunc(sources, func(a, b Source) int { return cmp.Compare(a.Name, b.Name) })
}

const maxDepth = 4

// clashing are the indexes of sources whose names are not theirs alone, letter case aside. A volume of the compose file keeps its key against bind mounts.
func clashing(sources []Source, all bool) []int {
	count, keys := map[string]int{}, map[string]int{}
	for _, s := range sources {
		count[strings.ToLower(s.Name)]++
		if keyed(s) {
			keys[strings.ToLower(s.Name)]++
		}
	}
	var clashes []int
	for i, s := range sources {
		n := strings.ToLower(s.Name)
		if all || (count[n] > 1 && !(keyed(s) && keys[n] == 1)) {
			clashes = append(clashes, i)
		}
	}
	return clashes
}

func keyed(s Source) bool { return s.Volume != nil && s.Volume.Key != "" }

// candidate is the name of a source with so many parts of where it is.
func candidate(s Source, dir string, depth int) string {
	if keyed(s) {
		return slug(s.Volume.Key)
	}
	if s.Kind == Volume && !s.Volume.Anonymous {
		return slug(s.Volume.Name)
	}
	if s.Kind == Bind {
		parts := parts(s.Path)
		if rel, err := filepath.Rel(dir, s.Path); err == nil && filepath.IsLocal(rel) && rel != "." {
			parts = parts[max(0, len(parts)-len(strings.Split(filepath.ToSlash(rel), "/"))):]
		}
		return slug(strings.Join(parts[max(0, len(parts)-depth):], "-"))
	}
	for _, m := range s.Mounts {
		return slug(m.Service + "-" + strings.Trim(m.Target, "/"))
	}
	return slug(string(s.Kind))
}

func parts(path string) []string {
	return strings.FieldsFunc(filepath.ToSlash(path), func(r rune) bool { return r == '/' || r == ':' })
}

// number tells apart what nothing else does: the anonymous volumes of one service's replicas.
func number(sources []Source) {
	taken := map[string]bool{}
	for i := range sources {
		name := sources[i].Name
		for n := 2; taken[strings.ToLower(name)]; n++ {
			name = sources[i].Name + "-" + strconv.Itoa(n)
		}
		taken[strings.ToLower(name)] = true
		sources[i].Name = name
	}
}

// digest is of what stays when the project's folder moves, for a source in it.
func digest(s Source, dir string) string {
	id := s.Path
	if s.Volume != nil {
		id = s.Volume.Key + ":" + s.Volume.Name
	}
	if rel, err := filepath.Rel(dir, id); s.Kind == Bind && err == nil && filepath.IsLocal(rel) {
		id = filepath.ToSlash(rel)
	}
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:4])
}

// slug keeps letters, digits, dot, underscore and dash, begins with none of these but a letter, digit or underscore, and has at most 100 bytes.
func slug(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '_', r == '-':
			b.WriteRune(r)
		default:
			b.WriteByte('-')
		}
	}
	out := strings.TrimRight(strings.TrimLeft(b.String(), ".-"), ".-")
	if len(out) > 100 {
		out = out[:100]
	}
	if out == "" {
		return "source"
	}
	return out
}
