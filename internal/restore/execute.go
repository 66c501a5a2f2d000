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
	"sync/atomic"

	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/progress"
	"github.com/memsys/docker-memsys/internal/tree"
)

// work is one target while it is restored.
type work struct {
	target *Target
	swap   *tree.Swap
	kept   map[string]bool // roots of what stays in place
	writer *tree.Writer
	// problems are attributes that could not be set, by path.
	problems map[string]error
}

// replaced tells whether the swap set something aside.
func (w *work) replaced() bool {
	return w.swap != nil && (w.swap.File || slices.ContainsFunc(w.swap.Moves, func(m tree.Move) bool { return m.Old }))
}

// aside is where the former entries are.
func (w *work) aside() string { return filepath.Join(string(w.swap.Staging), "old") }

// verify reads the whole archive before anything is touched.
func (x *execution) verify(ctx context.Context) error {
	start := x.Clock()
	f, err := os.Open(x.plan.Backup.Path)
	if err != nil {
		return fmt.Errorf("open backup: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("open backup: %w", err)
	}
	report, err := archive.Verify(ctx, f, info.Size(), archive.VerifyOptions{OnBytes: x.count("verify", info.Size())})
	if err != nil {
		return fmt.Errorf("verify %s: %w", x.plan.Backup.Name, err)
	}
	if sum := x.plan.Backup.SHA256; sum != "" && sum != report.SHA256 {
		report.Damage = append(report.Damage, archive.Damage{Reason: "the file's SHA-256 is not the one in the .sha256 beside it"})
	}
	if len(report.Damage) > 0 {
		return &DamagedError{Backup: x.plan.Backup.Name, Damage: report.Damage}
	}
	x.result.Seconds.Verify = x.since(start)
	x.report("verify", "", progress.Done)
	return nil
}

// DamagedError says that the archive is not sound; nothing was touched.
type DamagedError struct {
	Backup string
	Damage []archive.Damage
}

func (e *DamagedError) Error() string {
	d := e.Damage[0]
	where := d.Path
	if where != "" {
		where += ": "
	}
	return fmt.Sprintf("%s is damaged in %d places, first: %s%s; nothing was changed", e.Backup, len(e.Damage), where, d.Reason)
}

// count reports bytes as they go by.
func (x *execution) count(step string, total int64) func(int64) {
	var done atomic.Int64
	return func(n int64) {
		x.Progress.Report(progress.Event{Step: step, Status: progress.Working, Done: done.Add(n), Total: total, Unit: progress.Bytes})
	}
}

// makeRoots makes what does not exist yet: volumes, folders, an empty file for a source that is one.
func (x *execution) makeRoots(ctx context.Context) error {
	for _, t := range x.plan.Targets {
		if t.Volume != nil {
			if err := x.makeVolume(ctx, t); err != nil {
				return err
			}
		}
		if t.Missing {
			if err := x.makeRoot(t); err != nil {
				return fmt.Errorf("make source %s: %w", t.Name, err)
			}
		}
	}
	return nil
}

func (x *execution) makeVolume(ctx context.Context, t *Target) error {
	v := t.Volume
	if err := x.Journal.Step(stepVolume, v.Name); err != nil {
		return err
	}
	x.volumes = append(x.volumes, v.Name)
	made, err := x.Volumes.CreateVolume(ctx, engine.Volume{Name: v.Name, Driver: v.Driver, Options: v.Options, Labels: v.Labels})
	if err != nil {
		return err
	}
	if t.Root == "" {
		t.Root = made.Mountpoint
	}
	if t.Root == "" {
		return fmt.Errorf("the engine does not tell where volume %s lies", v.Name)
	}
	return nil
}

func (x *execution) makeRoot(t *Target) error {
	if _, err := os.Lstat(t.Root); err == nil {
		return nil
	}
	made := append(missing(filepath.Dir(t.Root)), t.Root)
	if err := x.Journal.Step(stepRoot, made); err != nil {
		return err
	}
	x.roots = append(x.roots, made)
	if err := os.MkdirAll(filepath.Dir(t.Root), 0o755); err != nil {
		return err
	}
	if !t.Single {
		return os.Mkdir(t.Root, 0o700)
	}
	f, err := os.OpenFile(t.Root, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

// missing are the folders of a path that do not exist, the outermost first.
func missing(path string) []string {
	var out []string
	for {
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		out = append([]string{path}, out...)
		path = filepath.Dir(path)
	}
	return out
}

// stage writes the new content beside the old one, in one pass over the archive.
func (x *execution) stage(ctx context.Context) error {
	start := x.Clock()
	total := int64(0)
	s := newSorter(x.plan)
	for i, t := range x.plan.Targets {
		w := &work{target: t, problems: map[string]error{}}
		x.work = append(x.work, w)
		total += t.Bytes
		if err := x.open(ctx, w); err != nil {
			return fmt.Errorf("stage source %s: %w", t.Name, err)
		}
		s.writers[i] = w.writer
	}
	if err := s.readParents(ctx); err != nil {
		return err
	}
	if err := x.write(ctx, s, total); err != nil {
		return err
	}
	x.result.Seconds.Write = x.since(start)
	x.report("restore", "", progress.Done)
	return nil
}

// write unpacks what the sorter picks, and completes every writer.
func (x *execution) write(ctx context.Context, s *sorter, total int64) error {
	if err := x.plan.reader.Extract(ctx, s.pick, s, archive.ExtractOptions{OnBytes: x.count("restore", total)}); err != nil {
		return fmt.Errorf("unpack: %w", err)
	}
	for _, w := range x.work {
		problems, err := w.writer.Finish(ctx)
		if err != nil {
			return fmt.Errorf("unpack source %s: %w", w.target.Name, err)
		}
		x.note(w, problems)
	}
	return nil
}

// open makes the staging folder of a target, on record first.
func (x *execution) open(ctx context.Context, w *work) error {
	staging, err := tree.StagingPath(w.target.Root, x.plan.ID)
	if err != nil {
		return err
	}
	if w.swap, err = stagedOnly(w.target.Root, staging); err != nil {
		return err
	}
	if err := x.Journal.Step(stepStage, w.swap); err != nil {
		return err
	}
	root, err := tree.Stage(w.target.Root, x.plan.ID)
	if err != nil {
		return err
	}
	w.writer, err = tree.NewWriter(root, tree.WriteOptions{SkipOwners: x.SkipOwners, Devices: x.plan.req.Devices, Sync: true})
	return err
}

// stagedOnly is a swap of nothing: enough to discard a staging and to give the root its time back.
func stagedOnly(root, staging string) (*tree.Swap, error) {
	e, err := tree.Lstat(root)
	if err != nil {
		return nil, err
	}
	s := &tree.Swap{Root: tree.RawPath(root), Staging: tree.RawPath(staging), File: e.Kind == tree.File}
	if e.Kind == tree.Dir {
		a := tree.Attributes{Mode: e.Mode, UID: e.UID, GID: e.GID, Seconds: e.ModTime.Unix(), Nanos: int64(e.ModTime.Nanosecond())}
		s.Folders = []tree.FolderChange{{Path: ".", Old: a, New: a}}
	}
	return s, nil
}

func (x *execution) note(w *work, problems []tree.Problem) {
	for _, p := range problems {
		w.problems[p.Path] = p.Err
		x.result.Problems = append(x.result.Problems, Problem{Source: w.target.Name, Path: p.Path, Text: p.Err.Error()})
		x.Progress.Report(progress.Event{Step: "restore", Object: w.target.Name + "/" + p.Path, Status: progress.Warning, Text: p.Err.Error()})
	}
}

// swap brings the new content in place, all moves of a target on record before the first.
func (x *execution) swap(ctx context.Context) error {
	for _, w := range x.work {
		if err := x.swapOne(ctx, w); err != nil {
			return fmt.Errorf("swap source %s: %w", w.target.Name, err)
		}
	}
	return nil
}

func (x *execution) swapOne(ctx context.Context, w *work) error {
	keep, err := x.plan.keeper(w.target)
	if err != nil {
		return err
	}
	w.kept = map[string]bool{}
	swap, err := tree.PlanSwap(ctx, w.target.Root, x.plan.ID, func(e *tree.Entry) string {
		rule := keep.skip(e)
		if rule != "" {
			w.kept[e.Path] = true
		}
		return rule
	})
	if err != nil {
		return err
	}
	if len(swap.LeftOut) > 0 {
		return fmt.Errorf("%q belongs to something else now", swap.LeftOut[0])
	}
	if err := saveSwap(swap); err != nil {
		return err
	}
	w.swap = swap
	if err := x.Journal.Step(stepSwap, trimmed(swap)); err != nil {
		return err
	}
	problems, err := tree.Apply(ctx, swap, x.moved)
	x.note(w, problems)
	return err
}

// moved is called after each move of a swap.
func (x *execution) moved(int) error {
	if x.onMove == nil {
		return nil
	}
	return x.onMove()
}

// check compares the live data with the archive: content, owner, mode, everything.
func (x *execution) check(ctx context.Context) error {
	start := x.Clock()
	for _, w := range x.work {
		x.report("check", w.target.Name, progress.Working)
		if err := x.compareWith(ctx, w, w.target.Root); err != nil {
			return fmt.Errorf("check source %s: %w", w.target.Name, err)
		}
	}
	x.result.Seconds.Check = x.since(start)
	x.report("check", "", progress.Done)
	return nil
}

// compareWith compares the tree at root with what the archive holds of a target.
func (x *execution) compareWith(ctx context.Context, w *work, root string) error {
	skip := func(e *tree.Entry) string {
		if w.kept[e.Path] || e.Path == tree.StagingName(x.plan.ID) {
			return "kept"
		}
		return ""
	}
	found, err := tree.Compare(ctx, root, w.target.view.expected(), tree.CompareOptions{
		Skip: skip, Content: true, IgnoreOwners: x.SkipOwners,
	})
	if err != nil {
		return err
	}
	var bad []error
	for _, d := range found {
		if !w.excused(d) {
			bad = append(bad, errors.New(d.String()))
		}
	}
	if len(bad) > 0 {
		return fmt.Errorf("the restored data is not what the archive holds, %d differences: %w", len(bad), errors.Join(bad[:min(len(bad), 5)]...))
	}
	return nil
}

// excused tells whether a difference is as it should be: folders that only lead to what is restored keep their attributes, folders that
// only hold what is kept stay, those of the project's own files have no entry, and what the writer could not set was told already.
func (w *work) excused(d tree.Difference) bool {
	switch {
	case w.target.view.parents[d.Path] && d.Field != "missing" && d.Field != "kind":
		return true
	case d.Field == "extra" && d.Got == string(tree.Dir) && holdsAny(d.Path, w.kept):
		return true
	case w.target.Kind == projectPrefix && d.Field == "extra" && d.Got == string(tree.Dir):
		return true
	}
	return !essential(d.Field) && w.problems[d.Path] != nil
}

// holdsAny tells whether one of the paths lies below a folder.
func holdsAny(dir string, paths map[string]bool) bool {
	for path := range paths {
		if strings.HasPrefix(path, dir+"/") {
			return true
		}
	}
	return false
}

// essential tells whether a difference is one of content, which no file system excuses.
func essential(field string) bool {
	return slices.Contains([]string{"missing", "extra", "unreadable", "kind", "size", "link", "device", "content"}, field)
}

// begun is what this run has done so far, in the form that a recovery reads from the journal.
func (x *execution) begun() *undo {
	u := &undo{volumes: x.volumes, roots: x.roots, aside: map[string]bool{}}
	for _, w := range x.work {
		if w.swap == nil {
			continue
		}
		u.swap(w.swap)
		if w.target.Aside != "" && w.replaced() {
			u.aside[string(w.swap.Staging)] = true
		}
	}
	return u
}

// commit makes the new state count.
func (x *execution) commit(context.Context) error {
	c := committed{}
	u := x.begun()
	for _, s := range u.swaps {
		if u.aside[string(s.Staging)] {
			c.Aside = append(c.Aside, string(s.Staging))
		}
	}
	return x.Journal.Step(stepCommit, c)
}
