package foreign

import (
	"cmp"
	"fmt"
	"path"
	"slices"

	"github.com/memsys/docker-memsys/internal/tree"
)

// What an archive of ours is laid out as, by export or by tar.
const (
	ownManifest = "memsys.json"
	ownData     = "data"
	ownProject  = "project"
)

// ownLayout maps what was an archive of ours before somebody packed it again: data/NAME is source NAME.
func (a *assigner) ownLayout() {
	for _, top := range a.children(a.out.root) {
		switch relative(a.out.root, top) {
		case ownData:
			for _, p := range a.children(top) {
				a.ownSource(p)
			}
		case ownProject:
			a.out.projectRoot = top
			a.ownFiles(top)
		default:
			a.out.Left = append(a.out.Left, Left{Folder: top, Why: "it describes the archive that this was"})
		}
	}
}

func (a *assigner) ownSource(p string) {
	if g, ok := a.given[p]; ok {
		a.byHand(g)
		return
	}
	s, ok := a.named(path.Base(p))
	if !ok {
		a.out.Left = append(a.out.Left, Left{Folder: p, Why: "the project has no source of this name", Wanted: true})
		return
	}
	a.takeSource(p, candidate{source: s, score: 1 << 10, why: "the source has its name"})
}

func (a *assigner) ownFiles(p string) {
	for _, child := range a.children(p) {
		if a.isDir(child) {
			a.ownFiles(child)
		} else {
			a.out.Project = append(a.out.Project, child)
		}
	}
}

// settle lets each source be one folder: the one that fits best. Two that fit alike are for a person to decide.
func (a *assigner) settle() {
	bySource := map[string][]*Taken{}
	for _, t := range a.out.Taken {
		bySource[t.Source] = append(bySource[t.Source], t)
	}
	a.out.Taken = nil
	for _, s := range a.target.Sources {
		all := bySource[s.Name]
		slices.SortStableFunc(all, func(x, y *Taken) int { return cmp.Compare(y.score, x.score) })
		switch {
		case len(all) == 0 && s.Excluded == "":
			a.out.Absent = append(a.out.Absent, s.Name)
		case len(all) > 1 && all[0].score == all[1].score:
			amb := Ambiguity{Sources: []string{s.Name}}
			for _, t := range all {
				amb.Folders = append(amb.Folders, t.Folder)
			}
			a.out.Ambiguous = append(a.out.Ambiguous, amb)
		case len(all) > 0:
			a.out.Taken = append(a.out.Taken, all[0])
			for _, t := range all[1:] {
				a.out.Left = append(a.out.Left, Left{Folder: t.Folder, Why: fmt.Sprintf("source %s is %s", s.Name, all[0].Folder), Wanted: true})
			}
		}
	}
}

// count adds up what each decision covers.
func (a *assigner) count() {
	taken, left := map[string]*Taken{}, map[string]*Left{}
	for _, t := range a.out.Taken {
		taken[t.Folder] = t
	}
	for i := range a.out.Left {
		left[a.out.Left[i].Folder] = &a.out.Left[i]
	}
	for p, it := range a.byPath {
		for at := p; ; at = path.Dir(at) {
			if t := taken[at]; t != nil {
				t.Entries++
				if it.Kind == tree.File {
					t.Files, t.Bytes = t.Files+1, t.Bytes+it.Size
				}
				break
			}
			if l := left[at]; l != nil {
				l.Entries++
				l.Bytes += it.Size
				break
			}
			if at == "." {
				break
			}
		}
	}
	slices.Sort(a.out.Project)
	slices.SortFunc(a.out.Left, func(x, y Left) int { return cmp.Compare(x.Folder, y.Folder) })
}
