//go:build !linux && !darwin

package tree

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// folder is an open folder on platforms without openat: os.Root keeps every name below it.
type folder struct {
	root *os.Root
	path string
}

func localName(name string) bool {
	return filepath.IsLocal(name) && filepath.Base(name) == name
}

func openFolder(path string) (*folder, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%w: not a folder", ErrUnsafe)
	}
	root, err := os.OpenRoot(path)
	return &folder{root, path}, err
}

func (d *folder) open(name string) (*folder, error) {
	info, err := d.root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%w: not a folder", ErrUnsafe)
	}
	root, err := d.root.OpenRoot(name)
	return &folder{root, filepath.Join(d.path, name)}, err
}

func (d *folder) Close() error { return d.root.Close() }

func (d *folder) names() ([]string, error) {
	f, err := d.root.Open(".")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Readdirnames(-1)
}

func (d *folder) lstat(name string) (*Entry, error) {
	info, err := d.root.Lstat(name)
	if err != nil {
		return nil, err
	}
	return entryOf(info), nil
}

func (d *folder) stat() (*Entry, error) { return d.lstat(".") }

func (d *folder) readlink(name string) (string, error) { return d.root.Readlink(name) }

func (d *folder) openFile(name string) (*file, error) { return d.openWith(name, os.O_RDONLY) }

func (d *folder) openWrite(name string) (*file, error) { return d.openWith(name, os.O_RDWR) }

func (d *folder) openWith(name string, flags int) (*file, error) {
	info, err := d.root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		return nil, fmt.Errorf("%w: symbolic link", ErrUnsafe)
	}
	f, err := d.root.OpenFile(name, flags, 0)
	return &file{f, d, name}, err
}

func (d *folder) createFile(name string) (*file, error) {
	f, err := d.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	return &file{f, d, name}, nil
}

func (d *folder) mkdir(name string) error { return d.root.Mkdir(name, 0o700) }

func (d *folder) symlink(target, name string) error { return d.root.Symlink(target, name) }

func (d *folder) link(from *folder, old, name string) error {
	return os.Link(filepath.Join(from.path, old), filepath.Join(d.path, name))
}

func (d *folder) special(string, *Entry) error { return errors.ErrUnsupported }

func (d *folder) rename(name string, to *folder, toName string) error {
	if _, err := to.root.Lstat(toName); err == nil {
		return fmt.Errorf("rename to %q: %w", toName, os.ErrExist)
	}
	return os.Rename(filepath.Join(d.path, name), filepath.Join(to.path, toName))
}

func (d *folder) chmodFolder(name string, mode uint32) error {
	return d.root.Chmod(name, fs.FileMode(mode&0o777))
}

func (d *folder) remove(name string) error { return d.root.Remove(name) }

func (d *folder) sync() error    { return nil }
func (d *folder) syncAll() error { return nil }

const syncsAll = false

func (d *folder) chown(int, int) error               { return errors.ErrUnsupported }
func (d *folder) chmod(mode uint32) error            { return d.root.Chmod(".", fs.FileMode(mode&0o777)) }
func (d *folder) setModTime(t time.Time) error       { return d.root.Chtimes(".", time.Time{}, t) }
func (d *folder) setXattr(string, []byte) error      { return errors.ErrUnsupported }
func (d *folder) removeXattr(string) error           { return errors.ErrUnsupported }
func (d *folder) xattrs() (map[string][]byte, error) { return nil, nil }

// file is an open regular file.
type file struct {
	*os.File
	dir  *folder
	name string
}

func (f *file) stat() (*Entry, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return entryOf(info), nil
}

func (f *file) truncate(size int64) error     { return f.Truncate(size) }
func (f *file) sync() error                   { return f.Sync() }
func (f *file) holes(int64) ([]Extent, error) { return nil, nil }
func (f *file) chown(int, int) error          { return errors.ErrUnsupported }
func (f *file) chmod(mode uint32) error       { return f.dir.root.Chmod(f.name, fs.FileMode(mode&0o777)) }

func (f *file) setModTime(t time.Time) error       { return f.dir.root.Chtimes(f.name, time.Time{}, t) }
func (f *file) setXattr(string, []byte) error      { return errors.ErrUnsupported }
func (f *file) removeXattr(string) error           { return errors.ErrUnsupported }
func (f *file) xattrs() (map[string][]byte, error) { return nil, nil }

// node is an entry that is not opened: here a symbolic link, of which nothing can be set.
type node struct {
	dir  *folder
	name string
}

func (d *folder) node(name string, _ Kind) handle { return &node{d, name} }

func (n *node) stat() (*Entry, error)              { return n.dir.lstat(n.name) }
func (n *node) chown(int, int) error               { return errors.ErrUnsupported }
func (n *node) chmod(uint32) error                 { return nil }
func (n *node) setModTime(time.Time) error         { return nil }
func (n *node) setXattr(string, []byte) error      { return errors.ErrUnsupported }
func (n *node) removeXattr(string) error           { return errors.ErrUnsupported }
func (n *node) xattrs() (map[string][]byte, error) { return nil, nil }

// entryOf has no device, inode or link count: hard links are stored as files of their own here.
func entryOf(info fs.FileInfo) *Entry {
	e := &Entry{Mode: uint32(info.Mode().Perm()), ModTime: info.ModTime(), Links: 1}
	switch mode := info.Mode(); {
	case mode.IsRegular():
		e.Kind, e.Size, e.Allocated = File, info.Size(), info.Size()
	case mode.IsDir():
		e.Kind = Dir
	case mode&fs.ModeSymlink != 0:
		e.Kind = Symlink
	case mode&fs.ModeNamedPipe != 0:
		e.Kind = FIFO
	default:
		e.Kind = Socket
	}
	return e
}

// sameFile cannot tell here; it trusts the names.
func sameFile(a, b *Entry) bool { return a.Kind == b.Kind }

func notDir(err error) bool { return errors.Is(err, ErrUnsafe) }
