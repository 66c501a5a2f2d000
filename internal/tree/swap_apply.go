package tree

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
)

// Apply brings the new state in place, and reports each step that is done; an error of done ends it there. From any state
// between it goes on where it is needed. What attributes could not be set are problems.
func Apply(ctx context.Context, s *Swap, done func(step int) error) ([]Problem, error) {
	if done == nil {
		done = func(int) error { return nil }
	}
	r, err := openSwap(s, done)
	if r == nil {
		return nil, err
	}
	defer r.close()
	if s.File {
		return r.replaceFile(ctx)
	}
	r.unlock()
	for i := range s.Moves {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := r.forward(&s.Moves[i]); err != nil {
			return nil, pathError("swap", string(s.Moves[i].Path), err)
		}
	}
	return r.settle(func(c FolderChange) Attributes { return c.New })
}

// Finish brings a swap that was interrupted to its new state.
func Finish(ctx context.Context, s *Swap) ([]Problem, error) { return Apply(ctx, s, nil) }

// Revert brings a swap in any state back to the old one; what came in place returns to the staging.
func Revert(ctx context.Context, s *Swap) ([]Problem, error) {
	return revert(ctx, s, func(int) error { return nil })
}

func revert(ctx context.Context, s *Swap, done func(int) error) ([]Problem, error) {
	r, err := openSwap(s, done)
	if r == nil {
		return nil, err
	}
	defer r.close()
	if s.File {
		return r.revertFile(ctx)
	}
	r.unlock()
	for i := len(s.Moves) - 1; i >= 0; i-- {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := r.backward(&s.Moves[i]); err != nil {
			return nil, pathError("revert", string(s.Moves[i].Path), err)
		}
	}
	return r.settle(func(c FolderChange) Attributes { return c.Old })
}

// swapRun is one run over a swap.
type swapRun struct {
	swap           *Swap
	live, old, new *dirs
	done           func(int) error
	step           int
}

// openSwap is nil without an error where the staging is gone: then the swap is over, one way or the other.
func openSwap(s *Swap, done func(int) error) (*swapRun, error) {
	if _, err := Lstat(string(s.Staging)); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		return nil, err
	}
	r := &swapRun{swap: s, done: done}
	if s.File {
		return r, nil
	}
	staging := string(s.Staging)
	if err := makeFolder(staging, "old"); err != nil {
		return nil, err
	}
	r.live, r.old, r.new = newDirs(string(s.Root)), newDirs(filepath.Join(staging, "old")), newDirs(filepath.Join(staging, "new"))
	// What moves into a folder whose name is lost with the power is lost too.
	r.old.durable, r.new.durable = true, true
	return r, nil
}

func makeFolder(parent, name string) error {
	dir, err := openFolder(parent)
	if err != nil {
		return pathError("open", parent, err)
	}
	defer dir.Close()
	if err := dir.mkdir(name); err != nil && !errors.Is(err, fs.ErrExist) {
		return pathError("create", filepath.Join(parent, name), err)
	}
	return pathError("sync", parent, dir.sync())
}

func (r *swapRun) close() {
	for _, d := range []*dirs{r.live, r.old, r.new} {
		if d != nil {
			d.close()
		}
	}
}

// unlock makes folders writable whose content changes place; settle sets their modes again. What it cannot do shows as the
// error of a move.
func (r *swapRun) unlock() {
	for _, change := range r.swap.Folders {
		for _, d := range []*dirs{r.live, r.new} {
			if e, err := statPath(d, string(change.Path)); err == nil && e.Mode&0o300 != 0o300 {
				_ = chmodAt(d, string(change.Path), e.Mode|0o700)
			}
		}
	}
}

func statPath(d *dirs, path string) (*Entry, error) {
	ref, err := d.acquire(path)
	if err != nil {
		return nil, err
	}
	defer ref.release()
	return ref.folder.stat()
}

// forward brings one name to its new state.
func (r *swapRun) forward(m *Move) error {
	path := string(m.Path)
	oldThere, newThere, err := r.where(path)
	if err != nil {
		return err
	}
	if m.Old && !oldThere {
		if m.New && !newThere {
			return ErrTorn
		}
		if err := r.move(r.live, r.old, path, m.OldMode); err != nil {
			return err
		}
	}
	if m.New && newThere {
		return r.move(r.new, r.live, path, m.NewMode)
	}
	return r.freshMode(m)
}

