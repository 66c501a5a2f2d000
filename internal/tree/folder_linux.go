package tree

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	noAtime  = unix.O_NOATIME
	seekData = unix.SEEK_DATA
	seekHole = unix.SEEK_HOLE
	noAttr   = unix.ENODATA
)

// setModTime sets the modification time and leaves the access time alone.
func (f fd) setModTime(t time.Time) error {
	ts, err := modTime(t)
	if err != nil {
		return err
	}
	// futimens: the name is NULL, which the wrapper of the library cannot say and old kernels need.
	_, _, errno := unix.Syscall6(unix.SYS_UTIMENSAT, uintptr(f), 0, uintptr(unsafe.Pointer(&ts[0])), 0, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

func modTime(t time.Time) ([]unix.Timespec, error) {
	ts, err := unix.TimeToTimespec(t)
	return []unix.Timespec{{Nsec: unix.UTIME_OMIT}, ts}, err
}

// node is an entry that is not opened: a symbolic link, FIFO or device.
type node struct {
	dir  *folder
	name string
	kind Kind
}

func (d *folder) node(name string, kind Kind) handle { return &node{d, name, kind} }

// proc is the node's path through the open folder. Its last component is not followed by the l… calls.
func (n *node) proc() string {
	return "/proc/self/fd/" + strconv.Itoa(int(n.dir.fd)) + "/" + n.name
}

func (n *node) stat() (*Entry, error) { return n.dir.lstat(n.name) }

func (n *node) chown(uid, gid int) error {
	return unix.Fchownat(int(n.dir.fd), n.name, uid, gid, unix.AT_SYMLINK_NOFOLLOW)
}

func (n *node) chmod(mode uint32) error {
	if n.kind == Symlink {
		return nil // Linux has no mode of links
	}
	p, err := openat(int(n.dir.fd), n.name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(p)
	if e, err := fd(p).stat(); err != nil || e.Kind != n.kind {
		return errors.Join(err, ErrUnsafe)
	}
	return unix.Chmod("/proc/self/fd/"+strconv.Itoa(p), mode)
}

func (n *node) setModTime(t time.Time) error {
	ts, err := modTime(t)
	if err != nil {
		return err
	}
	return unix.UtimesNanoAt(int(n.dir.fd), n.name, ts, unix.AT_SYMLINK_NOFOLLOW)
}

func (n *node) setXattr(name string, value []byte) error {
	return unix.Lsetxattr(n.proc(), name, value, 0)
}

func (n *node) removeXattr(name string) error { return unix.Lremovexattr(n.proc(), name) }

func (n *node) xattrs() (map[string][]byte, error) {
	path := n.proc()
	return readXattrs(
		func(buf []byte) (int, error) { return unix.Llistxattr(path, buf) },
		func(name string, buf []byte) (int, error) { return unix.Lgetxattr(path, name, buf) })
}

// special makes a FIFO or a device.
func (d *folder) special(name string, e *Entry) error {
	mode, dev := uint32(unix.S_IFIFO), 0
	switch e.Kind {
	case CharDevice:
		mode, dev = unix.S_IFCHR, int(unix.Mkdev(e.Major, e.Minor))
	case BlockDevice:
		mode, dev = unix.S_IFBLK, int(unix.Mkdev(e.Major, e.Minor))
	}
	return unix.Mknodat(int(d.fd), name, mode|0o600, dev)
}

// rename moves an entry to another folder and never replaces one.
func (d *folder) rename(name string, to *folder, toName string) error {
	err := unix.Renameat2(int(d.fd), name, int(to.fd), toName, unix.RENAME_NOREPLACE)
	if !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOSYS) {
		return err
	}
	if _, err := to.lstat(toName); err == nil {
		return fmt.Errorf("rename to %q: %w", toName, os.ErrExist)
	}
	return unix.Renameat(int(d.fd), name, int(to.fd), toName)
}

// syncAll flushes the whole file system of the folder, which is far quicker than one fsync per file.
func (d *folder) syncAll() error { return unix.Syncfs(int(d.fd)) }

// syncsAll tells that syncAll covers every file below, so that none needs an fsync of its own.
const syncsAll = true
