package foreign

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/tree"
)

// Target is the project that a foreign archive is mapped to.
type Target struct {
	Sources []compose.Source
	// Files are the project's own files, relative to its working directory, separated by slashes.
	Files []string
	// Assigned says by hand which folder of the archive is which source.
	Assigned []Assignment
}

// Assignment is one word of --map: a folder or file of the archive and the source that it is, empty to leave it out.
type Assignment struct {
	Folder string
	Source string
}

// ParseAssignment reads FOLDER=SOURCE.
func ParseAssignment(text string) (Assignment, error) {
	i := strings.LastIndexByte(text, '=')
	if i <= 0 {
		return Assignment{}, &MapError{Text: fmt.Sprintf("%q is not FOLDER=SOURCE", text)}
	}
	folder, err := cleanName(text[:i])
	if err != nil {
		return Assignment{}, &MapError{Text: fmt.Sprintf("%q: %v", text, err)}
	}
	return Assignment{Folder: folder, Source: text[i+1:]}, nil
}

// MapError says that an assignment makes no sense.
type MapError struct{ Text string }

func (e *MapError) Error() string { return "--map: " + e.Text }

// Mapping says what of an archive becomes what.
type Mapping struct {
	Taken   []*Taken `json:"taken"`
	Project []string `json:"project,omitempty"` // files that go to project/, by their path in the archive
	Left    []Left   `json:"left,omitempty"`
	// Ambiguous are folders that may be several sources, or sources that may be several folders: --map decides.
	Ambiguous []Ambiguity `json:"ambiguous,omitempty"`
	// Absent are sources of the project that the archive does not hold.
	Absent []string `json:"absent,omitempty"`

	// root is the folder that the project's own folder is in the archive; projectRoot is where its own files are, if elsewhere.
	root, projectRoot string
}

// Taken is a folder or file of the archive that becomes a source.
type Taken struct {
	Folder  string `json:"folder"`
	Source  string `json:"source"`
	Kind    string `json:"kind"`
	Why     string `json:"why"`
	Entries int64  `json:"entries"`
	Files   int64  `json:"files"`
	Bytes   int64  `json:"bytes"`

	source compose.Source
	score  int
}

// Left is what is not taken over.
type Left struct {
	Folder string `json:"folder"`
	Why    string `json:"why"`
	// Wanted tells that nobody decided it: the result is incomplete.
	Wanted  bool  `json:"wanted,omitempty"`
	Entries int64 `json:"entries"`
	Bytes   int64 `json:"bytes"`

	in string // the source that the folder would be part of
}

// Ambiguity is what only a person can decide.
type Ambiguity struct {
	Folders []string `json:"folders"`
	Sources []string `json:"sources"`
}

// String says it in words.
func (a Ambiguity) String() string {
	return fmt.Sprintf("%s may be %s", strings.Join(a.Folders, ", "), strings.Join(a.Sources, " or "))
}

// Complete tells whether everything is taken over but what was left out on purpose.
func (m *Mapping) Complete() bool {
	return !slices.ContainsFunc(m.Left, func(l Left) bool { return l.Wanted })
}

// Map decides which source each folder of the archive is: by hand, else by its path, else by its name. It fails with *MapError.
func (c *Contents) Map(t Target) (*Mapping, error) {
	a := &assigner{Contents: c, target: t, out: &Mapping{}, given: map[string]Assignment{}}
	if err := a.checkGiven(); err != nil {
		return nil, err
	}
	a.out.root = a.wrapper()
	if a.has(join(a.out.root, ownManifest)) {
		a.ownLayout()
	} else {
		a.descend(".")
	}
	a.settle()
	a.count()
	return a.out, nil
}

// assigner makes a mapping.
type assigner struct {
	*Contents
	target Target
	out    *Mapping
	given  map[string]Assignment
}

