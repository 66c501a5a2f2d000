//go:build e2e && unix

package e2e

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/icmd"
	"gotest.tools/v3/poll"
)

// lastWordProject is a program that writes memories as fast as it can, and goes on with that for a while when it is told to stop. Beside the
// volume it keeps the number of its last memory, and at its end once more, in a folder of logs: no command deletes that, no backup has it. Its
// pre_stop command leaves something too.
const lastWordProject = `
x-memsys: {backups: ./backups}
services:
  writer:
    image: ` + Busybox + `
    command:
      - sh
      - -c
      - |
        ended=0; trap 'ended=1' TERM
        i=$$(grep -c . /store/lines.jsonl 2>/dev/null)
        while [ $$ended -lt 300 ]; do
          i=$$((i+1))
          echo "{\"id\":\"m$$i\",\"n\":$$i}" >>/store/lines.jsonl
          echo $$i >/logs/.n && mv /logs/.n /logs/n
          [ $$ended -eq 0 ] || ended=$$((ended+1))
        done
        echo $$i >>/logs/ends
    volumes: ["store:/store", "./logs:/logs"]
    network_mode: none
    pre_stop:
      - command: [sh, -c, "echo asked >>/store/asked.txt"]
  reader:
    image: ` + Busybox + `
    command: ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done"]
    volumes: ["store:/store:ro"]
    network_mode: none
    depends_on: [writer]
volumes:
  store: {}
`

// lastWord is a project of the program that writes to its last moment.
type lastWord struct{ *Project }

func newLastWord(t *testing.T) lastWord {
	NeedImage(t, Busybox)
	NeedRoot(t)
	p := lastWord{NewProject(t, lastWordProject)}
	assert.NilError(t, os.Mkdir(p.Path("logs"), 0o777))
	return p
}

// written is the number of the last memory that the program has written.
func (p lastWord) written() int {
	p.t.Helper()
	text, err := os.ReadFile(p.Path("logs", "n"))
	if os.IsNotExist(err) {
		return 0
	}
	assert.NilError(p.t, err)
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	assert.NilError(p.t, err)
	return n
}

// writes waits until the program has written some more.
func (p lastWord) writes() {
	p.t.Helper()
	from := p.written()
	poll.WaitOn(p.t, func(poll.LogT) poll.Result {
		if n := p.written(); n < from+100 {
			return poll.Continue("%d memories", n)
		}
		return poll.Success()
	}, poll.WithTimeout(eventLimit))
}

// volume is where the volume lies; empty where there is none.
func (p lastWord) volume() string {
	result := p.Docker("volume", "inspect", "--format", "{{.Mountpoint}}", p.Name+"_store")
	return strings.TrimSpace(result.Stdout())
}

// memories are the numbers in the volume, which must follow each other without a gap; the last one is returned.
func (p lastWord) memories() int {
	p.t.Helper()
	data, err := os.ReadFile(filepath.Join(p.volume(), "lines.jsonl"))
	assert.NilError(p.t, err)
	n := 0
	for lines := bufio.NewScanner(bytes.NewReader(data)); lines.Scan(); {
		n++
		assert.Equal(p.t, lines.Text(), fmt.Sprintf(`{"id":"m%d","n":%d}`, n, n))
	}
	return n
}

// Issue 5, "What it must show" 6: a program that writes until its last millisecond loses nothing by down -v and a restore.
func TestNothingIsLostByDownWithVolumes(t *testing.T) {
	inEach(t, []mode{direct, helped}, func(t *testing.T, m mode) {
		p := newLastWord(t)
		rounds, _ := Campaign(t, 20, m.some(3))
		for round := range rounds {
			p.Compose("up", "--detach").Assert(t, icmd.Success)
			p.writes()
			before := p.written()
			result := p.Memsys("down", "-v")
			result.Assert(t, icmd.Success)
			assert.Equal(t, p.volume(), "", "the volume is gone")
			last := p.written()
			assert.Assert(t, last >= before+299, "it has written %d memories before and %d in all", before, last)
			Code(t, p.Memsys("restore", "--yes", "latest"), 0)
			assert.Equal(t, p.memories(), last, "%s", result.Combined())
			asked, err := os.ReadFile(filepath.Join(p.volume(), "asked.txt"))
			assert.NilError(t, err)
			assert.Equal(t, string(asked), strings.Repeat("asked\n", round+1), "pre_stop runs once")
		}
	})
}

// The control: a backup and then docker compose itself lose what was written between.
func TestWithoutMemsysDownWithVolumesLosesMemories(t *testing.T) {
	direct.set(t)
	p := newLastWord(t)
	p.Compose("up", "--detach").Assert(t, icmd.Success)
	p.writes()
	p.Memsys("backup").Assert(t, icmd.Success)
	p.writes()
	p.Compose("down", "-v").Assert(t, icmd.Success)
	Code(t, p.Memsys("restore", "--yes", "latest"), 0)
	assert.Assert(t, p.memories() < p.written(), "%d of %d: nothing was lost", p.memories(), p.written())
}

