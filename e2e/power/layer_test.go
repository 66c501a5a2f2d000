//go:build e2e && linux

package power

import (
	"context"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
	"gotest.tools/v3/assert"
)

// node is a file of the recording layer. What it does it does in the folder below, then takes it down.
type node struct {
	fs.LoopbackNode
	rec *recorder
}

// handle is an open file of the layer. It embeds nothing, so that the kernel can take no way around it.
type handle struct {
	file *fs.LoopbackFile
	node *node
}

// layer lays the recording layer over the folder below, at a path of its own, and returns what undoes that.
func layer(t testing.TB, below, at string, rec *recorder) (unmount func()) {
	t.Helper()
	_, st, err := stat(below)
	assert.NilError(t, err)
	root := &fs.LoopbackRoot{Path: below, Dev: st.Dev}
	root.RootNode = &node{LoopbackNode: fs.LoopbackNode{RootData: root}, rec: rec}
	none := time.Duration(0)
	server, err := fs.Mount(at, root.RootNode, &fs.Options{
		EntryTimeout: &none, AttrTimeout: &none, NullPermissions: true,
		MountOptions: fuse.MountOptions{DirectMountStrict: true, FsName: "power", Options: []string{"default_permissions", "dev"}, DirectMountFlags: unix.MS_NOATIME},
	})
	assert.NilError(t, err)
	return func() {
		t.Helper()
		assert.NilError(t, server.Unmount())
	}
}

// WrapChild makes the nodes below one of the layer nodes of the layer too.
func (n *node) WrapChild(context.Context, fs.InodeEmbedder) fs.InodeEmbedder {
	return &node{LoopbackNode: fs.LoopbackNode{RootData: n.RootData}, rec: n.rec}
}

func (n *node) below() string {
	return filepath.Join(n.RootData.Path, n.Path(n.RootData.RootNode.EmbeddedInode()))
}

func (n *node) number() id { return id(n.StableAttr().Ino) }

// after are the times that folders have now.
func after(nodes ...*node) (map[id]unix.Timespec, error) {
	out := map[id]unix.Timespec{}
	for _, n := range nodes {
		number, st, err := stat(n.below())
		if err != nil {
			return nil, err
		}
		out[number] = st.Mtim
	}
	return out, nil
}

// made describes that name was made in the folder n.
func (n *node) made(what, name string) (op, error) {
	path := filepath.Join(n.below(), name)
	number, fresh, err := read(path)
	if err != nil {
		return op{}, err
	}
	times, err := after(n)
	return op{what: what + " " + path, changes: []change{{id(n.number0()), name, number}}, fresh: fresh, mtimes: times}, err
}

// number0 is the number of a folder; that of the layer's own root is the one below.
func (n *node) number0() id {
	number, _, err := stat(n.below())
	if err != nil {
		return n.number()
	}
	return number
}

func (n *node) Create(ctx context.Context, name string, flags, mode uint32, out *fuse.EntryOut) (made *fs.Inode, h fs.FileHandle, f uint32, errno syscall.Errno) {
	errno = n.rec.do(func() syscall.Errno {
		made, h, f, errno = n.LoopbackNode.Create(ctx, name, flags, mode, out)
		return errno
	}, func() (op, error) { return n.made("create", name) })
	if errno != 0 {
		return nil, nil, 0, errno
	}
	return made, &handle{h.(*fs.LoopbackFile), made.Operations().(*node)}, f, 0
}

func (n *node) Open(ctx context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	var h fs.FileHandle
	open := func() (errno syscall.Errno) {
		h, _, errno = n.LoopbackNode.Open(ctx, flags)
		return errno
	}
	errno := syscall.Errno(0)
	if flags&syscall.O_TRUNC != 0 {
		errno = n.rec.do(open, func() (op, error) { return n.sized(0) })
	} else {
		errno = open()
	}
	if errno != 0 {
		return nil, 0, errno
	}
	return &handle{h.(*fs.LoopbackFile), n}, 0, 0
}

func (n *node) sized(size int64) (op, error) {
	times, err := after(n)
	return op{what: "truncate " + n.below(), file: n.number(), size: size, isSize: true, mtimes: times}, err
}

func (n *node) Mkdir(ctx context.Context, name string, mode uint32, out *fuse.EntryOut) (made *fs.Inode, errno syscall.Errno) {
	errno = n.rec.do(func() syscall.Errno {
		made, errno = n.LoopbackNode.Mkdir(ctx, name, mode, out)
		return errno
	}, func() (op, error) { return n.made("mkdir", name) })
	return made, errno
}

func (n *node) Mknod(ctx context.Context, name string, mode, dev uint32, out *fuse.EntryOut) (made *fs.Inode, errno syscall.Errno) {
	errno = n.rec.do(func() syscall.Errno {
		made, errno = n.LoopbackNode.Mknod(ctx, name, mode, dev, out)
		return errno
	}, func() (op, error) { return n.made("mknod", name) })
	return made, errno
}

func (n *node) Symlink(ctx context.Context, target, name string, out *fuse.EntryOut) (made *fs.Inode, errno syscall.Errno) {
	errno = n.rec.do(func() syscall.Errno {
		made, errno = n.LoopbackNode.Symlink(ctx, target, name, out)
		return errno
	}, func() (op, error) { return n.made("symlink", name) })
	return made, errno
}

func (n *node) Link(ctx context.Context, target fs.InodeEmbedder, name string, out *fuse.EntryOut) (made *fs.Inode, errno syscall.Errno) {
	errno = n.rec.do(func() syscall.Errno {
		made, errno = n.LoopbackNode.Link(ctx, target, name, out)
		return errno
	}, func() (op, error) {
		o, err := n.made("link", name)
		o.fresh = nil
		return o, err
	})
	return made, errno
}

