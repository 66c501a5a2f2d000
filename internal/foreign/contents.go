package foreign

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/memsys/docker-memsys/internal/tree"
)

// Contents is what a foreign archive holds, read once from its first byte to its last.
type Contents struct {
	Format   string // tar, tar.gz, zip, 7z …
	Size     int64  // of the archive's file
	Modified time.Time
	// Unpacked are the bytes of all files.
	Unpacked int64
	Entries  int64
	// Owned tells that the format says owners and modes. Others give everything to the owner of the place.
	Owned    bool
	Warnings []string

	source *source
	items  []*item
	byPath map[string]*item
	below  map[string][]string // names in each folder, in the order of the archive
}

// item is one entry of the catalogue.
type item struct {
	tree.Entry
	index  int // its place in the archive
	owned  bool
	sparse bool
	// first holds the content of a hard link; nil for all else.
	first *item
	// dead entries were replaced by later ones of the same name.
	dead bool
}

// Scan identifies the archive in file and reads all of it: each name is checked, each content unpacked and dropped, so that what is
// damaged, unsafe or out of proportion is known before anything is done. on is told of bytes as they are unpacked; it may be nil. file
// must stay open for Convert. It fails with ErrUnknown, *DamagedError, *UnsafeError, *LimitError.
func Scan(ctx context.Context, file *os.File, limits Limits, on func(int64)) (*Contents, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", file.Name())
	}
	c, err := scan(ctx, file, info.Size(), limits, on)
	if err != nil {
		return nil, err
	}
	c.Modified = info.ModTime()
	return c, nil
}

func scan(ctx context.Context, r io.ReaderAt, size int64, limits Limits, on func(int64)) (*Contents, error) {
	d := &disk{r: r}
	f, err := identify(ctx, d, size)
	if d.failed != nil {
		return nil, fmt.Errorf("read archive: %w", d.failed)
	}
	if err != nil {
		return nil, err
	}
	c := &Contents{
		Format: f.name, Size: size, byPath: map[string]*item{}, below: map[string][]string{}, Owned: true,
		source: &source{file: d, size: size, format: f, limits: limits, on: on},
	}
	if err := c.source.walk(ctx, c.take); err != nil {
		return nil, err
	}
	c.Entries = int64(len(c.byPath))
	for _, it := range c.items {
		if it.Kind == tree.File && !it.dead {
			c.Unpacked += it.Size
		}
	}
	return c, nil
}

// take adds a member to the catalogue and reads its content.
func (c *Contents) take(m *member) error {
	it := &item{Entry: m.Entry, index: len(c.items), owned: m.owned, sparse: m.sparse}
	if it.Kind == tree.Hardlink {
		if err := c.link(m, it); err != nil {
			return err
		}
	}
	if err := c.place(m.raw, it); err != nil {
		return err
	}
	c.items = append(c.items, it)
	c.Owned = c.Owned && m.owned
	if it.Kind != tree.File {
		return nil
	}
	n, err := readContent(m, io.Discard)
	if err == nil && n != it.Size {
		err = fmt.Errorf("%q has %d bytes, its header says %d", m.raw, n, it.Size)
	}
	if err != nil {
		return &DamagedError{Err: err}
	}
	return nil
}

// readContent copies a member's content.
func readContent(m *member, w io.Writer) (int64, error) {
	r, err := m.checked()
	if err != nil {
		return 0, fmt.Errorf("open %q: %w", m.raw, err)
	}
	n, err := io.Copy(w, r)
	if err = errors.Join(err, r.Close()); err != nil {
		return n, fmt.Errorf("unpack %q: %w", m.raw, err)
	}
	return n, nil
}

// link finds what a hard link is a second name of.
func (c *Contents) link(m *member, it *item) error {
	first := c.byPath[m.Link]
	if first != nil && first.first != nil {
		first = first.first
	}
	if first == nil || first.Kind == tree.Dir {
		return &UnsafeError{Name: m.raw, Why: fmt.Sprintf("a hard link to %q, which is no earlier file of the archive", m.Link)}
	}
	it.first = first
	return nil
}

// place gives an entry its name: below folders only, and once. A folder may come twice, as tar writes it; a later file of a tar archive
// takes the place of the earlier one, as tar -r means it.
func (c *Contents) place(raw string, it *item) error {
	if it.Path == "." && it.Kind != tree.Dir {
		return &UnsafeError{Name: raw, Why: "the root of the archive is no folder"}
	}
	if err := c.lead(raw, it.Path); err != nil {
		return err
	}
	was := c.byPath[it.Path]
	switch {
	case was == nil && it.Kind != tree.Dir && len(c.below[it.Path]) > 0:
		return &UnsafeError{Name: raw, Why: "other entries lie below it, yet it is no folder"}
	case was == nil:
		if len(c.below[it.Path]) == 0 {
			c.enter(it.Path)
		}
	case was.Kind == tree.Dir && it.Kind == tree.Dir:
		was.dead = true
	case was.Kind == it.Kind && it.Kind == tree.File && strings.HasPrefix(c.Format, "tar"):
		was.dead = true
		c.warn(fmt.Sprintf("%q occurs more than once: the last one counts", it.Path))
	default:
		return &UnsafeError{Name: raw, Why: "its name occurs twice"}
	}
	c.byPath[it.Path] = it
	return nil
}

// lead checks that all above a path are folders, and enters those that have no entry of their own.
func (c *Contents) lead(raw, p string) error {
	for dir := path.Dir(p); p != "." && dir != "."; dir = path.Dir(dir) {
		above := c.byPath[dir]
		if above != nil && above.Kind != tree.Dir {
			return &UnsafeError{Name: raw, Why: fmt.Sprintf("it lies below %q, which is no folder but a %s", dir, above.Kind)}
		}
		if above != nil || len(c.below[dir]) > 0 {
			return nil
		}
		defer c.enter(dir)
	}
	return nil
}

// enter notes a name in its folder.
func (c *Contents) enter(p string) {
	if p != "." {
		dir := path.Dir(p)
		c.below[dir] = append(c.below[dir], p)
	}
}

// maxWarnings is how many warnings of one archive are kept.
const maxWarnings = 20

func (c *Contents) warn(text string) {
	if len(c.Warnings) < maxWarnings && !slices.Contains(c.Warnings, text) {
		c.Warnings = append(c.Warnings, text)
	}
}

// isDir tells whether a path of the archive is a folder, with an entry of its own or without.
func (c *Contents) isDir(p string) bool {
	it := c.byPath[p]
	return p == "." || it != nil && it.Kind == tree.Dir || it == nil && len(c.below[p]) > 0
}

// has tells whether the archive has a path.
func (c *Contents) has(p string) bool { return c.byPath[p] != nil || c.isDir(p) }

// children are the paths right below a folder, sorted.
func (c *Contents) children(p string) []string { return slices.Sorted(slices.Values(c.below[p])) }
