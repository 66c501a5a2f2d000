//go:build linux || darwin

package tree

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// folder is an open folder. Names given to it are single components, and none of its methods follows a link.
// It is safe for parallel use but for names and Close.
type folder struct{ fd }

// fd is an open file or folder.
type fd int

const dirFlags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC

func localName(string) bool { return true }

// openFolder opens a folder by its path on the machine; the last component may not be a link.
func openFolder(path string) (*folder, error) {
	return openFolderAt(unix.AT_FDCWD, path)
}

func openFolderAt(at int, name string) (*folder, error) {
	n, err := openat(at, name, dirFlags|noAtime, 0)
	if err != nil {
		return nil, err
	}
	return &folder{fd(n)}, nil
}

// openat opens without following a link; O_NOATIME is dropped where the file is somebody else's.
func openat(at int, name string, flags int, mode uint32) (n int, err error) {
	err = retry(func() (e error) { n, e = unix.Openat(at, name, flags, mode); return e })
	if noAtime != 0 && flags&noAtime != 0 && errors.Is(err, unix.EPERM) {
		return openat(at, name, flags&^noAtime, mode)
	}
	if errors.Is(err, unix.ELOOP) || (errors.Is(err, unix.ENOTDIR) && flags&unix.O_DIRECTORY != 0) {
		return -1, fmt.Errorf("%w: %w", ErrUnsafe, err)
	}
	return n, err
}

func retry(f func() error) error {
	for {
		if err := f(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

func (d *folder) open(name string) (*folder, error) { return openFolderAt(int(d.fd), name) }

// names lists the folder from its beginning, in the file system's order.
func (d *folder) names() ([]string, error) {
	n, err := openat(int(d.fd), ".", dirFlags|noAtime, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(n)
	var names []string
	buf := make([]byte, 32<<10)
	for {
		var got int
		if err := retry(func() (e error) { got, e = unix.ReadDirent(n, buf); return e }); err != nil {
			return nil, err
		}
		if got <= 0 {
			return names, nil
		}
		_, _, names = unix.ParseDirent(buf[:got], -1, names)
	}
}

func (d *folder) lstat(name string) (*Entry, error) {
	var st unix.Stat_t
	err := retry(func() error { return unix.Fstatat(int(d.fd), name, &st, unix.AT_SYMLINK_NOFOLLOW) })
	if err != nil {
		return nil, err
	}
	return entryOf(&st), nil
}

func (d *folder) readlink(name string) (string, error) {
	for size := 256; ; size *= 2 {
		buf := make([]byte, size)
		n, err := unix.Readlinkat(int(d.fd), name, buf)
		if err != nil {
			return "", err
		}
		if n < size {
			return string(buf[:n]), nil
		}
	}
}

func (d *folder) openFile(name string) (*file, error) {
	n, err := openat(int(d.fd), name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC|unix.O_NOCTTY|noAtime, 0)
	if err != nil {
		return nil, err
	}
	return &file{fd(n)}, nil
}

// openWrite opens an existing regular file for reading and writing.
func (d *folder) openWrite(name string) (*file, error) {
	n, err := openat(int(d.fd), name, unix.O_RDWR|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	return &file{fd(n)}, nil
}

func (d *folder) createFile(name string) (*file, error) {
	n, err := openat(int(d.fd), name, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, err
	}
	return &file{fd(n)}, nil
}

func (d *folder) mkdir(name string) error { return unix.Mkdirat(int(d.fd), name, 0o700) }

func (d *folder) symlink(target, name string) error {
	return unix.Symlinkat(target, int(d.fd), name)
}

// link gives the entry old of the folder from a further name; a symbolic link is linked itself, not what it points to.
func (d *folder) link(from *folder, old, name string) error {
	return unix.Linkat(int(from.fd), old, int(d.fd), name, 0)
}

func (d *folder) remove(name string) error {
	err := unix.Unlinkat(int(d.fd), name, 0)
	if errors.Is(err, unix.EISDIR) || errors.Is(err, unix.EPERM) {
		if e := unix.Unlinkat(int(d.fd), name, unix.AT_REMOVEDIR); !errors.Is(e, unix.ENOTDIR) {
			return e
		}
	}
	return err
}

// chmodFolder sets the mode of a folder that may not be readable.
func (d *folder) chmodFolder(name string, mode uint32) error {
	return d.node(name, Dir).chmod(mode)
}

// sameFile tells whether two entries are the same file of this machine.
func sameFile(a, b *Entry) bool { return a.Device == b.Device && a.Inode == b.Inode }

func (f fd) Close() error { return unix.Close(int(f)) }

func (f fd) stat() (*Entry, error) {
	var st unix.Stat_t
	if err := retry(func() error { return unix.Fstat(int(f), &st) }); err != nil {
		return nil, err
	}
	return entryOf(&st), nil
}

func (f fd) sync() error { return retry(func() error { return unix.Fsync(int(f)) }) }

func (f fd) chown(uid, gid int) error { return unix.Fchown(int(f), uid, gid) }

func (f fd) chmod(mode uint32) error { return unix.Fchmod(int(f), mode) }

func (f fd) setXattr(name string, value []byte) error { return unix.Fsetxattr(int(f), name, value, 0) }

func (f fd) removeXattr(name string) error { return unix.Fremovexattr(int(f), name) }

func (f fd) xattrs() (map[string][]byte, error) {
	return readXattrs(
		func(buf []byte) (int, error) { return unix.Flistxattr(int(f), buf) },
		func(name string, buf []byte) (int, error) { return unix.Fgetxattr(int(f), name, buf) })
}

func entryOf(st *unix.Stat_t) *Entry {
	e := &Entry{
		Mode: uint32(st.Mode) & 0o7777, UID: int(st.Uid), GID: int(st.Gid),
		ModTime: time.Unix(st.Mtim.Unix()), ChangeTime: time.Unix(st.Ctim.Unix()),
		Device: uint64(st.Dev), Inode: st.Ino, Links: uint64(st.Nlink), //nolint:unconvert // widths differ by platform
	}
	switch uint32(st.Mode) & unix.S_IFMT {
	case unix.S_IFREG:
		e.Kind, e.Size, e.Allocated = File, st.Size, min(st.Size, int64(st.Blocks)*512) //nolint:unconvert // widths differ by platform
	case unix.S_IFDIR:
		e.Kind = Dir
	case unix.S_IFLNK:
		e.Kind = Symlink
	case unix.S_IFIFO:
		e.Kind = FIFO
	case unix.S_IFCHR:
		e.Kind = CharDevice
	case unix.S_IFBLK:
		e.Kind = BlockDevice
	default:
		e.Kind = Socket
	}
	if e.Kind == CharDevice || e.Kind == BlockDevice {
		e.Major, e.Minor = unix.Major(uint64(st.Rdev)), unix.Minor(uint64(st.Rdev))
	}
	return e
}

// notDir tells that a component of a path is no folder, or the name itself nothing that can be opened.
func notDir(err error) bool { return errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ENXIO) }