// What no good backup can be made of is not deleted, and all services run.
func TestWhatCannotBeBackedUpIsNotDeleted(t *testing.T) {
	direct.set(t)
	p := newLastWord(t)
	p.Compose("up", "--detach").Assert(t, icmd.Success)
	p.writes()
	ids := []string{p.Container("writer"), p.Container("reader")}
	runs := func() {
		t.Helper()
		assert.DeepEqual(t, []string{p.Container("writer"), p.Container("reader")}, ids)
		assert.Equal(t, p.State("writer")+" "+p.State("reader"), "running running")
		p.writes()
	}
	// Damage that is found once nobody writes.
	assert.NilError(t, os.WriteFile(filepath.Join(p.volume(), "damaged.json"), []byte(`{"id":"x","text":`), 0o644))
	Code(t, p.Memsys("down", "-v"), 1, "holds damaged data; docker compose down was not run, the services run as before")
	runs()
	assert.NilError(t, os.Remove(filepath.Join(p.volume(), "damaged.json")))

	// A source that is missing, before anything is stopped.
	file := p.Read("compose.yaml")
	p.Write("compose.yaml", strings.Replace(file, `"./logs:/logs"`, `"./logs:/logs", "./nowhere:/x"`, 1))
	p.Write("nowhere/memory.json", `{"id":"x"}`)
	p.Memsys("backup").Assert(t, icmd.Success)
	assert.NilError(t, os.RemoveAll(p.Path("nowhere")))
	Code(t, p.Memsys("down", "-v"), 1, "nowhere")
	runs()
	p.Write("compose.yaml", file)

	// A pre_stop that fails keeps its service running.
	p.Write("compose.yaml", strings.Replace(file, "echo asked", "exit 3; echo asked", 1))
	Code(t, p.Memsys("down", "-v"), 1, "pre_stop")
	runs()
	p.Write("compose.yaml", file)

	// A docker compose that refuses leaves them running too, with its own exit code.
	want := p.Compose("down", "-v", "--rmi", "nosuch")
	Code(t, p.Memsys("down", "-v", "--rmi", "nosuch"), want.ExitCode, "services run as before")
	runs()

	p.Docker("pause", ids[0]).Assert(t, icmd.Success)
	Code(t, p.Memsys("down", "-v"), 1, "paused")
	assert.Equal(t, p.State("writer")+" "+p.State("reader"), "paused running")
	p.Docker("unpause", ids[0]).Assert(t, icmd.Success)
	Code(t, p.Memsys("down", "-v", "--backup", "never"), 0)
	assert.Equal(t, p.volume(), "")
	Code(t, p.Memsys("up", "-d", "--no-ready"), 0)
}

// A backups directory that cannot be written, and a service that there is not, are told before anything is stopped.
func TestWhatKeepsABackupFromBeingMadeStopsNothing(t *testing.T) {
	direct.set(t)
	p := newLastWord(t)
	Tmpfs(t, p.Path("backups"), "8m")
	p.Compose("up", "--detach").Assert(t, icmd.Success)
	p.writes()
	since := p.Output("inspect", "--format", "{{.State.StartedAt}}", p.Container("writer"))
	remount := func(how string) {
		t.Helper()
		p.Run("mount", "-o", "remount,"+how, p.Path("backups")).Assert(t, icmd.Success)
	}
	remount("ro")
	Code(t, p.Memsys("down", "-v"), 1, "docker compose down, which was not run: write to backups directory", "write elsewhere with MEMSYS_BACKUPS=DIR; without a backup: --backup never")
	remount("rw")
	Code(t, p.Memsys("down", "-v", "nosuch"), 1, "no such service: nosuch")
	assert.Equal(t, p.Output("inspect", "--format", "{{.State.StartedAt}}", p.Container("writer")), since)
	Code(t, p.Memsys("down", "-v"), 0)
}

// Given a name and no file, docker compose down reads none: it removes a service of a profile that is off, and volumes that no service has. First
// docker compose alone shows it.
func TestNothingIsLostByDownOfAProjectByItsName(t *testing.T) {
	direct.set(t)
	p := newLastWord(t)
	p.Write("compose.yaml", strings.Replace(p.Read("compose.yaml"), "  writer:\n", "  writer:\n    profiles: [off]\n", 1))
	p.Write("compose.yaml", strings.Replace(p.Read("compose.yaml"), "    depends_on: [writer]\n", "", 1))
	former := p.Name + "_former"
	rise := func() {
		t.Helper()
		p.Compose("--profile", "off", "up", "--detach").Assert(t, icmd.Success)
		p.Output("volume", "create", "--label", "com.docker.compose.project="+p.Name, "--label", "com.docker.compose.volume=former", former)
		p.writes()
	}
	rise()
	p.Compose("-p", p.Name, "down", "-v").Assert(t, icmd.Success)
	assert.Equal(t, p.volume(), "")
	assert.Assert(t, p.Docker("volume", "inspect", former).ExitCode != 0, "docker compose leaves it")

	assert.NilError(t, os.Remove(p.Path("logs", "n")))
	rise()
	ids := p.Container("writer") + p.Container("reader")
	Code(t, p.Memsys("-p", p.Name, "down", "-v"), 1, former, "nothing was changed")
	assert.Equal(t, p.Container("writer")+p.Container("reader"), ids)
	p.writes()
	p.Output("volume", "rm", former)
	result := p.Memsys("-p", p.Name, "down", "-v")
	result.Assert(t, icmd.Success)
	assert.Equal(t, p.volume(), "")
	last := p.written()
	Code(t, p.Memsys("restore", "--yes", "latest"), 0)
	assert.Equal(t, p.memories(), last, "%s", result.Combined())
}

