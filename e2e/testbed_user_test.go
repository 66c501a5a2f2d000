//go:build e2e && unix

package e2e

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/icmd"
)

// User is a user of this machine that is not root, there for one test.
type User struct {
	Name, Home string
	UID, GID   int
	// Groups are the ids of further groups.
	Groups []string
}

// NewUser makes a user in further groups, with a range of subordinate user ids, and removes it when the test ends.
func NewUser(t testing.TB, groups ...string) *User {
	t.Helper()
	NeedOwnEngine(t)
	u := &User{Name: "memsys" + strconv.Itoa(os.Getpid()) + strconv.FormatInt(int64(len(t.Name())), 36)}
	u.Home = filepath.Join(reachable(t, t.TempDir()), "home")
	run(t, "", nil, "useradd", "--home-dir", u.Home, "--create-home", "--shell", "/bin/sh", "--password", "*", u.Name).Assert(t, icmd.Success)
	t.Cleanup(func() {
		result := run(t, "", nil, "userdel", "--force", u.Name)
		assert.Check(t, result.ExitCode == 0, result.Combined())
	})
	for _, group := range groups {
		run(t, "", nil, "usermod", "--append", "--groups", group, u.Name).Assert(t, icmd.Success)
	}
	number := func(option string) int {
		n, err := strconv.Atoi(strings.TrimSpace(run(t, "", nil, "id", option, u.Name).Assert(t, icmd.Success).Stdout()))
		assert.NilError(t, err)
		return n
	}
	u.UID, u.GID = number("-u"), number("-g")
	u.Groups = strings.Fields(run(t, "", nil, "id", "-G", u.Name).Assert(t, icmd.Success).Stdout())
	return u
}

// reachable lets every user into a folder of the test's, and returns it.
func reachable(t testing.TB, dir string) string {
	t.Helper()
	for up := dir; up != os.TempDir() && up != "/"; up = filepath.Dir(up) {
		assert.NilError(t, os.Chmod(up, 0o755))
	}
	return dir
}

// Give makes the user the owner of a folder and all that is in it.
func (u *User) Give(t testing.TB, dir string) {
	t.Helper()
	assert.NilError(t, filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, u.UID, u.GID)
	}))
}

// Owns asserts that files belong to the user.
func (u *User) Owns(t testing.TB, paths ...string) {
	t.Helper()
	for _, path := range paths {
		info, err := os.Lstat(path)
		assert.NilError(t, err)
		stat, ok := info.Sys().(*syscall.Stat_t)
		assert.Assert(t, ok)
		assert.Equal(t, fmt.Sprint(stat.Uid, " ", stat.Gid), fmt.Sprint(u.UID, " ", u.GID), path)
	}
}

// As makes every later command of the project the user's. The project's folder becomes the user's, the sources below it do not.
func (p *Project) As(u *User) {
	p.t.Helper()
	reachable(p.t, p.Dir)
	assert.NilError(p.t, os.Lchown(p.Dir, u.UID, u.GID))
	state := filepath.Join(reachable(p.t, p.t.TempDir()), "state")
	assert.NilError(p.t, os.Mkdir(state, 0o700))
	u.Give(p.t, state)
	p.Setenv("MEMSYS_STATE_DIR", state)
	p.Setenv("HOME", u.Home)
	p.Setenv("USER", u.Name)
	p.user = u
}

// AsRoot makes every later command of the project root's again.
func (p *Project) AsRoot() { p.user = nil }

// command is how a command is started as the project's user, in the project's network.
func (p *Project) command(name string, args []string) (string, []string) {
	if p.user != nil {
		args = append([]string{
			"--reuid", strconv.Itoa(p.user.UID), "--regid", strconv.Itoa(p.user.GID), "--groups", strings.Join(p.user.Groups, ","),
			"--inh-caps", "-all", "--bounding-set", "-all", "--", name,
		}, args...)
		name = "setpriv"
	}
	if p.network != 0 {
		args = append([]string{"--net", "--target", strconv.Itoa(p.network), "--", name}, args...)
		name = "nsenter"
	}
	return name, args
}
