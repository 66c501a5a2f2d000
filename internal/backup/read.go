package backup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/progress"
	"github.com/memsys/docker-memsys/internal/tree"
)

// reading is an archive that this process writes.
type reading struct {
	file   *os.File
	writer *archive.Writer
	sink   progress.Sink
	places []Place
	copied Copied
	bytes  int64
}

// Copied implements Reading.
func (r *reading) Copied() Copied { return r.copied }

// Abort implements Reading.
func (r *reading) Abort() error { return errors.Join(r.writer.Abort(), r.file.Close()) }

// Complete implements Reading.
func (r *reading) Complete(ctx context.Context, c Completion) (*archive.Manifest, error) {
	if err := r.complete(ctx, c); err != nil {
		return nil, errors.Join(err, r.Abort())
	}
	if err := r.file.Close(); err != nil {
		return nil, fmt.Errorf("close archive: %w", err)
	}
	r.sink.Report(progress.Event{Step: "write", Status: progress.Done, Done: r.bytes, Unit: progress.Bytes})
	return c.Manifest, nil
}

func (r *reading) complete(ctx context.Context, c Completion) error {
	for _, f := range c.Files {
		if err := r.writer.AddBytes(ctx, f.Name, 0o600, f.Modified, f.Data); err != nil {
			return fmt.Errorf("store project file %s: %w", f.Name, err)
		}
	}
	if _, err := r.writer.Close(ctx, c.Manifest); err != nil {
		return fmt.Errorf("complete archive: %w", err)
	}
	if err := r.file.Sync(); err != nil {
		return fmt.Errorf("sync archive: %w", err)
	}
	return nil
}

// Kinds of problems in the manifest.
const (
	problemUnreadable = "unreadable"
	problemChanged    = "changed"
	problemVanished   = "vanished"
	problemHold       = "hold"    // services were let go before all was read
	problemShrunk     = "shrunk"  // much smaller than in the last good backup
	problemBetween    = "between" // a restore has not brought the source to one state
	// ProblemHook is a command of a service that was to prepare the data and failed.
	ProblemHook = "hook"
)

// copier copies one source into the archive.
type copier struct {
	reading *reading
	place   Place
	root    Root
	skipped map[string]*archive.Exclusion
	lost    map[string]bool // files that the archive lacks
}

func (r *reading) copy(ctx context.Context, p Place, skip func(*tree.Entry) string) error {
	c := &copier{reading: r, place: p, skipped: map[string]*archive.Exclusion{}, lost: map[string]bool{}}
	if p.Missing == "" {
		if err := c.copy(ctx, skip); err != nil {
			return err
		}
	}
	r.copied.Roots = append(r.copied.Roots, c.root)
	return nil
}

func (c *copier) copy(ctx context.Context, skip func(*tree.Entry) string) error {
	err := tree.Walk(ctx, c.place.Path, tree.WalkOptions{
		Skip:      skip,
		OnSkip:    c.skip,
		OnProblem: func(p tree.Problem) { c.unread(p.Path, p.Err) },
		// The attributes that count are those of the open file.
		LazyXattrs: true,
	}, c.add)
	for _, rule := range sortedKeys(c.skipped) {
		c.reading.copied.Exclusions = append(c.reading.copied.Exclusions, *c.skipped[rule])
	}
	if err == nil {
		c.between()
	}
	return err
}

// between notes a source that a restore swaps at this moment, or was interrupted while it did: of another project that has it too,
// or by another user, whose lock and journal are not ours. The staging is made before and goes after what it changes.
func (c *copier) between() {
	dir := c.place.Path
	if c.root.SingleFile {
		dir = filepath.Dir(dir)
	}
	names, _ := os.ReadDir(dir) // what cannot be listed was told by the walk
	for _, name := range names {
		swapping, err := tree.Swapping(filepath.Join(dir, name.Name()))
		if err != nil {
			c.problem(name.Name(), problemUnreadable, err)
		}
		if swapping {
			c.problem(name.Name(), problemBetween, errors.New("a restore is under way here, or was interrupted: docker memsys recover, in its project and as its user"))
		}
	}
}

func (c *copier) add(ctx context.Context, e *tree.Entry, open tree.Opener) error {
	if e.Path == "." {
		c.root = Root{Mode: e.Mode, UID: e.UID, GID: e.GID, SingleFile: e.Kind == tree.File}
	}
	entry := *e
	if e.Kind == tree.Hardlink {
		if c.lost[e.Link] {
			c.problem(e.Path, problemUnreadable, fmt.Errorf("a second name of %s, which could not be read", e.Link))
			return nil
		}
		entry.Link = c.name(e.Link)
	}
	out, err := c.reading.writer.Add(ctx, c.name(e.Path), &entry, open)
	var unreadable *archive.UnreadableError
	switch {
	case errors.As(err, &unreadable):
		c.lost[e.Path] = true
		c.unread(e.Path, err)
		return nil
	case err != nil:
		return err
	case out.Vanished:
		c.lost[e.Path] = true
		c.problem(e.Path, problemVanished, nil)
		return nil
	case out.Changed:
		c.problem(e.Path, problemChanged, nil)
	}
	return nil
}

// name is the archive name of a path of the source.
func (c *copier) name(path string) string {
	if path == "." {
		return prefix(c.place.Name)
	}
	return prefix(c.place.Name) + "/" + path
}

// skip counts what a rule left out.
func (c *copier) skip(e *tree.Entry, rule string) {
	x := c.skipped[rule]
	if x == nil {
		x = &archive.Exclusion{Source: c.place.Name, Rule: rule, Why: why(rule)}
		c.skipped[rule] = x
	}
	x.Count++
	x.Bytes += e.Size
	if rule == ruleBackups || rule == ruleSource {
		x.Paths = append(x.Paths, e.Path)
	}
}

// unread notes an entry that the archive lacks, unless it was gone before it could be read.
func (c *copier) unread(path string, err error) {
	if errors.Is(err, fs.ErrNotExist) {
		c.problem(path, problemVanished, nil)
		return
	}
	c.problem(path, problemUnreadable, err)
}

func (c *copier) problem(path, kind string, err error) {
	p := archive.Problem{Source: c.place.Name, Path: path, Kind: kind}
	if err != nil {
		p.Error = err.Error()
	}
	c.reading.copied.Problems = append(c.reading.copied.Problems, p)
	c.reading.sink.Report(progress.Event{Step: "write", Object: strings.TrimSuffix(c.place.Name+"/"+path, "/."), Status: progress.Warning, Text: kind})
}
