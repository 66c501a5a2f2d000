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
	"sync/atomic"
	"time"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/progress"
	"github.com/memsys/docker-memsys/internal/store"
	"github.com/memsys/docker-memsys/internal/tree"
)

type counter struct{ n atomic.Int64 }

func (c *counter) add(n int64) int64 { return c.n.Add(n) }

// write holds the services still, reads all sources, lets the services go, and completes the archive on the disk.
func (r *Runner) write(ctx context.Context, p *Plan, pending *store.Pending, res *Result) (*archive.Manifest, error) {
	start := r.Clock()
	m, err := r.manifest(p, start)
	if err != nil {
		return nil, err
	}
	w := archive.NewWriter(pending.File, archive.WriterOptions{OnBytes: r.count("write", p.Bytes)})
	if err := r.copySources(ctx, p, w, m); err != nil {
		return nil, errors.Join(err, w.Abort())
	}
	res.Seconds.Held = m.Quiesce.Seconds
	if err := r.copyFiles(ctx, p, w, m); err != nil {
		return nil, errors.Join(err, w.Abort())
	}
	m.Complete = complete(m)
	if _, err := w.Close(ctx, m); err != nil {
		return nil, fmt.Errorf("complete archive: %w", err)
	}
	if err := pending.File.Sync(); err != nil {
		return nil, fmt.Errorf("sync archive: %w", err)
	}
	res.Seconds.Write = r.since(start)
	r.done("write", p.Bytes)
	return m, nil
}

// complete tells whether all that belongs into the backup is in it. A file that vanished before it was read was no
// longer there to be kept; it is recorded, yet nothing is missing.
func complete(m *archive.Manifest) bool {
	for _, s := range m.Sources {
		if s.Missing != "" {
			return false
		}
	}
	return !slices.ContainsFunc(m.Problems, func(p archive.Problem) bool { return p.Kind != problemVanished })
}

// Kinds of problems in the manifest.
const (
	problemUnreadable = "unreadable"
	problemChanged    = "changed"
	problemVanished   = "vanished"
	problemHold       = "hold"    // services were let go before all was read
	problemBetween    = "between" // a restore has not brought the source to one state
)

// copySources reads every source while the services that write are held still. They are let go on every way out.
func (r *Runner) copySources(ctx context.Context, p *Plan, w *archive.Writer, m *archive.Manifest) (err error) {
	held, err := r.Quiescer.Hold(ctx, p.Quiesce)
	if err != nil {
		return fmt.Errorf("hold services still: %w", err)
	}
	err = r.readAll(ctx, p, w, m)
	var restless []archive.Problem
	if err == nil {
		restless = r.restless(ctx, p)
	}
	if released := held.Release(ctx); released != nil {
		return errors.Join(err, fmt.Errorf("let services go: %w", released))
	}
	m.Quiesce.Seconds = held.Lasted().Seconds()
	if held.Expired() {
		m.Problems = append(m.Problems, archive.Problem{
			Kind: problemHold, Error: fmt.Sprintf("the services were let go after %s, before all was read: raise quiesce-limit", p.req.HoldLimit),
		})
		return err
	}
	m.Problems = append(m.Problems, restless...)
	return err
}

func (r *Runner) readAll(ctx context.Context, p *Plan, w *archive.Writer, m *archive.Manifest) error {
	for i, src := range p.Sources {
		c := &copier{run: r, plan: p, writer: w, manifest: m, source: &m.Sources[i], skipped: map[string]*archive.Exclusion{}, lost: map[string]bool{}}
		if err := c.copy(ctx, src); err != nil {
			return fmt.Errorf("copy source %s: %w", src.Name, err)
		}
	}
	return nil
}

// copier copies one source into the archive.
type copier struct {
	run      *Runner
	plan     *Plan
	writer   *archive.Writer
	manifest *archive.Manifest
	source   *archive.Source
	skipped  map[string]*archive.Exclusion
	lost     map[string]bool // files that the archive lacks
}

func (c *copier) copy(ctx context.Context, src Source) error {
	if src.Missing != "" {
		return nil
	}
	err := tree.Walk(ctx, src.Root, tree.WalkOptions{
		Skip:      c.plan.rules.Skip(src.Root),
		OnSkip:    c.skip,
		OnProblem: func(p tree.Problem) { c.unread(p.Path, p.Err) },
		// The attributes that count are those of the open file.
		LazyXattrs: true,
	}, c.add)
	for _, rule := range sortedKeys(c.skipped) {
		c.manifest.Exclusions = append(c.manifest.Exclusions, *c.skipped[rule])
	}
	if err == nil {
		c.between(src)
	}
	return err
}

// between notes a source that a restore swaps at this moment, or was interrupted while it did: of another project that has it too,
// or by another user, whose lock and journal are not ours. The staging is made before and goes after what it changes.
func (c *copier) between(src Source) {
	dir := src.Root
	if c.source.SingleFile {
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
		c.source.Mode, c.source.UID, c.source.GID, c.source.SingleFile = e.Mode, e.UID, e.GID, e.Kind == tree.File
	}
	entry := *e
	if e.Kind == tree.Hardlink {
		if c.lost[e.Link] {
			c.problem(e.Path, problemUnreadable, fmt.Errorf("a second name of %s, which could not be read", e.Link))
			return nil
		}
		entry.Link = c.name(e.Link)
	}
	out, err := c.writer.Add(ctx, c.name(e.Path), &entry, open)
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
		return c.source.Prefix
	}
	return c.source.Prefix + "/" + path
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
	p := archive.Problem{Source: c.source.Name, Path: path, Kind: kind}
	if err != nil {
		p.Error = err.Error()
	}
	c.manifest.Problems = append(c.manifest.Problems, p)
	c.run.Progress.Report(progress.Event{Step: "write", Object: strings.TrimSuffix(c.source.Name+"/"+path, "/."), Status: progress.Warning, Text: kind})
}

// copyFiles stores the project's own files. A missing optional one is not a problem: it was not there.
func (r *Runner) copyFiles(ctx context.Context, p *Plan, w *archive.Writer, m *archive.Manifest) error {
	for _, f := range p.req.Files {
		name := projectName(m.Project.WorkingDir, f.Path)
		data, mod, err := readWhole(f.Path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			m.Problems = append(m.Problems, archive.Problem{Source: "project", Path: f.Path, Kind: problemUnreadable, Error: err.Error()})
			continue
		}
		if err := w.AddBytes(ctx, name, 0o600, mod, data); err != nil {
			return fmt.Errorf("store project file %s: %w", f.Path, err)
		}
		m.Project.Files = append(m.Project.Files, archive.ProjectFile{Name: name, Path: f.Path, Secret: f.Kind == compose.SecretFile})
	}
	return nil
}

func readWhole(path string) ([]byte, time.Time, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, time.Time{}, err
	}
	data, err := os.ReadFile(path)
	return data, info.ModTime(), err
}
