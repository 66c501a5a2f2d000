//go:build e2e && linux

package power

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
	"gotest.tools/v3/assert"
)

// memory mounts an empty file system in memory and returns what undoes that. It numbers its files upwards and uses no number twice.
func memory(t testing.TB, at string) (unmount func()) {
	t.Helper()
	assert.NilError(t, unix.Mount("power", at, "tmpfs", unix.MS_NOATIME, "mode=755,size=512m"))
	return func() {
		t.Helper()
		// The kernel may drop the last release of a file with the connection of the layer, which then keeps it open here. That no program has
		// one open is what the end of the layer has shown.
		assert.NilError(t, unix.Unmount(at, unix.MNT_DETACH))
	}
}

// layOut writes a disk into an empty file system of memory, every file with the number that it had: a restore knows the sources again by it.
func layOut(d *disk, at string) error {
	l := &layout{disk: d, at: at, bench: filepath.Join(at, benchName), placed: map[id]string{}}
	if err := os.Mkdir(l.bench, 0o700); err != nil {
		return err
	}
	if err := l.make(); err != nil {
		return fmt.Errorf("make files: %w", err)
	}
	if err := l.place(d.root, at); err != nil {
		return fmt.Errorf("place files: %w", err)
	}
	if err := os.RemoveAll(l.bench); err != nil {
		return err
	}
	return l.finish(d.root, at)
}

// benchName is the folder in which files are made before they get their places.
const benchName = ".bench"

type layout struct {
	disk   *disk
	at     string
	bench  string
	placed map[id]string
}

// reachable are the inodes with a name, by number.
func (d *disk) reachable() []id {
	seen := map[id]bool{}
	var visit func(id)
	visit = func(n id) {
		if seen[n] {
			return
		}
		seen[n] = true
		for _, child := range d.inodes[n].entries {
			visit(child)
		}
	}
	visit(d.root)
	delete(seen, d.root)
	var all []id
	for n := range seen {
		all = append(all, n)
	}
	slices.Sort(all)
	return all
}

func (l *layout) make() error {
	for _, number := range l.disk.reachable() {
		for {
			path := filepath.Join(l.bench, strconv.FormatUint(uint64(number), 10))
			if err := create(path, l.disk.inodes[number]); err != nil {
				return err
			}
			got, _, err := stat(path)
			if err != nil || got == number {
				if err != nil {
					return err
				}
				break
			}
			if got > number {
				return fmt.Errorf("number %d has gone by: %d", number, got)
			}
			if err := os.Remove(path); err != nil {
				return err
			}
			if err := l.skip(number, got); err != nil {
				return err
			}
		}
	}
	return nil
}

// skip uses up the numbers before one.
func (l *layout) skip(number, last id) error {
	path := filepath.Join(l.bench, "skip")
	for ; last+1 < number; last++ {
		if err := unix.Mknod(path, unix.S_IFREG|0o600, 0); err != nil {
			return err
		}
		if err := unix.Unlink(path); err != nil {
			return err
		}
	}
	return nil
}

func create(path string, n *inode) error {
	switch n.mode & unix.S_IFMT {
	case unix.S_IFDIR:
		return os.Mkdir(path, 0o700)
	case unix.S_IFLNK:
		return os.Symlink(n.target, path)
	}
	return unix.Mknod(path, n.mode&unix.S_IFMT|0o600, int(n.rdev))
}

// place gives the entries of a folder their names.
func (l *layout) place(folder id, path string) error {
	for name, number := range l.disk.inodes[folder].entries {
		to := filepath.Join(path, name)
		if first := l.placed[number]; first != "" {
			if l.disk.inodes[number].isDir() {
				return fmt.Errorf("folder %s has two names: %s, %s", strconv.FormatUint(uint64(number), 10), first, to)
			}
			if err := os.Link(first, to); err != nil {
				return err
			}
			continue
		}
		l.placed[number] = to
		if err := os.Rename(filepath.Join(l.bench, strconv.FormatUint(uint64(number), 10)), to); err != nil {
			return err
		}
		if l.disk.inodes[number].isDir() {
			if err := l.place(number, to); err != nil {
				return err
			}
		}
	}
	return nil
}

// finish fills files and sets attributes, those of folders after what is in them.
func (l *layout) finish(number id, path string) error {
	n := l.disk.inodes[number]
	for name, child := range n.entries {
		if err := l.finish(child, filepath.Join(path, name)); err != nil {
			return err
		}
	}
	if n.mode&unix.S_IFMT == unix.S_IFREG {
		if err := fill(path, n.data); err != nil {
			return err
		}
	}
	err := os.Lchown(path, int(n.uid), int(n.gid))
	if n.mode&unix.S_IFMT != unix.S_IFLNK {
		err = errors.Join(err, unix.Chmod(path, n.mode&0o7777))
	}
	for name, value := range n.xattrs {
		err = errors.Join(err, unix.Lsetxattr(path, name, []byte(value), 0))
	}
	times := []unix.Timespec{n.mtime, n.mtime}
	return errors.Join(err, unix.UtimesNanoAt(unix.AT_FDCWD, path, times, unix.AT_SYMLINK_NOFOLLOW))
}

// fill writes what is not zero.
func fill(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	zero := make([]byte, 4096)
	err = f.Truncate(int64(len(data)))
	for off := 0; off < len(data) && err == nil; {
		part := data[off:min(off+4096, len(data))]
		if !bytes.Equal(part, zero[:len(part)]) {
			_, err = f.WriteAt(part, int64(off))
		}
		off += len(part)
	}
	return errors.Join(err, f.Close())
}
