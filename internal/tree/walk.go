package tree

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
)

// WalkOptions are what Walk leaves out and where it tells what went wrong.
type WalkOptions struct {
	// Skip names the rule that leaves an entry, and all below it, out; "" keeps it. The entry has its attributes, Device and
	// Inode (for a mount point those of what is mounted), but no extended attributes yet; a second name of a file is a File here.
	// It is not asked about the root.
	Skip func(*Entry) string
	// OnSkip is told what was left out and why. A socket has the rule RuleSocket.
	OnSkip func(e *Entry, rule string)
	// OnProblem is told what could not be read; the walk goes on. Without it the first problem ends the walk.
	// An entry that vanished is a problem with fs.ErrNotExist.
	OnProblem func(Problem)
	// LazyXattrs leaves the extended attributes of files to the entry that Opener returns, which reads them much cheaper.
	LazyXattrs bool
	// Bare leaves extended attributes, targets of links, and Holes out: who wants the content alone has it quicker, and reading a
	// link would move its time of access.
	Bare bool
}

// RuleSocket is the rule under which Walk leaves sockets out.
const RuleSocket = "socket"

// Walk visits every entry of the tree at root: the root first, then in the order of ComparePaths. Root is a folder or a
// single file, not a link. Only an error of visit, of the context or of the root ends it.
//
// The entry has no Holes; the one that Opener returns has. Opener is nil but for Kind File; it may be used from any
// goroutine, also after Walk has returned. Holes are what the file system tells: preallocated, never written ranges count as holes.
func Walk(ctx context.Context, root string, o WalkOptions, visit func(context.Context, *Entry, Opener) error) error {
	e, err := Lstat(root)
	if err != nil {
		return err
	}
	w := &walker{o: o, visit: visit, first: map[fileID]*Entry{}}
	switch e.Kind {
	case Dir:
		w.dirs = newDirs(root)
	case File:
		w.dirs = newSingle(root)
	default:
		return pathError("walk", root, fmt.Errorf("%w: root is neither folder nor file but %s", ErrUnsafe, e.Kind))
	}
	defer w.dirs.close()
	return w.walk(ctx, e)
}

// Lstat is the entry of a path on the machine, which may be a link, with Path ".".
func Lstat(root string) (*Entry, error) {
	d := newSingle(root)
	defer d.close()
	ref, name, err := d.at(".")
	if err != nil {
		return nil, pathError("open", root, err)
	}
	defer ref.release()
	e, err := statName(ref.folder, name, ".")
	if err != nil && e == nil {
		return nil, pathError("lstat", root, err)
	}
	return e, nil
}

// statName is the entry of a name in a folder, link target and extended attributes included.
func statName(dir *folder, name, path string) (*Entry, error) {
	e, err := dir.lstat(name)
	if err != nil {
		return nil, err
	}
	e.Path = path
	return e, completeEntry(dir, name, e)
}

// completeEntry adds link target and extended attributes.
func completeEntry(dir *folder, name string, e *Entry) (err error) {
	if e.Kind == Symlink {
		if e.Link, err = dir.readlink(name); err != nil {
			return err
		}
	}
	e.Xattrs, err = dir.node(name, e.Kind).xattrs()
	return err
}

type fileID struct{ device, inode uint64 }

type walker struct {
	o     WalkOptions
	dirs  *dirs
	visit func(context.Context, *Entry, Opener) error
	first map[fileID]*Entry // first visited name of a file with several
}

// level is a folder whose names are being visited.
type level struct {
	path  string
	names []string
}

// walk keeps its own stack, since a tree can be thousands of folders deep.
func (w *walker) walk(ctx context.Context, root *Entry) error {
	if root.Kind == File {
		return w.visit(ctx, root, w.opener("."))
	}
	top, err := w.folder(ctx, root)
	if err != nil {
		return err
	}
	stack := []*level{top}
	for len(stack) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		now := stack[len(stack)-1]
		if len(now.names) == 0 {
			stack = stack[:len(stack)-1]
			continue
		}
		name := now.names[0]
		now.names = now.names[1:]
		below, err := w.entry(ctx, now.path, name)
		if err != nil {
			return err
		}
		if below != nil {
			stack = append(stack, below)
		}
	}
	return nil
}

// entry visits one name; for a folder it returns what is in it.
func (w *walker) entry(ctx context.Context, dir, name string) (*level, error) {
	path := joinPath(dir, name)
	e, err := w.look(dir, name, path)
	if e == nil || err != nil {
		return nil, err
	}
	if e.Kind == Dir {
		return w.folder(ctx, e)
	}
	var open Opener
	if e.Kind == File {
		open = w.opener(path)
	}
	return nil, w.visit(ctx, e, open)
}

