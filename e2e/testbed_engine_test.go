//go:build e2e && unix

package e2e

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/icmd"
)

// NeedOwnEngine ends a test that would start, stop or harm an engine where the engine is not the test bed's own.
func NeedOwnEngine(t testing.TB) {
	t.Helper()
	NeedRoot(t)
	if os.Getenv("MEMSYS_E2E_OWN") != "1" {
		SkipOrFail(t, "needs an engine that the test bed started itself")
	}
}

// secondEngine starts one more engine of the same version, with the settings, and returns its folder and its process id.
func secondEngine(t testing.TB, settings ...string) (string, int) {
	t.Helper()
	return engineOf(t, EngineVersion(), settings...)
}

// engineOf starts one more engine of a version.
func engineOf(t testing.TB, version string, settings ...string) (string, int) {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "memsys-e2e2.")
	assert.NilError(t, err)
	reachable(t, dir)
	t.Cleanup(func() {
		if _, err := os.Stat(filepath.Join(dir, "engine.pid")); err == nil {
			engineScript(t, "stop", dir)
		}
		assert.Check(t, os.RemoveAll(dir))
	})
	engineScript(t, append([]string{"start", version, dir}, settings...)...).Assert(t, icmd.Success)
	recorded, err := os.ReadFile(filepath.Join(dir, "engine.pid"))
	assert.NilError(t, err)
	pid, err := strconv.Atoi(strings.Fields(string(recorded))[0])
	assert.NilError(t, err)
	return dir, pid
}

func engineScript(t testing.TB, args ...string) *icmd.Result {
	t.Helper()
	return run(t, "", nil, filepath.Join("..", "scripts", "engine.sh"), args...)
}

func TestBedStopsAnEngineThatCrashedWithAPausedContainer(t *testing.T) {
	NeedOwnEngine(t)
	NeedImage(t, Busybox)
	dir, pid := secondEngine(t)
	host := "unix://" + filepath.Join(dir, "docker.sock")
	image := filepath.Join(t.TempDir(), "image.tar")
	run(t, "", nil, "docker", "save", "--output", image, Busybox).Assert(t, icmd.Success)
	for _, args := range [][]string{
		{"load", "--input", image},
		{"run", "--detach", "--name", "still", Busybox, "tail", "-f", "/dev/null"},
		{"pause", "still"},
	} {
		run(t, "", nil, "docker", append([]string{"--host", host}, args...)...).Assert(t, icmd.Success)
	}
	inspect := run(t, "", nil, "docker", "--host", host, "inspect", "--format", "{{.State.Pid}}", "still").Assert(t, icmd.Success)
	container, err := strconv.Atoi(strings.TrimSpace(inspect.Stdout()))
	assert.NilError(t, err)
	assert.NilError(t, syscall.Kill(pid, syscall.SIGKILL))
	engineScript(t, "stop", dir).Assert(t, icmd.Success)
	assert.Equal(t, strings.Join(processesOf(t, dir), "\n"), "")
	assert.Assert(t, !running(t, container), "the paused container's process is still there")
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	assert.NilError(t, err)
	assert.Assert(t, !strings.Contains(string(mounts), dir))
	_, err = os.Stat(dir)
	assert.ErrorIs(t, err, os.ErrNotExist)
}

// running tells whether a process is there and no zombie.
func running(t testing.TB, pid int) bool {
	t.Helper()
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if errors.Is(err, os.ErrNotExist) {
		return false
	}
	assert.NilError(t, err)
	return !strings.Contains(string(status), "State:\tZ")
}

// processesOf lists what runs with the folder of an engine in its command line or environment.
func processesOf(t testing.TB, dir string) []string {
	t.Helper()
	var found []string
	commands, err := filepath.Glob("/proc/[0-9]*/cmdline")
	assert.NilError(t, err)
	for _, path := range commands {
		command, _ := os.ReadFile(path)
		environ, _ := os.ReadFile(filepath.Join(filepath.Dir(path), "environ"))
		if strings.Contains(string(command)+string(environ), dir) {
			found = append(found, strings.ReplaceAll(string(command), "\x00", " "))
		}
	}
	return found
}

func TestBedDoesNotTakeAnotherProcessForTheEngine(t *testing.T) {
	NeedRoot(t)
	dir := t.TempDir()
	own := strconv.Itoa(os.Getpid())
	assert.NilError(t, os.WriteFile(filepath.Join(dir, "engine.pid"), []byte(own+" 1\n"), 0o600))
	engineScript(t, "env", dir).Assert(t, icmd.Expected{ExitCode: 1, Err: "no engine runs in"})
	engineScript(t, "stop", dir).Assert(t, icmd.Success)
}
