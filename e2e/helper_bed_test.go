//go:build e2e && unix

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	"gotest.tools/v3/assert"
	"gotest.tools/v3/icmd"

	"github.com/memsys/docker-memsys/internal/tree/treetest"
)

// elsewhere is a project whose data is not its user's: a bind mount and a named volume with a hostile tree each, of root's and other
// users' files.
type elsewhere struct {
	*Project
	user         *User
	bind, volume string
}

// newElsewhere makes a project of a user's on the engine at host, empty for that of the tests; commands are root's until p.As.
func newElsewhere(t *testing.T, u *User, host string, o treetest.Options) *elsewhere {
	t.Helper()
	p := Box(t, `["./data:/data", "vol:/vol"]`, "volumes: {vol: {}}\n")
	if host != "" {
		p.Setenv("DOCKER_HOST", host)
	}
	reachable(t, p.Dir)
	e := &elsewhere{Project: p, user: u, bind: p.Path("data")}
	assert.NilError(t, treetest.Make(e.bind, o))
	p.Up()
	e.volume = p.Mountpoint("vol")
	o.Seed += 1000
	assert.NilError(t, treetest.Make(e.volume, o))
	for _, root := range []string{e.bind, e.volume} {
		untrust(t, root)
	}
	return e
}

// untrust removes the attributes that only a process with all rights over the machine may see: a helper has none such.
func untrust(t testing.TB, root string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // longer than a path may be
		}
		list := make([]byte, 4096)
		n, err := unix.Llistxattr(path, list)
		if err != nil {
			return nil //nolint:nilerr // it has none
		}
		for name := range strings.SplitSeq(string(list[:n]), "\x00") {
			if strings.HasPrefix(name, "trusted.") {
				assert.NilError(t, unix.Lremovexattr(path, name))
			}
		}
		return nil
	})
	assert.NilError(t, err)
}

// nothingOfHelpersIsLeft asserts that the engine has no helper container and no scratch volume, and at most the one image.
func (p *Project) nothingOfHelpersIsLeft() {
	p.t.Helper()
	assert.Equal(p.t, p.Output("ps", "--all", "--quiet", "--filter", "label=io.github.memsys.helper"), "")
	assert.Equal(p.t, p.Output("volume", "ls", "--quiet", "--filter", "label=io.github.memsys.helper"), "")
	images := p.Output("image", "ls", "--all", "--quiet", "--filter", "label=io.github.memsys.helper.digest")
	assert.Assert(p.t, len(strings.Fields(images)) <= 1, images)
}

// roundTrip backs up and restores as the project's user, and compares everything as root, also with what a restore by root makes of
// the archive.
func (e *elsewhere) roundTrip(t *testing.T, devices bool) {
	t.Helper()
	archive := e.Backup()
	e.user.Owns(t, archive, archive+".sha256", archive+".md5", filepath.Dir(archive), filepath.Join(filepath.Dir(archive), "latest_backup.txt"))
	e.nothingOfHelpersIsLeft()
	bindKept, volumeKept := setAside(t, e.bind), setAside(t, e.volume)
	args := []string{"restore", "latest", "--yes"}
	if devices {
		args = append(args, "--allow-devices")
	}
	e.Memsys(args...).Assert(t, icmd.Success)
	Same(t, bindKept, e.bind)
	Same(t, volumeKept, e.volume)
	e.nothingOfHelpersIsLeft()
	Tidy(t, e.bind, e.volume, filepath.Dir(archive))
	assert.Equal(t, e.State("app"), "running")
	assert.Equal(t, e.Exec("app", "cat", "/data/links/first"), "three names")
	e.asRootDirectly(t, archive, bindKept, volumeKept)
}

// asRootDirectly restores the archive as root, without a helper, into a new folder.
func (e *elsewhere) asRootDirectly(t *testing.T, archive, bindKept, volumeKept string) {
	t.Helper()
	to := filepath.Join(t.TempDir(), "to")
	run(t, e.Dir, []string{"MEMSYS_STATE_DIR=" + t.TempDir(), "COMPOSE_PROJECT_NAME=" + e.Name},
		"docker", "memsys", "restore", "--to", to, "--allow-devices", archive).Assert(t, icmd.Success)
	Same(t, bindKept, filepath.Join(to, "data"))
	Same(t, volumeKept, filepath.Join(to, "vol"))
}
