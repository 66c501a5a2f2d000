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

	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/progress"
	"github.com/memsys/docker-memsys/internal/quiet"
	"github.com/memsys/docker-memsys/internal/tree"
)

// Local reads the sources' files in this process.
type Local struct{}

var _ Side = Local{}

// Look implements Side.
func (Local) Look(ctx context.Context, req LookRequest) (*Looked, error) {
	out := &Looked{Sources: make([]LookedSource, len(req.Places))}
	reached := make([]Place, len(req.Places))
	for i, p := range req.Places {
		s := &out.Sources[i]
		s.Missing = p.Missing
		if s.Missing == "" {
			var err error
			if s.Root, err = Reach(p.Path); err != nil {
				s.Missing = err.Error()
			}
		}
		reached[i] = Place{Name: p.Name, Path: s.Root, Missing: s.Missing}
	}
	if req.Scratch != "" {
		free, err := tree.FreeSpace(req.Scratch)
		if err != nil {
			return nil, fmt.Errorf("free space for the archive: %w", err)
		}
		out.Room = &free
	}
	rules, err := req.Exclusions.Rules(reached)
	if err != nil || !req.Sizes {
		return out, err
	}
	for i, p := range reached {
		if p.Missing == "" {
			out.Sources[i].Within, _ = tree.Within(p.Path) // unknown is empty: nothing is concluded from it
		}
		if err := out.Sources[i].measure(ctx, req.Exclusions.Skip(rules, p)); err != nil {
			return nil, fmt.Errorf("measure source %s: %w", p.Name, err)
		}
	}
	return out, nil
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

// measure walks the source and opens only what may be a database, for its first bytes.
func (s *LookedSource) measure(ctx context.Context, skip func(*tree.Entry) string) error {
	if s.Missing != "" {
		return nil
	}
	var finder quiet.Finder
	count := func(ctx context.Context, e *tree.Entry, open tree.Opener) error {
		s.Entries++
		s.Bytes += e.Size
		s.Allocated += e.Allocated
		return finder.Visit(ctx, e, open)
	}
	o := tree.WalkOptions{Skip: skip, LazyXattrs: true, OnProblem: func(tree.Problem) { s.Unreadable++ }} // the copy reports each
	err := tree.Walk(ctx, s.Root, o, count)
	s.Traits = finder.Traits()
	return err
}

// The rules of what lies in a source under a name of its own, as they stand in the manifest.
const (
	ruleBackups = "backups directory"
	ruleSource  = "another source"
	ruleOnly    = "not asked for"
)

// Skip is the function for walks over a source: by the rules, and by what the copy is limited to.
func (x Exclusions) Skip(rules *tree.Rules, p Place) func(*tree.Entry) string {
	skip := rules.Skip(p.Path)
	only, limited := x.Only[p.Name]
	if !limited {
		return skip
	}
	return func(e *tree.Entry) string {
		if rule := skip(e); rule != "" || reachesOne(only, e.Path) {
			return rule
		}
		return ruleOnly
	}
}

// reachesOne tells whether a path is one of those, lies below one, or leads to one.
func reachesOne(only []tree.RawPath, path string) bool {
	return slices.ContainsFunc(only, func(o tree.RawPath) bool {
		one := string(o)
		return one == "." || one == path || strings.HasPrefix(path, one+"/") || strings.HasPrefix(one, path+"/")
	})
}

// Rules are those by which the walk leaves things out. The backups directory and the roots of other sources are told by device
// and inode, whatever their path.
func (x Exclusions) Rules(places []Place) (*tree.Rules, error) {
	o := tree.RuleOptions{Patterns: x.Patterns, Defaults: true, IncludeLogs: x.IncludeLogs, Exclude: map[tree.Identity]string{}}
	for _, p := range places {
		if p.Missing == "" {
			elsewhere(o.Exclude, p.Path, ruleSource)
		}
	}
	for _, path := range x.Elsewhere {
		elsewhere(o.Exclude, path, ruleSource)
	}
	elsewhere(o.Exclude, x.Backups, ruleBackups)
	rules, err := tree.NewRules(o)
	if err != nil {
		return nil, fmt.Errorf("read exclusions: %w", err)
	}
	return rules, nil
}

// elsewhere adds what is at path; what is not there cannot be met by a walk.
func elsewhere(exclude map[tree.Identity]string, path, rule string) {
	real, err := filepath.EvalSymlinks(path)
	if path == "" || err != nil {
		return
	}
	e, err := tree.Lstat(real)
	if err == nil && e.Inode != 0 {
		exclude[tree.Identity{Device: e.Device, Inode: e.Inode}] = rule
	}
}

// Restless implements Side.
func (Local) Restless(ctx context.Context, req RestlessRequest) ([]archive.Problem, error) {
	rules, err := req.Exclusions.Rules(req.Places)
	if err != nil {
		return nil, err
	}
	var out []archive.Problem
	for _, p := range req.Places {
		if p.Missing != "" {
			continue
		}
		found, err := quiet.Check(ctx, p.Path, quiet.Options{Now: req.Now, Recent: req.Recent, Skip: req.Exclusions.Skip(rules, p)})
		if errors.Is(err, fs.ErrNotExist) {
			continue // the copy tells it
		}
		if err != nil {
			return nil, fmt.Errorf("source %s: %w", p.Name, err)
		}
		for _, u := range found {
			out = append(out, archive.Problem{Source: p.Name, Path: u.Path, Kind: problemRestless, Error: u.Why})
		}
	}
	return out, nil
}

// Read implements Side.
func (Local) Read(ctx context.Context, req ReadRequest, sink progress.Sink) (Reading, error) {
	rules, err := req.Exclusions.Rules(req.Places)
	if err != nil {
		return nil, err
	}
	f, err := openArchive(req.Archive)
	if err != nil {
		return nil, fmt.Errorf("open archive: %w", err)
	}
	r := &reading{file: f, sink: sink, places: req.Places, bytes: req.Bytes}
	r.writer = archive.NewWriter(f, archive.WriterOptions{OnBytes: progress.Counter(sink, progress.Event{Step: "write", Total: req.Bytes})})
	for _, p := range req.Places {
		if err := r.copy(ctx, p, req.Exclusions.Skip(rules, p)); err != nil {
			return nil, errors.Join(fmt.Errorf("copy source %s: %w", p.Name, err), r.Abort())
		}
	}
	return r, nil
}

// openArchive opens the file that was made for the archive, and nothing that has taken its place.
func openArchive(path string) (*os.File, error) {
	made, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	other := fmt.Errorf("%s is not the file that was made there", path)
	if !made.Mode().IsRegular() {
		return nil, other
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	opened, err := f.Stat()
	if err == nil && !os.SameFile(made, opened) {
		err = other
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
