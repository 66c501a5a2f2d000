//go:build e2e && linux

package power

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// id is the inode of a file, by its number: the disk under the recording never gives a number twice.
type id uint64

// inode is a file, a folder or a link of a disk.
type inode struct {
	mode, uid, gid uint32 // mode with its type
	rdev           uint64
	mtime          unix.Timespec
	target         string
	data           []byte
	xattrs         map[string]string
	entries        map[string]id // of a folder
}

func (n *inode) clone() *inode {
	c := *n
	c.data = append([]byte(nil), n.data...)
	c.xattrs, c.entries = copied(n.xattrs), copied(n.entries)
	return &c
}

func copied[V any](m map[string]V) map[string]V {
	out := make(map[string]V, len(m))
	for k, v := range m {
		out[k] = v
	}
	return out
}

// disk is what is on a disk.
type disk struct {
	root   id
	inodes map[id]*inode
}

func (d *disk) clone() *disk {
	c := &disk{root: d.root, inodes: make(map[id]*inode, len(d.inodes))}
	for k, n := range d.inodes {
		c.inodes[k] = n.clone()
	}
	return c
}

// change is one entry of a folder that is set, or removed where to is 0.
type change struct {
	dir  id
	name string
	to   id
}

// op is one operation as it reached the disk's cache. What is not set did not happen.
type op struct {
	what    string // for a person
	changes []change
	fresh   *inode // the inode that the first change names
	file    id     // whose content or attributes change
	data    []byte
	off     int64
	isWrite bool
	size    int64
	isSize  bool
	attrs   func(*inode) // of file
	mtimes  map[id]unix.Timespec
	sync    id
	syncAll bool
	site    string // of a sync: where in the program it is made
	mark    string // of the test
}

func (o *op) isSync() bool { return o.sync != 0 || o.syncAll }

// recording is what happened on a disk, from a state in which everything was durable.
type recording struct {
	start *disk
	ops   []op
}

// recorder takes down operations in the order in which they happen.
type recorder struct {
	mutex sync.Mutex
	ops   []op
}

// do carries out an operation and, if it succeeds, takes down what describe says of it.
func (r *recorder) do(act func() syscall.Errno, describe func() (op, error)) syscall.Errno {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if errno := act(); errno != 0 {
		return errno
	}
	o, err := describe()
	if err != nil {
		panic(fmt.Sprintf("describe an operation: %v", err)) // the recording would lie
	}
	r.ops = append(r.ops, o)
	return 0
}

func (r *recorder) add(o op) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.ops = append(r.ops, o)
}

// scan reads the disk at a path.
func scan(root string) (*disk, error) {
	d := &disk{inodes: map[id]*inode{}}
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		number, n, err := read(path)
		if err != nil {
			return err
		}
		if path == root {
			d.root = number
		} else {
			parent, _, err := stat(filepath.Dir(path))
			if err != nil {
				return err
			}
			d.inodes[parent].entries[filepath.Base(path)] = number
		}
		if d.inodes[number] == nil {
			d.inodes[number] = n
		}
		return nil
	})
	return d, err
}

func stat(path string) (id, *unix.Stat_t, error) {
	var st unix.Stat_t
	err := unix.Lstat(path, &st)
	return id(st.Ino), &st, err
}

// read reads one inode with its content.
func read(path string) (number id, n *inode, err error) {
	number, st, err := stat(path)
	if err != nil {
		return 0, nil, err
	}
	n = &inode{mode: st.Mode, uid: st.Uid, gid: st.Gid, rdev: st.Rdev, mtime: st.Mtim, xattrs: map[string]string{}, entries: map[string]id{}}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		n.data, err = os.ReadFile(path)
	case unix.S_IFLNK:
		n.target, err = os.Readlink(path)
		return number, n, err
	}
	if err != nil {
		return 0, nil, err
	}
	return number, n, readXattrs(path, n)
}

func readXattrs(path string, n *inode) error {
	list := make([]byte, 64<<10)
	size, err := unix.Llistxattr(path, list)
	if err != nil {
		return err
	}
	value := make([]byte, 64<<10)
	for start, i := 0, 0; i < size; i++ {
		if list[i] != 0 {
			continue
		}
		name := string(list[start:i])
		start = i + 1
		got, err := unix.Lgetxattr(path, name, value)
		if err != nil {
			return err
		}
		n.xattrs[name] = string(value[:got])
	}
	return nil
}