func (a *assigner) checkGiven() error {
	used := map[string]string{}
	for _, g := range a.target.Assigned {
		if !a.has(g.Folder) {
			return &MapError{Text: fmt.Sprintf("the archive has no %q; at its top it has: %s", g.Folder, strings.Join(a.children("."), ", "))}
		}
		if _, twice := a.given[g.Folder]; twice {
			return &MapError{Text: fmt.Sprintf("%q is given twice", g.Folder)}
		}
		a.given[g.Folder] = g
		if g.Source == "" {
			continue
		}
		if _, ok := a.named(g.Source); !ok {
			var names []string
			for _, s := range a.target.Sources {
				names = append(names, s.Name)
			}
			return &MapError{Text: fmt.Sprintf("the project has no source %q; it has: %s", g.Source, strings.Join(names, ", "))}
		}
		if other := used[g.Source]; other != "" {
			return &MapError{Text: fmt.Sprintf("%q and %q are both given to source %s", other, g.Folder, g.Source)}
		}
		used[g.Source] = g.Folder
	}
	return nil
}

func (a *assigner) named(name string) (compose.Source, bool) {
	i := slices.IndexFunc(a.target.Sources, func(s compose.Source) bool { return s.Name == name })
	if i < 0 {
		return compose.Source{}, false
	}
	return a.target.Sources[i], true
}

// wrapper is the folder that holds everything else: memory-system in the archives of the former script, opt/memory-system where the
// whole path was packed.
func (a *assigner) wrapper() string {
	at := "."
	for {
		below := a.children(at)
		if len(below) != 1 || !a.isDir(below[0]) {
			return at
		}
		if _, given := a.given[below[0]]; given || len(a.candidates(below[0])) > 0 {
			return at
		}
		at = below[0]
	}
}

// descend decides about a path, and about what is in it where the path itself is no source.
func (a *assigner) descend(p string) {
	if g, ok := a.given[p]; ok {
		a.byHand(g)
		return
	}
	found := a.candidates(p)
	switch {
	case len(found) == 1:
		a.takeSource(p, found[0])
		return
	case len(found) > 1:
		amb := Ambiguity{Folders: []string{p}}
		for _, f := range found {
			amb.Sources = append(amb.Sources, f.source.Name)
		}
		a.out.Ambiguous = append(a.out.Ambiguous, amb)
		return
	}
	if p != "." && !a.leadsToWanted(p, maxSearch) {
		a.leaveOver(p)
		return
	}
	for _, child := range a.children(p) {
		a.descend(child)
	}
}

// byHand does what --map says, below it too.
func (a *assigner) byHand(g Assignment) {
	if g.Source == "" {
		a.out.Left = append(a.out.Left, Left{Folder: g.Folder, Why: "as asked for"})
		a.givenBelow(g.Folder, "")
		return
	}
	s, _ := a.named(g.Source)
	a.out.Taken = append(a.out.Taken, &Taken{Folder: g.Folder, Source: s.Name, Kind: string(s.Kind), Why: "as asked for", source: s, score: 1 << 20})
	a.givenBelow(g.Folder, s.Name)
	a.nested(g.Folder, s)
}

// givenBelow carries out the assignments below a path that is decided. in is the source that they are part of.
func (a *assigner) givenBelow(p, in string) {
	for _, g := range a.target.Assigned {
		if g.Folder == p || !under(p, g.Folder) {
			continue
		}
		if g.Source == "" {
			a.out.Left = append(a.out.Left, Left{Folder: g.Folder, Why: "as asked for", in: in})
			continue
		}
		s, _ := a.named(g.Source)
		a.out.Taken = append(a.out.Taken, &Taken{Folder: g.Folder, Source: s.Name, Kind: string(s.Kind), Why: "as asked for", source: s, score: 1 << 20})
	}
}

// candidate is a source that a folder may be.
type candidate struct {
	source compose.Source
	score  int
	why    string
}

func (a *assigner) takeSource(p string, c candidate) {
	if c.source.Excluded != "" {
		a.out.Left = append(a.out.Left, Left{Folder: p, Why: "source " + c.source.Name + " is not in backups: " + c.source.Excluded})
		return
	}
	if below := a.children(p); c.source.Volume != nil && len(below) == 1 && path.Base(below[0]) == volumeData && a.isDir(below[0]) {
		p = below[0]
	}
	a.out.Taken = append(a.out.Taken, &Taken{Folder: p, Source: c.source.Name, Kind: string(c.source.Kind), Why: c.why, source: c.source, score: c.score})
	a.givenBelow(p, c.source.Name)
	a.nested(p, c.source)
}

