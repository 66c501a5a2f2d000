//go:build e2e && unix

package e2e

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/icmd"
)

// The script itself fails when a step does not end as it must; it needs no engine.
func TestDemoEndsWithTheDamageMended(t *testing.T) {
	demo(t).Assert(t, icmd.Success)
}

func TestDemoFailsWhenTheRestoreDoesNothing(t *testing.T) {
	bin := t.TempDir()
	docker := "#!/bin/sh\nshift\ncase \" $* \" in *\" --yes \"*) exit 0 ;; esac\nexec docker-memsys \"$@\"\n"
	assert.NilError(t, os.WriteFile(filepath.Join(bin, "docker"), []byte(docker), 0o755))
	demo(t, "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH")).Assert(t, icmd.Expected{ExitCode: 1, Err: "damaged"})
}

// demo runs the script, and sees that it leaves nothing behind.
func demo(t *testing.T, env ...string) *icmd.Result {
	t.Helper()
	script, err := filepath.Abs("../scripts/demo.sh")
	assert.NilError(t, err)
	tmp := t.TempDir()
	env = append(append(os.Environ(), "TMPDIR="+tmp), env...)
	result := icmd.RunCmd(icmd.Command(script), icmd.WithTimeout(10*time.Minute), icmd.WithEnv(env...))
	left, err := filepath.Glob(filepath.Join(tmp, "*"))
	assert.NilError(t, err)
	assert.Equal(t, len(left), 0, "left behind: %v", left)
	return result
}
