package inventory

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/memsys/docker-memsys/internal/tree"
)

// Checks are all that are made of the data of a source, each once, in the order of the output.
func Checks() []Check {
	all := []Check{readable}
	for _, v := range validators(Options{}) {
		all = append(all, v.Checks()...)
	}
	for _, s := range stores() {
		all = append(all, s.Checks()...)
	}
	for _, o := range observers(Options{}) {
		all = append(all, o.Checks()...)
	}
	return Ordered(all)
}

// Ordered are checks by group, then by ID, each once.
func Ordered(checks []Check) []Check {
	out := slices.Clone(checks)
	slices.SortStableFunc(out, compareChecks)
	return slices.CompactFunc(out, func(a, b Check) bool { return a.ID == b.ID })
}

func compareChecks(a, b Check) int {
	return cmp.Or(cmp.Compare(slices.Index(Groups(), a.Group()), slices.Index(Groups(), b.Group())), strings.Compare(a.ID, b.ID))
}

// Order sorts results by group, then by check, then by source.
func Order(results []Result) {
	slices.SortStableFunc(results, func(a, b Result) int {
		return cmp.Or(compareChecks(a.Check, b.Check), strings.Compare(a.Source, b.Source))
	})
}

// sidecars are the endings of the files that belong to a database.
func sidecars() []string { return []string{"-journal", "-wal", "-shm"} }

// FindStores are the folders and files of a tree that Inspect looks at as stores and databases, a database with the files that belong to
// it: who copies no more than these copies all that is needed. "." is the whole tree.
func FindStores(ctx context.Context, t Tree) ([]tree.RawPath, error) {
	f, known := finder{folders: map[string]bool{}}, stores()
	err := t.Walk(ctx, func(e *tree.Entry, open Open) error {
		dir, isStore := storeOf(e, known)
		switch {
		case isStore:
			f.folders[dir] = true
		case isDatabase(ctx, e, open) && e.Path == ".":
			f.folders["."] = true // the source is that file
		case isDatabase(ctx, e, open):
			f.files = append(f.files, e.Path)
		}
		return ctx.Err()
	}, func(string, error) {})
	return f.paths(), err
}

// OnlyStores is what FindStores finds of a tree.
func OnlyStores(t Tree) Tree { return storesOnly{t} }

type storesOnly struct{ all Tree }

// Walk implements Tree.
func (t storesOnly) Walk(ctx context.Context, visit func(*tree.Entry, Open) error, problem func(string, error)) error {
	known, files := stores(), map[string]bool{} // databases and what belongs to them, which comes behind them
	return t.all.Walk(ctx, func(e *tree.Entry, open Open) error {
		_, isStore := storeOf(e, known)
		switch {
		case isStore, files[e.Path], e.Kind != tree.File && e.Kind != tree.Hardlink:
		case isDatabase(ctx, e, open):
			for _, suffix := range sidecars() {
				files[e.Path+suffix] = true
			}
		default:
			return ctx.Err()
		}
		return visit(e, open)
	}, problem)
}

// storeOf is the folder of the store, one of known, that a file belongs to.
func storeOf(e *tree.Entry, known []Store) (dir string, ok bool) {
	if e.Kind != tree.File && e.Kind != tree.Hardlink {
		return "", false
	}
	for _, s := range known {
		if dir, ok := s.Belongs(e.Path); ok {
			return dir, true
		}
	}
	return "", false
}

// isDatabase tells a database by its beginning, one that is damaged there too. Files of texts are not opened for it: their names say so, and
// they are not made of pages. What cannot be read is told when it is inspected.
func isDatabase(ctx context.Context, e *tree.Entry, open Open) bool {
	if open == nil || e.Kind != tree.File || e.Size%leastPage != 0 && isText(e.Path) {
		return false
	}
	s := &Subject{Entry: e}
	if e.Size > 0 {
		file, err := open(ctx)
		if err != nil {
			return false
		}
		s.Head = make([]byte, min(e.Size, HeadSize))
		_, err = io.ReadFull(file, s.Head)
		if errors.Join(err, file.Close()) != nil {
			return false
		}
	}
	return sqliteFiles{}.Claims(s)
}

func isText(name string) bool {
	return slices.Contains([]string{".json", ".jsonl", ".ndjson", ".md", ".txt", ".csv", ".yaml", ".yml", ".html", ".log"}, strings.ToLower(path.Ext(name)))
}

type finder struct {
	folders map[string]bool
	files   []string
}

// paths leaves out what lies in a folder that is whole.
func (f *finder) paths() []tree.RawPath {
	var out []tree.RawPath
	for folder := range f.folders {
		if !f.inside(path.Dir(folder)) || folder == "." {
			out = append(out, tree.RawPath(folder))
		}
	}
	for _, file := range f.files {
		if f.inside(path.Dir(file)) {
			continue
		}
		for _, suffix := range append([]string{""}, sidecars()...) {
			out = append(out, tree.RawPath(file+suffix))
		}
	}
	slices.Sort(out)
	return out
}

// inside tells whether a folder, or one around it, is a store.
func (f *finder) inside(folder string) bool {
	for {
		if f.folders[folder] {
			return true
		}
		if folder == "." || folder == "/" {
			return false
		}
		folder = path.Dir(folder)
	}
}

// Wanted tells whether a check is among those that are asked for: IDs and groups, empty checks mean all.
func Wanted(checks, skip []string) func(id string) bool { return selection(checks, skip) }

// StoreChecks are the checks of which a private copy of the stores and databases is needed where the data is live.
func StoreChecks() []Check {
	var all []Check
	for _, s := range stores() {
		all = append(all, s.Checks()...)
	}
	for _, c := range Checks() {
		if c.Group() == Databases {
			all = append(all, c)
		}
	}
	return Ordered(all)
}

// OrderCollections sorts collections by kind, then by name.
func OrderCollections(all []Collection) {
	slices.SortFunc(all, func(a, b Collection) int {
		return cmp.Or(strings.Compare(a.Kind, b.Kind), strings.Compare(a.Name, b.Name))
	})
}

// JoinCollections adds what was counted elsewhere in the same source; what was counted in both is one collection.
func JoinCollections(all, more []Collection) []Collection {
	for _, c := range more {
		i := slices.IndexFunc(all, func(have Collection) bool { return have.Kind == c.Kind && have.Name == c.Name })
		if i < 0 {
			all = append(all, c)
			continue
		}
		have := &all[i]
		have.Files += c.Files
		have.Records += c.Records
		have.Dimension = max(have.Dimension, c.Dimension)
		have.IDs, have.Content = joinDigests(have.IDs, c.IDs), joinDigests(have.Content, c.Content)
	}
	OrderCollections(all)
	return all
}

// joinDigests is the digest of the records of both; empty stands for none.
func joinDigests(a, b string) string {
	one, errA := hex.DecodeString(a)
	other, errB := hex.DecodeString(b)
	if len(a) == 0 || len(b) == 0 || errA != nil || errB != nil || len(one) != len(Digest{}) || len(other) != len(Digest{}) {
		return a + b
	}
	sum := Digest(one)
	sum.Add([32]byte(other))
	return sum.String()
}
