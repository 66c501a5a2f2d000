// Package backup makes one backup: Plan looks at the world once and decides, Run does the plan.
package backup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/inventory"
	"github.com/memsys/docker-memsys/internal/progress"
	"github.com/memsys/docker-memsys/internal/quiesce"
	"github.com/memsys/docker-memsys/internal/quiet"
	"github.com/memsys/docker-memsys/internal/store"
	"github.com/memsys/docker-memsys/internal/tree"
)

// Request is what a backup is asked to do, with the world as the command has found it.
type Request struct {
	Project  archive.Project
	Services []archive.Service
	Sources  []compose.Source
	// Containers are all containers of the engine; nil where no engine answers.
	Containers []engine.Container
	// Side is where the sources' files are read; nil for this process.
	Side Side
	// Locate tells where a source lies for the side that reads it; it fails for one that cannot be reached.
	Locate func(ctx context.Context, s compose.Source) (string, error)
	// Volume is the engine's account of a volume, failing with engine.ErrNotFound; nil where no engine answers.
	Volume func(ctx context.Context, name string) (engine.Volume, error)
	// Files are the project's own files to keep.
	Files []compose.File

	Only    []string // services; empty for all
	Exclude []string // users' patterns
	// Paths limits sources to some paths, as Exclusions.Only.
	Paths       map[string][]tree.RawPath
	IncludeLogs bool
	// AcceptShrink tells that a source may be empty, or much smaller than in the last backup.
	AcceptShrink bool
	Quiesce      quiesce.Mode
	NoPause      string // why the engine cannot pause, empty where it can
	HoldLimit    time.Duration
	Reason       string
	Note         string
	Tool         string // version of docker memsys
	Warnings     []string
	// Inspect says how the copied data is looked at; nil: not at all.
	Inspect *inventory.Options
	// Problems are what went wrong before the data is read; with any the backup is incomplete.
	Problems []archive.Problem
}

// Plan is what a backup will do.
type Plan struct {
	Dir      *store.Dir
	Previous *store.Backup // newest good one, for comparison
	Sequence int64
	Sources  []Source
	Left     []compose.Source // not in the backup, each with its reason
	Quiesce  quiesce.Plan
	// Entries and Bytes are what the walk found: the size of the work.
	Entries int64
	Bytes   int64
	// Expected is how large the archive is expected to become, Free what the file system of the backups directory has.
	Expected int64
	Free     int64
	Warnings []string
	// Through says where the files are read: direct, or helper; Why says why.
	Through, Why string

	req       Request
	side      Side
	before    *store.Backup       // newest one whose data was looked at
	written   map[string][]string // names of sources, by the id of a container that writes them
	room      *int64              // as Looked.Room
	allocated int64               // bytes without holes
}

// Source is one source of the plan.
type Source struct {
	compose.Source
	// Root is where it is read, Missing why it cannot be.
	Root    string
	Missing string
	Entries int64
	Bytes   int64

	within     string // as LookedSource.Within
	unreadable int64  // as LookedSource.Unreadable
	shrunk     string // says how it has shrunk; empty where it has not
	emptied    bool   // Missing says that it is empty now
	traits     quiet.Traits
}

// NoSpaceError says that the backups directory has not the room that a backup needs.
type NoSpaceError struct {
	Dir        string
	Need, Free int64
}

func (e *NoSpaceError) Error() string {
	return fmt.Sprintf("no space in %s: a backup needs about %s, %s is free", e.Dir, progress.Size(e.Need), progress.Size(e.Free))
}

// ErrNothing says that no source of the project can be backed up.
var ErrNothing = errors.New("nothing to back up")

// Check tells, before anything is made or locked, whether there is anything to back up. It fails with ErrNothing.
func Check(ctx context.Context, dir *store.Dir, req Request) error {
	p := newPlan(dir, req)
	p.choose(ctx)
	return p.look(ctx, false)
}

func newPlan(dir *store.Dir, req Request) *Plan {
	p := &Plan{Dir: dir, req: req, side: req.Side, Warnings: slices.Clone(req.Warnings)}
	if p.side == nil {
		p.side = Local{}
	}
	return p
}

// Prepare reads the sources' sizes and the backups directory and decides what to do. It changes nothing.
func Prepare(ctx context.Context, dir *store.Dir, req Request) (*Plan, error) {
	p := newPlan(dir, req)
	all, err := dir.List(ctx)
	if err != nil {
		return nil, err
	}
	p.Sequence, p.before = store.NextSequence(all), lastLooked(all, dir.Owner)
	if b, ok := dir.NewestGood(all); ok {
		p.Previous = &b
	} else if was := renamed(all, dir.Owner); was != "" {
		p.Warnings = append(p.Warnings, was)
	}
	p.choose(ctx)
	if err := p.look(ctx, true); err != nil {
		return nil, err
	}
	p.guardSources()
	if err := p.hold(ctx); err != nil {
		return nil, err
	}
	return p, p.weigh()
}
