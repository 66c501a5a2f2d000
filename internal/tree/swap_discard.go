package tree

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// The staging gets one of these endings before it is removed: with its own name gone, the swap is over, and a removal that
// was interrupted cannot be taken for a state between.
const (
	finishedSuffix = ".finished"
	revertedSuffix = ".reverted"
)

// Discard removes the staging of a swap that was finished or reverted, with the other state in it. It can be repeated.
func Discard(ctx context.Context, s *Swap) error {
	staging := string(s.Staging)
	parent, err := openFolder(filepath.Dir(staging))
	if err != nil {
		return pathError("open", filepath.Dir(staging), err)
	}
	defer parent.Close()
	before, err := parent.stat()
	if err != nil {
		return err
	}
	name := filepath.Base(staging)
	if err := nameOutcome(s, parent, name); err != nil {
		return err
	}
	for _, suffix := range []string{finishedSuffix, revertedSuffix} {
		if _, err := parent.lstat(name + suffix); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := RemoveAll(ctx, staging+suffix); err != nil {
			return err
		}
		if err := restoreTime(s, parent, before, suffix); err != nil {
			return err
		}
	}
	return parent.sync()
}

// Staged tells whether the staging of a swap is there, under its own name or one of those before it is removed.
func (s *Swap) Staged() (bool, error) {
	for _, suffix := range []string{"", finishedSuffix, revertedSuffix} {
		_, err := os.Lstat(string(s.Staging) + suffix)
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return err == nil, err
		}
	}
	return false, nil
}

// nameOutcome renames the staging by the state that the source is in.
func nameOutcome(s *Swap, parent *folder, name string) error {
	if _, err := parent.lstat(name); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	suffix := revertedSuffix
	finished, err := s.finished()
	if err != nil {
		return err
	}
	if finished {
		suffix = finishedSuffix
	}
	if err := parent.rename(name, parent, name+suffix); err != nil {
		return pathError("rename", string(s.Staging), err)
	}
	// On the disk before anything of it goes: after a loss of power it could be taken for a state between.
	return pathError("sync", string(s.Root), parent.sync())
}

// finished tells that every name is in its new state; an error where some are and some are not.
func (s *Swap) finished() (bool, error) {
	if s.File || len(s.Moves) == 0 {
		return true, nil
	}
	r, err := openSwap(s, nil)
	if err != nil {
		return false, err
	}
	defer r.close()
	return s.agree(r)
}

// agree holds all names to one outcome.
func (s *Swap) agree(r *swapRun) (bool, error) {
	ended := 0
	for _, m := range s.Moves {
		oldThere, newThere, err := r.where(string(m.Path))
		if err != nil {
			return false, err
		}
		if oldThere == m.Old && !newThere {
			ended++
		} else if oldThere || newThere != m.New {
			return false, pathError("discard", string(m.Path), ErrTorn)
		}
	}
	if ended != 0 && ended != len(s.Moves) {
		return false, pathError("discard", string(s.Staging), ErrTorn)
	}
	return ended != 0, nil
}

// restoreTime sets the time again that the removal of the staging changed.
func restoreTime(s *Swap, parent *folder, before *Entry, suffix string) error {
	at := before.ModTime
	if len(s.Folders) > 0 {
		a := s.Folders[0].Old
		if suffix == finishedSuffix {
			a = s.Folders[0].New
		}
		at = a.Entry(".").ModTime
	}
	return putTime(parent, at)
}

// putTime sets a folder's time back to what it was. Of a folder that is somebody else's it cannot be set: nothing else is lost then.
func putTime(dir *folder, at time.Time) error {
	if err := dir.setModTime(at); err != nil && !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return nil
}

// SettleTime sets the time of the source that it has in its old or new state, for a swap whose staging is gone: whoever removed it may not have
// come to that.
func SettleTime(s *Swap, pick func(FolderChange) Attributes) error {
	if len(s.Folders) == 0 || s.Folders[0].Path != "." {
		return nil
	}
	root, err := openFolder(string(s.Root))
	if err != nil {
		return pathError("open", string(s.Root), err)
	}
	defer root.Close()
	at := pick(s.Folders[0]).Entry(".").ModTime
	return pathError("set time", string(s.Root), errors.Join(putTime(root, at), root.sync()))
}

// RemoveAll removes a tree and follows no link; folders that their owner may not write are made writable first.
func RemoveAll(ctx context.Context, path string) error {
	err := os.RemoveAll(path)
	if err == nil || !errors.Is(err, fs.ErrPermission) {
		return err
	}
	o := WalkOptions{OnProblem: func(Problem) {}}
	d := newDirs(path)
	defer d.close()
	_ = Walk(ctx, path, o, func(_ context.Context, e *Entry, _ Opener) error {
		if e.Kind != Dir || e.Mode&0o700 == 0o700 {
			return nil
		}
		ref, name, err := d.at(e.Path)
		if err != nil || name == "" {
			return err
		}
		defer ref.release()
		return ref.chmodFolder(name, 0o700)
	})
	return os.RemoveAll(path)
}
