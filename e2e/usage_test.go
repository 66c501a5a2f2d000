//go:build e2e && unix

package e2e

import (
	"strings"
	"testing"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/icmd"
)

// Wrong use has its exit code and a next step, whichever way the plugin is started.
func TestWrongUse(t *testing.T) {
	p := NewProject(t, "services: {web: {image: none, volumes: [\"./data:/data\"]}}")
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"bakup"}, 2, "backup"},
		{[]string{"backup", "--no-such-flag"}, 2, "no-such-flag"},
		{[]string{"--no-such-flag", "backup"}, 2, "no-such-flag"},
		{[]string{"list", "too", "many"}, 2, ""},
		{[]string{"inspect", "one", "two"}, 2, ""},
		{[]string{"backup", "no-such-service"}, 2, "no-such-service"},
		{[]string{"backup", "--quiesce", "never"}, 2, "never"},
		{[]string{"backup", "--exclude", "["}, 2, "--exclude"},
		{[]string{"backup", "--wait", "soon"}, 2, "soon"},
		{[]string{"-f", "missing.yaml", "backup"}, 1, "missing.yaml"},
		{[]string{"restore", "memory_backup_20200101_000000.tar.gz"}, 8, "no backup"},
		{[]string{"inspect"}, 2, "needs exactly one backup"},
		{[]string{"inspect", "latest"}, 8, "no backup"},
	} {
		for name, result := range map[string]*icmd.Result{"docker": p.Memsys(c.args...), "standalone": p.Standalone(c.args...)} {
			assert.Equal(t, result.ExitCode, c.code, "%s %q: %s", name, c.args, result.Combined())
			assert.Equal(t, result.Stdout(), "", "%s %q", name, c.args)
			assert.Assert(t, strings.Contains(result.Stderr(), c.says), "%s %q: %s", name, c.args, result.Stderr())
		}
	}
}

// A folder without a compose file is told as such; an engine, a lock or a backups directory is not looked for.
func TestNoComposeFile(t *testing.T) {
	p := BareProject(t, t.TempDir())
	for _, args := range [][]string{{"backup"}, {"list"}, {"sources"}, {"restore"}, {"config"}} {
		for _, result := range []*icmd.Result{p.Memsys(args...), p.Standalone(args...)} {
			result.Assert(t, icmd.Expected{ExitCode: 1, Err: "no compose file in"})
			assert.Assert(t, strings.Contains(result.Stderr(), "docker memsys -f FILE"), result.Stderr())
		}
	}
	assert.Equal(t, p.Run("ls", "-A").Stdout(), "")
}

// A docker context that does not exist is named; commands that need no engine work all the same.
func TestUnknownDockerContext(t *testing.T) {
	p := NewProject(t, "services: {web: {image: none, volumes: [\"./data:/data\"]}}")
	p.Write("data/file", "content")
	p.Setenv("DOCKER_HOST", "")
	for _, result := range []*icmd.Result{
		p.Docker("--context", "no-such-context", "memsys", "sources"), p.Standalone("--context", "no-such-context", "sources"),
	} {
		result.Assert(t, icmd.Expected{ExitCode: 1, Err: "no-such-context"})
	}
	p.Standalone("--context", "no-such-context", "list").Assert(t, icmd.Success)
}
