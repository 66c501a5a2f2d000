package backup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/progress"
	"github.com/memsys/docker-memsys/internal/tree"
)

// choose decides which sources are in the backup and where this process reads them.
func (p *Plan) choose(ctx context.Context) error {
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
	if !slices.ContainsFunc(p.Sources, func(s Source) bool { return s.Missing == "" }) {
		return p.nothing()
	}
	return p.compileRules()
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

// locate finds the path under which this process reads a source. What cannot be reached is part of the plan, with the reason.
func (p *Plan) locate(ctx context.Context, s *Source) {
	root, err := p.req.Locate(ctx, s.Source)
	if err != nil {
		s.Missing = err.Error()
		return
	}
	if s.Root, err = Reach(root); err != nil {
		s.Missing = err.Error()
	}
}

// Reach follows links to the folder or file of a source. Its error says why nothing can be read there.
func Reach(root string) (string, error) {
	info, err := os.Stat(root)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("%s does not exist", root)
	case err != nil:
		return "", err
	case !info.IsDir() && !info.Mode().IsRegular():
		return "", fmt.Errorf("%s is neither a folder nor a file", root)
	}
	return filepath.EvalSymlinks(root)
}

// The rules of what lies in a source under a name of its own, as they stand in the manifest.
const (
	ruleBackups = "backups directory"
	ruleSource  = "another source"
)

// compileRules makes the rules by which the walk leaves things out. The backups directory and the roots of other
// sources are told by device and inode, whatever their path.
func (p *Plan) compileRules() error {
	o := tree.RuleOptions{Patterns: p.req.Exclude, Defaults: true, IncludeLogs: p.req.IncludeLogs, Exclude: map[tree.Identity]string{}}
	for _, s := range p.Sources {
		if s.Missing == "" {
			elsewhere(o.Exclude, s.Root, ruleSource)
		}
	}
	for _, s := range p.Left {
		if s.Path != "" {
			elsewhere(o.Exclude, s.Path, ruleSource)
		}
	}
	elsewhere(o.Exclude, p.Dir.Path, ruleBackups)
	rules, err := tree.NewRules(o)
	if err != nil {
		return fmt.Errorf("read exclusions: %w", err)
	}
	p.rules = rules
	return nil
}

// elsewhere adds what is at path; what is not there cannot be met by a walk.
func elsewhere(exclude map[tree.Identity]string, path, rule string) {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return
	}
	e, err := tree.Lstat(real)
	if err == nil && e.Inode != 0 {
		exclude[tree.Identity{Device: e.Device, Inode: e.Inode}] = rule
	}
}

// measure walks every source without opening a file: the size of the work.
func (p *Plan) measure(ctx context.Context) error {
	for i := range p.Sources {
		s := &p.Sources[i]
		if s.Missing != "" {
			continue
		}
		count := func(_ context.Context, e *tree.Entry, _ tree.Opener) error {
			s.Entries++
			s.Bytes += e.Size
			p.allocated += e.Allocated
			return nil
		}
		o := tree.WalkOptions{Skip: p.rules.Skip(s.Root), LazyXattrs: true, OnProblem: func(tree.Problem) {}} // the copy reports problems
		if err := tree.Walk(ctx, s.Root, o, count); err != nil {
			return fmt.Errorf("measure source %s: %w", s.Name, err)
		}
		if s.Entries <= 1 && s.Bytes == 0 {
			p.empty(s)
		}
		p.Entries += s.Entries
		p.Bytes += s.Bytes
	}
	return nil
}

// room compares what the archive is expected to take with what is free. The former backup's ratio tells how well this
// data compresses; without one a quarter of the data is the least that is asked for.
func (p *Plan) room() error {
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
	if p.Expected > free {
		p.Warnings = append(p.Warnings, fmt.Sprintf("the archive may need up to %s and %s is free in %s", progress.Size(p.Expected), progress.Size(free), p.Dir.Path))
	}
	return nil
}
