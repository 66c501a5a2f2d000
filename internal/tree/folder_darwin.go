package tree

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

const (
	noAtime  = 0
	seekHole = 3
	seekData = 4
	noAttr   = unix.ENOATTR
	// utimeOmit leaves a time as it is; sys/stat.h has it as UTIME_OMIT.
	utimeOmit = -2
)

func (f fd) setModTime(t time.Time) error {
	tv, err := unix.TimeToTimespec(t)
	if err != nil {
		return err
	}
	val := unix.NsecToTimeval(unix.TimespecToNsec(tv))
	return unix.Futimes(int(f), []unix.Timeval{val, val})
}

// node is an entry that is not opened: a symbolic link, FIFO or device.
type node struct {
	dir  *folder
	name string
	kind Kind
}

func (d *folder) node(name string, kind Kind) handle { return &node{d, name, kind} }

func (n *node) stat() (*Entry, error) { return n.dir.lstat(n.name) }

func (n *node) chown(uid, gid int) error {
	return unix.Fchownat(int(n.dir.fd), n.name, uid, gid, unix.AT_SYMLINK_NOFOLLOW)
}

func (n *node) chmod(mode uint32) error {
	return unix.Fchmodat(int(n.dir.fd), n.name, mode, unix.AT_SYMLINK_NOFOLLOW)
}

func (n *node) setModTime(t time.Time) error {
	ts, err := unix.TimeToTimespec(t)
	if err != nil {
		return err
	}
	times := []unix.Timespec{{Nsec: utimeOmit}, ts}
	return unix.UtimesNanoAt(int(n.dir.fd), n.name, times, unix.AT_SYMLINK_NOFOLLOW)
}

// opened runs with the link itself opened; other kinds have no extended attributes here.
func (n *node) opened(f func(fd) error) error {
	if n.kind != Symlink {
		return errors.ErrUnsupported
	}
	p, err := unix.Openat(int(n.dir.fd), n.name, unix.O_RDONLY|unix.O_SYMLINK|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(p)
	return f(fd(p))
}

func (n *node) setXattr(name string, value []byte) error {
	return n.opened(func(f fd) error { return f.setXattr(name, value) })
}

func (n *node) removeXattr(name string) error {
	return n.opened(func(f fd) error { return f.removeXattr(name) })
}

func (n *node) xattrs() (attrs map[string][]byte, err error) {
	err = n.opened(func(f fd) (e error) { attrs, e = f.xattrs(); return e })
	if errors.Is(err, errors.ErrUnsupported) {
		return nil, nil
	}
	return attrs, err
}

// special makes no FIFO and no device: there is no call that makes one relative to an open folder.
func (d *folder) special(string, *Entry) error { return errors.ErrUnsupported }

// rename moves an entry to another folder and never replaces one.
func (d *folder) rename(name string, to *folder, toName string) error {
	if _, err := to.lstat(toName); err == nil {
		return fmt.Errorf("rename to %q: %w", toName, os.ErrExist)
	}
	return unix.Renameat(int(d.fd), name, int(to.fd), toName)
}

func (d *folder) syncAll() error { return d.sync() }

const syncsAll = false
