package plugin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/backup"
	"github.com/memsys/docker-memsys/internal/inventory"
	"github.com/memsys/docker-memsys/internal/validate"
)

// operationValidate is the operation of a validation for which services are held still.
const operationValidate = "validate"

// reported prints a report and says how the validation ends.
func (a *app) reported(r *validate.Report, opts validateOptions) error {
	if err := a.printValidation(r, opts); err != nil {
		return err
	}
	return opts.validated(r)
}

// validateLive looks at the live data of the project and hands the report on. Only where somebody is held still it is an operation with lock and record.
func (a *app) validateLive(ctx context.Context, opts validateOptions, then func(*validate.Report) error) error {
	s, err := a.openSession(ctx, opts.overrides())
	if err != nil {
		return err
	}
	if s.Sources, err = chosenSources(s.Sources, opts.sources); err != nil {
		return err
	}
	o, err := opts.inspection(a, &s.Config, "")
	if err != nil {
		return err
	}
	if opts.dryRun || !validate.LooksAtStores(o) || !s.mayHold(ctx) {
		defer s.leave(ctx)
		a.noticeInterrupted(s.project)
		return s.validateData(ctx, o, opts, then)
	}
	if ctx, err = s.begin(ctx, operationValidate, opts.lockOptions, nil); err != nil {
		return err
	}
	if s.Sources, err = chosenSources(s.Sources, opts.sources); err == nil {
		err = s.validateData(ctx, o, opts, then)
	}
	return errors.Join(err, s.end(ctx, err))
}

// chosenSources leaves out what is excluded, and what was not asked for.
func chosenSources(all []compose.Source, wanted []string) ([]compose.Source, error) {
	for _, name := range wanted {
		i := slices.IndexFunc(all, func(s compose.Source) bool { return s.Name == name })
		if i < 0 {
			return nil, &usageError{message: unknownSource(name, all), hint: "docker memsys sources"}
		}
		if all[i].Excluded != "" {
			return nil, usagef("source %s is not looked at: %s", name, all[i].Excluded)
		}
	}
	out := slices.Clone(all)
	for i := range out {
		if out[i].Excluded == "" && len(wanted) > 0 && !slices.Contains(wanted, out[i].Name) {
			out[i].Excluded = "not asked for"
		}
	}
	return out, nil
}

func unknownSource(name string, all []compose.Source) string {
	var known []string
	for _, s := range all {
		known = append(known, s.Name)
	}
	text := fmt.Sprintf("no source %q; the project has: %s", name, strings.Join(known, ", "))
	if near := compose.Nearest(name, known); near != "" {
		text += fmt.Sprintf("; did you mean %q?", near)
	}
	return text
}

// validateData plans and carries out a validation of the live data, and hands the report on, or prints the plan.
func (s *session) validateData(ctx context.Context, o inventory.Options, opts validateOptions, then func(*validate.Report) error) (err error) {
	a := s.app
	scratch, err := a.makeScratch()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, removeScratch(scratch)) }()
	o.Scratch = scratch
	look := &worldLook{s.surroundings()}
	plan, err := s.planValidation(ctx, o, look.check, s.checkKept, s.checkBackups)
	if err != nil {
		return err
	}
	if opts.dryRun {
		return a.printValidatePlan(validatePlan{Plan: plan, Through: s.way.word(), Why: s.way.why}, opts.format)
	}
	run := validate.Runner{Clock: a.world.Now, Progress: a.sink(), Before: look.ask}
	report, err := run.Run(ctx, plan)
	if err != nil {
		return err
	}
	return then(report)
}

// planValidation decides how the live sources of a session are looked at.
func (s *session) planValidation(ctx context.Context, o inventory.Options, more ...validate.More) (*validate.Plan, error) {
	s.apart = true // private copies never come near the backups
	f, err := s.reach(ctx, reads)
	if err != nil {
		return nil, err
	}
	side := &dataSide{s: s, helper: f}
	side.call.Exclusions = s.leftOut()
	req := validate.Request{
		Project: s.Name, Side: side, Copier: &storeCopier{s: s, scratch: o.Scratch}, Options: o, More: more, Warnings: s.Warnings,
	}
	for _, src := range s.Sources {
		if src.Excluded != "" {
			continue
		}
		place, err := s.place(ctx, src)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		one := validate.Source{Name: src.Name, Kind: string(src.Kind), Where: place, Layout: layoutOf(src)}
		if err != nil {
			one.Where, one.Missing = where(src), err.Error()
		} else {
			one.Private = s.private(src, place)
		}
		req.Sources = append(req.Sources, one)
	}
	return validate.Prepare(ctx, req)
}

// leftOut is what a backup leaves out, too.
func (s *session) leftOut() backup.Exclusions {
	x := backup.Exclusions{Patterns: s.Config.Exclude, Backups: s.Store.Path}
	for _, src := range s.Sources {
		if src.Excluded != "" && src.Path != "" {
			x.Elsewhere = append(x.Elsewhere, src.Path)
		}
	}
	return x
}

// checkBackups looks at the backups directory.
func (s *session) checkBackups(ctx context.Context, wants func(string) bool, _ *validate.Report) []inventory.Result {
	all, err := s.Store.List(ctx)
	if err != nil {
		return validate.NoBackups(err, wants)
	}
	return validate.CheckBackups(s.Store, all, s.app.world.Now(), wants)
}

// inspectLive reads the live sources of a session and tells what is in each, by name; what cannot be read is left out, which is told. The
// session is an operation that has begun where services must be held still.
func (a *app) inspectLive(ctx context.Context, s *session, o inventory.Options, calls inventory.Calls) (out map[string]*inventory.Report, err error) {
	scratch, err := a.makeScratch()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, removeScratch(scratch)) }()
	o.Scratch = scratch
	plan, err := s.planValidation(ctx, o)
	if err != nil {
		return nil, err
	}
	for _, src := range plan.Sources {
		if src.Missing != "" {
			s.warn("read", "source "+src.Name+" cannot be read: "+src.Missing)
		}
	}
	run := validate.Runner{Clock: a.world.Now, Progress: a.sink(), Record: calls.Record}
	return run.Inspect(ctx, plan)
}
