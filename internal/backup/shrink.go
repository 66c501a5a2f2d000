package backup

import (
	"fmt"
	"slices"
	"strings"

	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/progress"
	"github.com/memsys/docker-memsys/internal/store"
)

// Sources below these sizes may shrink as they like: few files come and go.
const (
	floorEntries = 20
	floorBytes   = 1 << 20
)

// guardSources compares every source with what the last good backup has of it, so that a backup of a disk that is not mounted, or of data
// that somebody has deleted, does not take the place of good ones. Safety backups are never stopped by it. Of a source that cannot be read
// whole nothing is concluded: what is missing from it is reported, one by one, by the copy.
func (p *Plan) guardSources() {
	accepted := p.req.AcceptShrink || p.req.Reason == store.BeforeRestore
	former := p.former()
	for i := range p.Sources {
		s := &p.Sources[i]
		if s.Missing != "" {
			continue
		}
		if s.unreadable > 0 {
			p.Warnings = append(p.Warnings, fmt.Sprintf("source %s cannot be read whole, the backup will be incomplete: %s", s.Name, s.Root))
			continue
		}
		was := find(former, s)
		if was != nil && !accepted {
			p.guard(s, *was)
		}
		if s.Missing == "" && s.Entries <= 1 && s.Bytes == 0 {
			p.Warnings = append(p.Warnings, "source "+s.Name+" is empty: "+s.Root)
		}
	}
}

// guard judges one source. One that is empty, or whose disk is not mounted, counts as missing: an empty folder in the archive would
// empty the source at a restore. One that has lost more than half is stored as it is, and the backup is incomplete.
func (p *Plan) guard(s *Source, was archive.Source) {
	const consent = "(if it is meant: docker memsys backup --accept-shrink)"
	switch {
	case s.Entries <= 1 && s.Bytes == 0 && was.Bytes > 0:
		s.emptied = true
		s.Missing = fmt.Sprintf("%s is empty, and %s has %d files of it: is a disk not mounted? %s", s.Root, p.Previous.Name, was.Files, consent)
	case s.Root == was.Path && unmounted(s.within, was.Within):
		s.Missing = fmt.Sprintf("%s is not on the disk that it was on in %s: is it not mounted? %s", s.Root, p.Previous.Name, consent)
	case halved(s.Entries, was.Entries, floorEntries):
		s.shrunk = fmt.Sprintf("it has %d entries, in %s it has %d %s", s.Entries, p.Previous.Name, was.Entries, consent)
	case halved(s.Bytes, was.Bytes, floorBytes):
		s.shrunk = fmt.Sprintf("it has %s, in %s it has %s %s", progress.Size(s.Bytes), p.Previous.Name, progress.Size(was.Bytes), consent)
	}
	if s.shrunk != "" {
		p.Warnings = append(p.Warnings, "source "+s.Name+" has shrunk: "+s.shrunk)
	}
}

func halved(now, was, floor int64) bool { return was >= floor && now < (was+1)/2 }

// unmounted tells whether the place of a folder in its file system says that a disk is gone: what was /data of a disk at /mnt is then
// /mnt/data of the disk below. The other way round, the folder has got a disk of its own.
func unmounted(now, former string) bool {
	return now != "" && former != "" && now != former && strings.HasSuffix(now, strings.TrimSuffix(former, "/"))
}

// former are the sources as the last good backup has them; none where it cannot be read, which is said.
func (p *Plan) former() []archive.Source {
	if p.Previous == nil {
		return nil
	}
	m, err := store.ReadManifest(p.Previous.Path)
	if err != nil {
		p.Warnings = append(p.Warnings, fmt.Sprintf("whether a source has shrunk is not known: what %s holds cannot be read: %v", p.Previous.Name, err))
		return nil
	}
	return m.Sources
}

func find(former []archive.Source, s *Source) *archive.Source {
	i := slices.IndexFunc(former, func(was archive.Source) bool {
		return was.Name == s.Name && was.Kind == string(s.Kind) && was.Missing == ""
	})
	if i < 0 {
		return nil
	}
	return &former[i]
}
