package tree

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
)

// PlanSwap decides how the content of root is replaced by what is staged in Stage's folder, and changes nothing. What keep
// names a rule for stays in place, untouched, at any depth: folders above it stay too and get the new attributes. A file
// that is kept and staged all the same is replaced. The staged root has its attributes (Create with Path "."): they become the source's.
func PlanSwap(ctx context.Context, root, id string, keep func(*Entry) string) (*Swap, error) {
	staging, err := StagingPath(root, id)
	if err != nil {
		return nil, err
	}
	s := &Swap{Root: RawPath(root), Staging: RawPath(staging)}
	live, err := Lstat(root)
	if err != nil {
		return nil, err
	}
	s.Inode = live.Inode
	staged, err := Lstat(filepath.Join(staging, "new"))
	if err != nil {
		return nil, err
	}
	if live.Kind != staged.Kind {
		return nil, pathError("plan", root, fmt.Errorf("%w: source is a %s, staged is a %s", ErrUnsafe, live.Kind, staged.Kind))
	}
	if live.Kind == File {
		s.File = true
		return s, nil
	}
	p := &swapPlan{swap: s, live: newDirs(root), staged: newDirs(filepath.Join(staging, "new")), stays: map[string]bool{".": true}, kept: map[string]bool{}}
	defer p.live.close()
	defer p.staged.close()
	if err := p.look(ctx, StagingName(id), keep); err != nil {
		return nil, err
	}
	return s, p.folder(".")
}

type swapPlan struct {
	swap         *Swap
	live, staged *dirs
	kept         map[string]bool // roots of what stays in place
	stays        map[string]bool // folders with something kept below
}

// look finds what is kept, and mounts in the rest.
func (p *swapPlan) look(ctx context.Context, own string, keep func(*Entry) string) error {
	root := string(p.swap.Root)
	o := WalkOptions{
		Skip: func(e *Entry) string {
			if e.Path == own {
				return RuleStaging
			}
			if keep == nil {
				return ""
			}
			return keep(e)
		},
		OnSkip: func(e *Entry, _ string) { p.keep(e.Path) },
	}
	if err := Walk(ctx, root, o, func(context.Context, *Entry, Opener) error { return nil }); err != nil {
		return err
	}
	mounts, err := MountsBelow(root)
	if err != nil {
		return err
	}
	for _, path := range mounts {
		if !p.isKept(path) {
			return pathError("plan", filepath.Join(root, path), ErrMountPoint)
		}
	}
	return nil
}

func (p *swapPlan) keep(path string) {
	p.kept[path] = true
	for path != "." {
		path, _ = splitPath(path)
		p.stays[path] = true
	}
}

func (p *swapPlan) isKept(path string) bool {
	for path != "." {
		if p.kept[path] {
			return true
		}
		path, _ = splitPath(path)
	}
	return false
}

// folder plans a folder that stays: what it holds changes place name by name.
func (p *swapPlan) folder(path string) error {
	now, live, err := entries(p.live, path)
	if err != nil {
		return err
	}
	next, staged, err := entries(p.staged, path)
	if errors.Is(err, fs.ErrNotExist) {
		next, err = now, nil // it stays for what is kept in it
	}
	if err != nil {
		return err
	}
	p.swap.Folders = append(p.swap.Folders, FolderChange{RawPath(path), attributesOf(now), attributesOf(next)})
	names := map[string]bool{}
	for _, list := range []map[string]*Entry{live, staged} {
		for name := range list {
			names[name] = true
		}
	}
	for _, name := range sortedNames(names) {
		if err := p.name(joinPath(path, name), live[name], staged[name]); err != nil {
			return err
		}
	}
	return nil
}

// name plans one name; live or staged can be missing.
func (p *swapPlan) name(path string, live, staged *Entry) error {
	switch {
	case p.stays[path]:
		if staged != nil && staged.Kind != Dir {
			return pathError("plan", path, fmt.Errorf("%w: a folder with kept entries, staged is a %s", ErrKept, staged.Kind))
		}
		return p.folder(path)
	case p.kept[path] && staged == nil:
		return nil
	case p.kept[path] && live.Kind == Dir:
		p.swap.LeftOut = append(p.swap.LeftOut, RawPath(path))
		return nil
	}
	m := Move{Path: RawPath(path), Old: live != nil, New: staged != nil}
	m.OldMode, m.NewMode = stuckMode(live), stuckMode(staged)
	p.swap.Moves = append(p.swap.Moves, m)
	return nil
}

// stuckMode is the mode of a folder that its owner may not move to another one, since it is read-only; else 0.
func stuckMode(e *Entry) uint32 {
	if e == nil || e.Kind != Dir || e.Mode&0o200 != 0 {
		return 0
	}
	return e.Mode | modeKnown
}

// modeKnown tells a recorded mode 0000 from none.
const modeKnown = 0o10000

// entries are a folder and what is in it.
func entries(d *dirs, path string) (*Entry, map[string]*Entry, error) {
	ref, err := d.acquire(path)
	if err != nil {
		return nil, nil, pathError("open", path, err)
	}
	defer ref.release()
	self, err := readEntry(ref.folder, path)
	if err != nil {
		return nil, nil, pathError("read", path, err)
	}
	names, err := ref.names()
	if err != nil {
		return nil, nil, pathError("read", path, err)
	}
	all := map[string]*Entry{}
	for _, name := range names {
		if all[name], err = ref.lstat(name); err != nil {
			return nil, nil, pathError("read", joinPath(path, name), err)
		}
	}
	return self, all, nil
}

func sortedNames(names map[string]bool) []string {
	list := make([]string, 0, len(names))
	for name := range names {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}
