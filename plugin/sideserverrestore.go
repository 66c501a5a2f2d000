package plugin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/quiesce"
	"github.com/memsys/docker-memsys/internal/restore"
	"github.com/memsys/docker-memsys/internal/tree"
)

// openPlan is a restore that was planned, with its archive.
type openPlan struct {
	plan *restore.Plan
	file *os.File
	// engine tells that one answers.
	engine bool
	// end ends the context that the plan reads the archive with, which outlives the call that made it.
	end context.CancelFunc
}

// prepare plans a restore and keeps the plan for run.
func (f *fileServer) prepare(ctx context.Context, c prepareCall) (prepareReply, error) {
	req := c.Request
	req.Free, req.Progress = tree.FreeSpace, f.sink
	req.Locate = func(_ context.Context, s compose.Source) (string, error) {
		at, ok := c.Spots[s.Name]
		if !ok || at.Err != "" {
			return "", errors.New(at.Err)
		}
		return at.Path, nil
	}
	if c.Engine {
		req.Volumes = lineEngine{f.line}
	}
	var file *os.File
	var r *archive.Reader
	if req.Backup.Path != "" { // an undo may need none
		var err error
		if file, r, err = openArchive(req.Backup); err != nil {
			return prepareReply{}, err
		}
	}
	lasting, end := context.WithCancel(context.WithoutCancel(ctx))
	called := context.AfterFunc(ctx, end)
	p, err := restore.Prepare(lasting, r, req)
	if err != nil {
		end()
		_ = file.Close()
		return prepareReply{}, err
	}
	called()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last++
	f.plans[f.last] = &openPlan{plan: p, file: file, engine: c.Engine, end: end}
	return prepareReply{ID: f.last, Plan: p}, nil
}

// openArchive opens an archive; the caller closes the file.
func openArchive(b restore.Backup) (*os.File, *archive.Reader, error) {
	f, err := os.Open(b.Path)
	if err != nil {
		return nil, nil, fmt.Errorf("open backup: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("open backup: %w", err), f.Close())
	}
	r, err := archive.Open(f, info.Size())
	if err != nil {
		_ = f.Close()
		return nil, nil, unreadableArchive(b.Name, b.Path, err)
	}
	return f, r, nil
}

// unreadableArchive says that a file cannot be read as an archive.
func unreadableArchive(name, path string, err error) error {
	return &outcome{
		code: exitDamaged, message: fmt.Sprintf("%s cannot be read: %v; nothing was changed", name, err), hint: "docker memsys verify " + path, err: err,
	}
}

// run carries a plan out. Its plan is used up.
func (f *fileServer) run(ctx context.Context, c idCall) (*restore.Result, error) {
	f.mu.Lock()
	p := f.plans[c.ID]
	delete(f.plans, c.ID)
	f.mu.Unlock()
	if p == nil {
		return nil, errors.New("no such restore is planned")
	}
	defer p.file.Close()
	defer p.end()
	defer context.AfterFunc(ctx, p.end)()
	r := f.runner(p.engine)
	r.Safety = func(ctx context.Context) (saved restore.Saved, err error) {
		return saved, f.line.Call(ctx, askSafety, nothing{}, &saved)
	}
	r.OpenSafety = f.openSafety
	return r.Run(ctx, p.plan)
}

// openSafety opens the safety backup where this process sees it.
func (f *fileServer) openSafety(ctx context.Context, saved restore.Saved) (*archive.Reader, io.Closer, error) {
	var at pathCall
	if err := f.line.Call(ctx, askSafetyAt, pathCall{saved.Path}, &at); err != nil {
		return nil, nil, err
	}
	file, r, err := openArchive(restore.Backup{Name: saved.Name, Path: at.Path})
	return r, file, err
}

// recover ends an interrupted restore.
func (f *fileServer) recover(ctx context.Context, c recoverCall) error {
	rec, err := restore.PlanRecovery(c.Steps)
	if err != nil || rec == nil {
		return err
	}
	return f.runner(true).Recover(ctx, rec)
}

// runner carries out restores in a helper: services, journal and volumes are the other end's.
func (f *fileServer) runner(engineAnswers bool) *restore.Runner {
	e, j := lineEngine{f.line}, lineJournal{f.line}
	r := &restore.Runner{Clock: f.now, Journal: j, Progress: f.sink}
	r.Keep = func(rec restore.Record) error { return f.line.Call(context.Background(), askKeep, rec, nil) }
	r.Forget = func(id string) error { return f.line.Call(context.Background(), askForget, nameCall{Name: id}, nil) }
	if engineAnswers {
		r.Volumes = e
		r.Containers = func(ctx context.Context) ([]engine.Container, error) { return e.Containers(ctx, engine.Filter{}) }
		r.Quiescer = &quiesce.Quiescer{Engine: e, Journal: j, Guard: quiesce.Unguarded{}, Now: f.now, Sink: f.sink, Hooks: lineHooks{f.line}}
	}
	return r
}
