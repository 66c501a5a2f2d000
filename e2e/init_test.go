//go:build e2e && unix

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/icmd"
)

// initProject is a project whose service runs as another user and writes into its folder.
func initProject(t *testing.T) *Project {
	t.Helper()
	NeedImage(t, Busybox)
	return NewProject(t, fmt.Sprintf(`# of the house
services:
  app:   # writes
    image: %s
    user: "1234:1235"
    command: [sh, -c, 'echo {} >/app/data/memories/a.json; exec tail -f /dev/null']
    stop_signal: SIGKILL
    volumes: ["./data:/app/data", "./backups:/app/backups"]
`, Busybox))
}

func TestInitMakesFoldersThatTheServiceCanUse(t *testing.T) {
	t.Parallel()
	p := initProject(t)
	before := p.Read("compose.yaml")
	Code(t, p.Memsys("init", "--dry-run"), 0, "make "+p.Path("data")+", mode 0750, for 1234:1235")
	_, err := os.Stat(p.Path("data"))
	assert.Assert(t, os.IsNotExist(err))
	p.Memsys("init", "--yes").Assert(t, icmd.Success)
	for _, name := range []string{"data", "data/memories", "data/embeddings", "data/indexes", "logs", "ssl"} {
		info, err := os.Stat(p.Path(name))
		assert.NilError(t, err)
		assert.Equal(t, info.Mode(), os.ModeDir|0o750, name)
		assert.Equal(t, info.Sys().(*syscall.Stat_t).Uid, uint32(1234), name)
	}
	assert.Assert(t, strings.HasPrefix(p.Read("compose.yaml"), before), "the file stays as it was")
	Code(t, p.Memsys("init", "--yes"), 0, "everything is in place")
	p.Up()
	p.Exec("app", "sh", "-c", "until [ -e /app/data/memories/a.json ]; do sleep 0.05; done")
	p.Memsys("backup").Assert(t, icmd.Success)
}

// TestInitLooksUsersUpInTheImage: in a container of it, of which nothing is left, the volumes that the image asks for neither.
func TestInitLooksUsersUpInTheImage(t *testing.T) {
	p := initProject(t)
	image := "memsystest/" + p.Name
	made := p.Output("create", Busybox, "true")
	passwd := filepath.Join(t.TempDir(), "passwd")
	assert.NilError(t, os.WriteFile(passwd, []byte("root:x:0:0::/:/bin/sh\nwriter:x:1234:1235::/:/bin/sh\n"), 0o644))
	p.Docker("cp", passwd, made+":/etc/passwd").Assert(t, icmd.Success)
	p.Docker("commit", "--change", "USER writer", "--change", "VOLUME /scratch", made, image).Assert(t, icmd.Success)
	p.Docker("rm", made).Assert(t, icmd.Success)
	t.Cleanup(func() { p.Docker("image", "rm", "--force", image).Assert(t, icmd.Success) })
	p.Write("compose.yaml", strings.NewReplacer(Busybox, image, "    user: \"1234:1235\"\n", "").Replace(p.Read("compose.yaml")))
	objects := func() string { return p.Output("ps", "--all", "--quiet") + "\n" + p.Output("volume", "ls", "--quiet") }
	before := objects()
	Code(t, p.Memsys("init", "--dry-run"), 0, "make "+p.Path("data")+", mode 0750, for 1234:1235, whom service app runs as")
	assert.Equal(t, objects(), before)
}

// TestInitWithoutRoot: what is the user's own is made, in a group too that the user is not in; what is another's is refused, before anything is done.
func TestInitWithoutRoot(t *testing.T) {
	p := initProject(t)
	u := NewUser(t, "docker")
	p.As(u)
	Code(t, p.Memsys("init", "--yes"), 1, "must belong to 1234:1235, whom service app runs as; nothing was changed", "sudo docker memsys init")
	entries, err := os.ReadDir(p.Dir)
	assert.NilError(t, err)
	assert.Equal(t, len(entries), 1, "%v", entries)
	u.Give(t, p.Dir)
	p.Write("compose.yaml", strings.Replace(p.Read("compose.yaml"), "1234:1235", fmt.Sprintf("%d:1235", u.UID), 1))
	Code(t, p.Memsys("init", "--yes"), 0, "done")
	Code(t, p.Memsys("init", "--yes"), 0, "everything is in place")
	p.Up()
	p.Exec("app", "sh", "-c", "until [ -e /app/data/memories/a.json ]; do sleep 0.05; done")
}

// TestInitGivesTheServiceWhatComposeHasMade: an empty folder of root's, as docker makes it; never one with data in it.
func TestInitGivesTheServiceWhatComposeHasMade(t *testing.T) {
	t.Parallel()
	p := initProject(t)
	p.Compose("create").Assert(t, icmd.Success)
	p.Memsys("init", "--yes").Assert(t, icmd.Success)
	info, err := os.Stat(p.Path("data"))
	assert.NilError(t, err)
	assert.Equal(t, info.Sys().(*syscall.Stat_t).Uid, uint32(1234))
	assert.NilError(t, os.Chown(p.Path("data"), 0, 0))
	Code(t, p.Memsys("init", "--yes"), 0, "belongs to 0:0, and service app runs as 1234:1235")
}

// TestInitWritesAProviderThatComposeCalls: plain docker compose up makes a backup then, and a second one recreates nothing.
func TestInitWritesAProviderThatComposeCalls(t *testing.T) {
	t.Parallel()
	p := initProject(t)
	p.Memsys("init", "--provider", "--yes").Assert(t, icmd.Success)
	assert.Assert(t, strings.Contains(p.Read("compose.yaml"), "    depends_on: [memsys]\n"))
	p.Write("data/memories/first.json", "{}\n")
	p.Up()
	made, err := filepath.Glob(p.Path("backups/memory_backup_*.tar.gz"))
	assert.NilError(t, err)
	assert.Equal(t, len(made), 1)
	id := p.Container("app")
	p.Up()
	assert.Equal(t, p.Container("app"), id)
}
