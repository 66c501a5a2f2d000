package backup

import (
	"fmt"
	"slices"

	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/store"
)

// empty judges a source without content. Where the last good backup had content of it, its disk may not be mounted: it
// counts as missing unless that was agreed to, so that no such backup takes the place of good ones.
func (p *Plan) empty(s *Source) {
	files := p.before(s)
	if files == 0 || p.req.AllowEmpty || p.req.Reason == store.BeforeRestore {
		p.Warnings = append(p.Warnings, "source "+s.Name+" is empty: "+s.Root)
		return
	}
	s.Missing = fmt.Sprintf("%s is empty, and %s has %d files of it: is a disk not mounted? (if it is meant: --allow-empty)", s.Root, p.Previous.Name, files)
}

// before is the number of files that the last good backup has of a source.
func (p *Plan) before(s *Source) int64 {
	if p.Previous == nil {
		return 0
	}
	m, err := store.ReadManifest(p.Previous.Path)
	if err != nil {
		return 0 // verify and list tell what is wrong with it
	}
	i := slices.IndexFunc(m.Sources, func(was archive.Source) bool {
		return was.Name == s.Name && was.Kind == string(s.Kind) && was.Bytes > 0
	})
	if i < 0 {
		return 0
	}
	return m.Sources[i].Files
}
