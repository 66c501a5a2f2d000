//go:build e2e && unix

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/icmd"
)

// TestArchivesInsideASourceStay: no restore moves the backups directory, and no backup takes it in.
func TestArchivesInsideASourceStay(t *testing.T) {
	p := Box(t, `["./data:/data"]`, "x-memsys: {backups: ./data/kept/backups}\n")
	p.Write("data/file", "first")
	p.Write("data/kept/beside", "first")
	p.Up()
	first := p.Backup()
	p.Write("data/file", "second")
	second := p.Backup()
	listed := run(t, "", nil, "tar", "tzf", second).Assert(t, icmd.Success).Stdout()
	assert.Assert(t, !strings.Contains(listed, "memory_backup"), listed)
	p.Write("data/kept/beside", "third")
	p.Memsys("restore", first, "--yes").Assert(t, icmd.Success)
	assert.Equal(t, p.Read("data/file"), "first")
	assert.Equal(t, p.Read("data/kept/beside"), "first")
	all := Archives(t, p.Path("data", "kept", "backups"))
	assert.Equal(t, len(all), 3, "%v", all) // and the safety backup
	assert.DeepEqual(t, all[:2], []string{first, second})
	Code(t, p.Memsys("verify", "--all"), 0)
	Tidy(t, p.Dir)
}

// TestArchivesThatCameIntoASourceLaterStay: the backup that is restored knows nothing of them.
func TestArchivesThatCameIntoASourceLaterStay(t *testing.T) {
	p := Box(t, `["./data:/data"]`, "x-memsys: {backups: ./data/kept/backups}\n")
	p.Write("data/file", "first")
	p.Up()
	first := p.Backup("--backups", p.Path("elsewhere"))
	p.Write("data/file", "second")
	second := p.Backup()
	p.Memsys("restore", first, "--yes").Assert(t, icmd.Success)
	assert.Equal(t, p.Read("data/file"), "first")
	all := Archives(t, p.Path("data", "kept", "backups"))
	assert.Equal(t, len(all), 2, "%v", all) // and the safety backup
	assert.Equal(t, all[0], second)
	Code(t, p.Memsys("verify", "--all"), 0)
	Tidy(t, p.Dir)
}

func TestASourceInsideTheBackupsDirectory(t *testing.T) {
	p := Box(t, `["./store/data:/data"]`, "x-memsys: {backups: ./store}\n")
	p.Write("store/data/file", "first")
	p.Up()
	first := p.Backup()
	p.Write("store/data/file", "second")
	p.Write("store/data/new", "second")
	p.Memsys("restore", "--yes").Assert(t, icmd.Success)
	assert.Equal(t, p.Read("store/data/file"), "first")
	gone(t, p.Path("store", "data", "new"))
	assert.Equal(t, len(Archives(t, p.Path("store"))), 2)
	assert.Equal(t, Archives(t, p.Path("store"))[0], first)
	Code(t, p.Memsys("verify", "--all"), 0)
}

// TestAnExcludedOnlyCopySurvives, in folders that the backup has, has in part, and has not.
func TestAnExcludedOnlyCopySurvives(t *testing.T) {
	p := Box(t, `["./data:/data"]`, "")
	p.Write("data/file", "first")
	p.Write("data/only.bak", "the only copy")
	p.Write("data/sub/file", "first")
	p.Write("data/sub/only.bak", "the only copy")
	p.Up()
	archive := p.Backup("--exclude", "*.bak")
	listed := run(t, "", nil, "tar", "tzf", archive).Assert(t, icmd.Success).Stdout()
	assert.Assert(t, !strings.Contains(listed, ".bak"), listed)
	p.Write("data/later/only.bak", "the only copy")
	p.Write("data/later/file", "not in the backup")
	p.Write("data/file", "second")
	p.Memsys("restore", "--yes").Assert(t, icmd.Success)
	for _, name := range []string{"only.bak", "sub/only.bak", "later/only.bak"} {
		assert.Equal(t, p.Read("data/"+name), "the only copy", name)
	}
	assert.Equal(t, p.Read("data/file"), "first")
	gone(t, p.Path("data", "later", "file"))
	Tidy(t, p.Dir)
}

