package plugin

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"

	"github.com/memsys/docker-memsys/hooks"
	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/quiesce"
	"github.com/memsys/docker-memsys/internal/restore"
	"github.com/memsys/docker-memsys/internal/store"
	"github.com/memsys/docker-memsys/internal/tree"
)

// planned opens the archive, plans the restore and hands the plan on while the archive is open.
func (s *session) planned(ctx context.Context, b store.Backup, opts restoreOptions, do func(*planned) error) error {
	if b.Former {
		return s.plannedForeign(ctx, b, opts, do)
	}
	plan := func(r *archive.Reader) error {
		p, err := s.prepare(ctx, b, r, opts)
		if err != nil {
			return err
		}
		return do(p)
	}
	if b.Path == "" {
		return plan(nil) // all is put back from what was set aside
	}
	return withArchive(b, plan)
}

// restoreRequest is the restore that is asked for, with the world as it is now.
func (s *session) restoreRequest(ctx context.Context, b store.Backup, opts restoreOptions) (restore.Request, error) {
	var from restore.Backup
	var err error
	if b.Path != "" {
		if from, err = archiveOf(s.Store, b); err != nil {
			return restore.Request{}, err
		}
	}
	req := restore.Request{
		Backup: from, Undo: opts.undoes, Project: s.archiveProject(), Sources: s.Sources, Local: s.Info.Local, Locate: s.locate,
		Backups: s.Store.Path, Exclude: s.Config.Exclude, Only: opts.sources, Services: opts.services, Paths: opts.paths,
		Exact:             exactPaths(opts.units),
		AllowOtherProject: opts.allowOtherProject, StopForeign: opts.stopForeign, Devices: opts.devices,
		Safety: !opts.noSafetyBackup, ID: strings.ToLower(rand.Text()[:12]), Free: tree.FreeSpace, Warnings: s.Warnings,
	}
	if req.Inspect, err = s.proof(); err != nil {
		return req, err
	}
	if b.Damaged() {
		req.Damage, req.AcceptDamage = &b.Validation.Validation, opts.acceptDamage
	}
	if err := s.moved(&req, opts); err != nil {
		return req, err
	}
	req.Present = s.services(ctx)
	if s.reachable() {
		req.Volumes = s.Engine.Client
		if req.Containers, err = s.containers(ctx); err != nil {
			return req, err
		}
		s.Containers = req.Containers
	}
	if !req.Safety {
		return req, nil
	}
	if err := restore.Writable(s.Store.Path); err != nil {
		req.NoSafety = fmt.Sprintf("no safety backup can be written to %s: %v", s.Store.Path, err)
		return req, nil
	}
	plan, err := s.planBackup(ctx, backupWish{reason: store.BeforeRestore})
	if ctx.Err() != nil {
		return req, context.Cause(ctx)
	}
	if err != nil {
		req.NoSafety = "no safety backup can be made: " + err.Error()
		return req, nil
	}
	req.SafetySize = plan.Expected
	return req, nil
}

// runRestore shows the plan, asks, and carries it out.
func (s *session) runRestore(ctx context.Context, p *planned, opts restoreOptions) (res restoreResult, err error) {
	a := s.app
	if len(p.Refusals) > 0 {
		return res, &restore.RefusedError{Refusals: p.Refusals}
	}
	around := s.restoreHooks(p.Plan, opts)
	if err := a.showRestorePlan(p.Plan, opts.units, around, s.Warnings); err != nil {
		return res, err
	}
	if err := a.confirm(ctx, restoreQuestion(p.Plan), opts.yes); err != nil {
		return res, err
	}
	res.Hooks, err = s.withHooks(ctx, around, func([]hooks.Outcome) (err error) {
		if res.Result, err = p.run(ctx); err == nil {
			s.auditRestored(res.Result)
		}
		return err
	})
	return res, err
}

// saver makes the safety backup of a restore.
func (s *session) saver(p *restore.Plan) func(ctx context.Context) (restore.Saved, error) {
	return func(ctx context.Context) (restore.Saved, error) { return s.saveBefore(ctx, safetyNote(p)) }
}

// restorer carries out restores, and recovers interrupted ones.
func (s *session) restorer() *restore.Runner {
	a := s.app
	r := &restore.Runner{Clock: a.world.Now, Journal: s.journal, Progress: a.sink(), SkipOwners: a.world.UID != 0}
	r.Keep, r.Forget = s.keepRecord, s.forgetRecord
	if s.reachable() {
		r.Volumes = s.Engine.Client
		r.Containers = s.containers
		r.Quiescer = &quiesce.Quiescer{Engine: s.Engine.Client, Journal: s.journal, Guard: quiesce.Unguarded{}, Now: a.world.Now, Sink: a.sink(), Hooks: s.lifecycle()}
	}
	return r
}

// saveBefore makes the safety backup.
func (s *session) saveBefore(ctx context.Context, note string) (restore.Saved, error) {
	if err := s.Store.Ensure(); err != nil {
		return restore.Saved{}, err
	}
	res, err := s.makeBackup(ctx, backupWish{reason: store.BeforeRestore, note: note})
	if err != nil {
		return restore.Saved{}, err
	}
	saved := restore.Saved{Name: res.Name, Path: res.Path, Complete: res.Complete}
	for _, m := range res.Missing {
		saved.Lacking = append(saved.Lacking, m.Name)
	}
	for _, problem := range res.Problems {
		if problem.Source == "" { // of none alone: a service wrote meanwhile
			saved.Lacking = nil
			return saved, nil
		}
		saved.Lacking = append(saved.Lacking, problem.Source)
	}
	return saved, nil
}
