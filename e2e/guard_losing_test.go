//go:build e2e && unix

package e2e

import (
	"os"
	"testing"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/icmd"
)

// TestGuardAVolumeWithoutAName: docker compose down leaves it behind, and the next up makes an empty one.
func TestGuardAVolumeWithoutAName(t *testing.T) {
	t.Parallel()
	plain := Box(t, `["/data"]`, "")
	plain.Up()
	plain.remember("app", "/data/memory.json")
	plain.Compose("down").Assert(t, icmd.Success)
	plain.Up()
	assert.Assert(t, !plain.knows("app", "/data/memory.json"), "docker compose finds the data: the guard guards nothing")

	p := Box(t, `["/data"]`, "")
	p.Memsys("up", "--detach").Assert(t, icmd.Success)
	p.Memsys("up", "--detach", "--renew-anon-volumes").Assert(t, icmd.Success) // nothing is in it
	p.remember("app", "/data/memory.json")
	p.refused("anonymous", "down")
	p.refused("anonymous", "up", "--detach", "--renew-anon-volumes")
	p.Memsys("up", "--detach", "--force-recreate").Assert(t, icmd.Success) // docker compose hands it on
	assert.Assert(t, p.knows("app", "/data/memory.json"))

	p.Write("compose.yaml", boxFile(`["memories:/data"]`, "volumes: {memories: {}}\n"))
	p.refused("anonymous", "up", "--detach")
	p.Memsys("rescue", "--yes").Assert(t, icmd.Success)
	p.Memsys("up", "--detach").Assert(t, icmd.Success)
	p.Memsys("down").Assert(t, icmd.Success)
	p.Memsys("up", "--detach").Assert(t, icmd.Success)
	assert.Assert(t, p.knows("app", "/data/memory.json"), "what the guard advises must work")
}

// TestGuardAContainersOwnLayer: it goes with the container.
func TestGuardAContainersOwnLayer(t *testing.T) {
	t.Parallel()
	write := func(p *Project) {
		p.Exec("app", "mkdir", "-p", "/data")
		p.remember("app", "/data/memory.json")
	}
	plain := Box(t, `[]`, "")
	plain.Up()
	write(plain)
	plain.Write("compose.yaml", boxFile(`[]`, "")+"    environment: {A: b}\n")
	plain.Up()
	assert.Assert(t, !plain.knows("app", "/data/memory.json"), "docker compose keeps the data: the guard guards nothing")

	p := Box(t, `[]`, "")
	p.Memsys("up", "--detach").Assert(t, icmd.Success)
	write(p)
	p.Memsys("up", "--detach").Assert(t, icmd.Success) // nothing has changed: the container stays
	p.Memsys("restart").Assert(t, icmd.Success)
	assert.Assert(t, p.knows("app", "/data/memory.json"))
	p.refused("layer", "down")
	p.refused("layer", "up", "--detach", "--force-recreate")
	p.Write("compose.yaml", boxFile(`[]`, "")+"    environment: {A: b}\n")
	p.refused("layer", "up", "--detach")

	p.Write("compose.yaml", boxFile(`["./data:/data"]`, ""))
	p.refused("layer", "up", "--detach")
	p.Memsys("rescue", "--yes", "app:/data").Assert(t, icmd.Success)
	assert.Equal(t, p.State("app"), "exited", "what it wrote now would be left behind")
	assert.Assert(t, there(t, p.Path("data/memory.json")))
	p.Memsys("up", "--detach").Assert(t, icmd.Success)
	assert.Assert(t, p.knows("app", "/data/memory.json"), "what the guard advises must work")
}

// TestGuardAChromaDatabaseBesideItsMount: the image keeps its data elsewhere than the compose file has the volume.
func TestGuardAChromaDatabaseBesideItsMount(t *testing.T) {
	t.Parallel()
	const rest = "volumes: {store: {}}\nx-memsys: {validate: none}\n" // it is no real database
	newMisplaced := func() *Project {
		p := Box(t, `["store:/chroma/chroma"]`, rest)
		p.Up()
		p.Exec("app", "mkdir", "-p", "/data")
		p.remember("app", "/data/chroma.sqlite3")
		return p
	}
	plain := newMisplaced()
	plain.Compose("down").Assert(t, icmd.Success)
	plain.Up()
	assert.Assert(t, !plain.knows("app", "/data/chroma.sqlite3"), "docker compose keeps the data: the guard guards nothing")

	p := newMisplaced()
	p.refused("layer", "down")
	Code(t, p.Memsys("down"), 1, "Chroma kept its data before 1.0", "docker memsys rescue app:/data")
	p.Memsys("rescue", "--yes", "--to", "store", "app:/data").Assert(t, icmd.Success)
	p.Write("compose.yaml", boxFile(`["store:/data"]`, rest))
	p.Memsys("up", "--detach").Assert(t, icmd.Success)
	assert.Assert(t, p.knows("app", "/data/chroma.sqlite3"), "what the guard advises must work")
}

// load and save are what a program does that keeps its memories in memory and writes the whole file.
func (p *Project) load() { p.Exec("app", "sh", "-c", "cp /data/memory.jsonl /tmp/ram") }