// TestAMountInsideASourceStays: its content is in the backup, as the service sees it there, but no restore in place touches it; it
// says so and ends with 3.
func TestAMountInsideASourceStays(t *testing.T) {
	p := Box(t, `["./data:/data"]`, "")
	p.Write("data/file", "first")
	p.Write("data/sub/file", "first")
	Tmpfs(t, p.Path("data", "sub", "nested"), "1m")
	p.Write("elsewhere/file", "bound")
	assert.NilError(t, os.Mkdir(p.Path("data", "bound"), 0o755))
	Mount(t, "--bind", p.Path("elsewhere"), p.Path("data", "bound"))
	p.Write("data/sub/nested/file", "first")
	p.Up()
	listed := run(t, "", nil, "tar", "tzf", p.Backup()).Assert(t, icmd.Success).Stdout()
	assert.Assert(t, contains(listed, "data/data/sub/nested/file\n") && contains(listed, "data/data/bound/file\n"), listed)
	p.Write("data/sub/file", "second")
	p.Write("data/sub/nested/file", "second")
	p.Write("data/bound/later", "later")
	assert.NilError(t, os.Remove(p.Path("data", "file")))
	Code(t, p.Memsys("restore", "--yes"), 3, "keep untouched 2: bound, sub/nested", "a mount, another source or the backups directory is there now")
	assert.Equal(t, p.Read("data/file"), "first")
	assert.Equal(t, p.Read("data/sub/file"), "first")
	assert.Equal(t, p.Read("data/sub/nested/file"), "second")
	assert.Equal(t, p.Read("elsewhere/later"), "later")
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	assert.NilError(t, err)
	for _, at := range []string{"sub/nested", "bound"} {
		assert.Assert(t, strings.Contains(string(mounts), p.Path("data", at)), "%s is no mount any more", at)
	}
}

func TestASourceThatIsAMountPointItself(t *testing.T) {
	p := Box(t, `["./data:/data"]`, "")
	Tmpfs(t, p.Path("data"), "4m")
	p.Write("data/file", "first")
	p.Up()
	p.Backup()
	before, err := os.Stat(p.Path("data"))
	assert.NilError(t, err)
	assert.NilError(t, os.Remove(p.Path("data", "file")))
	p.Write("data/new", "second")
	p.Memsys("restore", "--yes").Assert(t, icmd.Success)
	assert.Equal(t, p.Read("data/file"), "first")
	gone(t, p.Path("data", "new"))
	after, err := os.Stat(p.Path("data"))
	assert.NilError(t, err)
	assert.Assert(t, os.SameFile(before, after))
	assert.Equal(t, p.Exec("app", "cat", "/data/file"), "first")
	Tidy(t, p.Dir)
}

func TestASingleFileKeepsItsInode(t *testing.T) {
	p := Box(t, `["./conf.yaml:/conf.yaml"]`, "")
	p.Write("conf.yaml", "first")
	p.Up()
	p.Backup()
	before, err := os.Stat(p.Path("conf.yaml"))
	assert.NilError(t, err)
	p.Write("conf.yaml", "second and longer")
	assert.NilError(t, os.Chmod(p.Path("conf.yaml"), 0o600))
	p.Memsys("restore", "--yes").Assert(t, icmd.Success)
	assert.Equal(t, p.Read("conf.yaml"), "first")
	after, err := os.Stat(p.Path("conf.yaml"))
	assert.NilError(t, err)
	assert.Assert(t, os.SameFile(before, after))
	assert.Equal(t, after.Mode(), before.Mode())
	assert.Equal(t, p.Exec("app", "cat", "/conf.yaml"), "first")
	Tidy(t, p.Dir)
}

func TestAVolumeThatBindsAFolder(t *testing.T) {
	p := Box(t, `["bound:/data"]`, "volumes:\n  bound: {driver: local, driver_opts: {type: none, o: bind, device: \"${PWD}/store\"}}\n")
	p.Setenv("PWD", p.Dir)
	p.Write("store/file", "first")
	p.Up()
	p.Backup()
	assert.NilError(t, os.Remove(p.Path("store", "file")))
	p.Write("store/new", "second")
	p.Memsys("restore", "--yes").Assert(t, icmd.Success)
	assert.Equal(t, p.Read("store/file"), "first")
	assert.Equal(t, p.Exec("app", "cat", "/data/file"), "first")
	gone(t, p.Path("store", "new"))
}

// TestAVolumeThatWasRemovedIsMadeAgain, so that docker compose takes it for its own.
func TestAVolumeThatWasRemovedIsMadeAgain(t *testing.T) {
	p := Box(t, `["vol:/vol", "./data:/data"]`, "volumes: {vol: {labels: {tier: gold}}}\n")
	p.Write("data/file", "first")
	p.Up()
	p.Exec("app", "sh", "-c", "echo first >/vol/file")
	p.Backup()
	p.Compose("down", "--volumes").Assert(t, icmd.Success)
	assert.NilError(t, os.RemoveAll(p.Path("data")))
	p.Memsys("restore", "--yes").Assert(t, icmd.Success)
	assert.Equal(t, p.Read("data/file"), "first")
	up := p.Compose("up", "--detach", "--wait").Assert(t, icmd.Success)
	assert.Assert(t, !strings.Contains(up.Combined(), "already exists"), up.Combined())
	assert.Equal(t, p.Exec("app", "cat", "/vol/file"), "first")
	assert.Equal(t, p.Output("volume", "inspect", "--format", "{{.Labels.tier}}", p.Name+"_vol"), "gold")
}

