package restore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/tree"
)

// revert puts the data back as it was, in the opposite order: swaps, stagings, roots, volumes. It goes on after an error.
func (u *undo) revert(ctx context.Context, volumes Volumes) error {
	var errs []error
	for _, s := range slices.Backward(u.swaps) {
		if err := revertSwap(ctx, s); err != nil {
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

func revertSwap(ctx context.Context, s *tree.Swap) error {
	if _, err := os.Lstat(string(s.Root)); errors.Is(err, fs.ErrNotExist) {
		return nil // it was to be made and was not
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
	return discard(ctx, whole)
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
	return errors.Join(errs...)
}

func (u *undo) cleanOne(ctx context.Context, s *tree.Swap) error {
	if !u.aside[string(s.Staging)] {
		whole, err := loadSwap(s)
		if err != nil {
			return err
		}
		return discard(ctx, whole)
	}
	if err := os.RemoveAll(filepath.Join(string(s.Staging), "new")); err != nil {
		return fmt.Errorf("remove staging %s: %w", s.Staging, err)
	}
	err := os.Remove(filepath.Join(string(s.Staging), swapFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove staging %s: %w", s.Staging, err)
	}
	return nil
}
