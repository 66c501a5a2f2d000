package restore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/progress"
	"github.com/memsys/docker-memsys/internal/quiesce"
)

// Journal is where a restore puts a step on record before it takes it.
type Journal interface {
	Step(name string, data any) error
}

// Quiescer stops services and lets them go. It must have no guardian that starts them by itself: between two moves of a swap
// nothing may run.
type Quiescer interface {
	Hold(ctx context.Context, p quiesce.Plan) (*quiesce.Held, error)
}

// Saved is a safety backup.
type Saved struct {
	Name     string `json:"name"`
	Path     string `json:"path"`
	Complete bool   `json:"complete"`
	// Lacking are the sources that are not whole in a backup that is not complete.
	Lacking []string `json:"lacking,omitempty"`
}

// Runner carries out plans.
type Runner struct {
	Clock    func() time.Time
	Journal  Journal
	Quiescer Quiescer
	// Containers lists all containers of the engine; nil where no engine answers.
	Containers func(ctx context.Context) ([]engine.Container, error)
	Volumes    Volumes
	// Safety makes the safety backup of a plan whose mode is SafetyBackup.
	Safety   func(ctx context.Context) (Saved, error)
	Progress progress.Sink
	// SkipOwners tells that this process may not set owners.
	SkipOwners bool
	// Keep writes, durable, what an undo needs to know; Forget removes the record of a restore that did not come to count. Nil keeps none.
	Keep   func(Record) error
	Forget func(id string) error
	// OpenSafety opens the safety backup again, to compare what was set aside with it; nil opens its path.
	OpenSafety func(ctx context.Context, s Saved) (*archive.Reader, io.Closer, error)

	onMove func() error // after each move of a swap, for tests that fail or die there
}

// Result is what a restore came to.
type Result struct {
	Backup  Backup      `json:"backup"`
	Targets []*Target   `json:"targets"`
	Skipped []Skipped   `json:"skipped,omitempty"`
	Stopped []Container `json:"stopped,omitempty"`
	Safety  *Saved      `json:"safety,omitempty"`
	// Aside are the folders that keep the entries which were replaced, where no safety backup has them.
	Aside   []string `json:"aside,omitempty"`
	Entries int64    `json:"entries"`
	Bytes   int64    `json:"bytes"`
	Seconds Seconds  `json:"seconds"`
	// Problems are attributes that could not be set as the archive has them.
	Problems []Problem `json:"problems,omitempty"`
	Warnings []string  `json:"warnings,omitempty"`
	// Counted is what the restored data holds, for each source.
	Counted []Counted `json:"counted,omitempty"`
	// Undoes is the restore that was undone.
	Undoes *Undone `json:"undoes,omitempty"`
	// Complete tells that all that was wanted is restored as the archive has it.
	Complete bool `json:"complete"`
}

// Problem is an entry that is not in every attribute as the archive has it.
type Problem struct {
	Source string `json:"source"`
	Path   string `json:"path"`
	Text   string `json:"text"`
}

// Seconds are the times of a restore's phases.
type Seconds struct {
	Total  float64 `json:"total"`
	Verify float64 `json:"verify"`
	Safety float64 `json:"safety"`
	Write  float64 `json:"write"`
	Check  float64 `json:"check"`
	Down   float64 `json:"down"` // services stopped
}

// RevertedError says that a restore failed and everything is as it was before.
type RevertedError struct{ Err error }

func (e *RevertedError) Error() string {
	return fmt.Sprintf("restore failed, everything was put back: %v", e.Err)
}

// Unwrap returns the cause.
func (e *RevertedError) Unwrap() error { return e.Err }

// StuckError says that neither the new nor the former state could be reached: a person is needed, or the next command.
type StuckError struct {
	Err error
	// Where says in sentences what is where.
	Where []string
}

func (e *StuckError) Error() string {
	return fmt.Sprintf("restore needs a person: %v (%s)", e.Err, strings.Join(e.Where, "; "))
}

// Unwrap returns the cause.
func (e *StuckError) Unwrap() error { return e.Err }

// Run carries out the plan. It returns a *RevertedError where the former state is in place again, and a *StuckError where it is not:
// only then the operation stays open in the journal.
func (r *Runner) Run(ctx context.Context, p *Plan) (*Result, error) {
	if len(p.Refusals) > 0 {
		return nil, &RefusedError{Refusals: p.Refusals}
	}
	x := r.begin(p)
	if err := x.verify(ctx); err != nil {
		return nil, err
	}
	if err := x.forward(ctx); err != nil {
		return nil, x.back(ctx, err)
	}
	return x.result, x.finish(ctx)
}

func (r *Runner) begin(p *Plan) *execution {
	return &execution{Runner: r, plan: p, start: r.Clock(), result: &Result{
		Backup: p.Backup, Targets: p.Targets, Skipped: p.Skipped, Stopped: p.Stop, Warnings: p.Warnings, Undoes: p.Undoes,
	}}
}

// execution is one run of a plan.
type execution struct {
	*Runner
	plan   *Plan
	result *Result
	held   *quiesce.Held
	work   []*work
	// volumes and roots are what was made.
	volumes  []string
	roots    [][]string
	takes    []take
	recorded string                // id of the record that was kept
	stamps   map[*Target]time.Time // of each file system, before the safety backup
	start    time.Time
	down     time.Time
}

