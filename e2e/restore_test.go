//go:build e2e && unix

package e2e

import (
	"os"
	"strings"
	"testing"
	"time"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/icmd"
)

const restoreProject = `
services:
  app:
    image: memsystest/busybox:latest
    command: [sleep, infinity]
    stop_signal: SIGKILL
    volumes: ["./data:/data", "db:/db", "bound:/bound", "./conf.txt:/conf.txt"]
  idle:
    image: memsystest/busybox:latest
    command: [sleep, infinity]
    stop_signal: SIGKILL
    volumes: ["./data:/data:ro"]
volumes:
  db:
    labels: {keep: me}
  bound:
    driver_opts: {type: none, o: bind, device: $BOUND}
`

// newRestoreProject is a running project with every kind of source; idle is stopped.
func newRestoreProject(t *testing.T) *Project {
	t.Helper()
	NeedRoot(t)
	NeedImage(t, Busybox)
	p := NewProject(t, restoreProject)
	p.Setenv("BOUND", p.Path("bound"))
	assert.NilError(t, os.Mkdir(p.Path("bound"), 0o755))
	p.Write("data/a.json", "1")
	p.Write("data/logs/today.log", "log")
	p.Write("conf.txt", "before")
	p.Up()
	p.Exec("app", "sh", "-c", "echo 1 >/db/row; echo 1 >/bound/row")
	p.Compose("stop", "idle").Assert(t, icmd.Success)
	p.Memsys("backup").Assert(t, icmd.Success)
	p.Exec("app", "sh", "-c", "echo 2 >/db/row; echo 2 >/db/extra; rm /bound/row; echo 2 >/data/a.json; echo after >/conf.txt; echo later >/data/logs/today.log")
	return p
}

// checkRestored looks at the data through the running service, as it sees it.
func (p *Project) checkRestored(t *testing.T) {
	t.Helper()
	assert.Equal(t, p.State("app"), "running")
	assert.Equal(t, p.Exec("app", "sh", "-c", "cat /db/row /bound/row /data/a.json /conf.txt"), "1\n1\n1before")
	assert.Equal(t, p.Exec("app", "ls", "/db"), "row")
	assert.Equal(t, p.Read("data/logs/today.log"), "later\n")
}

func TestRestoreBringsEveryKindOfSourceBack(t *testing.T) {
	p := newRestoreProject(t)
	plan := p.Memsys("restore", "--dry-run")
	plan.Assert(t, icmd.Success)
	assert.Assert(t, strings.Contains(plan.Stdout(), "stop app\n"), plan.Stdout())
	p.Memsys("restore", "--yes").Assert(t, icmd.Success)
	p.checkRestored(t)
	assert.Equal(t, p.State("idle"), "exited")
	list := p.Memsys("list")
	list.Assert(t, icmd.Success)
	assert.Assert(t, strings.Contains(list.Stdout(), "before-restore"), list.Stdout())
}

func TestRestoreMakesWhatComposeDownRemoved(t *testing.T) {
	p := newRestoreProject(t)
	p.Compose("down", "--volumes").Assert(t, icmd.Success)
	assert.NilError(t, os.RemoveAll(p.Path("data")))
	p.Write("data/logs/today.log", "later\n")
	result := p.Memsys("restore", "--yes")
	result.Assert(t, icmd.Success)
	assert.Equal(t, p.Output("volume", "inspect", "--format", `{{index .Labels "keep"}}`, p.Name+"_db"), "me")
	up := p.Compose("up", "--detach", "--wait", "app")
	up.Assert(t, icmd.Success)
	assert.Assert(t, !strings.Contains(up.Combined(), "not created by Docker Compose"), up.Combined())
	p.checkRestored(t)
}

func TestRestoreRefusesWhereAForeignContainerUsesTheData(t *testing.T) {
	p := newRestoreProject(t)
	foreign := p.Name + "-foreign"
	p.Docker("run", "--detach", "--name", foreign, "--network", "none", "--volume", p.Name+"_db:/x", Busybox, "sleep", "infinity").Assert(t, icmd.Success)
	t.Cleanup(func() { p.Docker("rm", "--force", foreign).Assert(t, icmd.Success) })
	refused := p.Memsys("restore", "--yes")
	refused.Assert(t, icmd.Expected{ExitCode: 1, Err: foreign})
	assert.Equal(t, p.Exec("app", "cat", "/db/row"), "2")
	p.Memsys("restore", "--yes", "--stop-foreign").Assert(t, icmd.Success)
	p.checkRestored(t)
	assert.Equal(t, p.Output("inspect", "--format", "{{.State.Status}}", foreign), "running")
}

// A restore is killed at random moments: the next command brings data and services to the old or the new state.
func TestRestoreSurvivesKills(t *testing.T) {
	p := newRestoreProject(t)
	latest := strings.TrimSpace(p.Memsys("list", "--quiet").Stdout())
	rounds, random := Campaign(t, 40, 4)
	for i := range rounds {
		p.Exec("app", "sh", "-c", "echo 2 >/db/row; echo 2 >/db/extra; rm -f /bound/row; echo 2 >/data/a.json")
		killed := p.Start(PluginPath(), "restore", "--yes", "--no-safety-backup", latest)
		killed.KillAfter(time.Duration(random.Int64N(int64(1500 * time.Millisecond))))
		killed.Wait()
		p.Memsys("recover").Assert(t, icmd.Success)
		assert.Equal(t, p.State("app"), "running", "round %d", i)
		seen := p.Exec("app", "sh", "-c", "cat /db/row /data/a.json; ls /db /bound /data")
		old, restored := "2\n2\n/bound:\n\n/data:\na.json\nlogs\n\n/db:\nextra\nrow", "1\n1/bound:\nrow\n\n/data:\na.json\nlogs\n\n/db:\nrow"
		assert.Assert(t, seen == old || seen == restored, "round %d: %q", i, seen)
	}
}