// A volume whose settings have changed is put anew by docker compose up -y: what was in it is in the backup, to its last moment.
func TestNothingIsLostByUpThatReplacesAVolume(t *testing.T) {
	direct.set(t)
	p := newLastWord(t)
	p.Compose("up", "--detach").Assert(t, icmd.Success)
	p.writes()
	p.Write("compose.yaml", strings.Replace(p.Read("compose.yaml"), "store: {}", "store: {labels: {com.example.changed: 'yes'}}", 1))
	result := p.Memsys("up", "-d", "-y", "--no-ready", "--force", "volume-config")
	result.Assert(t, icmd.Success)
	assert.Equal(t, p.State("writer")+" "+p.State("reader"), "running running")
	label := p.Output("volume", "inspect", "--format", `{{index .Labels "com.example.changed"}}`, p.Name+"_store")
	assert.Equal(t, label, "yes", "docker compose did not put the volume anew: %s", result.Combined())
	last, _, _ := strings.Cut(p.Read("logs/ends"), "\n")
	assert.Equal(t, strconv.Itoa(p.archived(t)), last, "%s", result.Combined())
}

// archived is how many memories the newest backup of before an up has.
func (p lastWord) archived(t *testing.T) int {
	t.Helper()
	for _, name := range strings.Fields(p.Memsys("list", "--quiet").Assert(t, icmd.Success).Stdout()) {
		inspect := p.Memsys("inspect", name, "--format", "{{.Reason}} {{.Path}}").Assert(t, icmd.Success)
		reason, path, _ := strings.Cut(strings.TrimSpace(inspect.Stdout()), " ")
		if reason != "before-up" {
			continue
		}
		lines := p.Run("tar", "--to-stdout", "-xzf", path, "--wildcards", "*/lines.jsonl").Assert(t, icmd.Success)
		return strings.Count(lines.Stdout(), "\n")
	}
	t.Fatal("there is no backup before an up")
	return 0
}

// Services that go are stopped, others go on; -V gives new anonymous volumes, and services that docker compose has not put anew run again.
func TestUpWithNewAnonymousVolumesKeepsWhatWasInTheOldOnes(t *testing.T) {
	direct.set(t)
	NeedImage(t, Busybox)
	service := "{image: " + Busybox + `, command: ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done"], network_mode: none, volumes: ["/data"]}`
	p := NewProject(t, "x-memsys: {backups: ./backups}\nservices:\n  app: "+service+"\n  other: "+service+"\n")
	p.Compose("up", "--detach").Assert(t, icmd.Success)
	p.Exec("app", "sh", "-c", `echo '{"id":"1"}' >/data/memory.json`)
	other, since := p.Container("other"), func() string {
		return p.Output("inspect", "--format", "{{.State.StartedAt}}", p.Container("other"))
	}
	started := since()
	Code(t, p.Memsys("up", "-d", "-V", "app", "--no-ready", "--force", "anonymous"), 0)
	assert.Equal(t, p.Exec("app", "ls", "/data"), "")
	assert.Equal(t, p.Container("other"), other)
	assert.Equal(t, since(), started, "it was not stopped")
	latest := p.Memsys("inspect", "latest", "--format", "{{.Path}}").Assert(t, icmd.Success)
	found := p.Run("tar", "--to-stdout", "-xzf", strings.TrimSpace(latest.Stdout()), "--wildcards", "*/memory.json").Assert(t, icmd.Success)
	assert.Equal(t, found.Stdout(), "{\"id\":\"1\"}\n")
}

// After a down that deletes nothing, one line says that the data is there.
func TestAfterADownOneLineSaysThatTheDataIsThere(t *testing.T) {
	direct.set(t)
	p := newLastWord(t)
	p.Compose("up", "--detach").Assert(t, icmd.Success)
	p.writes()
	Code(t, p.Memsys("down"), 0, "no memory is gone; since memory_backup_")
	assert.Equal(t, p.memories(), p.written())
	p.Memsys("backup").Assert(t, icmd.Success)
	p.Compose("create").Assert(t, icmd.Success)
	Code(t, p.Memsys("down"), 0, "nothing of it is gone: it is as in memory_backup_")
}
