//go:build unix

package plugin

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/compose"
)

// programs puts shell scripts first on the path, by name.
func programs(t *testing.T, scripts map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, script := range scripts {
		assert.NilError(t, os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script+"\n"), 0o700))
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	return dir
}

// withoutPlugin is a run on a machine whose docker has no plugin compose, and what docker-compose of a version was started with.
func withoutPlugin(t *testing.T, version string) (a *app, said, started *bytes.Buffer) {
	t.Helper()
	s, _ := openTestSession(t)
	a, said, started = s.app, &bytes.Buffer{}, &bytes.Buffer{}
	programs(t, map[string]string{
		"docker":         `echo "docker: unknown command: docker $1" >&2; exit 1`,
		"docker-compose": `if [ "$1" = version ]; then echo ` + version + `; else echo "$*|$COMPOSE_PARALLEL_LIMIT|$DOCKER_CONFIG"; exit 5; fi`,
	})
	a.world.PluginDirs = func() []string { return []string{t.TempDir()} }
	a.world.Environ = append(a.world.Environ, "PATH="+os.Getenv("PATH"))
	a.world.Out.Writer, a.err = started, said
	a.flags.progress = "plain"
	assert.NilError(t, a.openDisplay())
	return a, said, started
}

func runsLine(t *testing.T, a *app, verb string, args ...string) error {
	t.Helper()
	var opts wrapOptions
	c, err := parseComposeCommand(verb, args, wrapFlags(&opts))
	assert.NilError(t, err)
	opts.backup = backupNever
	c.globals = a.composeGlobals(true)
	err = a.wrap(t.Context(), c, opts)
	a.closeDisplay()
	return err
}

// TestTheFirstComposeIsRunWhereDockerHasNone, with all that it would find out otherwise, and what is lost is said.
func TestTheFirstComposeIsRunWhereDockerHasNone(t *testing.T) {
	a, said, started := withoutPlugin(t, "1.29.2")
	a.world.Globals = []string{"-D", "--host", "unix:///engine.sock", "--config", "/config", "-l", "info"}
	a.flags.compose = composeGlobals{parallel: "3", allResources: true, compatibility: true, ansi: "never"}
	a.flags.profiles = []string{"tools"}
	dir, err := a.world.Dir()
	assert.NilError(t, err)
	var exit *compose.ExitError
	assert.Assert(t, errors.As(runsLine(t, a, "stop", "-t", "3", "app"), &exit))
	assert.Equal(t, exit.Code, 5)
	assert.Equal(t, started.String(), "--verbose --host unix:///engine.sock --log-level INFO --file "+dir+"/compose.yaml --project-name notes --project-directory "+dir+
		" --profile tools --ansi never --compatibility stop -t 3 app|3|/config\n")
	assert.Assert(t, strings.Contains(said.String(), "docker has no plugin compose"), said)
	assert.Assert(t, strings.Contains(said.String(), "docker-compose 1.29.2 is run"), said)
}

func TestTheFirstComposeIsNotAskedForWhatItDoesOtherwise(t *testing.T) {
	for what, set := range map[string]func(*app) []string{
		"has no --dry-run":     func(*app) []string { return []string{"--dry-run"} },
		"has no --wait":        func(*app) []string { return []string{"-t", "3", "--wait", "app"} },
		"has no --no-such":     func(*app) []string { return []string{"app", "--no-such"} },
		"takes one --env-file": func(a *app) []string { a.flags.envFiles = []string{"compose.yaml", "compose.yaml"}; return nil },
	} {
		a, _, started := withoutPlugin(t, "1.29.2")
		err := runsLine(t, a, "stop", set(a)...)
		assert.ErrorContains(t, err, "docker-compose 1.29.2 "+what+": nothing was run")
		assert.Equal(t, started.String(), "")
	}
}

// TestALaterDockerComposeIsRunAsThePluginIs: by itself it takes the same flags, and nothing is lost.
func TestALaterDockerComposeIsRunAsThePluginIs(t *testing.T) {
	a, said, started := withoutPlugin(t, "v2.30.1")
	a.world.Globals = []string{"-c", "default"}
	a.flags.compose.parallel = "3"
	var exit *compose.ExitError
	assert.Assert(t, errors.As(runsLine(t, a, "stop"), &exit))
	assert.Equal(t, started.String(), "--context default --progress plain --parallel 3 stop||\n")
	assert.Assert(t, !strings.Contains(said.String(), "plugin"), said)
}

// TestThePluginIsPreferred: where it lies in a folder of plugins nobody is asked, and where docker has it from elsewhere docker is.
func TestThePluginIsPreferred(t *testing.T) {
	a, _, started := withoutPlugin(t, "1.29.2")
	dir := t.TempDir()
	assert.NilError(t, os.WriteFile(filepath.Join(dir, "docker-compose"), nil, 0o700))
	a.world.PluginDirs = func() []string { return []string{"/no/such/folder", dir} }
	assert.Assert(t, runsLine(t, a, "stop") != nil) // the script docker refuses
	assert.Equal(t, started.String(), "")

	a, _, started = withoutPlugin(t, "1.29.2")
	programs(t, map[string]string{"docker": `shift; echo "plugin: $*"`})
	assert.NilError(t, runsLine(t, a, "stop"))
	assert.Equal(t, started.String(), "plugin: --progress plain stop\n")

	a, _, started = withoutPlugin(t, "1.29.2")
	programs(t, map[string]string{"docker-compose": "exit 1"})
	assert.Assert(t, runsLine(t, a, "stop") != nil)
	assert.Equal(t, started.String(), "")
}
