package plugin

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"

	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/helper"
	"github.com/memsys/docker-memsys/internal/journal"
	"github.com/memsys/docker-memsys/internal/progress"
	"github.com/memsys/docker-memsys/internal/restore"
	"github.com/memsys/docker-memsys/internal/store"
)

// planned is a restore that was planned, by this process or by a helper.
type planned struct {
	*restore.Plan
	// run carries it out.
	run func(ctx context.Context) (*restore.Result, error)
}

// prepare plans a restore where the files are. The archive stays open while the result is used.
func (s *session) prepare(ctx context.Context, b store.Backup, r *archive.Reader, opts restoreOptions) (*planned, error) {
	s.foresee(b, r, opts)
	f, err := s.reach(ctx, writes)
	if err != nil {
		return nil, err
	}
	req, err := s.restoreRequest(ctx, b, opts)
	if err != nil {
		return nil, err
	}
	if f != nil {
		return s.prepareFar(ctx, req)
	}
	req.Progress = s.app.sink()
	p, err := restore.Prepare(ctx, r, req)
	if err != nil {
		return nil, err
	}
	p.Through, p.Why = s.way.word(), s.way.why
	return &planned{p, func(ctx context.Context) (*restore.Result, error) {
		run := s.restorer()
		run.Safety = s.saver(p)
		return run.Run(ctx, p)
	}}, nil
}

// foresee notes what a helper for the restore has to see and to be able to do.
func (s *session) foresee(b store.Backup, r *archive.Reader, opts restoreOptions) {
	s.restoring, s.devices, s.single = nil, opts.devices, map[string]bool{}
	if opts.undoes != nil {
		for _, src := range opts.undoes.Targets {
			s.single[src.Name] = src.Single
		}
		if path := opts.undoes.Backup.Path; path != "" {
			s.restoring = append(s.restoring, path) // to tell what was changed since
		}
	}
	if r == nil {
		return // all comes from what was set aside
	}
	s.restoring = append(s.restoring, b.Path)
	for _, src := range r.Manifest().Sources {
		s.single[opts.hereIs(src.Name)] = src.SingleFile
	}
}

// prepareFar plans a restore in the helper.
func (s *session) prepareFar(ctx context.Context, req restore.Request) (*planned, error) {
	f := s.far
	reply, err := f.prepare(ctx, req)
	if err != nil {
		return nil, err
	}
	return &planned{reply.Plan, func(ctx context.Context) (*restore.Result, error) {
		return s.runFar(ctx, req, reply)
	}}, nil
}

// prepare has the helper plan a restore.
func (f *far) prepare(ctx context.Context, req restore.Request) (prepareReply, error) {
	here, s := req.Backup.Path, f.session
	c := prepareCall{Request: req, Spots: map[string]spot{}, Engine: true}
	for _, src := range s.Sources {
		at, err := s.place(ctx, src)
		if src.Volume != nil && f.made[src.Volume.Name].Name != "" {
			err = fmt.Errorf("volume %s does not exist yet", src.Volume.Name) // to the restore that it was made for
		}
		if ctx.Err() != nil {
			return prepareReply{}, context.Cause(ctx)
		}
		c.Spots[src.Name] = spotOf(at, err)
	}
	c.Request.Local, c.Request.Backups, c.Request.Scratch = true, f.backups, f.scratch // it is where the engine is
	var err error
	if c.Request.Backup.Path, err = f.hand(ctx, here); err != nil {
		return prepareReply{}, err
	}
	if undo := req.Undo; undo != nil {
		seen := *undo
		if there, err := f.hand(ctx, undo.Backup.Path); err == nil {
			seen.Backup.Path = there // without it the plan says that what was changed since is not known
		}
		c.Request.Undo = &seen
	}
	var reply prepareReply
	if err := f.Call(ctx, callPrepare, c, &reply); err != nil {
		return reply, err
	}
	reply.Plan.Backup.Path, reply.Plan.Through, reply.Plan.Why = here, s.way.word(), s.way.why
	return reply, nil
}

func spotOf(at string, err error) spot {
	if err != nil {
		return spot{Err: err.Error()}
	}
	return spot{Path: at}
}

