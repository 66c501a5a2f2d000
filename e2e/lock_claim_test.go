//go:build e2e && unix

package e2e

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
	"time"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/icmd"

	"github.com/memsys/docker-memsys/internal/journal"
)

// A run that is killed between its claim on the engine and the first thing on record leaves the claim alone: nothing is
// interrupted then, and recover removes it all the same.
func TestLockClaimOfARunThatBeganNothingIsSweptByRecover(t *testing.T) {
	v := newWriters(t, 1)
	ended := exec.Command("true")
	assert.NilError(t, ended.Run())
	holder := journal.Self("docker memsys backup", time.Now())
	holder.PID = ended.Process.Pid
	label, err := json.Marshal(holder)
	assert.NilError(t, err)
	key := journal.Key(v.Name)
	v.Docker("volume", "create", "--label", "io.memsys.lock="+key, "--label", "io.memsys.holder="+string(label),
		"memsys-lock-"+key+"-aaaaaaaaaaaaaaaaaaaaaaaaaa-0").Assert(t, icmd.Success)
	assert.Equal(t, len(v.locks()), 1)

	v.Standalone("recover", "--plan").Assert(t, icmd.Success)
	assert.Equal(t, len(v.locks()), 1, "a plan changes nothing")
	result := v.Standalone("recover")
	result.Assert(t, icmd.Success)
	assert.Equal(t, strings.TrimSpace(result.Stdout()), "nothing was interrupted")
	assert.Equal(t, len(v.locks()), 0)

	// A run at work keeps its claim.
	running := v.halt(v.Start(PluginPath(), "backup"))
	v.Standalone("recover")
	assert.Equal(t, len(v.locks()), 1)
	v.goOn(running)
}
