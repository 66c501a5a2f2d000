package tree

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
)

// WriteOptions are how a Writer sets attributes.
type WriteOptions struct {
	// MapOwner changes the owner of every entry; nil keeps the numbers.
	MapOwner func(uid, gid int) (int, int)
	// SkipOwners leaves owners as the process creates them, where it may not set them; each that differs is a problem, and
	// such an entry loses its setuid and setgid bits.
	SkipOwners bool
	// Devices lets character and block devices be made; without it they are refused with ErrUnsafe.
	Devices bool
	// Sync makes Finish return only when everything is on the disk.
	Sync bool
}

// Writer writes entries below a root and never outside it. It is safe for parallel use but for Finish, which comes last.
// Symbolic links, hard links and the attributes of folders are made by Finish.
type Writer struct {
	o    WriteOptions
	root string
	dirs *dirs

	mu       sync.Mutex
	started  bool
	folders  map[string]*Entry // with an entry of their own
	symlinks []*Entry
	links    []*Entry
	problems []Problem
}

// NewWriter fills the folder root, which does not exist or is empty (else ErrNotEmpty); its own folder exists. A first
// File with Path "." makes root a single file instead.
func NewWriter(root string, o WriteOptions) (*Writer, error) {
	w := &Writer{o: o, root: root, folders: map[string]*Entry{}}
	e, err := Lstat(root)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return w, nil
	case err != nil:
		return nil, err
	case e.Kind != Dir:
		return nil, pathError("write", root, fmt.Errorf("%w: root is not a folder but %s", ErrUnsafe, e.Kind))
	}
	return w, w.openRoot()
}

// openRoot makes sure that the root is an empty folder.
func (w *Writer) openRoot() error {
	d := newDirs(w.root)
	ref, err := d.acquire(".")
	if err != nil {
		return pathError("open", w.root, err)
	}
	defer ref.release()
	names, err := ref.names()
	if err != nil {
		return pathError("read", w.root, err)
	}
	if len(names) > 0 {
		return pathError("write", w.root, ErrNotEmpty)
	}
	dropInherited(ref.folder)
	w.dirs, w.started = d, true
	return nil
}

// dropInherited removes the ACLs that a new folder takes over from its parent and would pass on to all below.
func dropInherited(dir *folder) {
	for _, name := range []string{aclDefault, aclAccess} {
		_ = dir.removeXattr(name) // most often there is none
	}
}

// start makes the root as a folder, or leaves it to File for a single file.
func (w *Writer) start(path string, kind Kind) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.started {
		return nil
	}
	if path == "." && kind == File {
		w.dirs, w.started = newSingle(w.root), true
		return nil
	}
	if err := os.Mkdir(w.root, 0o700); err != nil {
		return err
	}
	return w.openRoot()
}

// Create makes an entry that is no file. Folders, FIFOs and devices are made at once, links by Finish.
func (w *Writer) Create(ctx context.Context, e *Entry) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := w.check(e); err != nil {
		return pathError("create", e.Path, err)
	}
	return pathError("create", e.Path, w.create(e))
}

func (w *Writer) check(e *Entry) error {
	if err := CheckPath(e.Path); err != nil {
		return err
	}
	if e.Path == "." && e.Kind != Dir && e.Kind != File {
		return fmt.Errorf("%w: root is a %s", ErrUnsafe, e.Kind)
	}
	return w.start(e.Path, e.Kind)
}

func (w *Writer) create(e *Entry) error {
	switch e.Kind {
	case Dir:
		return w.createFolder(e)
	case Symlink:
		if e.Link == "" || strings.IndexByte(e.Link, 0) >= 0 {
			return fmt.Errorf("%w: link target %q", ErrUnsafe, e.Link)
		}
		return w.deferEntry(&w.symlinks, e)
	case Hardlink:
		if err := CheckPath(e.Link); err != nil || e.Link == "." || e.Link == e.Path {
			return fmt.Errorf("%w: hard link to %q", ErrUnsafe, e.Link)
		}
		return w.deferEntry(&w.links, e)
	case FIFO:
		return w.createSpecial(e)
	case CharDevice, BlockDevice:
		if !w.o.Devices {
			return fmt.Errorf("%w: device", ErrUnsafe)
		}
		return w.createSpecial(e)
	default:
		return fmt.Errorf("%w: kind %q", ErrUnsafe, e.Kind)
	}
}

func (w *Writer) deferEntry(list *[]*Entry, e *Entry) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	*list = append(*list, e)
	return nil
}

func (w *Writer) createFolder(e *Entry) error {
	ref, err := w.ensure(e.Path)
	if err != nil {
		return err
	}
	ref.release()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.folders[e.Path] != nil {
		return fmt.Errorf("second entry: %w", fs.ErrExist)
	}
	w.folders[e.Path] = e
	return nil
}

func (w *Writer) createSpecial(e *Entry) error {
	dir, name := splitPath(e.Path)
	ref, err := w.ensure(dir)
	if err != nil {
		return err
	}
	defer ref.release()
	if err := ref.special(name, e); err != nil {
		return err
	}
	w.apply(ref.node(name, e.Kind), e)
	return nil
}

// ensure opens a folder and makes it, with its parents, where it is missing. What is in its place and no folder is refused.
func (w *Writer) ensure(path string) (*dirRef, error) {
	if w.dirs.single != "" {
		return nil, fmt.Errorf("%w: %q below a file", ErrUnsafe, path)
	}
	return w.dirs.ensure(path)
}

// File makes a file for its content. Its folders are made where they are missing; a name that exists is refused.
func (w *Writer) File(e *Entry) (Content, error) {
	if e.Kind != File {
		return nil, pathError("create", e.Path, fmt.Errorf("%w: %s is not a file", ErrUnsafe, e.Kind))
	}
	if e.Size < 0 || !validHoles(e.Holes, e.Size) {
		return nil, pathError("create", e.Path, fmt.Errorf("%w: size %d with holes %v", ErrUnsafe, e.Size, e.Holes))
	}
	if err := w.check(e); err != nil {
		return nil, pathError("create", e.Path, err)
	}
	c, err := w.createFile(e)
	if err != nil {
		return nil, pathError("create", e.Path, err)
	}
	return c, nil
}

func (w *Writer) createFile(e *Entry) (*content, error) {
	ref, name, err := w.place(e.Path)
	if err != nil {
		return nil, err
	}
	f, err := ref.createFile(name)
	if err != nil {
		ref.release()
		return nil, err
	}
	c := &content{w: w, dir: ref, name: name, file: f, entry: e}
	if len(e.Holes) > 0 {
		if err := f.truncate(e.Size); err != nil {
			return nil, errors.Join(err, c.Abort())
		}
	}
	return c, nil
}

// place is the folder, made where it is missing, and the name for a path.
func (w *Writer) place(path string) (*dirRef, string, error) {
	if path == "." {
		if w.dirs.single == "" {
			return nil, "", fmt.Errorf("%w: root is a folder already", ErrUnsafe)
		}
		return w.dirs.at(".")
	}
	dir, name := splitPath(path)
	ref, err := w.ensure(dir)
	return ref, name, err
}

func validHoles(holes []Extent, size int64) bool {
	end := int64(0)
	for _, h := range holes {
		if h.Offset < end || h.Length <= 0 || h.Length > size-h.Offset {
			return false
		}
		end = h.Offset + h.Length
	}
	return true
}

func (w *Writer) problem(path string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.problems = append(w.problems, Problem{Path: path, Err: err})
}
