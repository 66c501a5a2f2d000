//go:build e2e && unix

package e2e

import (
	"os"
	"testing"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/icmd"
)

// stranger runs a container that is not of the project with a mount, and returns its name.
func (p *Project) stranger(name, mount string) string {
	p.t.Helper()
	name = p.Name + "-" + name
	p.Docker("run", "--detach", "--name", name, "--stop-signal", "SIGKILL", "--volume", mount, Busybox, "tail", "-f", "/dev/null").Assert(p.t, icmd.Success)
	p.t.Cleanup(func() { p.Docker("rm", "--force", name).Assert(p.t, icmd.Success) })
	return name
}

func TestAForeignContainerThatUsesASourceIsListedAndTheRestoreRefused(t *testing.T) {
	p := Box(t, `["./data:/data", "vol:/vol"]`, "volumes: {vol: {}}\n")
	p.Write("data/sub/file", "first")
	p.Up()
	p.Backup()
	p.Write("data/sub/file", "second")
	unchanged := Keep(t, p.Path("data"))
	same := p.stranger("same", p.Path("data")+":/x")
	parent := p.stranger("parent", p.Dir+":/x")
	child := p.stranger("child", p.Path("data", "sub")+":/x")
	volume := p.stranger("volume", p.Name+"_vol:/x")
	p.stranger("elsewhere", p.Path("compose.yaml")+":/x")
	result := Code(t, p.Memsys("restore", "--yes"), 1, same, parent, child, volume, "--stop-foreign", "nothing was changed")
	assert.Assert(t, !contains(result.Combined(), p.Name+"-elsewhere"), result.Combined())
	unchanged()
	Tidy(t, p.Dir)
	for _, name := range []string{same, parent, child, volume} {
		assert.Equal(t, p.Output("inspect", "--format", "{{.State.Running}} {{.RestartCount}}", name), "true 0")
	}
	Code(t, p.Memsys("restore", "--yes", "--stop-foreign"), 0)
	assert.Equal(t, p.Read("data/sub/file"), "first")
	for _, name := range []string{same, parent, child, volume} {
		assert.Equal(t, p.Output("inspect", "--format", "{{.State.Running}}", name), "true")
	}
}

func TestAPausedContainerIsNotRestoredUnder(t *testing.T) {
	p := Box(t, `["./data:/data"]`, "")
	p.Write("data/file", "first")
	p.Up()
	p.Backup()
	p.Write("data/file", "second")
	p.Compose("pause").Assert(t, icmd.Success)
	Code(t, p.Memsys("restore", "--yes"), 1, "is paused", "nothing was changed")
	assert.Equal(t, p.Read("data/file"), "second")
	assert.Equal(t, p.State("app"), "paused")
	p.Backup() // and what was paused stays so
	assert.Equal(t, p.State("app"), "paused")
}

// newest is what list says of the newest backup.
func (p *Project) newest() (name, state string) {
	p.t.Helper()
	all := lines[struct{ Name, State string }](p.t, p.Standalone("list", "--format", "json"))
	assert.Assert(p.t, len(all) > 0)
	return all[0].Name, all[0].State
}

func TestAMissingSourceMakesABackupIncomplete(t *testing.T) {
	p := Box(t, `["./data:/data", "./more:/more"]`, "")
	p.Write("data/file", "first")
	p.Write("more/file", "first")
	p.Up()
	good := p.Backup()
	assert.NilError(t, os.RemoveAll(p.Path("more")))
	Code(t, p.Memsys("backup"), 3, "incomplete", "source more", p.Path("more")+" does not exist")
	name, state := p.newest()
	assert.Equal(t, state, "incomplete")
	Code(t, p.Memsys("inspect", name), 0, "missing: ")
	Code(t, p.Memsys("verify"), 0, good[len(p.Path("backups"))+1:]) // latest is the one before
	assert.Equal(t, p.Read("backups/latest_backup.txt"), good+"\n")

	p.Write("data/file", "second")
	Code(t, p.Memsys("restore", "--yes"), 0) // into a source that is missing
	assert.Equal(t, p.Read("more/file"), "first")
	assert.Equal(t, p.Read("data/file"), "first")
}

func TestAProjectOfWhichNothingIsThereIsNotBackedUp(t *testing.T) {
	p := Box(t, `["./data:/data"]`, "")
	Code(t, p.Memsys("backup"), 1, "nothing to back up", p.Path("data")+" does not exist")
	gone(t, p.Path("backups"))
}

// TestASourceThatHasBecomeEmptyNeverCountsAsLatest: its disk may not be mounted.
func TestASourceThatHasBecomeEmptyNeverCountsAsLatest(t *testing.T) {
	p := Box(t, `["./data:/data", "./more:/more"]`, "")
	p.Write("data/file", "first")
	assert.NilError(t, os.Mkdir(p.Path("more"), 0o755))
	p.Up()
	Code(t, p.Memsys("backup"), 0, "source more is empty") // as it always was
	Code(t, p.Memsys("restore", "--dry-run"), 0)
	p.Write("more/file", "second")
	Code(t, p.Memsys("restore", "--dry-run"), 0, "source more is empty in the backup")
	good := p.Backup()
	assert.NilError(t, os.Remove(p.Path("data", "file")))
	Code(t, p.Memsys("backup"), 3, "incomplete", p.Path("data")+" is empty", "--accept-shrink")
	assert.Equal(t, p.Read("backups/latest_backup.txt"), good+"\n")
	Code(t, p.Memsys("restore", "--yes"), 0, good[len(p.Path("backups"))+1:]) // the natural next command works
	assert.Equal(t, p.Read("data/file"), "first")
	assert.NilError(t, os.Remove(p.Path("data", "file")))
	Code(t, p.Memsys("backup", "--allow-empty"), 0)
	Tidy(t, p.Dir)
}
