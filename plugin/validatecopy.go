package plugin

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/backup"
	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/inventory"
	"github.com/memsys/docker-memsys/internal/progress"
	"github.com/memsys/docker-memsys/internal/quiesce"
	"github.com/memsys/docker-memsys/internal/restore"
	"github.com/memsys/docker-memsys/internal/store"
	"github.com/memsys/docker-memsys/internal/tree"
	"github.com/memsys/docker-memsys/internal/validate"
)

// storeCopier copies the stores of live data as a backup does: with the same holds, into an archive in a folder of its own.
type storeCopier struct {
	s       *session
	scratch string
	taken   int
}

var _ validate.Copier = &storeCopier{}

// Prepare implements validate.Copier.
func (c *storeCopier) Prepare(ctx context.Context, stores map[string][]tree.RawPath) (*validate.CopyPlan, error) {
	p, err := c.plan(ctx, stores)
	if err != nil {
		return nil, err
	}
	out := &validate.CopyPlan{
		Mode: string(p.Quiesce.Action()), Hold: []string{}, Bytes: p.Bytes, Doubt: c.doubt(p),
		Take: func(ctx context.Context) (validate.Copy, error) { return c.take(ctx, stores) },
	}
	for _, it := range p.Quiesce.Items {
		out.Hold = append(out.Hold, it.Label())
		if p.Quiesce.Mode == quiesce.Auto && it.Action == quiesce.Pause {
			out.MayStop = append(out.MayStop, it.Label())
		}
	}
	return out, nil
}

// plan is the backup that makes the copy.
func (c *storeCopier) plan(ctx context.Context, stores map[string][]tree.RawPath) (*backup.Plan, error) {
	s := c.s
	mode, err := s.holdMode(ctx)
	if err != nil {
		return nil, err
	}
	side, err := s.side(ctx, reads)
	if err != nil {
		return nil, err
	}
	req := backup.Request{
		Side: side, Project: s.archiveProject(), Containers: s.Containers, Locate: s.place, Paths: stores, Exclude: s.Config.Exclude,
		AcceptShrink: true, Quiesce: mode, NoPause: s.Info.NoPause, HoldLimit: s.Config.HoldLimit, Reason: "validate", Tool: buildVersion().Version,
	}
	for _, src := range s.Sources {
		if stores[src.Name] == nil {
			src.Excluded = "no store in it"
		}
		req.Sources = append(req.Sources, src)
	}
	if s.reachable() {
		req.Volume = s.Engine.Volume
	}
	c.taken++
	p, err := backup.Prepare(ctx, store.Open(filepath.Join(c.scratch, fmt.Sprintf("copy-%d", c.taken))), req)
	if noSpace := (*backup.NoSpaceError)(nil); errors.As(err, &noSpace) {
		return nil, scratchError(err)
	}
	return p, err
}

// holdMode is how writers are held still: not at all where nobody was seen who writes, for then no lock was taken.
func (s *session) holdMode(ctx context.Context) (quiesce.Mode, error) {
	mode, err := quiesce.ParseMode(s.Config.Quiesce)
	if err == nil && s.lock == nil && !s.mayHold(ctx) {
		mode = quiesce.None
	}
	return mode, err
}

// mayHold tells whether some container runs that can write a source.
func (s *session) mayHold(ctx context.Context) bool {
	if s.Config.Quiesce == string(quiesce.None) {
		return false
	}
	return slices.ContainsFunc(s.Containers, func(c engine.Container) bool {
		return (c.State == engine.Running || c.State == engine.Restarting) && slices.ContainsFunc(c.Mounts, func(m engine.Mount) bool { return s.mayWrite(ctx, m) })
	})
}

// mayWrite tells whether a mount shows a source, a parent or a child of one, under whatever name, and can be written.
func (s *session) mayWrite(ctx context.Context, m engine.Mount) bool {
	if m.ReadOnly {
		return false
	}
	places, err := m.Shown(ctx, s.Engine.Volume)
	return slices.ContainsFunc(s.Sources, func(src compose.Source) bool {
		switch {
		case src.Excluded != "":
			return false
		case err != nil, src.Volume != nil && src.Volume.Name == m.Name:
			return true
		}
		return src.Path != "" && slices.ContainsFunc(places, func(at string) bool { return tree.Overlap(at, src.Path) })
	})
}

