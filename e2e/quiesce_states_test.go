//go:build e2e && unix

package e2e

import (
	"math/rand/v2"
	"os"
	"strings"
	"syscall"
	"testing"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/icmd"
)

// TestAPreStopThatFailsEndsTheBackupAndEveryServiceRuns: the second of two services refuses, after the first has stopped.
func TestAPreStopThatFailsEndsTheBackupAndEveryServiceRuns(t *testing.T) {
	NeedImage(t, Busybox)
	p := NewProject(t, `
services:
  web:
    image: `+Busybox+`
    command: [tail, -f, /dev/null]
    stop_grace_period: 0s
    depends_on: [db]
    volumes: ["./data:/data"]
    pre_stop: [{command: [touch, /data/web-flushed]}]
    post_start: [{command: [touch, /data/web-started]}]
  db:
    image: `+Busybox+`
    command: [tail, -f, /dev/null]
    stop_grace_period: 0s
    volumes: ["./data:/data"]
    pre_stop: [{command: [sh, -c, "test ! -e /data/refuse || { echo still busy; exit 3; }"]}]
`)
	p.Write("data/refuse", "")
	p.Up()
	Code(t, p.Memsys("backup", "--quiesce", "stop"), 1, "db", "pre_stop", "still busy")
	assert.Equal(t, p.State("web"), "running")
	assert.Equal(t, p.State("db"), "running")
	p.Exec("web", "rm", "/data/refuse", "/data/web-flushed", "/data/web-started")
	p.Memsys("backup", "--quiesce", "stop").Assert(t, icmd.Success)
	p.Exec("web", "ls", "/data/web-flushed", "/data/web-started")
	assert.Equal(t, p.State("db"), "running")
}

// TestWhatRunsInTheNetworkOfAStoppedServiceHasItAgain: it writes nothing that is read, and yet it must stop and start with the one whose
// network it uses. Without that it would run on with none.
func TestWhatRunsInTheNetworkOfAStoppedServiceHasItAgain(t *testing.T) {
	NeedImage(t, Busybox)
	p := NewProject(t, `
services:
  app:
    image: `+Busybox+`
    command: [tail, -f, /dev/null]
    stop_grace_period: 0s
    volumes: ["./data:/data"]
  guest:
    image: `+Busybox+`
    command: [tail, -f, /dev/null]
    stop_grace_period: 0s
    network_mode: service:app
`)
	p.Write("data/memory.json", "{}")
	p.Up()
	network := func() string { return p.Exec("guest", "ip", "-4", "addr", "show", "eth0") }
	assert.Assert(t, strings.Contains(network(), "inet "))
	h := backupHeld(t, p, "stop")
	assert.Equal(t, len(h.Held), 2, "%v", h.Held)
	assert.Assert(t, strings.Contains(network(), "inet "))
	p.Memsys("restore", "latest", "--yes").Assert(t, icmd.Success)
	assert.Assert(t, strings.Contains(network(), "inet "))
	p.Docker("restart", p.Container("app")).Assert(t, icmd.Success)
	Code(t, p.Docker("exec", p.Container("guest"), "ip", "-4", "addr", "show", "eth0"), 1) // what the engine does by itself
}

// TestServicesThatWerePausedOrOffStaySo: only what ran is held.
func TestServicesThatWerePausedOrOffStaySo(t *testing.T) {
	NeedImage(t, Busybox)
	service := func(name string) string {
		return `
  ` + name + `:
    image: ` + Busybox + `
    command: [tail, -f, /dev/null]
    stop_grace_period: 0s
    volumes: ["data:/data"]
`
	}
	p := NewProject(t, "services:"+service("runs")+service("paused")+service("off")+"volumes: {data: {}}\n")
	p.Up()
	p.Exec("runs", "touch", "/data/memory")
	p.Docker("pause", p.Container("paused")).Assert(t, icmd.Success)
	p.Docker("stop", p.Container("off")).Assert(t, icmd.Success)
	foreign := p.Output("run", "--detach", "--label", "com.docker.compose.project="+p.Name+"foreign", "--volume", p.Name+"_data:/elsewhere", Busybox, "tail", "-f", "/dev/null")
	t.Cleanup(func() { p.Docker("rm", "--force", foreign).Assert(t, icmd.Success) })
	for _, mode := range []string{"auto", "stop"} {
		h := backupHeld(t, p, mode)
		assert.Equal(t, len(h.Held), 2, "the foreign container writes into the volume too: %v", h.Held)
		assert.Equal(t, p.State("runs"), "running")
		assert.Equal(t, p.State("paused"), "paused")
		assert.Equal(t, p.State("off"), "exited")
		assert.Equal(t, p.Output("inspect", "--format", "{{.State.Status}}", foreign), "running")
	}
}

// TestAServiceWhoseContainerIsReplacedDuringTheHoldRuns: the new container writes while the data is read, so the backup must not count.
func TestAServiceWhoseContainerIsReplacedDuringTheHoldRuns(t *testing.T) {
	for _, mode := range []string{"pause", "stop"} {
		t.Run(mode, func(t *testing.T) {
			p := newWriter(t, "atomic", "atomic.json")
			noise(t, rand.New(rand.NewPCG(1, 2)), p.Path("data", "noise"), 32<<20)
			old := p.Container("writer")
			run := p.Start(PluginPath(), "backup", "--quiesce", mode, "--progress", "plain", "--format", "json")
			run.WaitFor(mode + " writer: done")
			run.Signal(syscall.SIGSTOP)
			assert.Assert(t, !strings.Contains(run.Output(), "resume"), "it was too quick: %s", run.Output())
			p.Compose("up", "--detach", "--force-recreate").Assert(t, icmd.Success)
			run.Signal(syscall.SIGCONT)
			assert.Equal(t, run.Wait(), 3, run.Output())
			assert.Assert(t, strings.Contains(run.Output(), "container "+p.Name+"-writer-1 could write while its data was read"), run.Output())
			assert.Assert(t, p.Container("writer") != old)
			assert.Equal(t, p.State("writer"), "running")
			_, err := os.Stat(p.Path("backups", "latest_backup.txt"))
			assert.ErrorIs(t, err, os.ErrNotExist, "it counts as good")
			Code(t, p.Memsys("recover"), 0, "nothing was interrupted")
			p.Memsys("backup", "--quiesce", mode).Assert(t, icmd.Success)
		})
	}
}