// forward does everything up to the commit. The caller goes back on an error.
func (x *execution) forward(ctx context.Context) error {
	steps := []func(context.Context) error{x.stop, x.save, x.makeRoots, x.stage, x.alone, x.swap, x.check, x.gate, x.late, x.keepRecord, x.commit}
	for _, step := range steps {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// stop stops every container that uses a target.
func (x *execution) stop(ctx context.Context) (err error) {
	if x.Containers == nil {
		return nil
	}
	x.down = x.Clock()
	if x.held, err = x.Quiescer.Hold(ctx, x.plan.quiesce); err != nil {
		return err
	}
	return x.alone(ctx)
}

// alone fails where a container runs that uses a target: somebody has started it, or an engine that was started anew.
func (x *execution) alone(ctx context.Context) error {
	if x.Containers == nil {
		return nil
	}
	now, err := x.Containers(ctx)
	if err != nil {
		return fmt.Errorf("look for containers that use the data: %w", err)
	}
	for _, c := range now {
		sources, err := x.plan.usedBy(ctx, c)
		if err != nil {
			return err
		}
		if len(sources) > 0 {
			return fmt.Errorf("container %s has started meanwhile and uses %s", c.Name, strings.Join(sources, ", "))
		}
	}
	return nil
}

// save makes the safety backup, while everything that uses the data stands still.
func (x *execution) save(ctx context.Context) error {
	if x.plan.Safety.Mode != SafetyBackup {
		return nil
	}
	start := x.Clock()
	x.stamp()
	saved, err := x.Safety(ctx)
	if err != nil {
		return fmt.Errorf("make the safety backup: %w", err)
	}
	x.result.Safety, x.result.Seconds.Safety = &saved, x.since(start)
	if saved.Complete {
		return nil
	}
	for _, t := range x.plan.Targets {
		if t.Aside == "" && (len(saved.Lacking) == 0 || slices.Contains(saved.Lacking, t.Name)) {
			t.Aside = "the safety backup is incomplete"
		}
	}
	return nil
}

// back puts everything back after a failure.
func (x *execution) back(ctx context.Context, cause error) error {
	ctx = context.WithoutCancel(ctx)
	_ = x.Journal.Step(stepRevert, nil) // without it the next command reverts all the same: no commit is on record
	users, err := x.holdUsers(ctx, x.moving())
	if err != nil { // who cannot be seen must not keep the data between two states
		cause = errors.Join(cause, err)
	}
	if err := x.begun().revert(ctx, x.Volumes); err != nil {
		return &StuckError{Err: errors.Join(cause, err), Where: x.begun().where()}
	}
	_ = x.Journal.Step(stepCleaned, nil) // without it the next command sets the time of the roots once more
	if err := errors.Join(x.release(ctx), release(ctx, users)); err != nil {
		return &StuckError{Err: errors.Join(cause, err), Where: []string{"the data is as it was before", "not all services could be started again"}}
	}
	if err := x.forget(x.recorded); err != nil {
		return &StuckError{Err: errors.Join(cause, err), Where: []string{"the data is as it was before and the services run", "the next command forgets the restore"}}
	}
	if err := x.Journal.Step(stepDone, nil); err != nil {
		cause = errors.Join(cause, err)
	}
	return &RevertedError{Err: cause}
}

// finish does what is left after the commit: the former entries go, the services start.
func (x *execution) finish(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	cleaned := x.begun().clean(ctx)
	if cleaned == nil {
		cleaned = x.Journal.Step(stepCleaned, nil)
	}
	if err := x.release(ctx); err != nil {
		return &StuckError{Err: errors.Join(err, cleaned), Where: []string{"the restored data is in place", "not all services could be started again"}}
	}
	if cleaned != nil {
		return &StuckError{Err: cleaned, Where: []string{"the restored data is in place and the services run", "former entries are left in the staging folders"}}
	}
	if err := x.Journal.Step(stepDone, nil); err != nil {
		return &StuckError{Err: err, Where: []string{"the restored data is in place and the services run", "the next command closes the record"}}
	}
	x.tell()
	return nil
}

// forget removes the record of a restore that does not count.
func (r *Runner) forget(id string) error {
	if id == "" || r.Forget == nil {
		return nil
	}
	return r.Forget(id)
}

// moving are the roots whose swap has begun.
func (x *execution) moving() []string {
	var roots []string
	for _, w := range x.work {
		if w.moving {
			roots = append(roots, w.target.Root)
		}
	}
	return roots
}

// release lets go what is held; nil: nothing.
func release(ctx context.Context, held *quiesce.Held) error {
	if held == nil {
		return nil
	}
	return held.Release(ctx)
}

func (x *execution) release(ctx context.Context) error {
	if x.held == nil {
		return nil
	}
	err := x.held.Release(ctx)
	x.result.Seconds.Down = x.since(x.down)
	return err
}

// tell completes the result.
func (x *execution) tell() {
	res := x.result
	for _, w := range x.work {
		res.Entries += w.target.Entries
		res.Bytes += w.target.Bytes
		if w.target.Aside != "" && w.replaced() {
			res.Aside = append(res.Aside, w.aside())
		}
	}
	res.Seconds.Total = x.since(x.start)
	res.Complete = (x.plan.manifest.Complete || x.plan.req.Undo != nil) && len(res.Problems) == 0
	for _, s := range res.Skipped {
		res.Complete = res.Complete && !s.Wanted
	}
}

func (x *execution) since(t time.Time) float64 { return x.Clock().Sub(t).Seconds() }

func (x *execution) report(step string, object string, status progress.Status) {
	x.Progress.Report(progress.Event{Step: step, Object: object, Status: status})
}
