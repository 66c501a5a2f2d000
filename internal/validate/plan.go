package validate

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/inventory"
	"github.com/memsys/docker-memsys/internal/progress"
	"github.com/memsys/docker-memsys/internal/tree"
)

// Source is a source that is looked at.
type Source struct {
	Name string `json:"name"`
	Kind string `json:"kind"` // bind or volume
	// Where is its place for a person: a folder, a volume.
	Where string `json:"where,omitempty"`
	// Missing says why it cannot be looked at; empty where it can.
	Missing string `json:"missing,omitempty"`
	// Stores are the folders and files in it that are stores and databases; of an archive they are not asked for.
	Stores []tree.RawPath `json:"stores,omitempty"`
	// Layout are folders that must be in it.
	Layout []string `json:"layout,omitempty"`
	// Private tells that others cannot get to it from outside, whatever the modes in it say.
	Private bool `json:"private,omitempty"`
}

// Side is where the files are: this process, a helper, an archive.
type Side interface {
	// Survey tells of each source, by its place in the list, why it cannot be read or which stores are in it.
	Survey(ctx context.Context, sources []Source) ([]Source, error)
	// Inspect reads a source.
	Inspect(ctx context.Context, source string, o inventory.Options, calls inventory.Calls) (*inventory.Report, error)
}

// Copier makes private copies of stores that are live.
type Copier interface {
	// Prepare decides how the writers of stores and files are held still while they are copied. It changes nothing.
	Prepare(ctx context.Context, paths map[string][]tree.RawPath) (*CopyPlan, error)
}

// CopyPlan is how private copies are made.
type CopyPlan struct {
	// Mode is how services are held still, in the words of a backup; Hold are those, in this order.
	Mode string   `json:"mode"`
	Hold []string `json:"hold"`
	// MayStop are those of Hold that are paused, and stopped instead where no moment is found in which nothing is in the middle of a change.
	MayStop []string `json:"mayStop,omitempty"`
	// Doubt says why a copy may be torn all the same: somebody writes who is not held still. Empty where nobody does.
	Doubt string `json:"doubt,omitempty"`
	// Bytes is the size of the work.
	Bytes int64 `json:"bytes"`
	// Take makes one copy.
	Take func(ctx context.Context) (Copy, error) `json:"-"`
}

// Copy is a private copy of stores.
type Copy interface {
	// Tree is what was copied of a source.
	Tree(source string) inventory.Tree
	// Doubt says why the copy may be torn; empty where it cannot be.
	Doubt() string
	// Quiesce is how services were held still for it.
	Quiesce() archive.Quiesce
	// Print tells the content of some paths of a source, with all below them, from any other.
	Print(ctx context.Context, source string, paths []tree.RawPath) (string, error)
	// Close removes it.
	Close() error
}

// Request is what a validation is asked to do, with the world as the command has found it.
type Request struct {
	// Backup names the backup that is looked at; empty for live data.
	Backup  string
	Project string
	Sources []Source
	Side    Side
	// Copier is asked for copies where live stores are looked at; nil for archives.
	Copier Copier
	// Options are those of each inspection; Live, NoStores, Layout and Private are decided here.
	Options inventory.Options
	// More are checks of the project as a whole: its services, its backups.
	More []More
	// Warnings are what was noticed before.
	Warnings []string
}

// More makes further checks, those that are wanted. It is told what was found so far: all that is in the sources.
type More func(ctx context.Context, wants func(id string) bool, found *Report) []inventory.Result

// Plan is what a validation will look at, and how.
type Plan struct {
	Backup  string          `json:"backup,omitempty"`
	Project string          `json:"project,omitempty"`
	Depth   inventory.Depth `json:"depth"`
	// Checks are the IDs of those that are made.
	Checks  []string `json:"checks"`
	Sources []Source `json:"sources"`
	// Copy is how live stores are copied; nil where there are none, or none is asked for.
	Copy     *CopyPlan `json:"copy,omitempty"`
	Warnings []string  `json:"warnings,omitempty"`

	req   Request
	wants func(id string) bool
}

// Prepare looks at the sources and decides what to do. It changes nothing.
func Prepare(ctx context.Context, req Request) (*Plan, error) {
	p := &Plan{
		Backup: req.Backup, Project: req.Project, Depth: req.Options.Depth, Checks: []string{}, Warnings: slices.Clone(req.Warnings),
		req: req, wants: inventory.Wanted(req.Options.Checks, req.Options.Skip),
	}
	for _, c := range checksOf(req.Backup) {
		if p.wants(c.ID) {
			p.Checks = append(p.Checks, c.ID)
		}
	}
	var err error
	if p.Sources, err = req.Side.Survey(ctx, req.Sources); err != nil {
		return nil, fmt.Errorf("look at the sources: %w", err)
	}
	if stores := p.stores(); req.Copier != nil && len(stores) > 0 {
		if p.Copy, err = req.Copier.Prepare(ctx, stores); err != nil {
			return nil, fmt.Errorf("plan private copies of the stores: %w", err)
		}
	}
	return p, nil
}

// LooksAtStores tells whether a check of stores or databases is asked for: only those need anybody to be held still.
func LooksAtStores(o inventory.Options) bool {
	wants := inventory.Wanted(o.Checks, o.Skip)
	return slices.ContainsFunc(inventory.StoreChecks(), func(c inventory.Check) bool { return wants(c.ID) })
}

// stores are those of which a check is asked for, by source.
func (p *Plan) stores() map[string][]tree.RawPath {
	out := map[string][]tree.RawPath{}
	if !LooksAtStores(p.req.Options) {
		return out
	}
	for _, s := range p.Sources {
		if s.Missing == "" && len(s.Stores) > 0 {
			out[s.Name] = s.Stores
		}
	}
	return out
}

// Runner carries out plans.
type Runner struct {
	Clock    func() time.Time
	Progress progress.Sink
	// Record is told each record, as inventory.Calls.Record; nil where nobody wants them.
	Record func(inventory.Record)
	// Before is called before the sources are read, with the checks that are wanted; nil where nothing is to be asked then.
	Before func(ctx context.Context, wants func(id string) bool)

	copies []archive.Quiesce // how services were held still for each copy
}