// freshMode sets the mode again that a kill right after the move left writable.
func (r *swapRun) freshMode(m *Move) error {
	if m.New && m.NewMode != 0 {
		return chmodAt(r.live, string(m.Path), m.NewMode)
	}
	return nil
}

// backward brings one name to its old state.
func (r *swapRun) backward(m *Move) error {
	path := string(m.Path)
	oldThere, newThere, err := r.where(path)
	if err != nil {
		return err
	}
	if m.New && !newThere {
		if m.Old && !oldThere {
			return ErrTorn
		}
		if err := r.move(r.live, r.new, path, m.NewMode); err != nil {
			return err
		}
	}
	if m.Old && oldThere {
		return r.move(r.old, r.live, path, m.OldMode)
	}
	if m.Old && m.OldMode != 0 {
		return chmodAt(r.live, path, m.OldMode)
	}
	return nil
}

func (r *swapRun) where(path string) (oldThere, newThere bool, err error) {
	oldThere, err = exists(r.old, path)
	if err != nil {
		return false, false, err
	}
	newThere, err = exists(r.new, path)
	return oldThere, newThere, err
}

func exists(d *dirs, path string) (bool, error) {
	ref, name, err := d.at(path)
	if err == nil {
		defer ref.release()
		_, err = ref.lstat(name)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// move renames one entry between two trees and never replaces one.
func (r *swapRun) move(from, to *dirs, path string, mode uint32) error {
	src, name, err := from.at(path)
	if err != nil {
		return err
	}
	defer src.release()
	dir, _ := splitPath(path)
	dst, err := to.ensure(dir)
	if err != nil {
		return err
	}
	defer dst.release()
	if mode != 0 {
		if err := chmodAt(from, path, mode|0o200); err != nil {
			return err
		}
	}
	if err := src.rename(name, dst.folder, name); err != nil {
		return err
	}
	if mode != 0 {
		if err := chmodAt(to, path, mode); err != nil {
			return err
		}
	}
	r.step++
	return r.done(r.step)
}

func chmodAt(d *dirs, path string, mode uint32) error {
	ref, name, err := d.at(path)
	if err != nil {
		return err
	}
	defer ref.release()
	if name == "" {
		return ref.folder.chmod(mode & 0o7777)
	}
	return ref.chmodFolder(name, mode&0o7777)
}

// settle sets the attributes of the folders that stay, the deepest first, and flushes everything.
func (r *swapRun) settle(pick func(FolderChange) Attributes) (problems []Problem, err error) {
	for i := len(r.swap.Folders) - 1; i >= 0; i-- {
		change := r.swap.Folders[i]
		found, err := r.setFolder(pick(change).Entry(string(change.Path)))
		if err != nil {
			return problems, err
		}
		problems = append(problems, found...)
		r.step++
		if err := r.done(r.step); err != nil {
			return problems, err
		}
	}
	return problems, r.flush()
}

func (r *swapRun) setFolder(want *Entry) (problems []Problem, err error) {
	ref, err := r.live.acquire(want.Path)
	if err != nil {
		return nil, pathError("open", want.Path, err)
	}
	defer ref.release()
	now, err := readEntry(ref.folder, want.Path)
	if err != nil {
		return nil, pathError("read", want.Path, err)
	}
	for _, err := range replaceAttributes(ref.folder, now, want) {
		problems = append(problems, Problem{Path: want.Path, Err: err})
	}
	return problems, nil
}

// replaceAttributes also removes extended attributes that are not wanted, and leaves an owner alone that is right.
func replaceAttributes(h handle, now, want *Entry) (problems []error) {
	for name := range now.Xattrs {
		if _, ok := want.Xattrs[name]; ok || name == "security.selinux" {
			continue
		}
		if err := h.removeXattr(name); err != nil {
			problems = append(problems, fmt.Errorf("remove attribute %s: %w", name, err))
		}
	}
	same := now.UID == want.UID && now.GID == want.GID
	return append(problems, applyTo(h, want, WriteOptions{SkipOwners: same})...)
}

// flush puts every rename on the disk: each was between two of these folders.
func (r *swapRun) flush() error {
	for _, change := range r.swap.Folders {
		for _, d := range []*dirs{r.live, r.old, r.new} {
			if err := syncFolder(d, string(change.Path)); err != nil {
				return err
			}
		}
	}
	return nil
}

func syncFolder(d *dirs, path string) error {
	ref, err := d.acquire(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return pathError("open", path, err)
	}
	defer ref.release()
	return pathError("sync", path, ref.sync())
}
