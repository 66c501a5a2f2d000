//go:build e2e && linux

package e2e

import (
	"context"
	"os"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"gotest.tools/v3/assert"
)

// nolock is a file of a file system that has no locks, as some network file systems have none.
type nolock struct{ fs.LoopbackNode }

// Getlk tells of no lock.
func (*nolock) Getlk(context.Context, fs.FileHandle, uint64, *fuse.FileLock, uint32, *fuse.FileLock) syscall.Errno {
	return syscall.ENOLCK
}

// Setlk takes no lock.
func (*nolock) Setlk(context.Context, fs.FileHandle, uint64, *fuse.FileLock, uint32) syscall.Errno {
	return syscall.ENOLCK
}

// Setlkw takes no lock either.
func (*nolock) Setlkw(context.Context, fs.FileHandle, uint64, *fuse.FileLock, uint32) syscall.Errno {
	return syscall.ENOLCK
}

// WrapChild makes the nodes below one without locks such nodes too.
func (n *nolock) WrapChild(context.Context, fs.InodeEmbedder) fs.InodeEmbedder {
	return &nolock{fs.LoopbackNode{RootData: n.RootData}}
}

// lockless mounts a file system without locks for as long as the test runs.
func lockless(t testing.TB, at string) {
	t.Helper()
	NeedRoot(t)
	if _, err := os.Stat("/dev/fuse"); err != nil {
		SkipOrFail(t, "needs /dev/fuse: %v", err)
	}
	disk := at + ".disk"
	assert.NilError(t, os.Mkdir(disk, 0o700))
	root := &fs.LoopbackRoot{Path: disk}
	node := &nolock{fs.LoopbackNode{RootData: root}}
	root.RootNode = node
	server, err := fs.Mount(at, node, &fs.Options{MountOptions: fuse.MountOptions{
		EnableLocks: true, DirectMountStrict: true, FsName: "nolock", Name: "nolock", Options: []string{"default_permissions"},
	}})
	assert.NilError(t, err)
	t.Cleanup(func() { assert.Check(t, server.Unmount()) })
	f, err := os.Create(at + "/probe")
	assert.NilError(t, err)
	assert.ErrorIs(t, syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB), syscall.ENOLCK)
	assert.NilError(t, f.Close())
	assert.NilError(t, os.Remove(f.Name()))
}