func (p *Project) save(word string) {
	p.Exec("app", "sh", "-c", `echo '{"id": "`+word+`"}' >>/tmp/ram; cp /tmp/ram /data/memory.jsonl`)
}

// TestGuardTwoProjectsThatWriteOnePlace: what one remembers the other forgets.
func TestGuardTwoProjectsThatWriteOnePlace(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	assert.NilError(t, os.WriteFile(dir+"/memory.jsonl", []byte(`{"id": "first"}`+"\n"), 0o600))
	mount := `["` + dir + `:/data"]`
	first, plain := Box(t, mount, ""), Box(t, mount, "")
	first.Up()
	plain.Up()
	first.load()
	plain.load()
	first.save("mine")
	plain.save("yours")
	content, err := os.ReadFile(dir + "/memory.jsonl")
	assert.NilError(t, err)
	assert.Equal(t, string(content), `{"id": "first"}`+"\n"+`{"id": "yours"}`+"\n", "the other finds both: the guard guards nothing")
	plain.Compose("down").Assert(t, icmd.Success)

	p := Box(t, mount, "")
	p.refused("shared", "up", "--detach")
	first.Compose("stop").Assert(t, icmd.Success)
	p.Memsys("up", "--detach").Assert(t, icmd.Success)
	first.refused("shared", "restart")
	p.Memsys("up", "--detach").Assert(t, icmd.Success) // it runs already: nothing is added
}

// TestGuardTwoServicesThatWriteOnePlace: the compose file may say that it is meant.
func TestGuardTwoServicesThatWriteOnePlace(t *testing.T) {
	t.Parallel()
	NeedImage(t, Busybox)
	file := "services:\n" + boxService("app", `volumes: ["./data:/data"]`) + boxService("other", `volumes: ["./data:/data"]`)
	p := NewProject(t, file)
	p.Write("data/memory.json", memory)
	p.refused("shared", "up", "--detach")
	p.Memsys("up", "--detach", "app").Assert(t, icmd.Success)
	p.refused("shared", "up", "--detach", "other")
	p.refused("shared", "up", "--detach", "--scale", "app=2", "app")
	p.Write("compose.yaml", file+"x-memsys: {force: [shared]}\n")
	p.Memsys("up", "--detach").Assert(t, icmd.Success)
	assert.Equal(t, p.State("other"), "running")
}

// TestGuardADiskThatIsFull: a program that replaces its file there loses it.
func TestGuardADiskThatIsFull(t *testing.T) {
	t.Parallel()
	NeedRoot(t)
	NeedImage(t, Busybox)
	newFull := func() *Project {
		p := NewProject(t, `services:
  app:
    image: `+Busybox+`
    command: [sh, -c, 'm=$$(cat /data/memory.json); : >/data/memory.json; echo begins >/data/log.txt; printf %s "$$m" >/data/memory.json; exec tail -f /dev/null']
    stop_signal: SIGKILL
    volumes: ["./data:/data"]
`)
		Tmpfs(t, p.Path("data"), "4m")
		p.Write("data/memory.json", memory)
		filler, err := os.Create(p.Path("data/filler"))
		assert.NilError(t, err)
		for err == nil {
			_, err = filler.Write(make([]byte, 4096))
		}
		assert.NilError(t, filler.Close())
		return p
	}
	plain := newFull()
	plain.Up()
	assert.Assert(t, !plain.knows("app", "/data/memory.json"), "it keeps the data: the guard guards nothing")

	p := newFull()
	p.refused("space", "up", "--detach")
	assert.Assert(t, there(t, p.Path("data/memory.json")))
	assert.NilError(t, os.Remove(p.Path("data/filler")))
	p.Memsys("up", "--detach").Assert(t, icmd.Success)
	assert.Assert(t, p.knows("app", "/data/memory.json"))
}

// TestGuardABackupThatIsTooOld: without one, nothing brings back what down --volumes deletes.
func TestGuardABackupThatIsTooOld(t *testing.T) {
	t.Parallel()
	newAged := func() *Project {
		p := Box(t, `["data:/data"]`, "volumes: {data: {}}\nx-memsys: {max-age: 1d}\n")
		p.Up()
		p.remember("app", "/data/memory.json")
		return p
	}
	plain := newAged()
	plain.Compose("down", "--volumes").Assert(t, icmd.Success)
	plain.Up()
	assert.Assert(t, !plain.knows("app", "/data/memory.json"), "docker compose keeps the data: the guard guards nothing")

	p := newAged()
	p.refused("max-age", "down", "--volumes", "--backup", "never")
	Code(t, p.Memsys("down", "--volumes", "--backup", "never"), 1, "there is no good backup")
	p.Backup()
	p.Memsys("down", "--volumes", "--backup", "never").Assert(t, icmd.Success)
	p.Memsys("restore", "--yes").Assert(t, icmd.Success)
	p.Memsys("up", "--detach").Assert(t, icmd.Success)
	assert.Assert(t, p.knows("app", "/data/memory.json"), "what the guard advises must work")
}
