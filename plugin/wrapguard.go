package plugin

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/memsys/docker-memsys/hooks/guard"
	"github.com/memsys/docker-memsys/internal/progress"
)

// checkForce refuses a --force for something that is no guard.
func (o wrapOptions) checkForce() error { return checkGuards("--force", o.force) }

func checkGuards(what string, names []string) error {
	for _, name := range names {
		if !slices.Contains(guard.Names(), name) {
			return usagef("%s %s means nothing: use one of %s", what, name, strings.Join(guard.Names(), ", "))
		}
	}
	return nil
}

// guards refuses a command that would lose data, unless the guard that says so is passed with --force.
func (w *guarded) guards(ctx context.Context) error {
	found, err := w.findings(ctx)
	if err != nil {
		return err
	}
	var names, next []string
	for _, f := range found {
		switch {
		case !f.Loses:
			w.tellGuard(f, f.Text)
		case w.forced(f):
			w.tellGuard(f, "passed: "+f.Text)
		default:
			w.tellGuard(f, f.Text)
			names = addOnce(names, string(f.Guard))
			next = addOnce(next, f.Next)
		}
	}
	if len(names) == 0 {
		return nil
	}
	return &outcome{
		code: exitFailed, message: fmt.Sprintf("refused by %s; docker compose %s was not run, nothing was changed", strings.Join(names, ", "), w.command.verb),
		hint: strings.Join(next, "; ") + "; if the loss is meant: " + w.flag("force", names...),
	}
}

// planGuards says what each guard would say.
func (w *guarded) planGuards(ctx context.Context) error {
	found, err := w.findings(ctx)
	for _, f := range found {
		switch {
		case !f.Loses:
			w.tellGuard(f, f.Text)
		case w.forced(f):
			w.tellGuard(f, "would be passed: "+f.Text)
		default:
			w.tellGuard(f, "would be refused: "+f.Text)
		}
	}
	if err == nil && len(found) == 0 {
		w.say("plan", "guards: nothing would be lost")
	}
	return err
}

// forced tells that a guard is passed, by a flag or by the setting force.
func (w *guarded) forced(f guard.Finding) bool {
	return slices.Contains(w.opts.force, string(f.Guard)) || slices.Contains(w.Config.Force, string(f.Guard))
}

func (w *guarded) tellGuard(f guard.Finding, text string) {
	w.app.sink().Report(progress.Event{Step: "guard", Object: string(f.Guard), Status: progress.Warning, Text: text})
}

// addOnce adds a text that is not there yet.
func addOnce(all []string, text string) []string {
	if slices.Contains(all, text) {
		return all
	}
	return append(all, text)
}

// findings are what the guards say.
func (w *guarded) findings(ctx context.Context) ([]guard.Finding, error) {
	if err := checkGuards("the setting force:", w.Config.Force); err != nil {
		return nil, err
	}
	facts, err := (&guardFacts{guarded: w}).gather(ctx)
	if err != nil {
		return nil, err
	}
	found := guard.Check(facts)
	w.replaces = slices.ContainsFunc(found, func(f guard.Finding) bool { return f.Loses && f.Guard == guard.VolumeConfig && w.forced(f) })
	return found, nil
}