// volumeData is the folder in which the engine keeps the data of a volume.
const volumeData = "_data"

// nested takes out of a folder what is a source of its own there, a mount inside a mount, and what a restore has set aside there.
func (a *assigner) nested(p string, outer compose.Source) {
	for _, child := range a.children(p) {
		if strings.HasPrefix(path.Base(child), tree.StagingName("")) && a.isDir(child) {
			a.out.Left = append(a.out.Left, Left{Folder: child, Why: "set aside by a restore", in: outer.Name})
		}
	}
	for _, s := range a.target.Sources {
		rel := inside(outer, s)
		if rel == "" {
			continue
		}
		at := join(p, rel)
		if _, given := a.given[at]; given || !a.has(at) {
			continue
		}
		if s.Excluded != "" {
			a.out.Left = append(a.out.Left, Left{Folder: at, Why: "source " + s.Name + " is not in backups: " + s.Excluded, in: outer.Name})
			continue
		}
		a.out.Taken = append(a.out.Taken, &Taken{
			Folder: at, Source: s.Name, Kind: string(s.Kind), Why: "lies there in source " + outer.Name, source: s, score: 1 << 10,
		})
	}
}

// inside is where in one source another one is mounted: on the host, or in a container. Empty where it is not.
func inside(outer, s compose.Source) string {
	if rel, err := filepath.Rel(outer.Path, s.Path); outer.Path != "" && s.Path != "" && err == nil && rel != "." && filepath.IsLocal(rel) {
		return filepath.ToSlash(rel)
	}
	for _, m := range s.Mounts {
		for _, o := range outer.Mounts {
			if rel, ok := strings.CutPrefix(m.Target, strings.TrimSuffix(o.Target, "/")+"/"); ok && o.Service == m.Service && rel != "" {
				return rel
			}
		}
	}
	return ""
}

// candidates are the sources that fit a path best: none, the one that it is, or several that fit alike.
func (a *assigner) candidates(p string) []candidate {
	if p == "." {
		return nil
	}
	var best []candidate
	for _, s := range a.target.Sources {
		c := candidate{source: s}
		c.score, c.why = fit(p, s)
		if c.score == 0 || a.isDir(p) == isFile(s.Path) {
			continue
		}
		if len(best) > 0 && c.score > best[0].score {
			best = nil
		}
		if len(best) == 0 || c.score == best[0].score {
			best = append(best, c)
		}
	}
	return best
}

// isFile tells whether a source's path is one file, as far as this machine knows.
func isFile(p string) bool {
	info, err := os.Stat(p)
	return err == nil && info.Mode().IsRegular()
}

// maxSearch is how many folders deep a source is looked for in one that is none itself.
const maxSearch = 6

// leadsToWanted tells whether something below a path is decided by hand, is a source, or is a file of the project.
func (a *assigner) leadsToWanted(p string, depth int) bool {
	if !a.isDir(p) || depth == 0 {
		return false
	}
	if p == a.out.root || under(p, a.out.root) {
		return true
	}
	for _, child := range a.children(p) {
		_, given := a.given[child]
		if given || len(a.candidates(child)) > 0 || a.projectFile(child) || a.leadsToWanted(child, depth-1) {
			return true
		}
	}
	return false
}

// projectFile tells whether a path is a file of the project's own: a known one, or any beside the folders of data.
func (a *assigner) projectFile(p string) bool {
	it := a.byPath[p]
	if it == nil || it.Kind != tree.File && it.Kind != tree.Hardlink {
		return false
	}
	rel := relative(a.out.root, p)
	return path.Dir(p) == a.out.root || slices.Contains(a.target.Files, rel)
}

func (a *assigner) leaveOver(p string) {
	if a.projectFile(p) {
		a.out.Project = append(a.out.Project, p)
		return
	}
	a.out.Left = append(a.out.Left, Left{Folder: p, Why: "it is no source of the project by path or name", Wanted: true})
}
