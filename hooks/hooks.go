// Package hooks runs users' own commands in the containers of their services, before and after an operation.
//
// Which commands are owed afterwards is on record in the journal before the first one runs, so that after a crash the next command
// can run them: what a before-… has locked, its after-… unlocks. The record names service and hook, never the command: its
// arguments may hold secrets.
package hooks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/progress"
)

// Engine is what hooks ask of the engine.
type Engine interface {
	Containers(ctx context.Context, f engine.Filter) ([]engine.Container, error)
	Exec(ctx context.Context, id string, command []string, out io.Writer) (int, error)
}

// Journal is where a step is put on record before it is taken.
type Journal interface {
	Step(name string, data any) error
}

// Operation is what hooks are around: before-OPERATION, after-OPERATION.
type Operation string

// The operations that have hooks.
const (
	Backup  Operation = "backup"
	Restore Operation = "restore"
)

// Runner runs the hooks of one project.
type Runner struct {
	Engine  Engine // nil where no engine answers
	Journal Journal
	Project string
	Clock   func() time.Time
	Sink    progress.Sink
}

// Status is what running a hook came to. The values are shown in JSON.
type Status string

// What running a hook comes to.
const (
	Done   Status = "done"
	Failed Status = "failed"
	// Skipped: the service is off, there is nothing that a command could prepare.
	Skipped Status = "skipped"
)

// Outcome is one hook that had its turn.
type Outcome struct {
	Service  string  `json:"service"`
	When     string  `json:"when"`
	Status   Status  `json:"status"`
	ExitCode int     `json:"exitCode"`
	Seconds  float64 `json:"seconds"`
	Text     string  `json:"text,omitempty"` // why it failed or was skipped
	// Unknown tells that the engine could not say where it is to run: it did not, and is still owed.
	Unknown bool `json:"-"`
}

// String says it in one sentence.
func (o Outcome) String() string {
	text := fmt.Sprintf("hook %s of service %s: %s", o.When, o.Service, o.Status)
	if o.Text != "" {
		text += ": " + o.Text
	}
	return text
}

// Error says that a hook whose failure ends the operation has failed.
type Error struct{ Outcome Outcome }

func (e *Error) Error() string { return e.Outcome.String() }

// Plan is the hooks around one operation, in the order in which they run.
type Plan struct {
	Operation Operation
	Before    []compose.Hook
	After     []compose.Hook
}

// NewPlan picks the hooks of an operation from those of services.
func NewPlan(op Operation, all []compose.Hook) Plan {
	p := Plan{Operation: op}
	for _, h := range all {
		switch h.When {
		case "before-" + string(op):
			p.Before = append(p.Before, h)
		case "after-" + string(op):
			p.After = append(p.After, h)
		}
	}
	return p
}

// Before runs what comes before the operation. After an error, a *Error or the cause of ctx, the operation must not begin; After is
// called in any case.
func (r *Runner) Before(ctx context.Context, p Plan) ([]Outcome, error) {
	if len(p.Before)+len(p.After) == 0 {
		return nil, nil
	}
	if err := r.Journal.Step(stepBegin, record{Owed: owed(p.After)}); err != nil {
		return nil, err
	}
	var all []Outcome
	for _, h := range p.Before {
		o, err := r.run(ctx, h)
		if err != nil {
			return all, err
		}
		all = append(all, o)
		if o.Status == Failed && h.OnError != "continue" {
			return all, &Error{o}
		}
	}
	return all, nil
}

// After runs what comes after the operation, whatever that came to and although ctx has ended: each command has its own timeout. What it
// returns must be told; a hook that could not run because its container is held still stays on record for recover.
func (r *Runner) After(ctx context.Context, p Plan) ([]Outcome, error) {
	ctx = context.WithoutCancel(ctx)
	var all []Outcome
	var errs []error
	for _, h := range p.After {
		o, err := r.run(ctx, h)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		all = append(all, o)
	}
	return all, errors.Join(errs...)
}

// run runs one hook. Its error is that of the record, or the cause of ctx; what goes wrong with the command is the outcome.
func (r *Runner) run(ctx context.Context, h compose.Hook) (Outcome, error) {
	o := Outcome{Service: h.Service, When: h.When, Status: Done}
	c, why, err := r.container(ctx, h)
	if err != nil && ctx.Err() != nil {
		return o, context.Cause(ctx)
	}
	switch {
	case err != nil:
		o.Status, o.Text = Failed, err.Error()
		o.Unknown = !errors.Is(err, errBusy)
	case why != "":
		o.Status, o.Text = Skipped, why
	}
	if err == nil {
		err = r.Journal.Step(stepRun, record{Run: &ref{h.Service, h.When}})
		if err != nil {
			return o, err
		}
	}
	if o.Status == Done {
		if err := r.exec(ctx, c, h, &o); err != nil {
			return o, err
		}
	}
	r.tell(o)
	if err != nil {
		return o, nil // it did not run: it is still owed
	}
	return o, r.Journal.Step(stepDone, record{Run: &ref{h.Service, h.When}})
}

// exec runs the command; its error is the cause of ctx.
func (r *Runner) exec(ctx context.Context, c engine.Container, h compose.Hook, o *Outcome) error {
	r.Sink.Report(progress.Event{Step: h.When, Object: h.Service, Status: progress.Working})
	start := r.Clock()
	soon, cancel := context.WithTimeoutCause(ctx, h.Timeout, fmt.Errorf("it took longer than %s", h.Timeout))
	defer cancel()
	out := &output{sink: r.Sink, step: h.When, object: h.Service}
	code, err := r.Engine.Exec(soon, c.ID, h.Command, out)
	out.end()
	o.ExitCode, o.Seconds = code, r.Clock().Sub(start).Seconds()
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("hook %s of service %s: %w", h.When, h.Service, err)
	case soon.Err() != nil:
		o.Status, o.Text = Failed, tooLate(soon, err)
	case err != nil:
		o.Status, o.Text = Failed, err.Error()
	case code != 0:
		o.Status, o.Text = Failed, fmt.Sprintf("exit code %d", code)
	}
	return nil
}

// tooLate says that the time was over, and what became of the command.
func tooLate(ctx context.Context, err error) string {
	if stray := (*engine.StrayError)(nil); errors.As(err, &stray) {
		return (&engine.StrayError{Err: context.Cause(ctx)}).Error()
	}
	return context.Cause(ctx).Error() + " and was ended"
}

func (r *Runner) tell(o Outcome) {
	e := progress.Event{Step: o.When, Object: o.Service, Status: progress.Done, Text: o.Text}
	switch o.Status {
	case Failed:
		e.Status = progress.Warning
	case Skipped:
		e.Text = "skipped: " + o.Text
	}
	r.Sink.Report(e)
}
