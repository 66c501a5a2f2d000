//go:build e2e && unix

package e2e

import (
	"os"
	"path/filepath"
	"testing"

	"gotest.tools/v3/assert"
)

// TestAFullStateFolderStopsARunBeforeItTouchesAnything: what cannot be put on record is not done.
func TestAFullStateFolderStopsARunBeforeItTouchesAnything(t *testing.T) {
	p := Box(t, `["./data:/data"]`, "")
	p.Write("data/file", "first")
	p.Up()
	good := p.Backup()
	p.Write("data/file", "second")
	state := filepath.Join(t.TempDir(), "full")
	Tmpfs(t, state, "64k")
	p.Setenv("MEMSYS_STATE_DIR", state)
	for free := 16 << 10; free >= 0; free -= 4 << 10 { // a file system that is full at the first, or at a later record
		fill(t, state, free)
		started := p.Output("inspect", "--format", "{{.State.StartedAt}}", p.Container("app"))
		for _, args := range [][]string{{"backup"}, {"restore", good, "--yes", "--no-safety-backup"}} {
			result := p.Memsys(args...)
			if result.ExitCode == 0 {
				assert.Assert(t, free > 0, "nothing was on record: %s", result.Combined())
				continue
			}
			Code(t, result, 1, "no space left on device")
			assert.Equal(t, p.State("app"), "running", result.Combined())
		}
		if free == 0 {
			assert.Equal(t, p.Output("inspect", "--format", "{{.State.StartedAt}}", p.Container("app")), started)
		}
		Tidy(t, p.Dir)
		content := p.Read("data/file")
		assert.Assert(t, content == "first" || content == "second", content)
		p.Write("data/file", "second")
	}
	Code(t, p.Memsys("verify", "--all"), 0)
}

// fill leaves so many bytes free in a small file system.
func fill(t testing.TB, folder string, free int) {
	t.Helper()
	path := filepath.Join(folder, "fill")
	assert.NilError(t, os.RemoveAll(path))
	f, err := os.Create(path)
	assert.NilError(t, err)
	defer f.Close()
	block := make([]byte, 4<<10)
	for written := 0; ; written += len(block) {
		if _, err := f.Write(block); err != nil {
			assert.NilError(t, f.Truncate(int64(max(written-free, 0))))
			return
		}
	}
}

func TestAStateFolderThatCannotBeMadeIsSaid(t *testing.T) {
	p := NewProject(t, boxFile(`["./data:/data"]`, ""))
	p.Write("data/file", "first")
	p.Write("file", "no folder")
	p.Setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
	p.Setenv("MEMSYS_STATE_DIR", p.Path("file", "state"))
	Code(t, p.Standalone("backup"), 1, p.Path("file"))
	assert.Equal(t, len(Archives(t, p.Path("backups"))), 0)
	Tidy(t, p.Dir)
}
