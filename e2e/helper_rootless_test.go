//go:build e2e && unix

package e2e

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/icmd"
)

// rootless is an engine without root's rights, of a user whom the project's commands are of too. Data is made in a container: the ids that
// it can have are those of the user's range.
func rootless(t *testing.T) (p *Project, u *User, bind, volume string) {
	t.Helper()
	u = NewUser(t)
	host, _ := engineOfWith(t, "20.10", "rootless="+u.Name) // a user may not run the newest: it lies in the builder's own folder
	p = NewProject(t, "services:\n"+
		boxService("app", `volumes: ["./data:/data", "vol:/vol"]`)+
		boxService("other", `user: "1234:2345"`, `volumes: ["./data:/data"]`)+"volumes: {vol: {}}\n")
	NeedImage(t, Busybox)
	p.Setenv("DOCKER_HOST", host)
	bind = p.Path("data")
	assert.NilError(t, os.Mkdir(bind, 0o755))
	assert.NilError(t, os.Chown(bind, u.UID, u.GID))
	p.As(u)
	p.Up()
	for _, dir := range []string{"/data", "/vol"} {
		p.Exec("app", "sh", "-c", `cd `+dir+` && mkdir -m 1777 open && mkdir -m 700 sub && echo root >sub/root && chmod 600 sub/root &&
			echo other >sub/other && chown 1000:1001 sub/other && chmod 400 sub/other && echo high >high && chown 65000:65000 high &&
			chmod 4755 high && ln sub/root sub/second && ln -s nowhere link && chown -h 7:8 link && mkfifo -m 640 pipe && chown 7 pipe`)
	}
	p.Exec("other", "sh", "-c", "umask 077 && echo its >/data/open/its")
	return p, u, bind, p.Mountpoint("vol")
}

func TestOnARootlessEngineBackupAndRestoreDoTheSame(t *testing.T) {
	p, u, bind, volume := rootless(t)
	plan := p.Memsys("backup", "--dry-run").Assert(t, icmd.Success).Combined()
	assert.Assert(t, strings.Contains(plan, "work through a helper container"), plan)
	assert.Assert(t, strings.Contains(plan, "stop") && strings.Contains(plan, "cannot pause"), plan)
	archive := p.Backup()
	u.Owns(t, archive, archive+".sha256", archive+".md5", filepath.Dir(archive))
	p.nothingOfHelpersIsLeft()
	assert.Equal(t, p.State("app"), "running")
	assert.Equal(t, p.State("other"), "running")
	kept := [2]string{setAside(t, bind), setAside(t, volume)}
	u.Give(t, bind) // ids out of the engine's range cannot be changed there
	u.Give(t, volume)
	p.Memsys("restore", "latest", "--yes").Assert(t, icmd.Success)
	Same(t, kept[0], bind)
	Same(t, kept[1], volume)
	p.nothingOfHelpersIsLeft()
	Tidy(t, bind, volume, filepath.Dir(archive))
	assert.Equal(t, p.State("app"), "running")
	assert.Equal(t, p.Exec("app", "stat", "-c", "%u:%g %a", "/vol/high"), "65000:65000 4755")
	assert.Equal(t, p.Exec("other", "cat", "/data/open/its"), "its")
}

// TestABackupsDirectoryThatTheHelperCannotWriteTo: the user may by a group of theirs, which nothing in a container of a rootless engine has.
func TestABackupsDirectoryThatTheHelperCannotWriteTo(t *testing.T) {
	p, u, bind, volume := rootless(t)
	group := u.Name + "g"
	run(t, "", nil, "groupadd", group).Assert(t, icmd.Success)
	t.Cleanup(func() { run(t, "", nil, "groupdel", group) })
	id := strings.Split(run(t, "", nil, "getent", "group", group).Assert(t, icmd.Success).Stdout(), ":")[2]
	gid, err := strconv.Atoi(id)
	assert.NilError(t, err)
	u.Groups = append(u.Groups, id)
	backups := filepath.Join(reachable(t, t.TempDir()), "backups")
	assert.NilError(t, os.Mkdir(backups, 0o700))
	assert.NilError(t, os.Chown(backups, 0, gid))
	assert.NilError(t, os.Chmod(backups, 0o770))
	p.Setenv("MEMSYS_BACKUPS", backups)
	archive := p.Backup()
	assert.Equal(t, filepath.Dir(archive), backups)
	u.Owns(t, archive, archive+".sha256")
	p.nothingOfHelpersIsLeft()
	kept := [2]string{setAside(t, bind), setAside(t, volume)}
	u.Give(t, bind)
	u.Give(t, volume)
	p.Memsys("restore", "latest", "--yes").Assert(t, icmd.Success)
	Same(t, kept[0], bind)
	Same(t, kept[1], volume)
	p.nothingOfHelpersIsLeft()
	Tidy(t, bind, volume, backups)
}
