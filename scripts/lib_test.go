//go:build linux

package scripts

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/icmd"
)

// shell runs bash with lib.sh, a PATH in which stand-ins come first, and env on top.
func shell(t *testing.T, standIns map[string]string, env []string, script string) *icmd.Result {
	t.Helper()
	bin := t.TempDir()
	for name, content := range standIns {
		assert.NilError(t, os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+content+"\n"), 0o755))
	}
	lib, err := filepath.Abs("lib.sh")
	assert.NilError(t, err)
	command := icmd.Command("bash", "-c", "set -euo pipefail; . "+lib+"\n"+script)
	command.Dir = t.TempDir()
	command.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "MEMSYS_CI=", "HOME="+t.TempDir(), "XDG_CACHE_HOME=")
	command.Env = append(command.Env, env...)
	return icmd.RunCmd(command)
}

func TestLeftOutIsSaidAndInCIAFailure(t *testing.T) {
	shell(t, nil, nil, "left_out the moon").Assert(t, icmd.Expected{Err: "left out: the moon"})
	shell(t, nil, []string{"MEMSYS_CI=1"}, "left_out the moon").Assert(t, icmd.Expected{ExitCode: 1, Err: "CI does not allow: the moon"})
}

func TestSkippedTestsAreAFailureInCI(t *testing.T) {
	const standIn = `while [ "$1" != --jsonfile ]; do shift; done
echo '{"Time":"x","Action":"skip","Package":"no/tests"}' >"$2"
echo "{\"Time\":\"x\",\"Action\":\"$OUTCOME\",\"Package\":\"p\",\"Test\":\"TestX\"}" >>"$2"
exit "$CODE"`
	const script = `tools() { dirname "$(command -v gotestsum)"; }; run_tests "unit tests" -- ./...`
	for _, test := range []struct {
		name, ci, outcome, code string
		want                    icmd.Expected
	}{
		{"skipped at home", "", "skip", "0", icmd.Success},
		{"skipped in CI", "1", "skip", "0", icmd.Expected{ExitCode: 1, Err: "tests were skipped"}},
		{"passed in CI", "1", "pass", "0", icmd.Success},
		{"failed", "", "fail", "1", icmd.Expected{ExitCode: 1, Err: "unit tests failed"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			env := []string{"MEMSYS_CI=" + test.ci, "OUTCOME=" + test.outcome, "CODE=" + test.code}
			shell(t, map[string]string{"gotestsum": standIn}, env, script).Assert(t, test.want)
		})
	}
}

func TestSetUpIsDoneOnlyInCIOrOnABareMachineOfRoots(t *testing.T) {
	root, person := "echo 0", "echo 1000"
	for _, test := range []struct{ name, ci, id, docker, want string }{
		{"in CI, whatever answers", "1", person, "exit 0", "yes"},
		{"root, no engine", "", root, "exit 1", "yes"},
		{"root, an engine answers", "", root, "exit 0", "no"},
		{"not root", "", person, "exit 1", "no"},
	} {
		t.Run(test.name, func(t *testing.T) {
			standIns := map[string]string{"id": test.id, "docker": test.docker}
			script := "is_debian() { true; }; if may_set_up; then echo yes; else echo no; fi"
			result := shell(t, standIns, []string{"MEMSYS_CI=" + test.ci}, script).Assert(t, icmd.Success)
			assert.Equal(t, strings.TrimSpace(result.Stdout()), test.want)
		})
	}
}

func TestMissingPackagesAreInstalledOnlyByRootOnDebian(t *testing.T) {
	standIns := map[string]string{
		"dpkg-query": `[ "$4" = present ] && echo "install ok installed"`,
		"apt-get":    `echo "apt-get $*" >>"$HOME/log"`,
		"id":         "echo ${FAKE_ID:-0}",
	}
	const script = `is_debian() { true; }; need_packages present absent; cat "$HOME/log"`
	result := shell(t, standIns, nil, script).Assert(t, icmd.Success)
	assert.Assert(t, strings.Contains(result.Stdout(), "install --yes --no-install-recommends absent\n"), result.Stdout())
	shell(t, standIns, []string{"FAKE_ID=1000"}, script).Assert(t, icmd.Expected{ExitCode: 1, Err: "install these packages first"})
	shell(t, standIns, []string{"FAKE_ID=1000"}, "need_packages present").Assert(t, icmd.Success)
}

func TestEndToEndTestsStartNothingOnAPersonsMachine(t *testing.T) {
	e2e, err := filepath.Abs("e2e.sh")
	assert.NilError(t, err)
	standIns := map[string]string{"id": "echo 1000", "docker": "exit 1", "apt-get": "echo installed >&2; exit 1", "go": "echo built >&2; exit 1"}
	result := shell(t, standIns, []string{"MEMSYS_E2E_TMP=" + t.TempDir()}, e2e).Assert(t, icmd.Expected{Err: "left out: end-to-end tests: no engine answers"})
	assert.Assert(t, !strings.Contains(result.Stderr(), "installed") && !strings.Contains(result.Stderr(), "built"), result.Stderr())
}

func TestEngineScriptRefusesWhatCannotWork(t *testing.T) {
	engine, err := filepath.Abs("engine.sh")
	assert.NilError(t, err)
	for want, script := range map[string]string{
		"usage: scripts/engine.sh":   engine + " begin",
		"needs root":                 "id() { echo 1000; }; export -f id; " + engine + " start 20.10 /tmp/x",
		"too long for a socket":      "id() { echo 0; }; export -f id; " + engine + " start 20.10 /tmp/" + strings.Repeat("x", 60),
		"unknown engine version 1.0": engine + " install 1.0",
		"no such folder":             engine + " env missing",
		"no engine was started":      engine + " stop .",
	} {
		t.Run(want, func(t *testing.T) {
			result := shell(t, nil, nil, script)
			assert.Assert(t, result.ExitCode != 0)
			assert.Assert(t, strings.Contains(result.Stderr(), want), result.Stderr())
		})
	}
}

func TestLintFindsEveryShellScript(t *testing.T) {
	if err := exec.Command("git", "ls-files").Run(); err != nil {
		t.Skip("this is no git checkout")
	}
	here, err := os.Getwd()
	assert.NilError(t, err)
	const script = `source /dev/stdin <<<"$(sed '/^main "/d' lint.sh)"; cd "$repo"; shell_scripts`
	found := shell(t, nil, nil, "cd '"+here+"'\n"+script).Assert(t, icmd.Success)
	for _, name := range []string{".ci/run", "install.sh", "scripts/lib.sh", "scripts/engine.sh", "examples/memory-system/image.sh"} {
		assert.Assert(t, strings.Contains("\n"+found.Stdout(), "\n"+name+"\n"), "%s: %s", name, found.Combined())
	}
}
