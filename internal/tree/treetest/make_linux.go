package treetest

import (
	"encoding/binary"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

func localName(string) bool { return true }

func setTime(path string, at time.Time) error {
	ts, err := unix.TimeToTimespec(at)
	if err != nil {
		return err
	}
	return unix.UtimesNanoAt(unix.AT_FDCWD, path, []unix.Timespec{ts, ts}, unix.AT_SYMLINK_NOFOLLOW)
}

// platform adds what Linux has.
func (m *maker) platform() {
	m.file("names/not-utf8-\xff\xfe\x80", []byte("raw"), 0o644)
	m.file("names/\x01control", []byte("raw"), 0o644)
	m.dir("special", 0o755)
	m.check(unix.Mkfifo(m.path("special/fifo"), 0o640))
	m.check(unix.Chmod(m.path("special/fifo"), 0o622))
	m.check(os.Link(m.path("special/fifo"), m.path("special/fifo-again")))
	m.check(os.Link(m.path("links/to-dangling"), m.path("links/zz-dangling-again")))
	m.sparse()
	m.attributes()
	if os.Geteuid() == 0 {
		m.asRoot()
	}
	m.file("setuid/uid", []byte("u"), 0o755|os.ModeSetuid)
	m.file("setuid/gid", []byte("g"), 0o755|os.ModeSetgid)
	m.dir("setuid/dir", 0o770|os.ModeSetgid|os.ModeSticky)
}

// sparse files have holes in front, in between and behind, or nothing but holes.
func (m *maker) sparse() {
	m.dir("sparse", 0o755)
	const mib = 1 << 20
	m.holes("sparse/leading", 3*mib, 2*mib)
	m.holes("sparse/trailing", 3*mib, 0)
	m.holes("sparse/middle", 5*mib, 0, 2*mib, 4*mib+512*1024)
	m.holes("sparse/all", 7*mib+13)
	m.holes("sparse/odd", mib+4097, mib)
	m.file("sparse/zeros-not-sparse", make([]byte, 100_000), 0o644)
	if m.o.Huge {
		m.holes("sparse/huge", 8<<30+5*mib+1, 0, 4<<30, 8<<30+mib)
	}
}

func (m *maker) holes(name string, size int64, data ...int64) {
	f, err := os.Create(m.path(name))
	if err != nil {
		m.check(err)
		return
	}
	m.check(f.Truncate(size))
	for _, at := range data {
		_, err := f.WriteAt(m.bytes(4096), at)
		m.check(err)
	}
	m.check(f.Sync())
	m.check(f.Close())
}

// attributes are extended ones and POSIX ACLs.
func (m *maker) attributes() {
	m.file("xattr/file", []byte("x"), 0o644)
	m.dir("xattr/dir", 0o755)
	m.set("xattr/file", "user.text", []byte("value"))
	m.set("xattr/file", "user.empty", nil)
	m.set("xattr/file", "user.binary", []byte("=\n\x00\xff"))
	m.set("xattr/file", "user.long", m.bytes(1500))
	m.set("xattr/dir", "user.dir", []byte("folder"))
	m.set("links/first", "user.linked", []byte("once"))
	m.file("acl/file", []byte("x"), 0o640)
	m.set("acl/file", "system.posix_acl_access", acl(6, 12345, 4, 4, 0))
	m.dir("acl/dir", 0o755)
	m.set("acl/dir", "system.posix_acl_access", acl(7, 23456, 5, 5, 5))
	m.file("acl/dir/made-before", []byte("x"), 0o600)
	m.set("acl/dir", "system.posix_acl_default", acl(7, 34567, 7, 0, 0))
}

func (m *maker) set(name, attr string, value []byte) {
	if err := unix.Lsetxattr(m.path(name), attr, value, 0); err != nil {
		m.check(fmt.Errorf("setxattr %s %s: %w", name, attr, err))
	}
}

// acl is a POSIX ACL in the kernel's form: owner, one named user, group, mask, others.
func acl(owner uint16, uid uint32, user, group, other uint16) []byte {
	raw := binary.LittleEndian.AppendUint32(nil, 2)
	add := func(tag, perm uint16, id uint32) {
		raw = binary.LittleEndian.AppendUint16(raw, tag)
		raw = binary.LittleEndian.AppendUint16(raw, perm)
		raw = binary.LittleEndian.AppendUint32(raw, id)
	}
	const none = 0xffffffff
	add(0x01, owner, none)
	add(0x02, user, uid)
	add(0x04, group, none)
	add(0x10, user|group, none)
	add(0x20, other, none)
	return raw
}

// asRoot adds owners, file capabilities, attributes of links and, if wanted, devices.
func (m *maker) asRoot() {
	m.file("owned/by-others", []byte("x"), 0o604)
	m.check(os.Lchown(m.path("owned/by-others"), 70001, 70002))
	m.check(os.Symlink("by-others", m.path("owned/link")))
	m.check(os.Lchown(m.path("owned/link"), 70003, 4_000_000_000))
	m.set("owned/link", "trusted.link", []byte("of a link"))
	m.file("owned/setuid", []byte("x"), 0o755)
	m.check(os.Lchown(m.path("owned/setuid"), 33, 44))
	m.check(os.Chmod(m.path("owned/setuid"), 0o755|os.ModeSetuid|os.ModeSetgid))
	m.file("owned/capable", []byte("x"), 0o755)
	m.check(os.Lchown(m.path("owned/capable"), 5, 6))
	// version 2, effective, cap_net_bind_service and cap_net_raw permitted
	m.set("owned/capable", "security.capability", []byte{1, 0, 0, 2, 0, 0x24, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	m.check(os.Lchown(m.path("empty"), 1234, 5678))
	m.check(os.Lchown(m.path("special/fifo"), 7, 8))
	if m.o.Devices {
		m.check(unix.Mknod(m.path("special/null"), unix.S_IFCHR|0o600, int(unix.Mkdev(1, 3))))
		m.check(unix.Mknod(m.path("special/loop"), unix.S_IFBLK|0o600, int(unix.Mkdev(7, 200))))
	}
	m.check(os.Lchown(m.root, 1001, 1002))
}

// deep makes a path of more than 4 KiB, folder by folder.
func (m *maker) deep() {
	at, err := unix.Open(m.root, unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	m.check(err)
	name := strings.Repeat("p", 200)
	for range 25 {
		if err != nil {
			m.check(err)
			return
		}
		m.check(unix.Mkdirat(at, name, 0o755))
		var below int
		below, err = unix.Openat(at, name, unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		_ = unix.Close(at)
		at = below
	}
	f, err := unix.Openat(at, "bottom", unix.O_CREAT|unix.O_WRONLY|unix.O_CLOEXEC, 0o640)
	m.check(err)
	_, err = unix.Write(f, []byte("deeper than PATH_MAX"))
	m.check(err)
	m.check(unix.Close(f))
	m.check(unix.Symlinkat("bottom", at, "link"))
	m.check(unix.Close(at))
}
