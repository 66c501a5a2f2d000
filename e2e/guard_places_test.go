//go:build e2e && unix

package e2e

import (
	"os"
	"testing"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/icmd"

	"github.com/memsys/docker-memsys/compose"
)

// labelled is a project with a named volume that has a label.
func labelled(t *testing.T, label string) *Project {
	return Box(t, `["data:/data"]`, "volumes:\n  data: {labels: {com.example.owner: "+label+"}}\n")
}

func (p *Project) relabel(label string) {
	p.t.Helper()
	p.Write("compose.yaml", boxFile(`["data:/data"]`, "volumes:\n  data: {labels: {com.example.owner: "+label+"}}\n"))
}

// TestGuardAVolumeWhoseLabelsChanged: docker compose deletes it with --yes.
func TestGuardAVolumeWhoseLabelsChanged(t *testing.T) {
	t.Parallel()
	plain := labelled(t, "me")
	plain.Up()
	plain.remember("app", "/data/memory.json")
	plain.relabel("you")
	plain.Compose("up", "--detach", "--yes").Assert(t, icmd.Success)
	assert.Assert(t, !plain.knows("app", "/data/memory.json"), "docker compose keeps the data: the guard guards nothing")

	p := labelled(t, "me")
	p.Up()
	p.remember("app", "/data/memory.json")
	p.relabel("you")
	p.refused("volume-config", "up", "--detach", "--yes")
	p.refused("volume-config", "up", "--detach")
	assert.Assert(t, p.knows("app", "/data/memory.json"))

	p.Memsys("up", "--detach", "--yes", "--force", "volume-config").Assert(t, icmd.Success)
	assert.Assert(t, !p.knows("app", "/data/memory.json"))
	p.Memsys("restore", "--yes").Assert(t, icmd.Success)
	assert.Assert(t, p.knows("app", "/data/memory.json"), "what the guard advises must work")
	p.Memsys("up", "--detach", "--yes").Assert(t, icmd.Success)
}

// TestGuardVolumesAreMarkedAsRealComposeMarksThem: the guard computes the hash that docker compose compares.
func TestGuardVolumesAreMarkedAsRealComposeMarksThem(t *testing.T) {
	t.Parallel()
	mounts := `["plain:/a", "named:/b", "labelled:/c", "local:/d", "bound:/e", "extended:/f"]`
	p := Box(t, "[]", "")
	p.Write("compose.yaml", boxFile(mounts, `
volumes:
  plain:
  named: {name: "${COMPOSE_PROJECT_NAME}-other"}
  labelled: {labels: ["b=2", "a=1"]}
  local: {driver: local}
  bound: {driver_opts: {type: none, o: bind, device: "`+p.Path("bound")+`"}}
  extended: {x-note: mine, labels: {n: "1"}}
`))
	p.Write("bound/.keep", "")
	p.Up()
	loaded, err := compose.Load(t.Context(), compose.LoadOptions{WorkingDir: p.Dir, Environ: []string{"COMPOSE_PROJECT_NAME=" + p.Name}})
	assert.NilError(t, err)
	volumes := loaded.Volumes(loaded.Started(nil, false), false)
	assert.Equal(t, len(volumes), 6)
	for _, v := range volumes {
		want := p.Output("volume", "inspect", "--format", `{{index .Labels "com.docker.compose.config-hash"}}`, v.Name)
		have, err := loaded.VolumeHash(v.Key)
		assert.NilError(t, err)
		assert.Equal(t, have, want, v.Key)
	}
}

// TestGuardAProjectWithAnotherName: docker compose makes new, empty volumes.
func TestGuardAProjectWithAnotherName(t *testing.T) {
	t.Parallel()
	p := Box(t, `["data:/data"]`, "volumes: {data: {}}\n")
	p.Up()
	p.remember("app", "/data/memory.json")

	plain := BareProject(t, p.Dir)
	plain.Up()
	assert.Assert(t, !plain.knows("app", "/data/memory.json"), "docker compose finds the data: the guard guards nothing")

	other := BareProject(t, p.Dir)
	other.refused("drift", "up", "--detach")
	p.Backup()
	p.Compose("down").Assert(t, icmd.Success)
	plain.Compose("down", "--volumes").Assert(t, icmd.Success)
	other.refused("drift", "up", "--detach") // only the backup knows the name
	p.Memsys("up", "--detach").Assert(t, icmd.Success)
	assert.Assert(t, p.knows("app", "/data/memory.json"))
	other.Memsys("up", "--detach", "--force", "drift", "--backup", "never").Assert(t, icmd.Success)
}

