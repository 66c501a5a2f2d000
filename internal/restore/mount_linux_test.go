package restore

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/tree"
)

// mount mounts for the length of the test.
func mount(t *testing.T, source, target, kind string, flags uintptr, data string) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("NEEDS ROOT: mounts are not tested")
	}
	assert.NilError(t, os.MkdirAll(target, 0o755))
	if err := unix.Mount(source, target, kind, flags, data); err != nil {
		t.Skipf("MOUNTS ARE NOT TESTED: %v", err)
	}
	t.Cleanup(func() { assert.NilError(t, unix.Unmount(target, unix.MNT_DETACH)) })
}

func bind(t *testing.T, source, target string) {
	t.Helper()
	mount(t, source, target, "", unix.MS_BIND, "")
}

func TestSourceThatIsAMountPoint(t *testing.T) {
	b := newBed(t)
	root := b.source("data")
	mount(t, "tmpfs", root, "tmpfs", 0, "size=4m")
	write(t, root, "a", "1", "sub/b", "2")
	path := b.backup(t)
	write(t, root, "a", "2", "extra", "x")
	_, err := b.restore(t, b.request(t, path))
	assert.NilError(t, err)
	assert.Equal(t, read(t, root, "a"), "1")
	gone(t, root, "extra")
}

func TestSourceThatIsTheTargetOfABindMount(t *testing.T) {
	b := newBed(t)
	root := b.source("data")
	real := b.path("real")
	write(t, real, "a", "1")
	bind(t, real, root)
	path := b.backup(t)
	write(t, real, "a", "2")
	app := b.app("app", real) // under its other name
	p, err := prepare(t, b.request(t, path))
	assert.NilError(t, err)
	assert.Equal(t, len(p.Stop), 1, "a container that mounts the folder under another name is found")
	_, err = b.restore(t, b.request(t, path))
	assert.NilError(t, err)
	assert.Equal(t, read(t, real, "a"), "1")
	assert.Equal(t, string(b.engine.State(app)), "running")
}

func TestSingleFileThatIsAMountPoint(t *testing.T) {
	b := newBed(t)
	file := b.source("conf.yaml")
	write(t, b.dir, "real.yaml", "before", "conf.yaml", "")
	if os.Getuid() != 0 {
		t.Skip("NEEDS ROOT: mounts are not tested")
	}
	assert.NilError(t, unix.Mount(b.path("real.yaml"), file, "", unix.MS_BIND, ""))
	t.Cleanup(func() { assert.NilError(t, unix.Unmount(file, unix.MNT_DETACH)) })
	path := b.backup(t)
	write(t, b.dir, "real.yaml", "after")
	_, err := b.restore(t, b.request(t, path))
	assert.NilError(t, err)
	assert.Equal(t, read(t, b.path("real.yaml")), "before")
}

func TestNestedMountsStay(t *testing.T) {
	b := newBed(t)
	root := b.source("data")
	write(t, root, "a", "1", "sub/dir/", "", "sub/file", "1", "twin/", "")
	write(t, b.path("other"), "x", "untouched")
	path := b.backup(t)
	bind(t, b.path("other"), root+"/sub/dir")
	mount(t, "tmpfs", root+"/fresh", "tmpfs", 0, "size=1m")
	write(t, root, "a", "2", "fresh/y", "untouched", "sub/file", "2", "sub/extra", "e")
	res, err := b.restore(t, b.request(t, path))
	assert.NilError(t, err)
	assert.Equal(t, read(t, root, "a"), "1")
	assert.Equal(t, read(t, root, "sub/file"), "1")
	assert.Equal(t, read(t, root, "sub/dir/x"), "untouched")
	assert.Equal(t, read(t, root, "fresh/y"), "untouched")
	gone(t, root, "sub/extra")
	assert.Assert(t, !res.Complete, "what the backup has of a folder that is a mount now is not restored")
}

func TestReadOnlyTargetChangesNothing(t *testing.T) {
	b := newBed(t)
	root := b.source("data")
	real := b.path("real")
	write(t, real, "a", "1")
	bind(t, real, root)
	path := b.backup(t)
	write(t, real, "a", "2")
	assert.NilError(t, unix.Mount("", root, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""))
	p, err := prepare(t, b.request(t, path))
	assert.NilError(t, err)
	assert.DeepEqual(t, reasons(p), []Reason{ReadOnly})
	assert.Assert(t, strings.Contains(p.Refusals[0].Text, "read-only file system"), p.Refusals[0].Text)
	assert.Equal(t, read(t, real, "a"), "2")
}

func TestDiskThatFillsUpPutsEverythingBack(t *testing.T) {
	b := newBed(t)
	root := b.source("data")
	mount(t, "tmpfs", root, "tmpfs", 0, "size=1m")
	write(t, root, "a", strings.Repeat("a", 600<<10))
	app := b.app("app", root)
	path := b.backup(t)
	write(t, root, "a", strings.Repeat("b", 600<<10))
	clone(t, root, b.path("want"))
	_, err := b.restore(t, b.request(t, path)) // the bed's Free promises room
	assert.ErrorIs(t, err, unix.ENOSPC)
	same(t, b.path("want"), root)
	assert.Equal(t, string(b.engine.State(app)), "running")

	req := b.request(t, path)
	req.Free = tree.FreeSpace
	p, err := prepare(t, req)
	assert.NilError(t, err)
	assert.DeepEqual(t, reasons(p), []Reason{NoSpace}) // and it is seen before
}

func TestReadOnlyBackupsDirectorySetsAside(t *testing.T) {
	b := newBed(t)
	root := b.source("data")
	write(t, root, "a", "1")
	path := b.backup(t)
	write(t, root, "a", "2")
	bind(t, b.backups(), b.backups())
	assert.NilError(t, unix.Mount("", b.backups(), "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""))
	res, err := b.restore(t, b.request(t, path))
	assert.NilError(t, err)
	assert.Equal(t, b.saves, 0)
	assert.Equal(t, read(t, res.Aside[0], "a"), "2")
	assert.Equal(t, read(t, root, "a"), "1")
}