// hand makes an archive visible to the helper and returns the path that it has there.
func (f *far) hand(ctx context.Context, archive string) (string, error) {
	if archive == "" {
		return "", nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.scratch == "" {
		f.sent[archive] = f.session.bind(archive).Path
	}
	if there := f.sent[archive]; there != "" {
		return there, nil
	}
	there := path.Join(f.scratch, fmt.Sprintf("restore-%d.tar.gz", len(f.sent)))
	file, err := os.Open(archive)
	if err != nil {
		return "", fmt.Errorf("open backup: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return "", fmt.Errorf("open backup: %w", err)
	}
	sink := f.session.app.sink()
	count := func(n int64) {
		sink.Report(progress.Event{Step: "send", Status: progress.Working, Done: n, Total: info.Size(), Unit: progress.Bytes})
	}
	if err := f.Send(ctx, there, file, info.Size(), count); err != nil {
		return "", fmt.Errorf("send the backup to the engine: %w", err)
	}
	f.sent[archive] = there
	sink.Report(progress.Event{Step: "send", Status: progress.Done})
	return there, nil
}

// runFar carries a restore out in the helper.
func (s *session) runFar(ctx context.Context, req restore.Request, p prepareReply) (*restore.Result, error) {
	made, p, err := s.makeVolumes(ctx, req, p)
	if err != nil {
		return nil, s.undoVolumes(ctx, made, err)
	}
	f := s.far
	f.mu.Lock()
	f.safety = s.saver(p.Plan)
	f.mu.Unlock()
	res := &restore.Result{}
	err = f.Call(ctx, callRun, idCall{p.ID}, res)
	switch {
	case errors.Is(err, errLeft):
		return nil, stuckHelper(err)
	case errors.Is(err, helper.ErrGone):
		return nil, s.afterLoss(ctx, err)
	}
	if err != nil {
		return nil, s.undoVolumes(ctx, made, err)
	}
	res.Backup.Path = p.Plan.Backup.Path
	return res, s.volumesStay(ctx, made)
}

// makeVolumes makes the volumes that a plan lacks, each on record first, and plans again with a helper that sees them.
func (s *session) makeVolumes(ctx context.Context, req restore.Request, p prepareReply) (map[string]engine.Volume, prepareReply, error) {
	made, mounts := map[string]engine.Volume{}, []helper.Mount{}
	for _, t := range p.Plan.Targets {
		if t.Volume == nil {
			continue
		}
		if err := restore.RecordVolume(s.journal, t.Volume.Name); err != nil {
			return made, p, err
		}
		v, err := s.Engine.CreateVolume(ctx, engine.Volume{Name: t.Volume.Name, Driver: t.Volume.Driver, Options: t.Volume.Options, Labels: t.Volume.Labels})
		if err != nil {
			return made, p, err
		}
		made[v.Name] = v
		m, err := s.volumeMount(v)
		if err != nil {
			return made, p, err
		}
		mounts = append(mounts, m)
	}
	if len(made) == 0 {
		return nil, p, nil
	}
	s.leave(ctx)
	f, err := s.helperFor(ctx, writes, mounts...)
	if err != nil {
		return made, p, err
	}
	s.far, f.made = f, made
	p, err = f.prepare(ctx, req)
	if err == nil && len(p.Plan.Refusals) > 0 {
		err = &restore.RefusedError{Refusals: p.Plan.Refusals}
	}
	return made, p, err
}

// undoVolumes removes the volumes that were made for a restore that came to nothing, once no helper has them mounted. Where the data is
// between two states they stay, for the next command.
func (s *session) undoVolumes(ctx context.Context, made map[string]engine.Volume, cause error) error {
	if len(made) == 0 || errors.As(cause, new(*restore.StuckError)) {
		return cause
	}
	ctx = context.WithoutCancel(ctx)
	s.leave(ctx)
	for name := range made {
		if err := s.Engine.RemoveVolume(ctx, name); err != nil && !errors.Is(err, engine.ErrNotFound) {
			return &restore.StuckError{Err: errors.Join(cause, err), Where: []string{"the data is as it was before", "volume " + name + ", which the restore has made, is still there"}}
		}
	}
	return errors.Join(cause, restore.RecordDone(s.journal))
}

// volumesStay ends the record of a restore that has succeeded with volumes made for it.
func (s *session) volumesStay(ctx context.Context, made map[string]engine.Volume) error {
	if len(made) == 0 {
		return nil
	}
	s.leave(ctx)
	return restore.RecordDone(s.journal)
}

// afterLoss puts in order what a helper left that has died, as the next command would.
func (s *session) afterLoss(ctx context.Context, cause error) error {
	ctx = context.WithoutCancel(ctx)
	s.leave(ctx)
	pending, err := s.journal.Pending()
	if err != nil || pending == nil {
		return errors.Join(cause, err)
	}
	committed, err := restore.Committed(pending.Steps)
	if err == nil {
		err = s.resolve(ctx, pending)
	}
	if err == nil {
		err = s.journal.End("failed, and recovered: " + cause.Error())
	}
	switch {
	case err != nil:
		return &restore.StuckError{Err: errors.Join(cause, err), Where: []string{"docker memsys recover tries again"}}
	case committed:
		return fmt.Errorf("the restored data is in place, although the helper was lost before it said so: %w", cause)
	}
	return &restore.RevertedError{Err: cause}
}

// recoverFar has a helper end an interrupted restore. Volumes are removed when it is gone.
func (s *session) recoverFar(ctx context.Context, rec *restore.Recovery, steps []journal.Step) error {
	f, err := s.startHelper(ctx, writes, s.recoveryMounts(ctx, rec)...)
	if err != nil {
		return err
	}
	err = f.Call(ctx, callRecover, recoverCall{steps}, nil)
	if errors.Is(err, errLeft) {
		err = stuckHelper(err)
	}
	return errors.Join(err, f.close(context.WithoutCancel(ctx)))
}
