package restore

import (
	"context"
	"iter"
	"path/filepath"
	"slices"
	"strings"

	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/tree"
)

// view is what the archive holds of one source, as far as it is restored: paths below the source's root.
type view struct {
	prefix string
	each   entries
	// choice tells whether an entry was chosen by the user's patterns; nil chooses everything.
	choice func(*tree.Entry) bool
	// scope are the paths that an undo is about, with all below them; nil for none in particular.
	scope map[string]bool
	// blocked are folders that belong to somebody else now: nothing is restored into them.
	blocked []string

	archived  map[string]bool
	databases map[string]bool          // those of archived that can be databases of SQLite
	parents   map[string]bool          // lead to chosen entries, not chosen themselves
	heirs     map[string]string        // first name of a file that is not chosen -> the chosen name that takes its place
	firsts    map[string]tree.Expected // those first names
	Lost      []string                 // entries of the archive below blocked folders
	disorder  string                   // the first entry that does not stand in the order of a walk
	devices   []string
	Entries   int64
	Bytes     int64
	room      int64 // bytes that are no holes
}

// entries are all entries of an archive in its order, with their names in the archive.
type entries func() iter.Seq2[tree.Expected, error]

// archiveEntries are those of r.
func archiveEntries(ctx context.Context, r *archive.Reader) entries {
	return func() iter.Seq2[tree.Expected, error] {
		return func(yield func(tree.Expected, error) bool) {
			for e, err := range r.Entries(ctx) {
				if err != nil {
					yield(tree.Expected{}, err)
					return
				}
				if !yield(tree.Expected{Entry: &e.Entry, Chunks: e.Chunks}, nil) {
					return
				}
			}
		}
	}
}

// newView looks through the entries; choice nil takes all.
func newView(prefix string, each entries, choice func(*tree.Entry) bool, blocked []string) (*view, error) {
	return (&view{prefix: prefix, each: each, choice: choice, blocked: blocked}).look()
}

// newScopedView is newView for an undo that is about some paths.
func newScopedView(prefix string, each entries, paths []tree.RawPath, blocked []string) (*view, error) {
	v := &view{prefix: prefix, each: each, blocked: blocked, scope: map[string]bool{}}
	for _, path := range paths {
		v.scope[string(path)] = true
	}
	v.choice = func(e *tree.Entry) bool { return v.inScope(e.Path) }
	if _, err := v.look(); err != nil {
		return nil, err
	}
	v.limit()
	return v, nil
}

// look reads all entries once.
func (v *view) look() (*view, error) {
	v.archived, v.databases, v.parents = map[string]bool{}, map[string]bool{}, map[string]bool{}
	v.heirs, v.firsts = map[string]string{}, map[string]tree.Expected{}
	links := map[string][]string{}
	last := ""
	for x, err := range v.own() {
		if err != nil {
			return nil, err
		}
		e := x.Entry
		if v.disorder == "" && last != "" && tree.ComparePaths(last, e.Path) >= 0 {
			v.disorder = e.Path
		}
		last = e.Path
		switch {
		case v.isBlocked(e.Path):
			v.Lost = append(v.Lost, e.Path)
			continue
		case !v.chosen(e):
			continue
		}
		v.archived[e.Path] = true
		if paged(e) {
			v.databases[e.Path] = true
		}
		v.Entries++
		v.Bytes += e.Size
		v.room += e.Size - holes(e)
		if e.Kind == tree.CharDevice || e.Kind == tree.BlockDevice {
			v.devices = append(v.devices, e.Path)
		}
		if e.Kind == tree.Hardlink {
			links[e.Link] = append(links[e.Link], e.Path)
		}
	}
	v.lead()
	for first, names := range links {
		if !v.archived[first] {
			v.heirs[first] = names[0]
		}
	}
	return v, v.findFirsts()
}

func holes(e *tree.Entry) (n int64) {
	for _, h := range e.Holes {
		n += h.Length
	}
	return n
}

// findFirsts reads the entries whose place heirs take.
func (v *view) findFirsts() error {
	if len(v.heirs) == 0 {
		return nil
	}
	for x, err := range v.own() {
		if err != nil {
			return err
		}
		if v.heirs[x.Entry.Path] != "" {
			v.firsts[x.Entry.Path] = x
		}
	}
	return nil
}

// lead notes the folders above chosen entries.
func (v *view) lead() {
	if v.choice == nil {
		return
	}
	for path := range v.archived {
		for path != "." {
			path = parentOf(path)
			if v.archived[path] || v.parents[path] {
				break
			}
			v.parents[path] = true
		}
	}
}

// inScope tells whether an undo is about a path.
func (v *view) inScope(path string) bool {
	for ; !v.scope[path]; path = parentOf(path) {
		if path == "." {
			return false
		}
	}
	return true
}

// limit narrows a view that chooses by scope: the folders above what it is about lead there, also where nothing of it is in the backup.
func (v *view) limit() {
	for path := range v.scope {
		for path != "." {
			if path = parentOf(path); !v.archived[path] {
				v.parents[path] = true
			}
		}
	}
}