// TestGuardAProjectInAnotherFolder: docker compose takes the containers over, with the empty folder.
func TestGuardAProjectInAnotherFolder(t *testing.T) {
	t.Parallel()
	newPair := func() (p, other *Project) {
		p = Box(t, `["./data:/data"]`, "")
		p.Up()
		p.remember("app", "/data/memory.json")
		other = BareProject(t, t.TempDir())
		other.Name = p.Name
		other.Setenv("COMPOSE_PROJECT_NAME", p.Name)
		other.Write("compose.yaml", p.Read("compose.yaml"))
		return p, other
	}
	_, plain := newPair()
	plain.Up()
	assert.Assert(t, !plain.knows("app", "/data/memory.json"), "docker compose finds the data: the guard guards nothing")

	p, other := newPair()
	other.refused("drift", "up", "--detach")
	assert.Assert(t, p.knows("app", "/data/memory.json"))
	_, err := os.Lstat(other.Path("data"))
	assert.ErrorIs(t, err, os.ErrNotExist)
}

// TestGuardAVolumeWithAnotherName: a key that is renamed in the compose file.
func TestGuardAVolumeWithAnotherName(t *testing.T) {
	t.Parallel()
	newRenamed := func() *Project {
		p := Box(t, `["data:/data"]`, "volumes: {data: {}}\n")
		p.Up()
		p.remember("app", "/data/memory.json")
		p.Write("compose.yaml", boxFile(`["memories:/data"]`, "volumes: {memories: {}}\n"))
		return p
	}
	plain := newRenamed()
	plain.Up()
	assert.Assert(t, !plain.knows("app", "/data/memory.json"), "docker compose finds the data: the guard guards nothing")
	p := newRenamed()
	p.refused("drift", "up", "--detach")
	assert.Assert(t, p.knows("app", "/data/memory.json"))
}

// TestGuardAFolderThatIsNotThere: docker compose makes it, empty.
func TestGuardAFolderThatIsNotThere(t *testing.T) {
	t.Parallel()
	gone := func() *Project {
		p := Box(t, `["./data:/data"]`, "")
		p.Write("data/memory.json", memory)
		p.Up()
		p.Compose("stop").Assert(t, icmd.Success)
		assert.NilError(t, os.Rename(p.Path("data"), p.Path("moved")))
		return p
	}
	plain := gone()
	plain.Up()
	assert.Assert(t, !plain.knows("app", "/data/memory.json"), "docker compose finds the data: the guard guards nothing")

	p := gone()
	p.refused("missing-bind", "up", "--detach")
	p.refused("missing-bind", "restart")
	assert.NilError(t, os.Rename(p.Path("moved"), p.Path("data")))
	p.Memsys("restart").Assert(t, icmd.Success)
	assert.Assert(t, p.knows("app", "/data/memory.json"))
}

// TestGuardADiskThatIsNotMounted: the folder is there, and empty.
func TestGuardADiskThatIsNotMounted(t *testing.T) {
	t.Parallel()
	NeedRoot(t)
	p := Box(t, `["./data:/data"]`, "")
	p.Write("data/memory.json", memory)
	p.Up()
	p.Backup()
	p.Compose("down").Assert(t, icmd.Success)
	Tmpfs(t, p.Path("data"), "4m") // it hides the data as a missing mount would
	p.refused("missing-bind", "up", "--detach", "--backup", "never")
	p.Up()
	assert.Assert(t, !p.knows("app", "/data/memory.json"), "docker compose finds the data: the guard guards nothing")
	p.Compose("down").Assert(t, icmd.Success)
	p.Memsys("restore", "--yes").Assert(t, icmd.Success)
	p.Memsys("up", "--detach").Assert(t, icmd.Success)
	assert.Assert(t, p.knows("app", "/data/memory.json"), "what the guard advises must work")
}
