//go:build e2e && unix

package e2e

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/icmd"
)

// projectHooks is a project of one service with hooks of its own, each of which writes its event, on this machine into the file log.
func projectHooks(t *testing.T, hooks string) *Project {
	t.Helper()
	NeedImage(t, Busybox)
	p := NewProject(t, fmt.Sprintf(`services:
  app:
    image: %s
    command: [tail, -f, /dev/null]
    stop_signal: SIGKILL
    volumes: ["./data:/data", "./backups:/backups"]
x-memsys:
  hooks:
%s`, Busybox, hooks))
	p.Write("data/a.json", "{}\n")
	p.Write("backups/.keep", "")
	assert.NilError(t, os.Remove(p.Path("backups/.keep")))
	p.Write("note.sh", "#!/bin/sh\necho $MEMSYS_EVENT:$MEMSYS_RESULT:${MEMSYS_BACKUP##*/} >>log\ncat >>told\n")
	assert.NilError(t, os.Chmod(p.Path("note.sh"), 0o700))
	return p
}

// noted are the events that the hooks have written, and forgets them.
func (p *Project) noted() string {
	p.t.Helper()
	words := strings.Join(strings.Fields(p.Read("log")), " ")
	assert.NilError(p.t, os.Remove(p.Path("log")))
	return words
}

func TestHooksOfTheProjectAreAroundUpDownAndBackup(t *testing.T) {
	t.Parallel()
	var hooks string
	for _, point := range []string{"before-up", "after-up", "before-down", "after-down", "before-backup", "after-backup", "on-failure"} {
		hooks += "    " + point + ": {command: [./note.sh]}\n"
	}
	p := projectHooks(t, hooks)
	p.Memsys("up", "-d").Assert(t, icmd.Success)
	name := strings.TrimSpace(p.Memsys("list", "--quiet").Assert(t, icmd.Success).Stdout())
	assert.Equal(t, p.noted(), fmt.Sprintf("before-up:: before-backup:: after-backup:done:%s after-up:done:%[1]s", name))
	Code(t, p.Memsys("up", "-d", "--nonsense"), 1, "nonsense")
	assert.Equal(t, p.noted(), "before-up:: after-up:failed: on-failure:failed:")
	p.Memsys("down", "-t", "0").Assert(t, icmd.Success)
	assert.Equal(t, p.noted(), "before-down:: after-down:done:")
	assert.Assert(t, strings.Contains(p.Read("told"), `"event":"after-down","operation":"down"`))
	assert.Assert(t, strings.Contains(p.Read("told"), `"arguments":["-t","0"],"result":{"status":"done","exitCode":0}`), p.Read("told"))
}

func TestAHookOfTheProjectInAServiceIsToldAndAFailureStopsUp(t *testing.T) {
	t.Parallel()
	p := projectHooks(t, `    after-up: {command: [sh, -c, 'cat >/data/told; echo $$MEMSYS_PROJECT_DIR >>/data/told'], service: app}
    before-down: {command: [sh, -c, 'exit 5']}
`)
	p.Memsys("up", "-d").Assert(t, icmd.Success)
	told := p.Read("data/told")
	assert.Assert(t, strings.HasPrefix(told, `{"version":1,"event":"after-up","operation":"up"`), told)
	assert.Assert(t, strings.HasSuffix(told, "}\n"+p.Dir+"\n"), told)
	Code(t, p.Memsys("down"), 1, "hook before-down: failed: exit code 5; nothing was changed")
	assert.Equal(t, p.State("app"), "running")
	Code(t, p.Memsys("down", "--no-hooks"), 0, "")
}

func TestWhatAKilledUpOwesIsRun(t *testing.T) {
	t.Parallel()
	p := projectHooks(t, "    before-up: {command: [sh, -c, './note.sh; echo $$$$ >pid; exec sleep 60']}\n    after-up: {command: [./note.sh]}\n")
	run := p.Start(PluginPath(), "up", "-d")
	waitFor(t, run, func() bool {
		b, err := os.ReadFile(p.Path("pid"))
		return err == nil && len(b) > 0 && b[len(b)-1] == '\n'
	})
	run.Signal(syscall.SIGKILL)
	run.Wait()
	pid, err := strconv.Atoi(strings.TrimSpace(p.Read("pid")))
	assert.NilError(t, err)
	assert.NilError(t, syscall.Kill(pid, syscall.SIGKILL)) // nobody ends it when memsys is gone
	assert.Equal(t, p.noted(), "before-up::")
	Code(t, p.Memsys("recover"), 0, "while hooks ran")
	assert.Equal(t, p.noted(), "after-up:interrupted:")
}