// doubt says who may write while the copy is taken.
func (c *storeCopier) doubt(p *backup.Plan) string {
	var out []string
	for _, u := range p.Quiesce.Unheld {
		out = append(out, u.Name+" may write meanwhile: "+u.Why)
	}
	switch {
	case !c.s.reachable():
		out = append(out, "what runs cannot be seen")
	case c.s.Config.Quiesce == string(quiesce.None):
		out = append(out, "nobody is held still, as asked for")
	}
	return strings.Join(out, "; ")
}

// take makes a copy.
func (c *storeCopier) take(ctx context.Context, stores map[string][]tree.RawPath) (validate.Copy, error) {
	s := c.s
	p, err := c.plan(ctx, stores)
	if err != nil {
		return nil, err
	}
	run := backup.Runner{Clock: s.clock(), Journal: unjournaled{}, Quiescer: s.quiescer(), Progress: renamed(s.app.sink(), "copy"), NewID: newID}
	if s.journal != nil {
		run.Journal = s.journal
	}
	if s.reachable() {
		run.Containers = s.containers
	}
	res, err := run.Run(ctx, p)
	if err != nil {
		return nil, errors.Join(err, removeScratch(p.Dir.Path))
	}
	f, r, err := openArchive(restore.Backup{Name: res.Name, Path: res.Path})
	if err != nil {
		return nil, errors.Join(err, removeScratch(p.Dir.Path))
	}
	out := &storeCopy{file: f, reader: r, dir: p.Dir.Path, doubt: c.doubt(p)}
	if s.lock == nil && out.doubt == "" {
		out.doubt = "nobody was held still, for nobody was seen who writes"
	}
	return out, nil
}

// unjournaled is the record of a copy for which nobody is held still: it leaves nothing but its folder.
type unjournaled struct{}

// Step implements backup.Journal.
func (unjournaled) Step(string, any) error { return nil }

// renamed reports all that is counted under another name: a copy for a validation is no backup to who looks on.
func renamed(to progress.Sink, step string) progress.Sink {
	return progress.Func(func(e progress.Event) {
		if e.Step == "write" || e.Step == "verify" {
			if e.Step == "verify" {
				return
			}
			e.Step = step
		}
		to.Report(e)
	})
}

// storeCopy is an archive of stores.
type storeCopy struct {
	file   *os.File
	reader *archive.Reader
	dir    string
	doubt  string
}

// Tree implements validate.Copy.
func (c *storeCopy) Tree(source string) inventory.Tree {
	return inventory.ArchiveTree(c.reader, source)
}

// Doubt implements validate.Copy.
func (c *storeCopy) Doubt() string {
	doubts := []string{}
	if c.doubt != "" {
		doubts = append(doubts, c.doubt)
	}
	for _, p := range c.reader.Manifest().Problems {
		doubts = append(doubts, strings.TrimPrefix(p.Source+"/"+p.Path+": "+p.Kind+" "+p.Error, "/: "))
	}
	return strings.Join(doubts, "; ")
}

// Quiesce implements validate.Copy.
func (c *storeCopy) Quiesce() archive.Quiesce { return c.reader.Manifest().Quiesce }

// Print implements validate.Copy.
func (c *storeCopy) Print(ctx context.Context, source string, paths []tree.RawPath) (string, error) {
	sum := sha256.New()
	prefix := "data/" + source
	for e, err := range c.reader.Entries(ctx) {
		if err != nil {
			return "", fmt.Errorf("read the copy of %s: %w", source, err)
		}
		belongs := slices.ContainsFunc(paths, func(p tree.RawPath) bool {
			at := prefix + "/" + string(p)
			if p == "." {
				at = prefix
			}
			return e.Path == at || strings.HasPrefix(e.Path, at+"/")
		})
		if !belongs || e.Kind != tree.File {
			continue
		}
		fmt.Fprintf(sum, "%q %d\n", e.Path, e.Size)
		for _, chunk := range e.Chunks {
			fmt.Fprintf(sum, "%d %d %x\n", chunk.Offset, chunk.Size, chunk.SHA256)
		}
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// Close implements validate.Copy.
func (c *storeCopy) Close() error { return errors.Join(c.file.Close(), removeScratch(c.dir)) }
