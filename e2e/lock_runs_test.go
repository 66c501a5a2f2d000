//go:build e2e && unix

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/icmd"

	"github.com/memsys/docker-memsys/internal/engine"
)

// halt starts a backup and halts its process in the middle of its work, so that it holds the lock for as long as a test
// needs. What it has paused is let go by its guardian at the latest.
func (v *victim) halt(p *Process) *Process {
	v.t.Helper()
	v.waitState("writer", engine.Paused, p)
	p.Signal(syscall.SIGSTOP)
	select {
	case <-p.done:
		v.t.Fatalf("the backup ended before it could be halted: %s", p.Output())
	default:
	}
	return p
}

// goOn lets a halted backup come to its end, which must be a good one.
func (v *victim) goOn(p *Process) {
	v.t.Helper()
	p.Signal(syscall.SIGCONT)
	assert.Equal(v.t, p.Wait(), 0, p.Output())
}

// elsewhere is the same project in another folder, with another state folder: a second client of the engine.
func (v *victim) elsewhere() *Project {
	v.t.Helper()
	p := NewProject(v.t, v.Read("compose.yaml"))
	p.Setenv("COMPOSE_PROJECT_NAME", v.Name)
	p.Write("data/file", "of the other folder")
	return p
}

// locked holds a refused run to its exit code and to the words that say who is at work.
func locked(t testing.TB, result *icmd.Result, holder *Process, user string) {
	t.Helper()
	result.Assert(t, icmd.Expected{ExitCode: 7})
	host, err := os.Hostname()
	assert.NilError(t, err)
	want := fmt.Sprintf(`locked by "docker memsys backup" of %s on %s (process %d) since `, user, host, holder.Pid())
	assert.Assert(t, strings.Contains(result.Stderr(), want), "want %s in:\n%s", want, result.Combined())
	assert.Assert(t, strings.Contains(result.Stderr(), "--wait"), result.Combined())
}

// Issue 2, Lock: of two runs at once the second says who is at work.
func TestLockRefusesASecondRun(t *testing.T) {
	v := newWriters(t, 24)
	v.Standalone("backup").Assert(t, icmd.Success)
	first := v.halt(v.Start(PluginPath(), "backup"))
	locked(t, v.Standalone("backup"), first, "root")
	locked(t, v.Memsys("backup"), first, "root")
	locked(t, v.Standalone("restore", "--yes"), first, "root")
	start := time.Now()
	locked(t, v.Standalone("backup", "--wait", "1s"), first, "root")
	assert.Assert(t, time.Since(start) >= time.Second)
	read := v.Standalone("list")
	read.Assert(t, icmd.Success)
	assert.Assert(t, !tellsInterrupted(read), read.Combined())
	v.Standalone("recover").Assert(t, icmd.Expected{Out: "nothing was interrupted"})
	v.goOn(first)
	assert.Equal(t, len(v.archives()), 2)
	v.asBefore(0)
	v.nothingIsLeft()
}

// A second run that may wait works as soon as the first has ended.
func TestLockIsWaitedFor(t *testing.T) {
	v := newWriters(t, 24)
	first := v.halt(v.Start(PluginPath(), "backup"))
	second := v.Start("docker", "memsys", "backup", "--wait", "2m", "--progress", "plain")
	second.WaitFor(fmt.Sprintf("(process %d)", first.Pid()))
	impatient := v.RunTTY("docker", "memsys", "backup", "--wait", "2m", "--progress", "plain")
	impatient.WaitFor("waiting for")
	impatient.Interrupt()
	assert.Equal(t, impatient.Wait(), 130, impatient.Output())
	v.goOn(first)
	assert.Equal(t, second.Wait(), 0, second.Output())
	assert.Equal(t, len(v.archives()), 2)
	v.asBefore(0)
	v.nothingIsLeft()
	v.backupsAreWhole()
}

// Two clients of one engine that share nothing else see each other.
func TestLockIsSeenByAnotherClientOfTheEngine(t *testing.T) {
	v := newWriters(t, 24)
	client := v.elsewhere()
	first := v.halt(v.Start(PluginPath(), "backup"))
	locked(t, client.Standalone("backup"), first, "root")
	waiting := client.Start(PluginPath(), "backup", "--wait", "2m", "--progress", "plain")
	waiting.WaitFor("waiting for")
	v.goOn(first)
	assert.Equal(t, waiting.Wait(), 0, waiting.Output())
	v.asBefore(0)
	v.nothingIsLeft()
}

// The lock of a run that was killed stops nobody: neither the next run, nor another client.
func TestLockOfADeadRunIsTakenOver(t *testing.T) {
	v := newWriters(t, 24)
	client := v.elsewhere()
	for _, next := range []*Project{client, v.Project} {
		killed := v.halt(v.Start(PluginPath(), "backup"))
		killed.Signal(syscall.SIGKILL)
		killed.Wait()
		noProcess(t, "__guardian")
		v.asBefore(0)
		assert.Equal(t, len(v.locks()), 1, "the dead run's lock")
		start := time.Now()
		next.Standalone("backup").Assert(t, icmd.Success)
		assert.Assert(t, time.Since(start) < 30*time.Second)
		assert.Equal(t, len(v.locks()), 0)
	}
	v.nothingIsLeft()
}

// strangerID is the user and group of somebody else on this host.
const strangerID = 54321

// stranger is another user of this host who may use the engine, in the project's own folder, with a state folder and a
// backups directory of his own.
func (v *victim) stranger(args ...string) []string {
	v.t.Helper()
	home := v.t.TempDir()
	assert.NilError(v.t, os.Chmod(filepath.Dir(v.Dir), 0o755)) // go test made it for its own user alone
	assert.NilError(v.t, os.Chmod(filepath.Dir(home), 0o755))
	assert.NilError(v.t, os.Chown(home, strangerID, strangerID))
	id := strconv.Itoa(strangerID)
	groups := strings.TrimSpace(run(v.t, "", nil, "stat", "--format", "%g", strings.TrimPrefix(os.Getenv("DOCKER_HOST"), "unix://")).Stdout())
	start := []string{
		"setpriv", "--reuid", id, "--regid", id, "--groups", groups, "env", "HOME=" + home, "MEMSYS_STATE_DIR=" + home + "/state",
		PluginPath(), "backup", "--backups", home + "/backups",
	}
	return append(start, args...)
}

// Two users of one host, each with a state folder and a backups directory of his own: only the engine knows of both.
func TestLockIsSeenByAnotherUser(t *testing.T) {
	v := newWriters(t, 24)
	command := v.stranger()
	first := v.halt(v.Start(PluginPath(), "backup"))
	locked(t, v.Run(command[0], command[1:]...), first, "root")
	v.goOn(first)
	theirs := v.halt(v.Start(command[0], command[1:]...))
	locked(t, v.Standalone("backup"), theirs, strconv.Itoa(strangerID))
	theirs.Signal(syscall.SIGCONT)
	theirs.Wait()
	v.Standalone("backup").Assert(t, icmd.Success)
	v.asBefore(0)
	v.nothingIsLeft()
}
