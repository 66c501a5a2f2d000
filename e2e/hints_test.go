//go:build e2e && unix

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
)

// TestTheDockerCommandShowsAHintAfterCompose, in a terminal, where its configuration says so; and none of it twice after docker memsys.
// A machine that is busy gets no hint: it may take 50 ms and no longer.
func TestTheDockerCommandShowsAHintAfterCompose(t *testing.T) {
	p := Box(t, `["./data:/data"]`, "")
	p.Write("data/memory.json", "{}")
	config := t.TempDir()
	p.Setenv("DOCKER_CONFIG", config)
	assert.NilError(t, os.Symlink(filepath.Dir(PluginPath()), filepath.Join(config, "cli-plugins")))
	settings := `{"features":{"hooks":"true"},"plugins":{"memsys":{"hooks":"compose up,compose pull,compose down"}}}`
	assert.NilError(t, os.WriteFile(filepath.Join(config, "config.json"), []byte(settings), 0o600))
	const hint = "There is no good backup of this project's data yet: docker memsys backup"
	shown := func(want string, args ...string) bool {
		for range 30 {
			run := p.RunTTY("docker", args...)
			assert.Equal(t, run.Wait(), 0, run.Output())
			if strings.Contains(strings.ReplaceAll(run.Output(), "\r", ""), want) {
				return true
			}
		}
		return false
	}
	assert.Assert(t, shown(hint, "compose", "up", "--detach"), "no hint was shown")
	assert.Assert(t, !strings.Contains(Code(t, p.Compose("up", "--detach"), 0).Combined(), hint)) // no terminal, no hint
	run := p.RunTTY("docker", "memsys", "up", "--detach", "--backup", "never")
	assert.Equal(t, run.Wait(), 0, run.Output())
	assert.Assert(t, !strings.Contains(run.Output(), hint), run.Output())
}
