package restore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/tree"
)

// revert puts the data back as it was, in the opposite order: swaps, stagings, roots, volumes. It goes on after an error.
func (u *undo) revert(ctx context.Context, volumes Volumes) error {
	var errs []error
	for _, s := range slices.Backward(u.swaps) {
		if err := u.revertSwap(ctx, s); err != nil {
			errs = append(errs, fmt.Errorf("put back %s: %w", s.Root, err))
		}
	}
	for _, made := range slices.Backward(u.roots) {
		for _, path := range slices.Backward(made) {
			if err := removeEmpty(path); err != nil {
				errs = append(errs, err)
			}
		}
	}
	for _, name := range slices.Backward(u.volumes) {
		if err := removeVolume(ctx, volumes, name); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (u *undo) revertSwap(ctx context.Context, s *tree.Swap) error {
	if over, err := u.over(s); over || err != nil {
		return errors.Join(err, u.settleTime(s, over))
	}
	whole, err := loadSwap(s)
	if err != nil {
		return err
	}
	if len(whole.Moves) > 0 || whole.File {
		if _, err := tree.Revert(ctx, whole); err != nil {
			return err
		}
	}
	if u.taken(s) {
		if err := u.giveBack(whole); err != nil {
			return err
		}
		whole = ended(whole)
	}
	return discard(ctx, whole)
}

// ended is a swap that is over and back at the old state: nothing of it is left but the staging and the root's time.
func ended(s *tree.Swap) *tree.Swap {
	out := trimmed(s)
	for i := range out.Folders {
		out.Folders = []tree.FolderChange{{Path: out.Folders[i].Path, Old: out.Folders[i].Old, New: out.Folders[i].Old}}
	}
	return out
}

// over tells that a swap has been dealt with and its staging is gone, and fails where staging and source are both not to be seen: what
// is on a disk that is not mounted is still between two states.
func (u *undo) over(s *tree.Swap) (bool, error) {
	staged, err := s.Staged()
	if staged || err != nil {
		return false, err
	}
	e, err := tree.Lstat(string(s.Root))
	switch {
	case errors.Is(err, fs.ErrNotExist) && (u.made(string(s.Root)) || len(u.volumes) > 0):
		return true, nil // what the restore had made is removed again
	case errors.Is(err, fs.ErrNotExist), err == nil && s.Inode != 0 && e.Inode != s.Inode:
		return false, fmt.Errorf("%s is not what was being restored there: if its disk is not mounted, mount it first", s.Root)
	}
	return err == nil, err
}

// settleTime gives a source its time where the staging is gone and nothing has used the source since: the removal changed it, and the run
// may have died before it set it again.
func (u *undo) settleTime(s *tree.Swap, over bool) error {
	if !over || !u.interrupted || u.cleaned || !exists(string(s.Root)) {
		return nil
	}
	return tree.SettleTime(s, func(c tree.FolderChange) tree.Attributes {
		if u.committed {
			return c.New
		}
		return c.Old
	})
}

// made tells whether the restore has made a root.
func (u *undo) made(root string) bool {
	return slices.ContainsFunc(u.roots, func(made []string) bool { return slices.Contains(made, root) })
}

// discard removes a staging. The record of the moves goes first with it under another name, so that the swap is over.
func discard(ctx context.Context, s *tree.Swap) error {
	if err := tree.Discard(ctx, s); err != nil {
		return fmt.Errorf("remove staging %s: %w", s.Staging, err)
	}
	return nil
}

// removeEmpty removes a folder or file that the restore has made, unless somebody has put something in it.
func removeEmpty(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && info.Mode().IsRegular() && info.Size() > 0 {
		return fmt.Errorf("remove %s, which the restore has made: it is not empty", path)
	}
	if err == nil {
		err = os.Remove(path)
	}
	return err
}

func removeVolume(ctx context.Context, volumes Volumes, name string) error {
	if volumes == nil {
		return fmt.Errorf("remove volume %s, which the restore has made: the engine does not answer", name)
	}
	err := volumes.RemoveVolume(ctx, name)
	if errors.Is(err, engine.ErrNotFound) {
		return nil
	}
	return err
}

// clean removes the stagings after the commit; where the former entries are kept, only the rest.
func (u *undo) clean(ctx context.Context) error {
	var errs []error
	for _, s := range u.swaps {
		if err := u.cleanOne(ctx, s); err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) == 0 {
		errs = append(errs, u.removeTaken(ctx))
	}
	return errors.Join(errs...)
}

// finishAndDiscard removes a staging once the new state is whole. It always is, unless a commit that could not be recorded stands on the
// disk all the same, and the way back from it was interrupted.
func finishAndDiscard(ctx context.Context, s *tree.Swap) error {
	whole, err := loadSwap(s)
	if err != nil {
		return err
	}
	err = discard(ctx, whole)
	if !errors.Is(err, tree.ErrTorn) {
		return err
	}
	if _, err := tree.Finish(ctx, whole); err != nil {
		return err
	}
	return discard(ctx, whole)
}

// finishFile rewrites a source that is a single file where it is neither state: no moves tell how far the way back had come.
func finishFile(ctx context.Context, s *tree.Swap) error {
	if !s.File {
		return nil
	}
	whole, err := tree.Rewritten(ctx, s)
	if err != nil || whole {
		return err
	}
	_, err = tree.Finish(ctx, s)
	return err
}

func (u *undo) cleanOne(ctx context.Context, s *tree.Swap) error {
	if over, err := u.over(s); over || err != nil {
		return errors.Join(err, u.settleTime(s, over))
	}
	if u.interrupted {
		if err := finishFile(ctx, s); err != nil {
			return fmt.Errorf("finish %s: %w", s.Root, err)
		}
	}
	if u.aside[string(s.Staging)] {
		return u.keepAside(ctx, s)
	}
	return finishAndDiscard(ctx, s)
}
