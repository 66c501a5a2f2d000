package backup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/progress"
	"github.com/memsys/docker-memsys/internal/tree"
)

// choose decides which sources are in the backup and where they lie.
func (p *Plan) choose(ctx context.Context) {
	for _, s := range p.req.Sources {
		if s.Excluded == "" && !p.wanted(s) {
			s.Excluded = "not mounted by " + strings.Join(p.req.Only, ", ")
		}
		if s.Excluded != "" {
			p.Left = append(p.Left, s)
			continue
		}
		src := Source{Source: s}
		p.locate(ctx, &src)
		p.Sources = append(p.Sources, src)
	}
}

// nothing is the error for a project of which no source can be read.
func (p *Plan) nothing() error {
	errs := []error{ErrNothing}
	for _, s := range p.Sources {
		errs = append(errs, fmt.Errorf("source %s: %s", s.Name, s.Missing))
	}
	return errors.Join(errs...)
}

func (p *Plan) wanted(s compose.Source) bool {
	if len(p.req.Only) == 0 {
		return true
	}
	return slices.ContainsFunc(s.Mounts, func(m compose.Mount) bool { return slices.Contains(p.req.Only, m.Service) })
}

// locate finds where a source lies. What cannot be found is part of the plan, with the reason.
func (p *Plan) locate(ctx context.Context, s *Source) {
	root, err := p.req.Locate(ctx, s.Source)
	if err != nil {
		s.Missing = err.Error()
	}
	s.Root = root
}

// look reaches every source and measures it, where the files are.
func (p *Plan) look(ctx context.Context, sizes bool) error {
	looked, err := p.side.Look(ctx, LookRequest{Places: p.places(), Exclusions: p.exclusions(), Sizes: sizes})
	if err != nil {
		return err
	}
	p.room = looked.Room
	for i, found := range looked.Sources {
		s := &p.Sources[i]
		s.Root, s.Missing, s.Entries, s.Bytes, s.within = found.Root, found.Missing, found.Entries, found.Bytes, found.Within
		s.unreadable, s.traits = found.Unreadable, found.Traits
		p.allocated += found.Allocated
		p.Entries += found.Entries
		p.Bytes += found.Bytes
	}
	if !slices.ContainsFunc(p.Sources, func(s Source) bool { return s.Missing == "" }) {
		return p.nothing()
	}
	return nil
}

// places are where the sources of the plan lie.
func (p *Plan) places() []Place {
	out := make([]Place, len(p.Sources))
	for i, s := range p.Sources {
		out[i] = Place{Name: s.Name, Path: s.Root, Missing: s.Missing}
	}
	return out
}

// exclusions are what the backup leaves out of its sources.
func (p *Plan) exclusions() Exclusions {
	x := Exclusions{Patterns: p.req.Exclude, IncludeLogs: p.req.IncludeLogs, Backups: p.Dir.Path, Only: p.req.Paths}
	for _, s := range p.Left {
		if s.Path != "" {
			x.Elsewhere = append(x.Elsewhere, s.Path)
		}
	}
	return x
}

// weigh compares what the archive is expected to take with what is free. The former backup's ratio tells how well this
// data compresses; without one a quarter of the data is the least that is asked for.
func (p *Plan) weigh() error {
	free, err := tree.FreeSpace(p.Dir.Path)
	if err != nil {
		return fmt.Errorf("free space of the backups directory: %w", err)
	}
	p.Free, p.Expected = free, p.allocated+p.Entries*512
	least := p.Expected / 4
	if b := p.Previous; b != nil && b.Bytes > 0 {
		p.Expected = min(p.Expected, int64(float64(p.Bytes)*float64(b.Size)/float64(b.Bytes)))
		least = p.Expected
	}
	if least > free {
		return &NoSpaceError{Dir: p.Dir.Path, Need: least, Free: free}
	}
	if p.room != nil && least > *p.room {
		return &NoSpaceError{Dir: "the engine's storage, where the archive is written first", Need: least, Free: *p.room}
	}
	if p.Expected > free {
		p.Warnings = append(p.Warnings, fmt.Sprintf("the archive may need up to %s and %s is free in %s", progress.Size(p.Expected), progress.Size(free), p.Dir.Path))
	}
	return nil
}