func parentOf(path string) string {
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		return path[:i]
	}
	return "."
}

// own are the entries of this source, renamed to be relative to its root.
func (v *view) own() iter.Seq2[tree.Expected, error] {
	return func(yield func(tree.Expected, error) bool) {
		for x, err := range v.each() {
			if err != nil {
				yield(x, err)
				return
			}
			path, ok := below(v.prefix, x.Entry.Path)
			if !ok {
				continue
			}
			e := *x.Entry
			e.Path = path
			if e.Kind == tree.Hardlink {
				e.Link, _ = below(v.prefix, e.Link)
			}
			if !yield(tree.Expected{Entry: &e, Chunks: x.Chunks}, nil) {
				return
			}
		}
	}
}

// below is the part of name behind prefix, "." for the prefix itself.
func below(prefix, name string) (string, bool) {
	name = strings.TrimSuffix(name, "/")
	if name == prefix {
		return ".", true
	}
	return strings.CutPrefix(name, prefix+"/")
}

func (v *view) isBlocked(path string) bool {
	return slices.ContainsFunc(v.blocked, func(b string) bool { return path == b || strings.HasPrefix(path, b+"/") })
}

// chosen tells whether an entry, a folder above it, or the database that it belongs to was chosen. These come first.
func (v *view) chosen(e *tree.Entry) bool {
	if v.choice == nil || v.choice(e) || e.Kind == tree.File && v.besideDatabase(e.Path) {
		return true
	}
	return e.Path != "." && v.archived[parentOf(e.Path)]
}

// expected are the entries that the source holds after the restore, in order: what is restored, and the folders that lead there.
func (v *view) expected() iter.Seq2[tree.Expected, error] {
	return func(yield func(tree.Expected, error) bool) {
		for x, err := range v.own() {
			if err != nil {
				yield(x, err)
				return
			}
			if !v.archived[x.Entry.Path] && !v.parents[x.Entry.Path] {
				continue
			}
			if x.Entry.Kind == tree.Hardlink {
				x = v.inherit(x)
			}
			if !yield(x, nil) {
				return
			}
		}
	}
}

// inherit turns the first chosen name of a file whose first name is not chosen into the file, and aims the others at it.
func (v *view) inherit(x tree.Expected) tree.Expected {
	heir := v.heirs[x.Entry.Link]
	if heir == "" {
		return x
	}
	if heir != x.Entry.Path {
		e := *x.Entry
		e.Link = heir
		return tree.Expected{Entry: &e}
	}
	first := v.firsts[x.Entry.Link]
	e := *first.Entry
	e.Path = heir
	return tree.Expected{Entry: &e, Chunks: first.Chunks}
}

// place tells as which entry of the source, if at all, an entry of the archive is restored.
func (v *view) place(e *tree.Entry) (*tree.Entry, bool) {
	path, ok := below(v.prefix, e.Path)
	if !ok || !v.archived[path] && !v.parents[path] {
		return nil, false
	}
	out := *e
	out.Path = path
	if e.Kind != tree.Hardlink {
		return &out, true
	}
	out.Link, ok = below(v.prefix, e.Link)
	if !ok || v.heirs[out.Link] == "" {
		return &out, true
	}
	if v.firsts[out.Link].Entry.Kind != tree.File {
		return v.inherit(tree.Expected{Entry: &out}).Entry, true
	}
	out.Kind, out.Link = tree.File, "" // Extract knows which content is meant
	return &out, true
}

// covers tells whether a restore decides about a path of the live source: it was chosen, lies below what was chosen, or leads there.
func (v *view) covers(path string) bool {
	if v.choice == nil || v.parents[path] || v.inScope(path) || v.besideDatabase(path) {
		return true
	}
	for ; path != "."; path = parentOf(path) {
		if v.archived[path] {
			return true
		}
	}
	return v.archived["."]
}

// besideDatabase tells whether a path is the log, index or journal of a database that was chosen by its name. They go together: beside a
// database of another time a log would be replayed on top of it.
func (v *view) besideDatabase(path string) bool {
	if v.scope != nil {
		return false // an undo is about no more than its paths
	}
	for _, suffix := range []string{"-wal", "-shm", "-journal"} {
		if name, ok := strings.CutSuffix(path, suffix); ok {
			return v.databases[name]
		}
	}
	return false
}

// smallestPage is the least that a page of SQLite has; every size of one is a multiple of it.
const smallestPage = 512

// paged tells whether a file is made of whole pages, as every database is, an encrypted one too. What has no page yet replays no log; of a
// further name the size is not told.
func paged(e *tree.Entry) bool {
	return e.Kind == tree.Hardlink || e.Kind == tree.File && e.Size > 0 && e.Size%smallestPage == 0
}

// inside is the path of a place below root, relative to it.
func inside(root, place string) (string, bool) {
	if place == "" || root == "" {
		return "", false
	}
	rel, err := filepath.Rel(root, tree.Resolve(place))
	if err != nil || rel == "." || !filepath.IsLocal(rel) {
		return "", false
	}
	return filepath.ToSlash(rel), true
}
