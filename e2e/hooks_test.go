//go:build e2e && unix

package e2e

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/icmd"
)

// hookProject is a project of one service whose x-memsys is given, with a file of data.
func hookProject(t *testing.T, hooks string) *Project {
	t.Helper()
	NeedImage(t, Busybox)
	p := NewProject(t, fmt.Sprintf(`services:
  app:
    image: %s
    command: [tail, -f, /dev/null]
    stop_signal: SIGKILL
    environment: {TOKEN: hunter2}
    volumes: ["./data:/data", "./backups:/backups"]
    x-memsys:
%s`, Busybox, hooks))
	p.Write("data/a.json", "{}\n")
	p.Write("backups/.keep", "")
	assert.NilError(t, os.Remove(p.Path("backups/.keep")))
	p.Up()
	return p
}

// log is what the hooks have written, a word for each.
func (p *Project) log() string {
	p.t.Helper()
	return strings.Join(strings.Fields(p.Exec("app", "sh", "-c", "cat /data/log 2>/dev/null; true")), " ")
}

// says is a hook that adds a word to the log.
func says(when, word, rest string) string {
	return fmt.Sprintf("      %s: {command: [sh, -c, 'echo %s >>/data/log%s']}\n", when, word, rest)
}

func TestHooksRunAroundABackupAndARestore(t *testing.T) {
	p := hookProject(t, says("before-backup", "bb", "; echo flushed $TOKEN >/dev/null; echo flushed")+says("after-backup", "ab", "")+
		says("before-restore", "br", "")+says("after-restore", "ar", ""))
	dry := p.Standalone("backup", "--dry-run").Assert(t, icmd.Success)
	assert.Assert(t, strings.Contains(dry.Stdout(), "run before-backup of app: sh … (at most 1m0s, on error: fail)"), dry.Stdout())
	assert.Assert(t, !strings.Contains(dry.Stdout(), "echo"), "arguments may hold secrets")
	assert.Equal(t, p.log(), "")
	made := p.Memsys("backup", "--progress", "plain").Assert(t, icmd.Success)
	assert.Assert(t, strings.Contains(made.Stderr(), "before-backup app: flushed"), made.Stderr())
	assert.Equal(t, p.log(), "bb ab")
	Code(t, p.Memsys("restore", "--yes"), 0)
	assert.Equal(t, p.log(), "bb ar", "the log of the backup, which before-backup had written, and what came after the restore")
	p.Memsys("restore", "--yes", "--no-hooks").Assert(t, icmd.Success)
	assert.Equal(t, p.log(), "bb")
}

func TestAHookThatFailsEndsTheBackupOrMakesItIncomplete(t *testing.T) {
	fails := "      before-backup: {command: [sh, -c, 'echo bb >>/data/log; exit 4'], on-error: %s}\n"
	p := hookProject(t, fmt.Sprintf(fails, "fail")+says("after-backup", "ab", ""))
	Code(t, p.Memsys("backup"), 1, "hook before-backup of service app: failed: exit code 4; nothing was changed", "--no-hooks")
	assert.Equal(t, p.log(), "bb ab", "what comes after runs whatever happened")
	Code(t, p.Memsys("list", "--quiet"), 0)
	assert.Equal(t, p.Memsys("list", "--quiet").Stdout(), "")
	p.Memsys("backup", "--no-hooks").Assert(t, icmd.Success)
	good := p.Memsys("list", "--quiet").Stdout()

	p.Write("compose.yaml", strings.Replace(p.Read("compose.yaml"), "on-error: fail", "on-error: continue", 1))
	Code(t, p.Memsys("backup"), 3, "exit code 4")
	latest := p.Memsys("inspect", "latest", "--format", "{{.Name}}").Assert(t, icmd.Success).Stdout()
	assert.Assert(t, strings.Contains(good, strings.TrimSuffix(strings.TrimSpace(latest), ".tar.gz")), "%s is latest, the good one is %s", latest, good)
	assert.Equal(t, p.State("app"), "running")
}

func TestAHookThatHangsIsEndedAndNotWaitedFor(t *testing.T) {
	p := hookProject(t, "      before-backup: {command: [sleep, '1234'], timeout: 1s}\n")
	Code(t, p.Memsys("backup"), 1, "it took longer than 1s and was ended")
	assert.Assert(t, !strings.Contains(p.Output("top", p.Container("app")), "sleep 1234"))
	p.Compose("pause").Assert(t, icmd.Success)
	Code(t, p.Memsys("backup"), 1, "is paused")
	p.Compose("unpause").Assert(t, icmd.Success)
	p.Compose("stop").Assert(t, icmd.Success)
	Code(t, p.Memsys("backup"), 0, "skipped: the service is off")
}

func TestHooksThatAnInterruptedRunOwesAreRun(t *testing.T) {
	p := hookProject(t, "      before-backup: {command: [sh, -c, 'echo bb >>/data/log; exec sleep 60']}\n"+says("after-backup", "ab", ""))
	begun := func() bool { return p.log() == "bb" }
	run := p.Start(PluginPath(), "backup")
	waitFor(t, run, begun)
	run.Signal(syscall.SIGINT)
	assert.Equal(t, run.Wait(), 130, run.Output())
	assert.Equal(t, p.log(), "bb ab", "after Ctrl-C")

	p.Exec("app", "rm", "/data/log")
	run = p.Start(PluginPath(), "backup")
	waitFor(t, run, begun)
	run.Signal(syscall.SIGKILL)
	run.Wait()
	assert.Equal(t, p.log(), "bb")
	plan := p.Memsys("recover", "--plan").Assert(t, icmd.Success)
	assert.Assert(t, strings.Contains(plan.Stdout(), "run after-backup of app"), plan.Stdout())
	Code(t, p.Memsys("recover"), 0, "while hooks ran")
	assert.Equal(t, p.log(), "bb ab")
	Code(t, p.Memsys("recover"), 0, "nothing was interrupted")
}

// waitFor waits until something is so while a process runs.
func waitFor(t *testing.T, p *Process, so func() bool) {
	t.Helper()
	for end := time.Now().Add(eventLimit); !so(); {
		select {
		case <-p.done:
			t.Fatalf("it has ended: %s", p.Output())
		default:
		}
		if time.Now().After(end) {
			t.Fatalf("what is waited for did not happen: %s", p.Output())
		}
	}
}
