package restore

import (
	"context"
	"fmt"

	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/progress"
	"github.com/memsys/docker-memsys/internal/tree"
)

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
	if x.plan.reader != nil {
		if err := x.plan.reader.Extract(ctx, s.pick, s, archive.ExtractOptions{OnBytes: x.count("restore", total)}); err != nil {
			return fmt.Errorf("unpack: %w", err)
		}
	}
	for _, w := range x.work {
		if w.writer == nil {
			continue // taken from what was set aside
		}
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
	staging, err := tree.StagingPath(w.target.Root, w.target.staging)
	if err != nil {
		return err
	}
	if w.swap, err = stagedOnly(w.target.Root, staging); err != nil {
		return err
	}
	if err := x.Journal.Step(stepStage, w.swap); err != nil {
		return err
	}
	root, err := tree.Stage(w.target.Root, w.target.staging)
	if err != nil {
		return err
	}
	if w.target.From == FromAside {
		return x.take(w)
	}
	w.writer, err = tree.NewWriter(root, tree.WriteOptions{SkipOwners: x.SkipOwners, Devices: x.plan.req.Devices, Sync: true})
	if err != nil || w.target.From != FromNothing {
		return err
	}
	for e, err := range w.target.view.expected() {
		if err == nil {
			err = w.writer.Create(ctx, e.Entry)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// take makes entries that were set aside the new content, on record first.
func (x *execution) take(w *work) error {
	k := take{From: tree.RawPath(w.target.former), Staging: w.swap.Staging}
	if err := x.Journal.Step(stepTake, k); err != nil {
		return err
	}
	x.takes = append(x.takes, k)
	return k.forward()
}

// stagedOnly is a swap of nothing: enough to discard a staging and to give the root its time back.
func stagedOnly(root, staging string) (*tree.Swap, error) {
	e, err := tree.Lstat(root)
	if err != nil {
		return nil, err
	}
	s := &tree.Swap{Root: tree.RawPath(root), Inode: e.Inode, Staging: tree.RawPath(staging), File: e.Kind == tree.File}
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
