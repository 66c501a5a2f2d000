//go:build e2e && unix

package e2e

import (
	"testing"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/icmd"
)

// keepsAll refuses to lose data of a layer and of a volume without a name, and carries it over, as anybody who can reach the engine.
func (p *Project) keepsAll() {
	p.t.Helper()
	t := p.t
	p.Exec("app", "mkdir", "-p", "/app/data")
	for _, file := range []string{"/kept/memory.json", "/app/data/memory.json"} {
		p.remember("app", file)
	}
	p.Memsys("up", "--detach").Assert(t, icmd.Success)
	before := p.objects()
	Code(t, p.Memsys("down"), 1, "refused by anonymous, layer", "nothing was changed")
	p.Write("compose.yaml", boxFile(`["memories:/kept", "./mine:/app/data"]`, "volumes: {memories: {}}\n"))
	Code(t, p.Memsys("up", "--detach"), 1, "refused by anonymous, layer", "nothing was changed")
	assert.Equal(t, p.objects(), before)
	plan := p.Memsys("rescue", "--dry-run").Assert(t, icmd.Success).Stdout()
	assert.Assert(t, contains(plan, "copy app:/kept") && contains(plan, "copy app:/app/data"), plan)
	p.Memsys("rescue", "--yes").Assert(t, icmd.Success)
	p.Memsys("rescue", "--yes").Assert(t, icmd.Success)
	p.Memsys("up", "--detach").Assert(t, icmd.Success)
	p.Memsys("down").Assert(t, icmd.Success)
	p.Memsys("up", "--detach").Assert(t, icmd.Success)
	for _, file := range []string{"/kept/memory.json", "/app/data/memory.json"} {
		assert.Assert(t, p.knows("app", file), "what the guard advises must work")
	}
	p.nothingOfHelpersIsLeft()
}

func TestAUserOfGroupDockerLosesNothing(t *testing.T) {
	u := NewUser(t, "docker")
	p := Box(t, `["/kept"]`, "")
	p.As(u)
	p.Up()
	p.keepsAll()
}

func TestOverSSHNothingIsLost(t *testing.T) {
	u := NewUser(t, "docker")
	p := Box(t, `["/kept"]`, "")
	p.As(u)
	p.OverSSH(u, socket(t))
	p.Up()
	p.keepsAll()
}

func TestOnARootlessEngineNothingIsLost(t *testing.T) {
	p, _, _, _ := rootless(t)
	p.Compose("down", "--volumes").Assert(t, icmd.Success)
	p.Write("compose.yaml", boxFile(`["/kept"]`, ""))
	p.Up()
	p.keepsAll()
}
