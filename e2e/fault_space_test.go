//go:build e2e && unix

package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/icmd"
)

// noise writes a file of a size that does not compress.
func (p *Project) noise(name string, size int) {
	p.t.Helper()
	data := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{byte(size)}).Read(data) // never fails
	p.Write(name, string(data))
}

func TestABackupThatCannotFitIsRefusedBeforehand(t *testing.T) {
	p := Box(t, `["./data:/data"]`, "")
	p.noise("data/vectors.bin", 8<<20)
	p.Up()
	Tmpfs(t, p.Path("backups"), "1m")
	unchanged := Keep(t, p.Path("data"))
	Code(t, p.Memsys("backup"), 1, "no space in "+p.Path("backups"), "--backups DIR")
	unchanged()
	Tidy(t, p.Dir)
	assert.Equal(t, len(Archives(t, p.Path("backups"))), 0)
	assert.Equal(t, p.State("app"), "running")
}

// TestADiskThatFillsUpDuringABackupLosesNothing: by the last backup's ratio the next one fits, but its data does not compress.
func TestADiskThatFillsUpDuringABackupLosesNothing(t *testing.T) {
	p := Box(t, `["./data:/data"]`, "")
	p.Write("data/text.txt", strings.Repeat("compresses well ", 100_000))
	p.Up()
	Tmpfs(t, p.Path("backups"), "3m")
	first := p.Backup()
	p.noise("data/vectors.bin", 8<<20)
	unchanged := Keep(t, p.Path("data"))
	Code(t, p.Memsys("backup"), 1, "no space left on device")
	unchanged()
	Tidy(t, p.Dir)
	assert.DeepEqual(t, Archives(t, p.Path("backups")), []string{first})
	assert.Equal(t, p.State("app"), "running")
	Code(t, p.Memsys("verify", "latest"), 0, filepath.Base(first), "sound")
	assert.NilError(t, os.Remove(p.Path("data", "vectors.bin")))
	p.Backup() // with room again, at once
}

func TestARestoreThatCannotFitIsRefusedBeforehand(t *testing.T) {
	p := Box(t, `["./data:/data"]`, "")
	Tmpfs(t, p.Path("data"), "8m")
	p.noise("data/first.bin", 5<<20)
	p.Up()
	p.Backup()
	assert.NilError(t, os.Rename(p.Path("data", "first.bin"), p.Path("data", "second.bin")))
	unchanged := Keep(t, p.Path("data"))
	started := p.Output("inspect", "--format", "{{.State.StartedAt}}", p.Container("app"))
	Code(t, p.Memsys("restore", "--yes"), 1, "no space at "+p.Path("data"), "nothing was changed")
	unchanged()
	Tidy(t, p.Dir)
	assert.Equal(t, len(Archives(t, p.Path("backups"))), 1)
	assert.Equal(t, p.Output("inspect", "--format", "{{.State.StartedAt}}", p.Container("app")), started, "it was stopped for nothing")
}

// TestADiskThatFillsUpDuringARestorePutsEverythingBack uses up the inodes of a file system: bytes are free until the end.
func TestADiskThatFillsUpDuringARestorePutsEverythingBack(t *testing.T) {
	p := Box(t, `["./data:/data"]`, "")
	Tmpfs(t, p.Path("data"), "16m,nr_inodes=100")
	for i := range 60 {
		p.Write(fmt.Sprintf("data/%02d.json", i), `"old"`)
	}
	p.Up()
	archive := p.Backup()
	for i := range 60 {
		p.Write(fmt.Sprintf("data/%02d.json", i), `"new"`)
	}
	unchanged := Keep(t, p.Path("data"))
	Code(t, p.Memsys("restore", archive, "--yes"), 1, "no space left on device", "everything was put back")
	unchanged()
	Tidy(t, p.Dir)
	assert.Equal(t, p.State("app"), "running")
	Code(t, p.Memsys("verify", "--all"), 0)
	assert.Equal(t, len(Archives(t, p.Path("backups"))), 2) // the safety backup was made, and is sound
}

// TestWithoutRoomForASafetyBackupThePresentStateIsSetAside and never lost.
func TestWithoutRoomForASafetyBackupThePresentStateIsSetAside(t *testing.T) {
	p := Box(t, `["./data:/data"]`, "")
	p.Write("data/old.json", `"old"`)
	p.Up()
	Tmpfs(t, p.Path("backups"), "1m")
	p.Backup()
	p.noise("data/vectors.bin", 16<<20)
	want := p.Read("data/vectors.bin")
	result := Code(t, p.Memsys("restore", "--yes"), 0, "no safety backup can be made", "no space")
	gone(t, p.Path("data", "vectors.bin"))
	aside, err := filepath.Glob(p.Path("data", ".memsys-*", "old", "vectors.bin"))
	assert.NilError(t, err)
	assert.Equal(t, len(aside), 1, result.Combined())
	kept, err := os.ReadFile(aside[0])
	assert.NilError(t, err)
	assert.Assert(t, string(kept) == want)
	assert.Assert(t, strings.Contains(result.Combined(), filepath.Dir(aside[0])), "it does not say where: %s", result.Combined())
	assert.Equal(t, p.State("app"), "running")
	p.Backup() // and a later backup does not take what was set aside for data
	listed := run(t, "", nil, "tar", "tzf", Archives(t, p.Path("backups"))[1]).Assert(t, icmd.Success)
	assert.Assert(t, !strings.Contains(listed.Stdout(), "vectors.bin"), listed.Stdout())
}

func TestAReadOnlySourceIsBackedUpAndNotRestored(t *testing.T) {
	p := Box(t, `["./data:/data"]`, "")
	p.Write("data/file", "old")
	p.Up()
	p.Backup()
	p.Write("data/file", "new")
	Mount(t, "--bind", p.Path("data"), p.Path("data"))
	run(t, "", nil, "mount", "-o", "remount,bind,ro", p.Path("data")).Assert(t, icmd.Success)
	unchanged := Keep(t, p.Path("data"))
	Code(t, p.Memsys("restore", "--yes"), 1, "source data cannot be written", "read-only file system", "nothing was changed")
	unchanged()
	assert.Equal(t, p.State("app"), "running")
	p.Backup()
	Tidy(t, p.Dir)
}

// TestABackupsDirectoryThatCannotBeWrittenIsSaid and nobody is paused for it.
func TestABackupsDirectoryThatCannotBeWrittenIsSaid(t *testing.T) {
	p := Box(t, `["./data:/data"]`, "")
	p.Write("data/file", "x")
	p.Up()
	Tmpfs(t, p.Path("backups"), "1m")
	first := p.Backup()
	run(t, "", nil, "mount", "-o", "remount,ro", p.Path("backups")).Assert(t, icmd.Success)
	Code(t, p.Memsys("backup"), 1, "read-only file system")
	assert.Equal(t, p.State("app"), "running")
	Code(t, p.Memsys("verify"), 0, "sound") // what is proven need not be written down
	Code(t, p.Memsys("list"), 0, filepath.Base(first))
}
