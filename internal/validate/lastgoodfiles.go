package validate

import (
	"context"
	"io"
	"iter"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/inventory"
	"github.com/memsys/docker-memsys/internal/store"
	"github.com/memsys/docker-memsys/internal/tree"
)

// withReader opens the archive of a backup for as long as do takes.
func withReader(b store.Backup, do func(*archive.Reader, error) error) error {
	f, err := os.Open(b.Path)
	if err != nil {
		return do(nil, err)
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return do(nil, err)
	}
	return do(archive.Open(f, size))
}

// member is an entry of a source in an archive, its path relative to the source.
type member struct {
	source *archive.Source
	entry  tree.Entry
}

// members are the entries of all sources that are looked at, in the order of the archive.
func (h *hunt) members(ctx context.Context, r *archive.Reader) iter.Seq2[member, error] {
	return func(yield func(member, error) bool) {
		sources := r.Manifest().Sources
		for e, err := range r.Entries(ctx) {
			if err != nil {
				yield(member{}, err)
				return
			}
			for i := range sources {
				s := &sources[i]
				at, ok := belowPrefix(s.Prefix, e.Path)
				if !ok || len(h.Sources) > 0 && !slices.Contains(h.Sources, s.Name) {
					continue
				}
				m := member{source: s, entry: e.Entry}
				m.entry.Path = at
				if e.Kind == tree.Hardlink {
					m.entry.Link, _ = belowPrefix(s.Prefix, e.Link)
				}
				if !yield(m, nil) {
					return
				}
				break
			}
		}
	}
}

// belowPrefix is the part of a name behind a source's prefix, "." for the prefix itself.
func belowPrefix(prefix, name string) (string, bool) {
	if name == prefix {
		return ".", true
	}
	return strings.CutPrefix(name, prefix+"/")
}

// meant finds the units that patterns and paths mean, as far as this backup is the first to have any.
func (h *hunt) meant(ctx context.Context, r *archive.Reader) error {
	if len(h.rules)+len(h.wanted) == 0 {
		return nil
	}
	whole := map[unitKey]map[string]bool{} // folders that patterns match
	paged := map[unitKey]bool{}            // files that can be databases
	matched := map[string]bool{}
	for m, err := range h.members(ctx, r) {
		if err != nil {
			return err
		}
		e := &m.entry
		if e.Kind == tree.File && e.Size > 0 && e.Size%512 == 0 {
			paged[unitKey{m.source.Name, e.Path}] = true
		}
		hits := h.hits(m, whole[unitKey{m.source.Name, path.Dir(e.Path)}])
		if len(hits) == 0 {
			continue
		}
		if e.Kind == tree.Dir {
			whole[unitKey{m.source.Name, e.Path}] = hits
			continue
		}
		for hit := range hits {
			matched[hit] = true
		}
		h.unit(m, func(base string) bool { return paged[unitKey{m.source.Name, base}] })
	}
	for hit := range matched {
		delete(h.rules, hit)
		delete(h.wanted, hit)
	}
	return nil
}

// hits are the patterns and exact paths that mean an entry; above are those of its folder.
func (h *hunt) hits(m member, above map[string]bool) map[string]bool {
	hits := map[string]bool{}
	for hit := range above {
		hits[hit] = true
	}
	e := m.entry
	if m.source.SingleFile && e.Path == "." {
		e.Path = path.Base(filepath.ToSlash(m.source.Path))
	}
	for text, rules := range h.rules {
		if e.Path != "." && rules.Matches(&e) {
			hits[text] = true
		}
	}
	if e.Kind == tree.Dir {
		return hits
	}
	at := m.entry.Path
	if dir, ok := inventory.StoreDir(at); ok {
		at = dir
	}
	if key := m.source.Name + "\x00" + at; h.wanted[key] {
		hits[key] = true
	}
	return hits
}

// unit notes the unit of a file.
func (h *hunt) unit(m member, database func(path string) bool) {
	u := &Unit{Source: m.source.Name, Path: m.entry.Path, Passed: slices.Clone(h.blind)}
	if dir, ok := inventory.StoreDir(u.Path); ok {
		u.Path, u.Store = dir, true
	} else if base := inventory.BesideDatabase(u.Path); base != "" && database(base) {
		u.Path = base
	}
	if key := (unitKey{u.Source, u.Path}); h.units[key] == nil {
		h.units[key] = u
	}
}

// gather notes which files of the units that are still looked for are in this backup.
func (h *hunt) gather(ctx context.Context, r *archive.Reader) error {
	for _, u := range h.units {
		u.files, u.empty = map[string]bool{}, false
	}
	for m, err := range h.members(ctx, r) {
		if err != nil {
			return err
		}
		if m.entry.Kind == tree.Dir {
			continue
		}
		if u := h.of(m); u != nil && u.Backup == "" {
			u.files[m.entry.Path] = true
			u.empty = !u.Store && m.entry.Path == u.Path && m.entry.Kind == tree.File && m.entry.Size == 0
		}
	}
	return nil
}

// of is the unit that an entry is of, nil where it is of none.
func (h *hunt) of(m member) *Unit {
	at := m.entry.Path
	if u := h.units[unitKey{m.source.Name, at}]; u != nil && !u.Store {
		return u
	}
	if dir, ok := inventory.StoreDir(at); ok {
		if u := h.units[unitKey{m.source.Name, dir}]; u != nil && u.Store {
			return u
		}
	}
	return nil
}

// exact are the paths that a restore of a unit is limited to: its files, and of a store the folders that are its own as a whole, so that what
// came into them since goes. What stands beside a database goes with it in any restore.
func (u *Unit) exact() []tree.RawPath {
	tops := map[string]bool{}
	for file := range u.files {
		top := file
		if name, ok := strings.CutPrefix(file, u.Path+"/"); u.Store && (ok || u.Path == ".") {
			if u.Path == "." {
				name = file
			}
			if first, _, deep := strings.Cut(name, "/"); deep {
				top = path.Join(u.Path, first)
			}
		}
		tops[top] = true
	}
	var out []tree.RawPath
	for top := range tops {
		out = append(out, tree.RawPath(top))
	}
	slices.Sort(out)
	return out
}
