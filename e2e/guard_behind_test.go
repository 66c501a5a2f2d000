//go:build e2e && unix

package e2e

import (
	"testing"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/icmd"
)

// TestGuardAVolumeWithoutANameThatUpLeavesBehind: docker compose hands it on to the next container, but not where there is none, and not where
// the compose file has nothing at its place any more.
func TestGuardAVolumeWithoutANameThatUpLeavesBehind(t *testing.T) {
	NeedImage(t, Busybox)
	with, without := boxFile(`["/data"]`, ""), boxFile(`[]`, "")
	beside := "services:\n" + boxService("other")
	for _, c := range []struct {
		name, file string
		args       []string
	}{
		{"no container", with, []string{"up", "--detach", "--scale", "app=0"}},
		{"no place", without, []string{"up", "--detach"}},
		{"no service", beside, []string{"up", "--detach", "--remove-orphans"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			filled := func() *Project {
				p := NewProject(t, with)
				p.Up()
				p.remember("app", "/data/memory.json")
				p.Write("compose.yaml", c.file)
				return p
			}
			plain := filled()
			plain.Compose(c.args...).Assert(t, icmd.Success)
			plain.Write("compose.yaml", with)
			plain.Up()
			assert.Assert(t, !plain.knows("app", "/data/memory.json"), "docker compose finds the data: the guard guards nothing")
			p := filled()
			p.refused("anonymous", c.args...)
			assert.Assert(t, p.knows("app", "/data/memory.json"))
		})
	}
}

// TestGuardTheLayerOfADependency: one flag makes it anew although nothing of it has changed.
func TestGuardTheLayerOfADependency(t *testing.T) {
	NeedImage(t, Busybox)
	filled := func() *Project {
		p := NewProject(t, "services:\n"+boxService("app", "depends_on: [store]")+boxService("store"))
		p.Up()
		p.Exec("store", "mkdir", "-p", "/data")
		p.remember("store", "/data/memory.json")
		return p
	}
	args := []string{"up", "--detach", "--always-recreate-deps", "app"}
	plain := filled()
	plain.Compose(args...).Assert(t, icmd.Success)
	assert.Assert(t, !plain.knows("store", "/data/memory.json"), "docker compose keeps the data: the guard guards nothing")
	p := filled()
	p.refused("layer", args...)
	p.Memsys("up", "--detach", "--force-recreate", "app").Assert(t, icmd.Success) // that is about app alone
	assert.Assert(t, p.knows("store", "/data/memory.json"))
}

// TestGuardAVolumeThatIsCalledOtherwise: the key is the same, and no container shows the former volume.
func TestGuardAVolumeThatIsCalledOtherwise(t *testing.T) {
	renamed := func() *Project {
		p := Box(t, `["data:/data"]`, "volumes: {data: {}}\n")
		p.Up()
		p.remember("app", "/data/memory.json")
		p.Compose("down").Assert(t, icmd.Success)
		p.Write("compose.yaml", boxFile(`["data:/data"]`, "volumes: {data: {name: "+p.Name+"-mine}}\n"))
		return p
	}
	plain := renamed()
	plain.Up()
	assert.Assert(t, !plain.knows("app", "/data/memory.json"), "docker compose finds the data: the guard guards nothing")
	p := renamed()
	p.refused("drift", "up", "--detach")
	p.Write("compose.yaml", boxFile(`["data:/data"]`, "volumes: {data: {name: "+p.Name+"_data}}\n"))
	p.Memsys("up", "--detach").Assert(t, icmd.Success)
	assert.Assert(t, p.knows("app", "/data/memory.json"), "what the guard advises must work")
}

// TestGuardASingleRun: down leaves what docker compose run has made, unless it is told to remove what is not of the project.
func TestGuardASingleRun(t *testing.T) {
	p := Box(t, `["./data:/data"]`, "")
	p.Up()
	p.Compose("run", "app", "sh", "-c", "mkdir -p /app/data && echo '"+memory+"' >/app/data/memory.json").Assert(t, icmd.Success)
	p.Memsys("rescue", "--dry-run").Assert(t, icmd.Expected{Out: "all data lies in mounts that stay"})
	p.refused("layer", "down", "--remove-orphans")
	p.Memsys("down").Assert(t, icmd.Success)
	run := p.Output("ps", "--all", "--format", "{{.Names}}", "--filter", "label=com.docker.compose.project="+p.Name)
	p.Memsys("rescue", "--yes", "--to", "data/run", run+":/app/data").Assert(t, icmd.Success)
	assert.Equal(t, p.Read("data/run/memory.json"), memory+"\n")
}

// TestRescueOfSeveralContainers: each of a service's is named by itself.
func TestRescueOfSeveralContainers(t *testing.T) {
	NeedImage(t, Busybox)
	p := NewProject(t, "services:\n"+boxService("app", "scale: 2", `volumes: ["./data:/data"]`))
	p.Up()
	for _, n := range []string{"1", "2"} {
		p.Docker("exec", p.Name+"-app-"+n, "sh", "-c", "mkdir -p /app/data && echo "+n+" >/app/data/memory.json").Assert(t, icmd.Success)
	}
	Code(t, p.Memsys("rescue", "--yes", "--to", "data", "app:/app/data"), 1, "would both go into source data", p.Name+"-app-2:/app/data", "nothing was changed")
	for _, n := range []string{"1", "2"} {
		p.Memsys("rescue", "--yes", "--to", "data/"+n, p.Name+"-app-"+n+":/app/data").Assert(t, icmd.Success)
		assert.Equal(t, p.Read("data/"+n+"/memory.json"), n+"\n")
	}
}
