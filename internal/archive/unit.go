package archive

import (
	"errors"
	"fmt"

	"github.com/memsys/docker-memsys/internal/tree"
)

// unit is a run of members that belong together: a group of entries, or one big file.
type unit struct {
	start, end int64
	entries    []*Entry
}

// units returns the next unit, nil at the end.
func (s *scanner) units() (*unit, error) {
	first := s.held
	s.held = nil
	if first == nil {
		e, err := s.next()
		if e == nil || err != nil {
			return nil, err
		}
		first = e
	}
	if first.unit < 0 {
		return nil, fmt.Errorf("entry %q: the first entry of the table begins no unit", first.Path)
	}
	u := &unit{start: first.unit, end: s.limit, entries: []*Entry{first}}
	for size := first.Size; ; {
		e, err := s.next()
		if err != nil {
			return nil, err
		}
		if e == nil {
			return u, u.check()
		}
		if e.unit >= 0 {
			s.held, u.end = e, e.unit
			return u, u.check()
		}
		u.entries = append(u.entries, e)
		if size += e.Size; size > maxGroup || len(u.entries) > maxGroup/blockSize {
			return nil, fmt.Errorf("entry %q: its group is too large", first.Path)
		}
	}
}

// big tells whether the unit is one big file.
func (u *unit) big() bool {
	e := u.entries[0]
	return e.Size > 0 && e.inner == 0
}

func (u *unit) check() error {
	e := u.entries[0]
	if u.start >= u.end {
		return fmt.Errorf("entry %q: units overlap", e.Path)
	}
	if !u.big() {
		return nil
	}
	if len(u.entries) > 1 {
		return fmt.Errorf("entry %q: shares the unit of a big file", u.entries[1].Path)
	}
	if e.offsets[0] <= u.start || e.offsets[len(e.offsets)-1] >= u.end || e.Chunks[0].Size > maxChunk {
		return fmt.Errorf("entry %q: content lies outside of its unit", e.Path)
	}
	return nil
}

// layout is what a group inflates to, but for the files' content.
type layout struct {
	headers []byte
	lengths []int // of each entry's header
	size    int64 // of everything
	files   int64 // that are not empty
}

// layout computes what the tar stream of a group must be from the contents table, and checks the places that the table gives.
func (u *unit) layout(buf []byte) (layout, error) {
	l := layout{headers: buf[:0]}
	for _, e := range u.entries {
		before := len(l.headers)
		var err error
		if l.headers, err = appendHeader(l.headers, &e.Entry); err != nil {
			return l, fmt.Errorf("entry %q: %w", e.Path, err)
		}
		n := len(l.headers) - before
		l.lengths = append(l.lengths, n)
		l.size += int64(n)
		if e.Size > 0 {
			l.files++
			if len(e.Chunks) != 1 || e.inner != l.size || e.offsets[0] != u.start+l.files*emptyMemberSize {
				return l, fmt.Errorf("entry %q: the contents table gives a wrong place", e.Path)
			}
		}
		l.size += e.Size + padding(e.Size)
		if l.size > maxGroup && (e.Path != manifestName || l.size > maxManifest) {
			return l, fmt.Errorf("entry %q: its group is too large", e.Path)
		}
	}
	if u.start+l.files*emptyMemberSize >= u.end {
		return l, errors.New("a group has no room")
	}
	return l, nil
}

// part is a stretch of a unit's bytes that is decoded by itself: a group, a big file's header, or one chunk.
type part struct {
	u          *unit
	chunk      int // headerPart for the header of a big file, groupPart for a group
	start, end int64
}

const (
	headerPart = -1
	groupPart  = -2
)

// parts calls f with each part of the unit in order until it fails.
func (u *unit) parts(f func(part) error) error {
	if !u.big() {
		return f(part{u, groupPart, u.start, u.end})
	}
	offsets := u.entries[0].offsets
	if err := f(part{u, headerPart, u.start, offsets[0]}); err != nil {
		return err
	}
	for i, start := range offsets {
		end := u.end
		if i+1 < len(offsets) {
			end = offsets[i+1]
		}
		if err := f(part{u, i, start, end}); err != nil {
			return err
		}
	}
	return nil
}

// path names the part in messages.
func (p part) path() string { return p.u.entries[0].Path }

// packedLimit is the most bytes that a part may take in the archive.
func (p part) packedLimit() int64 {
	raw := int64(maxGroup)
	switch {
	case p.chunk >= 0:
		raw = p.u.entries[0].Chunks[p.chunk].Size
	case p.chunk == groupPart && p.path() == manifestName:
		raw = maxManifest
	}
	return raw + raw/8 + 64<<10
}

// inHole tells whether a chunk lies wholly in a hole of its file.
func inHole(holes []tree.Extent, c tree.Chunk) bool {
	for _, h := range holes {
		if h.Offset <= c.Offset && c.Offset+c.Size <= h.Offset+h.Length {
			return true
		}
	}
	return false
}
