//go:build e2e && unix

package e2e

import (
	"testing"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/icmd"
)

// A user who is not root may not even look at the engine's volumes: what is in them goes through a helper, before and after docker compose.
func TestTheWrappedCommandsGuardVolumesOfAUserWhoIsNotRoot(t *testing.T) {
	u := NewUser(t, "docker")
	p := Box(t, `["vol:/vol"]`, "volumes: {vol: {}}\nx-memsys: {backups: ./backups}\n")
	reachable(t, p.Dir)
	u.Give(t, p.Dir)
	p.As(u)
	Code(t, p.Memsys("up", "-d"), 0, "1 source validated (quick)")
	p.Exec("app", "sh", "-c", `echo '{"id":"1"}' >/vol/memory.json`)
	Code(t, p.Memsys("restart", "-t", "1"), 0, "backup: memory_backup_", "1 source validated (quick)")
	p.Exec("app", "sh", "-c", `echo '{"id":"2"}' >/vol/more.json`)
	Code(t, p.Memsys("down", "-v", "-t", "1"), 0, ", verified")
	assert.Assert(t, p.Docker("volume", "inspect", p.Name+"_vol").ExitCode != 0)
	Code(t, p.Memsys("restore", "--yes", "latest"), 0)
	p.Compose("up", "--detach").Assert(t, icmd.Success)
	assert.Equal(t, p.Exec("app", "cat", "/vol/memory.json", "/vol/more.json"), "{\"id\":\"1\"}\n{\"id\":\"2\"}")
	p.nothingOfHelpersIsLeft()
}
