package plugin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/hooks"
	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/backup"
	"github.com/memsys/docker-memsys/internal/journal"
	"github.com/memsys/docker-memsys/internal/progress"
	"github.com/memsys/docker-memsys/internal/restore"
	"github.com/memsys/docker-memsys/internal/validate"
)

// noHooksFlag adds the flag of commands that run hooks.
func noHooksFlag(cmd *cobra.Command, off *bool) {
	cmd.Flags().BoolVar(off, "no-hooks", false, "Run no commands of x-memsys")
}

// hooksOf are the hooks of services in the order of the project; of all services where none is named.
func (s *session) hooksOf(services []string) []compose.Hook {
	var all []compose.Hook
	for _, svc := range s.Project.Services() {
		if len(services) == 0 || slices.Contains(services, svc.Name) {
			all = append(all, svc.Hooks...)
		}
	}
	return all
}

// backupHooks are the hooks around a backup of services: those of the project, and theirs.
func (s *session) backupHooks(services []string, off bool) hooks.Plan {
	if off {
		return hooks.NewPlan(hooks.Backup, nil)
	}
	return hooks.NewPlan(hooks.Backup, append(s.Project.Hooks(), s.hooksOf(services)...))
}

// restoreHooks are the hooks around a restore: of the services that are named, of those that mount a source that is named, else of all.
func (s *session) restoreHooks(p *restore.Plan, opts restoreOptions) hooks.Plan {
	if opts.noHooks {
		return hooks.NewPlan(hooks.Restore, nil)
	}
	services := slices.Clone(opts.services)
	if len(opts.sources) > 0 {
		services = append(services, s.mounting(p)...)
		if len(services) == 0 {
			return hooks.NewPlan(hooks.Restore, nil)
		}
	}
	return hooks.NewPlan(hooks.Restore, s.hooksOf(services))
}

// mounting are the services that mount a target of a restore.
func (s *session) mounting(p *restore.Plan) []string {
	var services []string
	for _, src := range s.Sources {
		if slices.ContainsFunc(p.Targets, func(t *restore.Target) bool { return t.Name == src.Name }) {
			for _, m := range src.Mounts {
				services = append(services, m.Service)
			}
		}
	}
	return services
}

// hookRunner runs hooks of the project, on record in its journal.
func (s *session) hookRunner(op hooks.Operation) *hooks.Runner {
	r := &hooks.Runner{
		Host: hooks.Host{Dir: s.WorkingDir, Environ: s.app.environOf()}, Project: s.Name,
		Clock: s.app.world.Now, Sink: s.app.sink(), Message: s.hookMessage(op),
	}
	if s.journal != nil {
		r.Journal = s.journal
	}
	if s.reachable() {
		r.Engine = s.Engine.Client
	}
	return r
}

// withHooks does something with the hooks around it. What comes after runs whatever happened, but for a restore that is stuck: its services
// are not let go yet, and recover runs what is owed once they are.
func (s *session) withHooks(ctx context.Context, p hooks.Plan, do func(before []hooks.Outcome) error) ([]hooks.Outcome, error) {
	r := s.hookRunner(p.Operation)
	all, err := r.Before(ctx, p)
	if err == nil {
		err = do(all)
	} else {
		err = hooksRefused(err)
	}
	if errors.As(err, new(*restore.StuckError)) {
		return all, err
	}
	r.Message.Result, r.Message.Backup = s.hookResult(p.Operation, err), s.backedUp()
	after, recorded := r.After(ctx, p)
	all = append(all, after...)
	s.audited.incomplete = s.audited.incomplete || hooksFailed(all, "") != nil
	return all, errors.Join(err, recorded)
}

// hooksRefused is the error of hooks before an operation, which therefore does not begin.
func hooksRefused(err error) error {
	if !errors.As(err, new(*hooks.Error)) {
		return err
	}
	return &outcome{
		code: exitFailed, message: err.Error() + "; nothing was changed", err: err,
		hint: "mend the command, set on-error: continue, or leave hooks out with --no-hooks",
	}
}

// hookProblems are hooks that have failed though they may, as a backup keeps them; what was skipped is a warning.
func hookProblems(all []hooks.Outcome) (problems []archive.Problem, warnings []string) {
	for _, o := range all {
		switch o.Status {
		case hooks.Failed:
			problems = append(problems, archive.Problem{Kind: backup.ProblemHook, Error: o.String()})
		case hooks.Skipped:
			warnings = append(warnings, o.String())
		}
	}
	return problems, warnings
}

// hooksFailed is the outcome of a command that has done its work while hooks failed; nil where none did.
func hooksFailed(all []hooks.Outcome, did string) error {
	var failed []string
	for _, o := range all {
		if o.Status == hooks.Failed {
			failed = append(failed, o.String())
		}
	}
	if len(failed) == 0 {
		return nil
	}
	return &outcome{code: exitIncomplete, message: did + ", but " + strings.Join(failed, "; ")}
}

