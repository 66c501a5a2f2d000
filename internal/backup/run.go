package backup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/inventory"
	"github.com/memsys/docker-memsys/internal/progress"
	"github.com/memsys/docker-memsys/internal/quiesce"
	"github.com/memsys/docker-memsys/internal/store"
)

// Steps that a backup puts on record before it takes them, for a crash to find.
const (
	// StepTemporary carries the path of the archive that is being written: it is removed.
	StepTemporary = "backup-temporary"
	// StepPublish carries the path of the temporary file that is being given its name: whole in either place.
	StepPublish = "backup-publish"
)

// Journal is where a backup puts a step on record before it takes it.
type Journal interface {
	Step(name string, data any) error
}

// Quiescer holds services still and lets them go.
type Quiescer interface {
	Hold(ctx context.Context, p quiesce.Plan) (*quiesce.Held, error)
}

// Runner carries out plans.
type Runner struct {
	Clock    func() time.Time
	Journal  Journal
	Quiescer Quiescer
	// Containers lists all containers of the engine; nil where no engine answers.
	Containers func(ctx context.Context) ([]engine.Container, error)
	Progress   progress.Sink
	NewID      func() (string, error)
}

// Result is what a backup came to.
type Result struct {
	Backup   store.Backup      `json:"-"`
	Name     string            `json:"name"`
	Path     string            `json:"path"`
	Size     int64             `json:"size"`
	Files    int64             `json:"files"`
	Bytes    int64             `json:"bytes"`
	Ratio    float64           `json:"ratio"` // bytes of data for one byte of archive
	Complete bool              `json:"complete"`
	SHA256   string            `json:"sha256"`
	Seconds  Seconds           `json:"seconds"`
	Missing  []Missing         `json:"missing,omitempty"`
	Problems []archive.Problem `json:"problems,omitempty"`
	// Held is how long each service was held still, Tries how often, until nothing was in the middle of a change.
	Held  []archive.Held `json:"held,omitempty"`
	Tries int            `json:"tries,omitempty"`
	// Validation is what the look at the copied data came to, Known what of its damage is not new.
	Validation *inventory.Validation `json:"validation,omitempty"`
	Known      *Known                `json:"known,omitempty"`
	Warnings   []string              `json:"warnings,omitempty"`
}

// Missing is a source that belongs into the backup and could not be reached.
type Missing struct {
	Name string `json:"name"`
	Why  string `json:"why"`
	// Empty: it is there, and holds nothing, though the last good backup has data of it.
	Empty bool `json:"empty,omitempty"`
}

// Whole tells that the backup holds all that is there, though it may be incomplete: what it lacks is what the last good backup had more of
// the sources, and all of those that are named in absent, since they do not exist.
func (res *Result) Whole(absent []string) bool {
	lacks := func(m Missing) bool { return !m.Empty && !slices.Contains(absent, m.Name) }
	unread := func(p archive.Problem) bool { return p.Kind != problemShrunk && p.Kind != problemVanished }
	return !slices.ContainsFunc(res.Missing, lacks) && !slices.ContainsFunc(res.Problems, unread)
}

// Seconds are the times of a backup's phases.
type Seconds struct {
	Total float64 `json:"total"`
	Held  float64 `json:"held"` // services held still while the data was read
	// Longest is the longest time in one go that a service was held still.
	Longest float64 `json:"longest"`
	Write   float64 `json:"write"`   // reading, compressing and writing, until the bytes are on the disk
	Inspect float64 `json:"inspect"` // looking at the copied data, all copies together
	Verify  float64 `json:"verify"`  // reading back and checking every byte, and both sums
}

// Run makes the backup that the plan says. On an error nothing is left behind and all services run as before; the
// temporary file is removed unless the process is killed, then the next command removes it.
func (r *Runner) Run(ctx context.Context, p *Plan) (res *Result, err error) {
	start := r.Clock()
	if err := p.Dir.Ensure(); err != nil {
		return nil, err
	}
	path, err := p.Dir.TemporaryPath(start)
	if err != nil {
		return nil, err
	}
	if err := r.Journal.Step(StepTemporary, path); err != nil {
		return nil, err
	}
	pending, err := p.Dir.Create(path)
	if err != nil {
		return nil, err
	}
	defer func() {
		if aborted := pending.Abort(); aborted != nil {
			err = errors.Join(err, fmt.Errorf("remove unfinished archive: %w", aborted))
		}
		_ = os.RemoveAll(store.Scratch(path)) // a helper that died may have left it; what stays, a later run sweeps
	}()
	res = &Result{}
	m, err := r.write(ctx, p, pending, res)
	if err != nil {
		return nil, err
	}
	report, err := r.prove(ctx, pending, res)
	if err != nil {
		return nil, err
	}
	if err := r.Journal.Step(StepPublish, path); err != nil {
		return nil, err
	}
	b, err := pending.Publish(ctx, start, m, report)
	if err != nil {
		return nil, err
	}
	res.fill(b, p, m, report)
	res.Seconds.Total = r.since(start)
	return res, nil
}

func (r *Runner) since(t time.Time) float64 { return r.Clock().Sub(t).Seconds() }

func (res *Result) fill(b store.Backup, p *Plan, m *archive.Manifest, report *archive.Report) {
	res.Backup, res.Name, res.Path, res.Size = b, b.Name, b.Path, b.Size
	res.Files, res.Bytes, res.Complete = b.Files, b.Bytes, m.Complete
	res.SHA256, res.Problems, res.Warnings = report.SHA256, m.Problems, m.Warnings
	for _, src := range p.Sources {
		if src.Missing != "" {
			res.Missing = append(res.Missing, Missing{src.Name, src.Missing, src.emptied})
		}
	}
	if b.Size > 0 {
		res.Ratio = float64(b.Bytes) / float64(b.Size)
	}
}

// prove reads the archive back from the disk and checks every byte.
func (r *Runner) prove(ctx context.Context, pending *store.Pending, res *Result) (*archive.Report, error) {
	start := r.Clock()
	size, err := pending.Flush()
	if err != nil {
		return nil, err
	}
	report, err := archive.Verify(ctx, pending.File, size, archive.VerifyOptions{OnBytes: progress.Counter(r.Progress, progress.Event{Step: "verify", Total: size})})
	if err != nil {
		return nil, fmt.Errorf("read back archive: %w", err)
	}
	if len(report.Damage) > 0 {
		return nil, &DamagedError{Damage: report.Damage}
	}
	res.Seconds.Verify = r.since(start)
	r.done("verify", size)
	return report, nil
}

// DamagedError says that the bytes on the disk are not those that were written: bad memory, disk or file system.
type DamagedError struct{ Damage []archive.Damage }

func (e *DamagedError) Error() string {
	d := e.Damage[0]
	return fmt.Sprintf("the archive read back from the disk is damaged in %d places, first at byte %d (%s): %s", len(e.Damage), d.Offset, d.Path, d.Reason)
}

// done reports that a step is over and how many bytes it went through.
func (r *Runner) done(step string, bytes int64) {
	r.Progress.Report(progress.Event{Step: step, Status: progress.Done, Done: bytes, Unit: progress.Bytes})
}