// look reads the entry of a name; nil where it is left out.
func (w *walker) look(dir, name, path string) (*Entry, error) {
	ref, err := w.dirs.acquire(dir)
	if err != nil {
		return nil, w.problem(path, err)
	}
	defer ref.release()
	e, err := ref.lstat(name)
	if err != nil {
		return nil, w.problem(path, err)
	}
	e.Path = path
	if rule := w.rule(e); rule != "" {
		if w.o.OnSkip != nil {
			w.o.OnSkip(e, rule)
		}
		return nil, nil
	}
	if e.Kind != Dir {
		if w.hardlink(e); e.Kind == Hardlink {
			return e, nil
		}
	}
	if w.o.Bare || e.Kind == File && w.o.LazyXattrs {
		return e, nil
	}
	if err := completeEntry(ref.folder, name, e); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, w.problem(path, err)
		}
		return e, w.problem(path, err)
	}
	return e, nil
}

func (w *walker) rule(e *Entry) string {
	if w.o.Skip != nil {
		if rule := w.o.Skip(e); rule != "" {
			return rule
		}
	}
	if e.Kind == Socket {
		return RuleSocket
	}
	return ""
}

// hardlink makes a second name of a file a Hardlink to the first one that was visited.
func (w *walker) hardlink(e *Entry) {
	if e.Links < 2 {
		return
	}
	id := fileID{e.Device, e.Inode}
	first := w.first[id]
	if first == nil || !w.stillSame(first, e) {
		w.first[id] = e
		return
	}
	e.Kind, e.Link, e.Size = Hardlink, first.Path, 0
}

// stillSame tells whether the first name is this very file: in a tree that changes, an inode number can be used anew.
func (w *walker) stillSame(first, e *Entry) bool {
	if first.ChangeTime.Equal(e.ChangeTime) {
		return true
	}
	ref, name, err := w.dirs.at(first.Path)
	if err != nil {
		return false
	}
	defer ref.release()
	now, err := ref.lstat(name)
	return err == nil && sameFile(now, e)
}

// folder visits a folder and lists it.
func (w *walker) folder(ctx context.Context, e *Entry) (*level, error) {
	if err := w.visit(ctx, e, nil); err != nil {
		return nil, err
	}
	ref, err := w.dirs.acquire(e.Path)
	if err != nil {
		return &level{}, w.problem(e.Path, err)
	}
	defer ref.release()
	names, err := ref.names()
	if err != nil {
		return &level{}, w.problem(e.Path, err)
	}
	slices.Sort(names)
	return &level{path: e.Path, names: names}, nil
}

func (w *walker) problem(path string, err error) error {
	err = pathError("read", path, err)
	if w.o.OnProblem == nil {
		return err
	}
	w.o.OnProblem(Problem{Path: path, Err: err})
	return nil
}

func (w *walker) opener(path string) Opener {
	return func(ctx context.Context) (*Entry, Reader, error) {
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		if w.o.Bare {
			return openBare(w.dirs, path)
		}
		return openContent(w.dirs, path)
	}
}

// FileOpener is the Opener of one path in the tree at root, which is opened anew each time; no link on the way is followed.
func FileOpener(root, path string) Opener {
	return func(ctx context.Context) (*Entry, Reader, error) {
		if err := errors.Join(ctx.Err(), CheckPath(path)); err != nil {
			return nil, nil, err
		}
		d := newDirs(root)
		if path == "." {
			d = newSingle(root)
		}
		defer d.close()
		return openContent(d, path)
	}
}

// openContent opens a regular file of the tree.
func openContent(d *dirs, path string) (*Entry, *reader, error) {
	e, r, err := openBare(d, path)
	if err != nil {
		return nil, nil, err
	}
	if e.Xattrs, err = r.file.xattrs(); err == nil {
		e.Holes, err = r.file.holes(e.Size)
	}
	if err != nil {
		_ = r.Close()
		return nil, nil, pathError("open", path, err)
	}
	return e, r, nil
}

// openBare is openContent without extended attributes and holes.
func openBare(d *dirs, path string) (*Entry, *reader, error) {
	ref, name, err := d.at(path)
	if err != nil {
		return nil, nil, pathError("open", path, vanished(err))
	}
	defer ref.release()
	f, e, err := openRegular(ref.folder, name)
	if err != nil {
		return nil, nil, pathError("open", path, vanished(err))
	}
	e.Path = path
	return e, &reader{file: f, opened: e}, nil
}

// openRegular opens without waiting for the other end of a FIFO, and keeps only a regular file.
func openRegular(dir *folder, name string) (*file, *Entry, error) {
	f, err := dir.openFile(name)
	if err != nil {
		return nil, nil, err
	}
	e, err := f.stat()
	if err == nil && e.Kind != File {
		err = os.ErrNotExist // something else took its place
	}
	if err != nil {
		_ = f.Close()
		return nil, nil, err
	}
	return f, e, nil
}

// vanished makes an entry that is something else now look like one that is gone.
func vanished(err error) error {
	if errors.Is(err, ErrUnsafe) || notDir(err) {
		return fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	}
	return err
}