// hookLine is a hook in a plan. Of its command only the program is shown: arguments may hold secrets.
func hookLine(h compose.Hook) string {
	command := h.Command[0]
	if len(h.Command) > 1 {
		command += " …"
	}
	return fmt.Sprintf("run %s %s: %s (at most %s, on error: %s)", h.When, hookPlace(h.Service), command, h.Timeout, h.OnError)
}

// hookPlace is where a hook runs, for a person.
func hookPlace(service string) string {
	if service == "" {
		return "on this machine"
	}
	return "of " + service
}

// hookLines are the hooks of a plan for a person.
func hookLines(all []compose.Hook) string {
	var b strings.Builder
	for _, h := range all {
		b.WriteString(hookLine(h) + "\n")
	}
	return b.String()
}

// plannedHook is a hook in JSON output.
type plannedHook struct {
	Service string `json:"service"` // empty: this machine
	When    string `json:"when"`
	Program string `json:"program"`
	Timeout string `json:"timeout"`
	OnError string `json:"onError"`
}

func plannedHooks(p hooks.Plan) []plannedHook {
	var out []plannedHook
	for _, h := range append(slices.Clone(p.Before), p.After...) {
		out = append(out, plannedHook{h.Service, h.When, h.Command[0], h.Timeout.String(), h.OnError})
	}
	return out
}

// backupResult is a backup and the hooks that ran around it.
type backupResult struct {
	*backup.Result
	Hooks []hooks.Outcome `json:"hooks,omitempty"`
}

// restoreResult is a restore and the hooks that ran around it.
type restoreResult struct {
	*restore.Result
	// LastGood is what was looked for and taken from this backup.
	LastGood []*validate.Unit `json:"lastGood,omitempty"`
	Hooks    []hooks.Outcome  `json:"hooks,omitempty"`
}

// restorePlan is the plan of a restore and the hooks that will run around it.
type restorePlan struct {
	*restore.Plan
	LastGood []*validate.Unit `json:"lastGood,omitempty"`
	Hooks    []plannedHook    `json:"hooks,omitempty"`
}

// owedHooks are what an interrupted run would have run afterwards, as the project has them now; gone are those that it has no more.
func (s *session) owedHooks(pending *journal.Interrupted) (owed []compose.Hook, gone []string, err error) {
	refs, err := hooks.Owed(pending.Steps)
	if err != nil {
		return nil, nil, err
	}
	for _, ref := range refs {
		all := s.hooksOf([]string{ref.Service})
		if ref.Project {
			all = s.Project.Hooks()
		}
		i := slices.IndexFunc(all, func(h compose.Hook) bool { return h.When == ref.When && h.Service == ref.Service })
		if i < 0 {
			gone = append(gone, fmt.Sprintf("hook %s %s did not run, and the project has it no more", ref.When, hookPlace(ref.Service)))
			continue
		}
		owed = append(owed, all[i])
	}
	return owed, gone, nil
}

// resolveHooks runs what an interrupted run has promised to run afterwards: what its before-… has locked must not stay locked. That a
// command fails, or that its container is held still, is said and hinders nothing; that no engine answers does, where something may be locked.
func (s *session) resolveHooks(ctx context.Context, pending *journal.Interrupted) error {
	owed, gone, err := s.owedHooks(pending)
	if err != nil {
		return err
	}
	for _, text := range gone {
		s.app.sink().Report(progress.Event{Step: "recover", Status: progress.Warning, Text: text})
	}
	if len(owed) == 0 {
		return nil
	}
	far := slices.DeleteFunc(slices.Clone(owed), func(h compose.Hook) bool { return h.Service == "" })
	if !s.reachable() && len(far) > 0 && hooks.Began(pending.Steps) {
		var names []string
		for _, h := range far {
			names = append(names, h.When+" "+hookPlace(h.Service))
		}
		return fmt.Errorf("hooks are still to run, and no engine answers: %s", strings.Join(names, ", "))
	}
	r := s.hookRunner(hooks.Operation(pending.Op))
	r.Message.Result = &hooks.Result{Status: "interrupted", ExitCode: exitInterrupted}
	all, err := r.After(ctx, hooks.Plan{After: owed})
	for _, o := range all {
		if o.Unknown && hooks.Began(pending.Steps) {
			err = errors.Join(err, fmt.Errorf("it is still to run: %s", o))
		}
	}
	return err
}

// owedLines say which hooks recover would run.
func (s *session) owedLines(pending *journal.Interrupted) ([]string, error) {
	owed, gone, err := s.owedHooks(pending)
	for _, h := range owed {
		gone = append(gone, hookLine(h))
	}
	return gone, err
}
