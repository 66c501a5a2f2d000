//go:build e2e && unix

package e2e

import (
	"os"
	"path/filepath"
	"testing"

	"gotest.tools/v3/assert"
)

// firstCompose is the folder of docker-compose 1; empty where it is not there, on which only the full campaign insists.
func firstCompose(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(os.Getenv("DOCKER_CONFIG"), "first-compose")
	if _, err := os.Stat(filepath.Join(dir, "docker-compose")); err != nil {
		assert.Assert(t, os.Getenv("MEMSYS_E2E_FULL") != "1", "%v", err)
		t.Log("not tested: docker-compose 1 comes from outside, and only the full campaign insists on it (scripts/first-compose.sh)")
		return ""
	}
	return dir
}

// TestTheFirstComposeIsGuardedToo: docker has no plugin compose, and Debian's docker-compose 1 is on the path.
func TestTheFirstComposeIsGuardedToo(t *testing.T) {
	t.Parallel()
	dir := firstCompose(t)
	if dir == "" {
		return
	}
	p := Box(t, `["./data:/data", "named:/named"]`, "volumes: {named: {}}\n")
	p.Write("data/memory.json", `{"id": "1"}`)
	config := t.TempDir()
	assert.NilError(t, os.Mkdir(filepath.Join(config, "cli-plugins"), 0o755))
	assert.NilError(t, os.Symlink(PluginPath(), filepath.Join(config, "cli-plugins", "docker-memsys")))
	p.Setenv("DOCKER_CONFIG", config)
	p.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	if p.Compose("version").ExitCode == 0 {
		t.Log("not tested: docker has the plugin compose for all users of this machine")
		return
	}

	Code(t, p.Memsys("up", "--detach", "--stable", "0s"), 0, "docker has no plugin compose", "docker-compose 1.29")
	assert.Equal(t, p.State("app"), "running")
	assert.Equal(t, len(p.listed()), 1)
	before := p.containers()
	Code(t, p.Memsys("up", "--detach", "--stable", "0s"), 0)
	assert.Equal(t, p.containers(), before)
	assert.Equal(t, len(p.listed()), 2) // now there is a volume too
	Code(t, p.Memsys("up", "--detach", "--stable", "0s"), 0)
	assert.Equal(t, len(p.listed()), 2)
	Code(t, p.Memsys("up", "--dry-run"), 1, "has no --dry-run: nothing was run")
	Code(t, p.Memsys("up", "--wait"), 1, "has no --wait: nothing was run") // by itself it prints its help and ends with 0

	p.Exec("app", "sh", "-c", "echo 'the last' >/named/note")
	Code(t, p.Memsys("down", "--volumes"), 0)
	assert.Equal(t, p.Output("volume", "ls", "--quiet", "--filter", "label=com.docker.compose.project="+p.Name), "")
	Code(t, p.Memsys("restore", "--yes"), 0)
	Code(t, p.Memsys("up", "--detach", "--stable", "0s"), 0)
	assert.Equal(t, p.Exec("app", "cat", "/named/note"), "the last")
}