// everything is a project with every kind of source.
const everything = `
  giver:
    image: memsystest/busybox:latest
    command: [tail, -f, /dev/null]
    stop_signal: SIGKILL
    volumes: ["given:/given", "/anonymous"]
  taker:
    image: memsystest/busybox:latest
    command: [tail, -f, /dev/null]
    stop_signal: SIGKILL
    volumes_from: [giver]
  job:
    image: memsystest/busybox:latest
    profiles: [jobs]
    command: ["true"]
    volumes: ["off:/off"]
  once:
    image: memsystest/busybox:latest
    command: [sh, -c, "echo first >/once/file"]
    volumes: ["stopped:/once"]
volumes:
  given: {}
  off: {}
  stopped: {}
  outside: {external: true, name: %s}
`

func TestEveryKindOfVolumeComesBack(t *testing.T) {
	NeedImage(t, Busybox)
	p := NewProject(t, "")
	outside := p.Name + "-outside"
	p.Write("compose.yaml", boxFile(`["outside:/outside"]`, fmt.Sprintf(everything, outside)))
	p.Output("volume", "create", "--label", "com.docker.compose.project="+p.Name, outside)
	p.Compose("--profile", "jobs", "up", "--detach").Assert(t, icmd.Success)
	p.Docker("wait", p.Container("once")).Assert(t, icmd.Success)
	anonymous := p.Output("inspect", "--format", `{{range .Mounts}}{{if eq .Destination "/anonymous"}}{{.Name}}{{end}}{{end}}`, p.Container("giver"))
	names := []string{outside, p.Name + "_given", p.Name + "_off", p.Name + "_stopped", anonymous}
	file := func(volume string) string {
		return filepath.Join(p.Output("volume", "inspect", "--format", "{{.Mountpoint}}", volume), "file")
	}
	for _, name := range names {
		assert.NilError(t, os.WriteFile(file(name), []byte("first of "+name), 0o600))
	}
	p.Backup()
	for _, name := range names {
		assert.NilError(t, os.WriteFile(file(name), []byte("second"), 0o600))
	}
	p.Memsys("restore", "--yes").Assert(t, icmd.Success)
	for _, name := range names {
		content, err := os.ReadFile(file(name))
		assert.NilError(t, err)
		assert.Equal(t, string(content), "first of "+name)
	}
	for service, state := range map[string]string{"app": "running", "giver": "running", "taker": "running", "job": "exited", "once": "exited"} {
		assert.Equal(t, p.State(service), state, service)
	}
	assert.Equal(t, p.Exec("taker", "cat", "/given/file"), "first of "+p.Name+"_given")
}

func TestAProjectInAFolderWithAnOddNameFromElsewhere(t *testing.T) {
	NeedImage(t, Busybox)
	dir := filepath.Join(t.TempDir(), "mémoire de l'équipe  日本")
	assert.NilError(t, os.Mkdir(dir, 0o755))
	p := BareProject(t, dir)
	p.Write("compose.yaml", boxFile(`["./les données:/data", "vol:/vol"]`, "volumes: {vol: {}}\n"))
	p.Write("les données/fichier été", "first")
	other := p.Name + "other"
	docker := func(args ...string) *icmd.Result {
		return run(t, t.TempDir(), p.env, "docker", append([]string{args[0], "-f", p.Path("compose.yaml"), "-p", other}, args[1:]...)...)
	}
	t.Cleanup(func() { docker("compose", "down", "--volumes").Assert(t, icmd.Success) })
	docker("compose", "up", "--detach", "--wait").Assert(t, icmd.Success)
	docker("memsys", "backup").Assert(t, icmd.Success)
	assert.Equal(t, len(Archives(t, p.Path("backups"))), 1)
	p.Write("les données/fichier été", "second")
	docker("memsys", "restore", "--yes").Assert(t, icmd.Success)
	assert.Equal(t, p.Read("les données/fichier été"), "first")
	p.Write("les données/fichier été", "third")
	Code(t, p.Memsys("restore", "--yes"), 8, "of the whole project "+p.Name) // without -p it is another project
	Code(t, p.Memsys("restore", Archives(t, p.Path("backups"))[0], "--yes"), 1, "another project", "--allow-other-project")
	assert.Equal(t, p.Read("les données/fichier été"), "third")
}
