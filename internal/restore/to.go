package restore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/durable"
	"github.com/memsys/docker-memsys/internal/progress"
	"github.com/memsys/docker-memsys/internal/tree"
)

// projectPrefix is where an archive holds the project's own files.
const projectPrefix = "project"

// NotEmptyError says that the folder for a restore holds something already.
type NotEmptyError struct{ Dir string }

func (e *NotEmptyError) Error() string { return fmt.Sprintf("%s is not empty", e.Dir) }

// PrepareTo decides how a backup is unpacked into a new or empty folder: each source in a folder of its name, the project's own files in
// "project". Of the request Backup, To, Only, Services, Paths, Devices, ID and Free count. It changes nothing.
func PrepareTo(ctx context.Context, r *archive.Reader, req Request) (*Plan, error) {
	p := newPlan(r, req)
	p.Safety = Safety{Mode: SafetyNone, Why: "nothing is replaced"}
	if err := p.known(); err != nil {
		return nil, err
	}
	if err := checkEmpty(req.To); err != nil {
		return nil, err
	}
	p.chooseTo()
	if err := p.look(ctx); err != nil {
		return nil, err
	}
	p.Targets = slices.DeleteFunc(p.Targets, func(t *Target) bool { return t.Entries == 0 })
	for _, t := range p.Targets {
		if err := p.allNew(t); err != nil {
			return nil, err
		}
	}
	if err := p.room(); err != nil {
		return nil, err
	}
	p.warn()
	if len(p.Targets) == 0 {
		p.refuse(NothingToDo, p.Backup.Name, "%s", p.nothing("was asked for"))
	}
	return p, nil
}

// checkEmpty refuses a folder that holds something. What an interrupted restore left in it is no hindrance.
func checkEmpty(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("restore to %s: %w", dir, err)
	}
	if slices.ContainsFunc(entries, func(e os.DirEntry) bool { return !unfinished(e) }) {
		return &NotEmptyError{Dir: dir}
	}
	return nil
}

func unfinished(e os.DirEntry) bool {
	return e.IsDir() && strings.HasPrefix(e.Name(), tree.StagingName(""))
}

func (p *Plan) chooseTo() {
	names := map[string]bool{}
	for _, s := range p.manifest.Sources {
		if !p.wanted(s) {
			continue
		}
		if s.Missing != "" {
			p.skip(s.Name, "not in the backup: "+s.Missing, true)
			continue
		}
		names[s.Name] = true
		p.Targets = append(p.Targets, &Target{
			Name: s.Name, Kind: s.Kind, Prefix: s.Prefix, Single: s.SingleFile, Missing: true, source: s,
			Root: filepath.Join(p.req.To, s.Name), Entries: s.Entries, Bytes: s.Bytes,
		})
	}
	if len(p.req.Only)+len(p.req.Services)+len(p.req.Paths) > 0 {
		return
	}
	name := projectPrefix
	for names[name] {
		name += ".files" // a source has taken the name
	}
	p.Targets = append(p.Targets, &Target{
		Name: name, Kind: projectPrefix, Prefix: projectPrefix, Missing: true, Root: filepath.Join(p.req.To, name),
	})
}

// RunTo carries out a plan of PrepareTo. Each part gets its name in the folder when all of them are there, written to the disk and compared
// with the archive; on an error the folder is as it was.
func (r *Runner) RunTo(ctx context.Context, p *Plan) (*Result, error) {
	if len(p.Refusals) > 0 {
		return nil, &RefusedError{Refusals: p.Refusals}
	}
	x := &execution{Runner: r, plan: p, start: r.Clock(), result: &Result{
		Backup: p.Backup, Targets: p.Targets, Skipped: p.Skipped, Warnings: p.Warnings,
	}}
	if err := x.verify(ctx); err != nil {
		return nil, err
	}
	made := missing(p.req.To)
	err := x.unpack(ctx)
	if err == nil {
		x.tell()
		return x.result, nil
	}
	return nil, errors.Join(err, removeMade(p, made))
}

// removeMade removes what an unpacking that failed has made.
func removeMade(p *Plan, made []string) error {
	err := os.RemoveAll(filepath.Join(p.req.To, tree.StagingName(p.ID)))
	for _, path := range slices.Backward(made) {
		if _, e := os.Lstat(path); errors.Is(e, fs.ErrNotExist) {
			continue // on a read-only file system even its removal fails
		}
		if e := os.Remove(path); e != nil && !errors.Is(e, fs.ErrNotExist) {
			return errors.Join(err, e)
		}
	}
	return err
}

func (x *execution) unpack(ctx context.Context) error {
	start := x.Clock()
	staging, err := x.openTo()
	if err != nil {
		return fmt.Errorf("restore to %s: %w", x.plan.req.To, err)
	}
	s := newSorter(x.plan)
	total := int64(0)
	for i, t := range x.plan.Targets {
		w := &work{target: t, problems: map[string]error{}}
		x.work = append(x.work, w)
		total += t.Bytes
		o := tree.WriteOptions{SkipOwners: x.SkipOwners, Devices: x.plan.req.Devices, Sync: true}
		if w.writer, err = tree.NewWriter(filepath.Join(staging, t.Name), o); err != nil {
			return err
		}
		s.writers[i] = w.writer
	}
	if err := x.write(ctx, s, total); err != nil {
		return err
	}
	x.result.Seconds.Write = x.since(start)
	if err := x.checkTo(ctx, staging); err != nil {
		return err
	}
	return x.nameTo(staging)
}

// openTo makes the folder and the staging in it, and removes what an interrupted restore left there.
func (x *execution) openTo() (string, error) {
	dir := x.plan.req.To
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	for _, e := range entries {
		if !unfinished(e) {
			return "", &NotEmptyError{Dir: dir}
		}
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return "", err
		}
	}
	staging := filepath.Join(dir, tree.StagingName(x.plan.ID))
	return staging, os.Mkdir(staging, 0o700)
}

func (x *execution) checkTo(ctx context.Context, staging string) error {
	start := x.Clock()
	for _, w := range x.work {
		x.report("check", w.target.Name, progress.Working)
		if err := x.compareWith(ctx, w, filepath.Join(staging, w.target.Name)); err != nil {
			return fmt.Errorf("check source %s: %w", w.target.Name, err)
		}
		x.report("check", w.target.Name, progress.Done)
	}
	x.result.Seconds.Check = x.since(start)
	return nil
}

// nameTo gives every part its name.
func (x *execution) nameTo(staging string) error {
	for i, w := range x.work {
		if err := os.Rename(filepath.Join(staging, w.target.Name), w.target.Root); err != nil {
			for _, back := range x.work[:i] {
				err = errors.Join(err, os.Rename(back.target.Root, filepath.Join(staging, back.target.Name)))
			}
			return err
		}
	}
	if err := os.Remove(staging); err != nil {
		return err
	}
	return errors.Join(durable.SyncDir(x.plan.req.To), durable.SyncDir(filepath.Dir(x.plan.req.To)))
}
