package plugin

import (
	"context"
	"errors"
	"slices"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/hooks"
)

// hookMessage is what the project's hooks are told of an operation before it.
func (s *session) hookMessage(op hooks.Operation) hooks.Message {
	return hooks.Message{
		Version: hooks.MessageVersion, Operation: string(op), Project: s.Name, Directory: s.WorkingDir, Backups: s.Store.Path,
	}
}

// hookResult is what an operation came to.
func (s *session) hookResult(op hooks.Operation, err error) *hooks.Result {
	v := judge(err, s.app.interruption.happened(), false)
	if err == nil && op == hooks.Backup && s.made != nil {
		switch {
		case s.made.Backup.Damaged():
			v.Code = exitDamaged
		case !s.made.Complete:
			v.Code = exitIncomplete
		}
	}
	r := &hooks.Result{Status: "failed", ExitCode: v.Code, Error: v.Message}
	switch v.Code {
	case exitDone:
		r.Status = "done"
	case exitIncomplete:
		r.Status = "incomplete"
	case exitInterrupted:
		r.Status = "interrupted"
	}
	return r
}

// backedUp is the backup that this run has made; nil where it has made none.
func (s *session) backedUp() *hooks.Backed {
	if s.made == nil {
		return nil
	}
	return &hooks.Backed{
		Name: s.made.Name, Path: s.made.Path, Size: s.made.Size, SHA256: s.made.SHA256, Complete: s.made.Complete, Damaged: s.made.Backup.Damaged(),
	}
}

// onFailure runs the project's hook for a command that has failed with err. It is the last of all and owed to nobody: the lock is given back,
// so that it may use docker memsys itself. c is nil for commands that are no docker compose's.
func (s *session) onFailure(ctx context.Context, op hooks.Operation, c *composeCommand, off bool, err error) {
	if err == nil || off || errors.As(err, new(*usageError)) {
		return
	}
	if child := (*compose.ExitError)(nil); c != nil && c.attached() && errors.As(err, &child) && child.Code == exitInterrupted {
		return // that is how it is ended
	}
	all := slices.DeleteFunc(s.Project.Hooks(), func(h compose.Hook) bool { return h.When != compose.OnFailure })
	if len(all) == 0 {
		return
	}
	s.app.run = "" // nobody has the project any more: a docker compose in it is guarded like any other
	r := s.hookRunner(op)
	r.Journal, r.Message.Result, r.Message.Backup = nil, s.hookResult(op, err), s.backedUp()
	if c != nil {
		r.Message.Arguments = c.args
	}
	_, _ = r.After(ctx, hooks.Plan{Operation: op, After: all}) // what goes wrong with it was said
}

// hooked are the project's hooks around a command that we wrap.
type hooked struct {
	around hooks.Plan
	begun  bool
	ran    []hooks.Outcome
}

// hookPlan are the project's hooks around the command.
func (w *guarded) hookPlan() hooks.Plan {
	if w.opts.noHooks {
		return hooks.Plan{}
	}
	return hooks.NewPlan(hooks.Operation(w.command.verb), w.Project.Hooks())
}

// planHooks says which hooks would run.
func (w *guarded) planHooks() {
	p := w.hookPlan()
	for _, h := range slices.Concat(p.Before, p.After) {
		w.say("plan", hookLine(h))
	}
}

// runHooks runs hooks of the project around the command.
func (w *guarded) runHooks() *hooks.Runner {
	r := w.hookRunner(w.around.Operation)
	r.Message.Arguments = w.command.args
	return r
}

// hooksBefore runs the project's hooks before the command.
func (w *guarded) hooksBefore(ctx context.Context) (err error) {
	w.around, w.begun = w.hookPlan(), true
	owed := w.around
	if w.command.attached() || w.inside {
		owed.After = nil // nobody holds the lock, nor the record, when these could run
	}
	w.ran, err = w.runHooks().Before(ctx, owed)
	return hooksRefused(err)
}

// hooksAfter runs the project's hooks after the command, whatever that came to.
func (w *guarded) hooksAfter(ctx context.Context, err error) error {
	if !w.begun {
		return err
	}
	r := w.runHooks()
	r.Message.Result, r.Message.Backup = w.hookResult(w.around.Operation, err), w.backedUp()
	after, recorded := r.After(ctx, w.around)
	w.ran = append(w.ran, after...)
	failed := hooksFailed(w.ran, "docker compose "+w.command.verb+" has done its work")
	w.audited.incomplete = w.audited.incomplete || failed != nil
	if err == nil {
		err = failed
	}
	return errors.Join(err, recorded)
}

// hooksAfterBackup runs the hooks after the backup of a command that deletes data, once its services are back or handed over.
func (w *guarded) hooksAfterBackup(ctx context.Context, p hooks.Plan) error {
	r := w.hookRunner(hooks.Backup)
	r.Message.Result, r.Message.Backup = &hooks.Result{Status: "failed", ExitCode: exitFailed}, w.backedUp()
	if w.made != nil {
		r.Message.Result = w.hookResult(hooks.Backup, nil)
	}
	after, err := r.After(ctx, p)
	w.ran = append(w.ran, after...)
	return err
}
