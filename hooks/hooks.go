// Package hooks runs users' own commands around an operation: those of a service in its container, those of the project on this machine
// or in a service that it names.
//
// Which commands are owed afterwards is on record in the journal before the first one runs, so that after a crash the next command
// can run them: what a before-… has locked, its after-… unlocks. The record names service and hook, never the command: its
// arguments may hold secrets.
package hooks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/progress"
)

// Engine is what hooks ask of the engine.
type Engine interface {
	Containers(ctx context.Context, f engine.Filter) ([]engine.Container, error)
	ExecAs(ctx context.Context, id string, command engine.Command, out io.Writer) (int, error)
}

// Program runs a program on this machine; Host is the one.
type Program interface {
	Run(ctx context.Context, command, env []string, stdin io.Reader, out io.Writer) (int, error)
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
	Up      Operation = "up"
	Down    Operation = "down"
	Pull    Operation = "pull"
)

// Runner runs the hooks of one project.
type Runner struct {
	Engine  Engine // nil where no engine answers
	Host    Program
	Journal Journal // nil: nothing is owed to anybody
	Project string
	Clock   func() time.Time
	Sink    progress.Sink
	// Message is what the project's hooks are told; the event is filled in.
	Message Message
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
	Service  string  `json:"service"` // empty: this machine
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
	text := fmt.Sprintf("hook %s%s: %s", o.When, place(" of service ", o.Service), o.Status)
	if o.Text != "" {
		text += ": " + o.Text
	}
	return text
}

// place is where a hook runs, as a part of a sentence: "of service app", or nothing on this machine.
func place(word, service string) string {
	if service == "" {
		return ""
	}
	return word + service
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

// NewPlan picks the hooks of an operation from those of the project and of services. The project's are the first before it and the last
// after it.
func NewPlan(op Operation, all []compose.Hook) Plan {
	last := func(h compose.Hook) int {
		if h.Project {
			return 1
		}
		return 0
	}
	p := Plan{Operation: op}
	for _, h := range all {
		switch h.When {
		case "before-" + string(op):
			p.Before = append(p.Before, h)
		case "after-" + string(op):
			p.After = append(p.After, h)
		}
	}
	slices.SortStableFunc(p.Before, func(a, b compose.Hook) int { return last(b) - last(a) })
	slices.SortStableFunc(p.After, func(a, b compose.Hook) int { return last(a) - last(b) })
	return p
}

// Before runs what comes before the operation. After an error, a *Error or the cause of ctx, the operation must not begin; After is
// called in any case.
func (r *Runner) Before(ctx context.Context, p Plan) ([]Outcome, error) {
	if len(p.Before)+len(p.After) == 0 {
		return nil, nil
	}
	if err := r.step(stepBegin, record{Owed: owed(p.After)}); err != nil {
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

// step puts a step on record where there is one.
func (r *Runner) step(name string, data record) error {
	if r.Journal == nil {
		return nil
	}
	return r.Journal.Step(name, data)
}

// run runs one hook. Its error is that of the record, or the cause of ctx; what goes wrong with the command is the outcome.
func (r *Runner) run(ctx context.Context, h compose.Hook) (Outcome, error) {
	o := Outcome{Service: h.Service, When: h.When, Status: Done}
	program, err := r.prepare(ctx, h, &o)
	if err != nil && ctx.Err() != nil {
		return o, context.Cause(ctx)
	}
	if err != nil {
		o.Status, o.Text = Failed, err.Error()
		o.Unknown = !errors.Is(err, errBusy)
		r.tell(o)
		return o, nil // it did not run: it is still owed
	}
	if err := r.step(stepRun, record{Run: refOf(h)}); err != nil {
		return o, err
	}
	if o.Status == Done {
		if err := r.exec(ctx, program, h, &o); err != nil {
			return o, err
		}
	}
	r.tell(o)
	return o, r.step(stepDone, record{Run: refOf(h)})
}

// program runs a hook's command where it belongs.
type program func(ctx context.Context, out io.Writer) (int, error)

// prepare finds where a hook runs. One that never runs, or has nothing to run in, is in the outcome; an error says that it cannot run now.
func (r *Runner) prepare(ctx context.Context, h compose.Hook, o *Outcome) (program, error) {
	if h.Refused != "" {
		o.Status, o.Text = Failed, h.Refused
		return nil, nil
	}
	m := r.Message
	m.Event = h.When
	if h.Service == "" {
		return func(ctx context.Context, out io.Writer) (int, error) {
			return r.Host.Run(ctx, h.Command, m.environ(), bytes.NewReader(m.json()), out)
		}, nil
	}
	c, why, err := r.container(ctx, h)
	if why != "" {
		o.Status, o.Text = Skipped, why
	}
	command := engine.Command{Args: h.Command}
	if h.Project {
		command.Env, command.Stdin = m.environ(), m.json()
	}
	return func(ctx context.Context, out io.Writer) (int, error) { return r.Engine.ExecAs(ctx, c.ID, command, out) }, err
}

// exec runs the command; its error is the cause of ctx.
func (r *Runner) exec(ctx context.Context, run program, h compose.Hook, o *Outcome) error {
	r.Sink.Report(progress.Event{Step: h.When, Object: h.Service, Status: progress.Working})
	start := r.Clock()
	soon, cancel := context.WithTimeoutCause(ctx, h.Timeout, fmt.Errorf("it took longer than %s", h.Timeout))
	defer cancel()
	out := &output{sink: r.Sink, step: h.When, object: h.Service}
	code, err := run(soon, out)
	out.end()
	o.ExitCode, o.Seconds = code, r.Clock().Sub(start).Seconds()
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("hook %s%s: %w", h.When, place(" of service ", h.Service), err)
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