// Tmpfile is not offered, so that what a program does has names.
func (n *node) Tmpfile(context.Context, uint32, uint32, *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	return nil, nil, 0, syscall.EOPNOTSUPP
}

func (n *node) Unlink(ctx context.Context, name string) syscall.Errno {
	return n.rec.do(func() syscall.Errno { return n.LoopbackNode.Unlink(ctx, name) }, func() (op, error) { return n.gone("unlink", name) })
}

func (n *node) Rmdir(ctx context.Context, name string) syscall.Errno {
	return n.rec.do(func() syscall.Errno { return n.LoopbackNode.Rmdir(ctx, name) }, func() (op, error) { return n.gone("rmdir", name) })
}

func (n *node) gone(what, name string) (op, error) {
	times, err := after(n)
	return op{what: what + " " + filepath.Join(n.below(), name), changes: []change{{n.number0(), name, 0}}, mtimes: times}, err
}

func (n *node) Rename(ctx context.Context, name string, to fs.InodeEmbedder, newName string, flags uint32) syscall.Errno {
	dst := to.(*node)
	var moved, exchanged id
	return n.rec.do(func() syscall.Errno {
		moved, _, _ = stat(filepath.Join(n.below(), name))
		exchanged, _, _ = stat(filepath.Join(dst.below(), newName))
		return n.LoopbackNode.Rename(ctx, name, to, newName, flags)
	}, func() (op, error) {
		if flags&unix.RENAME_EXCHANGE == 0 {
			exchanged = 0
		}
		times, err := after(n, dst)
		return op{
			what:    "rename " + filepath.Join(n.below(), name) + " to " + filepath.Join(dst.below(), newName),
			changes: []change{{dst.number0(), newName, moved}, {n.number0(), name, exchanged}}, mtimes: times,
		}, err
	})
}

func (n *node) Setattr(ctx context.Context, f fs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	if h, ok := f.(*handle); ok {
		f = h.file
	}
	_, sized := in.GetSize()
	return n.rec.do(func() syscall.Errno { return n.LoopbackNode.Setattr(ctx, f, in, out) }, func() (op, error) {
		o := op{what: "attributes of " + n.below(), file: n.number0(), size: int64(out.Size), isSize: sized}
		mtime := unix.Timespec{Sec: int64(out.Mtime), Nsec: int64(out.Mtimensec)}
		mode, uid, gid := out.Mode, out.Uid, out.Gid
		o.attrs = func(to *inode) { to.mode, to.uid, to.gid, to.mtime = mode, uid, gid, mtime }
		return o, nil
	})
}

func (n *node) Setxattr(ctx context.Context, name string, value []byte, flags uint32) syscall.Errno {
	kept := string(value)
	return n.rec.do(func() syscall.Errno { return n.LoopbackNode.Setxattr(ctx, name, value, flags) }, func() (op, error) {
		return op{what: "attribute " + name + " of " + n.below(), file: n.number0(), attrs: func(to *inode) { to.xattrs[name] = kept }}, nil
	})
}

func (n *node) Removexattr(ctx context.Context, name string) syscall.Errno {
	return n.rec.do(func() syscall.Errno { return n.LoopbackNode.Removexattr(ctx, name) }, func() (op, error) {
		return op{what: "no attribute " + name + " of " + n.below(), file: n.number0(), attrs: func(to *inode) { delete(to.xattrs, name) }}, nil
	})
}

// Getxattr hides what the layer cannot keep.
func (n *node) Getxattr(ctx context.Context, name string, dest []byte) (uint32, syscall.Errno) {
	if strings.HasPrefix(name, "security.") {
		return 0, syscall.ENODATA
	}
	return n.LoopbackNode.Getxattr(ctx, name, dest)
}

// CopyFileRange is not offered, so that every byte comes as a write.
func (n *node) CopyFileRange(context.Context, fs.FileHandle, uint64, *fs.Inode, fs.FileHandle, uint64, uint64, uint64) (uint32, syscall.Errno) {
	return 0, syscall.ENOSYS
}

func (h *handle) Read(ctx context.Context, buf []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	return h.file.Read(ctx, buf, off)
}

func (h *handle) Write(ctx context.Context, data []byte, off int64) (written uint32, errno syscall.Errno) {
	errno = h.node.rec.do(func() syscall.Errno {
		written, errno = h.file.Write(ctx, data, off)
		return errno
	}, func() (op, error) {
		var out fuse.AttrOut
		h.file.Getattr(ctx, &out)
		mtime := unix.Timespec{Sec: int64(out.Mtime), Nsec: int64(out.Mtimensec)}
		return op{
			what: "write " + h.node.below(), file: h.node.number(), data: append([]byte(nil), data[:written]...), off: off, isWrite: true,
			mtimes: map[id]unix.Timespec{h.node.number(): mtime},
		}, nil
	})
	return written, errno
}

// Fsync is taken down where the program calls it (see watch_test.go).
func (h *handle) Fsync(context.Context, uint32) syscall.Errno { return 0 }

// Allocate is not offered, so that room is made by writing.
func (h *handle) Allocate(context.Context, uint64, uint64, uint32) syscall.Errno {
	return syscall.EOPNOTSUPP
}

func (h *handle) Flush(context.Context) syscall.Errno       { return 0 }
func (h *handle) Release(ctx context.Context) syscall.Errno { return h.file.Release(ctx) }

func (h *handle) Lseek(ctx context.Context, off uint64, whence uint32) (uint64, syscall.Errno) {
	return h.file.Lseek(ctx, off, whence)
}

func (h *handle) Getattr(ctx context.Context, out *fuse.AttrOut) syscall.Errno {
	return h.file.Getattr(ctx, out)
}
