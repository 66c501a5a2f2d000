//go:build e2e && unix

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
	"gotest.tools/v3/assert"
	"gotest.tools/v3/icmd"

	"github.com/memsys/docker-memsys/internal/tree/treetest"
)

// hostileProject is a running project with a hostile tree as bind mount and in a named volume; it returns both folders.
func hostileProject(t *testing.T, o treetest.Options) (p *Project, bind, volume string) {
	t.Helper()
	NeedRoot(t)
	p = Box(t, `["./data:/data", "vol:/vol"]`, "volumes: {vol: {}}\n")
	bind = p.Path("data")
	assert.NilError(t, treetest.Make(bind, o))
	p.Up()
	volume = p.Mountpoint("vol")
	o.Seed += 1000
	o.Huge = false
	assert.NilError(t, treetest.Make(volume, o))
	return p, bind, volume
}

// setAside moves all that is in a folder to a new one beside it, which looks like the old one then, and leaves other
// things in its place.
func setAside(t testing.TB, folder string) string {
	t.Helper()
	kept, err := os.MkdirTemp(filepath.Dir(folder), "kept")
	assert.NilError(t, err)
	t.Cleanup(func() { assert.Check(t, os.RemoveAll(kept)) })
	var before unix.Stat_t
	assert.NilError(t, unix.Stat(folder, &before))
	entries, err := os.ReadDir(folder)
	assert.NilError(t, err)
	for _, e := range entries {
		assert.NilError(t, os.Rename(filepath.Join(folder, e.Name()), filepath.Join(kept, e.Name())))
	}
	assert.NilError(t, unix.Chown(kept, int(before.Uid), int(before.Gid)))
	assert.NilError(t, unix.Chmod(kept, before.Mode&0o7777))
	assert.NilError(t, unix.UtimesNanoAt(unix.AT_FDCWD, kept, []unix.Timespec{before.Atim, before.Mtim}, 0))
	plantDamage(t, folder)
	return kept
}

// plantDamage puts things into an empty folder that are in the way of what was there.
func plantDamage(t testing.TB, folder string) {
	t.Helper()
	assert.NilError(t, os.Mkdir(filepath.Join(folder, "empty-file"), 0o755)) // a folder where a file was
	assert.NilError(t, os.WriteFile(filepath.Join(folder, "empty-file", "x"), []byte("x"), 0o600))
	assert.NilError(t, os.WriteFile(filepath.Join(folder, "memories"), []byte("a file where a folder was"), 0o600))
	assert.NilError(t, os.Symlink("/etc", filepath.Join(folder, "links"))) // a link that leads out
	assert.NilError(t, os.WriteFile(filepath.Join(folder, "new"), []byte("not in the backup"), 0o600))
	assert.NilError(t, os.Chmod(folder, 0o700))
	assert.NilError(t, os.Chown(folder, 7, 7))
}

func TestRoundTripOfAHostileTree(t *testing.T) {
	count, random := Campaign(t, 6, 1)
	for range count {
		seed := random.Uint64N(1 << 32)
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			roundTrip(t, treetest.Options{Seed: seed, Devices: true, Files: 40 + int(seed%100), Huge: count > 1})
		})
	}
}

func roundTrip(t *testing.T, o treetest.Options) {
	p, bind, volume := hostileProject(t, o)
	archive := p.Backup()
	before, err := os.Stat(bind)
	assert.NilError(t, err)
	container := p.Container("app")
	bindKept, volumeKept := setAside(t, bind), setAside(t, volume)

	Code(t, p.Memsys("restore", "latest", "--yes"), 1, "device nodes", "--allow-devices")
	p.Memsys("restore", "latest", "--yes", "--allow-devices").Assert(t, icmd.Success)
	Same(t, bindKept, bind)
	Same(t, volumeKept, volume)
	Tidy(t, bind, volume, filepath.Dir(archive))
	after, err := os.Stat(bind)
	assert.NilError(t, err)
	assert.Assert(t, os.SameFile(before, after), "the source is another folder now")
	assert.Equal(t, p.State("app"), "running")
	assert.Equal(t, p.Container("app"), container)
	assert.Equal(t, p.Exec("app", "cat", "/data/links/first"), "three names")
	assert.Equal(t, p.Exec("app", "cat", "/vol/links/first"), "three names")

	to := filepath.Join(t.TempDir(), "to")
	p.Memsys("restore", "--to", to, "--allow-devices", archive).Assert(t, icmd.Success)
	Same(t, bindKept, filepath.Join(to, "data"))
	Same(t, volumeKept, filepath.Join(to, "vol"))
	kept, err := os.ReadFile(filepath.Join(to, "project", "compose.yaml"))
	assert.NilError(t, err)
	assert.Equal(t, string(kept), p.Read("compose.yaml"))
}

// A restore of what is there already changes nothing, and a second restore of latest gives the same again.
func TestRestoreTwiceGivesTheSame(t *testing.T) {
	p, bind, volume := hostileProject(t, treetest.Options{Seed: 5})
	p.Backup()
	for range 2 {
		bindKept, volumeKept := setAside(t, bind), setAside(t, volume)
		p.Memsys("restore", "latest", "--yes").Assert(t, icmd.Success)
		Same(t, bindKept, bind)
		Same(t, volumeKept, volume)
	}
	Tidy(t, p.Dir, volume)
}
