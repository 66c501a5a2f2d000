package foreign

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/tree"
)

// Conversion is what an archive of ours is made of beside the contents of the foreign one.
type Conversion struct {
	// Manifest has identity, reason, note, time and sequence; Convert fills in the sources and what became of the rest.
	Manifest *archive.Manifest
	// Spool takes the contents of files on their way; it is empty, and the caller's to remove.
	Spool *os.File
	// Owner is that of a Runner.
	Owner func(source string) (uid, gid int, seen bool)
}

// Convert reads the archive again and writes what m takes of it into w, which stays the caller's to close. The order is that of a walk,
// whatever the order of the foreign archive is.
func (c *Contents) Convert(ctx context.Context, m *Mapping, w *archive.Writer, x Conversion) error {
	r := &conversion{Contents: c, mapping: m, Conversion: x, writer: w, at: map[*item]int64{}, holes: map[*item][]tree.Extent{}}
	plans := r.plan()
	if err := r.fill(ctx); err != nil {
		return err
	}
	for _, p := range plans {
		if err := r.store(ctx, p); err != nil {
			return fmt.Errorf("take over source %s: %w", p.taken.Source, err)
		}
	}
	if err := r.storeProject(ctx); err != nil {
		return err
	}
	r.describe(plans)
	return nil
}

// conversion is one run of Convert.
type conversion struct {
	*Contents
	Conversion
	mapping *Mapping
	writer  *archive.Writer
	// at is where the spool has the content of a file; files that are not wanted have none.
	at    map[*item]int64
	holes map[*item][]tree.Extent
	end   int64
}

// sourcePlan is what becomes of one source.
type sourcePlan struct {
	taken *Taken
	items map[string]*item // by path below the source's root
	paths []string         // in the order of a walk
}

// plan sorts every entry to its source.
func (r *conversion) plan() []*sourcePlan {
	byFolder := map[string]*sourcePlan{}
	var plans []*sourcePlan
	for _, t := range r.mapping.Taken {
		p := &sourcePlan{taken: t, items: map[string]*item{}}
		plans = append(plans, p)
		byFolder[t.Folder] = p
	}
	left := map[string]bool{}
	for _, l := range r.mapping.Left {
		left[l.Folder] = true
	}
	for at, it := range r.byPath {
		if p := owning(byFolder, left, at); p != nil {
			p.items[relative(p.taken.Folder, at)] = it
			r.want(it)
		}
	}
	for _, p := range r.mapping.Project {
		r.want(r.byPath[p])
	}
	slices.SortFunc(plans, func(a, b *sourcePlan) int { return tree.ComparePaths(a.taken.Source, b.taken.Source) })
	for _, p := range plans {
		r.complete(p)
		p.paths = slices.SortedFunc(maps.Keys(p.items), tree.ComparePaths)
	}
	return plans
}

// owning finds the source that a path belongs to: that of the nearest folder above it that was decided about.
func owning(byFolder map[string]*sourcePlan, left map[string]bool, at string) *sourcePlan {
	for {
		if p := byFolder[at]; p != nil {
			return p
		}
		if left[at] || at == "." {
			return nil
		}
		at = path.Dir(at)
	}
}

// want notes a file whose content is needed.
func (r *conversion) want(it *item) {
	if it.first != nil {
		it = it.first
	}
	if it.Kind == tree.File {
		r.at[it] = -1
	}
}

// complete makes the folders that have no entry of their own: the archive of ours has one for each.
func (r *conversion) complete(p *sourcePlan) {
	for _, at := range slices.Collect(maps.Keys(p.items)) {
		for at != "." {
			if at = path.Dir(at); p.items[at] != nil {
				break
			}
			p.items[at] = r.folder(at)
		}
	}
	if p.items["."] == nil {
		p.items["."] = r.folder(".")
	}
}

func (r *conversion) folder(at string) *item {
	return &item{Entry: tree.Entry{Path: at, Kind: tree.Dir, Mode: 0o755, ModTime: r.Modified}}
}

var errDiffers = errors.New("the archive's file is another than it was a moment ago")

// fill reads the foreign archive a second time and spools the contents that are wanted.
func (r *conversion) fill(ctx context.Context) error {
	out := bufio.NewWriterSize(r.Spool, 1<<20)
	next := 0
	err := r.source.walk(ctx, func(m *member) error {
		if next >= len(r.items) || r.items[next].Path != m.Path || r.items[next].Size != m.Size || r.items[next].Kind != m.Kind {
			return errDiffers
		}
		it := r.items[next]
		next++
		if _, wanted := r.at[it]; !wanted {
			return nil
		}
		return r.spool(it, m, out)
	})
	if err == nil && next != len(r.items) {
		err = errDiffers
	}
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		return fmt.Errorf("unpack: %w", err)
	}
	return nil
}

func (r *conversion) spool(it *item, m *member, out io.Writer) error {
	var to io.Writer = out
	h := &holeFinder{}
	if it.sparse {
		to = io.MultiWriter(out, h)
	}
	n, err := readContent(m, to)
	if err == nil && n != it.Size {
		err = errDiffers
	}
	if err != nil {
		return err
	}
	r.at[it], r.holes[it] = r.end, h.done()
	r.end += n
	return nil
}

// store writes one source.
func (r *conversion) store(ctx context.Context, p *sourcePlan) error {
	firsts := map[*item]string{}
	for _, at := range p.paths {
		it := p.items[at]
		e := it.Entry
		name := "data/" + p.taken.Source
		if at != "." {
			name += "/" + at
		}
		if it.first != nil {
			e.Kind, e.Link, e.Size = it.first.Kind, it.first.Link, it.first.Size
		}
		r.attributes(&e, it, p.taken.Source)
		holder := it
		if it.first != nil {
			holder = it.first
		}
		if first := firsts[holder]; first != "" {
			e.Kind, e.Link, e.Size = tree.Hardlink, first, 0
		} else {
			firsts[holder] = name
		}
		if err := r.add(ctx, name, &e, holder); err != nil {
			return err
		}
		if e.Kind == tree.Symlink && leadsOut(at, e.Link) {
			r.warn(fmt.Sprintf("link %q leads out of source %s: it is taken over as it is, and never followed", at, p.taken.Source))
		}
		if e.Kind == tree.File && e.Mode&0o6000 != 0 {
			r.warn(fmt.Sprintf("file %q of source %s runs with its owner's rights (setuid or setgid)", at, p.taken.Source))
		}
	}
	return nil
}

// attributes gives an entry what its format does not know: an owner, and a time.
func (r *conversion) attributes(e *tree.Entry, it *item, source string) {
	if !it.owned && r.Owner != nil {
		var seen bool
		if e.UID, e.GID, seen = r.Owner(source); !seen {
			r.warn(fmt.Sprintf("whose source %s is cannot be seen from here: its files are given to %d:%d", source, e.UID, e.GID))
		}
	}
	if e.ModTime.IsZero() {
		e.ModTime = r.Modified
	}
}

func (r *conversion) add(ctx context.Context, name string, e *tree.Entry, holder *item) error {
	var open tree.Opener
	if e.Kind == tree.File {
		e.Holes = r.holes[holder]
		open = r.opener(*e, holder)
	}
	out, err := r.writer.Add(ctx, name, e, open)
	if err == nil && (out.Changed || out.Vanished) {
		err = fmt.Errorf("store %s: the spooled content is gone", name)
	}
	return err
}

// opener opens a content in the spool.
func (r *conversion) opener(e tree.Entry, holder *item) tree.Opener {
	return func(context.Context) (*tree.Entry, tree.Reader, error) {
		return &e, spooled{io.NewSectionReader(r.Spool, r.at[holder], holder.Size)}, nil
	}
}

// spooled is a content in the spool.
type spooled struct{ *io.SectionReader }

// Close does nothing: the spool stays open.
func (spooled) Close() error { return nil }

// Changed is always false: nobody else knows the spool.
func (spooled) Changed() (bool, error) { return false, nil }

// storeProject stores the project's own files as far as the archive has them.
func (r *conversion) storeProject(ctx context.Context) error {
	m := r.Manifest
	for _, p := range r.mapping.Project {
		it := r.byPath[p]
		holder := it
		if it.first != nil {
			holder = it.first
		}
		if holder.Kind != tree.File {
			continue
		}
		rel := relative(cmp.Or(r.mapping.projectRoot, r.mapping.root), p)
		e := tree.Entry{Kind: tree.File, Mode: 0o600, Size: holder.Size, ModTime: it.ModTime}
		r.attributes(&e, &item{owned: true}, "")
		if err := r.add(ctx, "project/"+rel, &e, holder); err != nil {
			return fmt.Errorf("take over project file %s: %w", p, err)
		}
		m.Project.Files = append(m.Project.Files, archive.ProjectFile{
			Name: "project/" + rel, Path: filepath.Join(m.Project.WorkingDir, filepath.FromSlash(rel)),
		})
	}
	return nil
}

// describe completes the manifest.
func (r *conversion) describe(plans []*sourcePlan) {
	m := r.Manifest
	for _, p := range plans {
		m.Sources = append(m.Sources, r.manifestSource(p))
	}
	for _, l := range r.mapping.Left {
		x := archive.Exclusion{Source: l.in, Rule: "import", Why: l.Why, Count: l.Entries, Bytes: l.Bytes, Paths: []string{l.Folder}}
		if l.in != "" {
			for _, p := range plans {
				if p.taken.Source == l.in {
					x.Paths = []string{relative(p.taken.Folder, l.Folder)}
				}
			}
		}
		m.Exclusions = append(m.Exclusions, x)
	}
	m.Warnings = append(m.Warnings, r.Warnings...)
	if !r.Owned {
		m.Warnings = append(m.Warnings, fmt.Sprintf("%s does not say whose all files are: they are given to the owner of each source as it is now, where that can be seen", r.Format))
	}
	for _, name := range r.mapping.Absent {
		m.Warnings = append(m.Warnings, "the archive does not hold source "+name)
	}
	m.Complete = r.mapping.Complete()
}

func (r *conversion) manifestSource(p *sourcePlan) archive.Source {
	s := p.taken.source
	root := p.items["."]
	out := archive.Source{
		Name: s.Name, Prefix: "data/" + s.Name, Kind: string(s.Kind), Path: s.Path,
		SingleFile: root.Kind != tree.Dir, Mode: root.Mode, UID: root.UID, GID: root.GID,
	}
	if !root.owned && r.Owner != nil {
		out.UID, out.GID, _ = r.Owner(s.Name)
	}
	if v := s.Volume; v != nil {
		out.Volume = &archive.Volume{Key: v.Key, Name: v.Name, Driver: v.Driver, Options: v.Options, Labels: v.Labels, External: v.External}
	}
	for _, m := range s.Mounts {
		out.Mounts = append(out.Mounts, archive.Mount(m))
	}
	return out
}
