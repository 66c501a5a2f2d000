package plugin

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/store"
)

// The volumes of a project that never ran do not exist yet, and those of a down -v no longer: neither keeps docker compose up from running.
func TestWhatDoesNotExistStopsNoUp(t *testing.T) {
	w, fake := openGuarded(t, guardedProject, "up -d")
	w.opts.backup = backupAuto
	ctx, err := w.begin(t.Context(), "up", lockOptions{}, nil)
	assert.NilError(t, err)
	t.Cleanup(func() { assert.NilError(t, w.end(ctx, nil)) })
	file := filepath.Join(w.WorkingDir, "data", "memory.json")
	write := func(text string) {
		t.Helper()
		assert.NilError(t, os.MkdirAll(filepath.Dir(file), 0o700))
		assert.NilError(t, os.WriteFile(file, []byte(text), 0o600))
	}
	latest := func() store.Backup {
		t.Helper()
		b, err := w.Store.Find(t.Context(), store.Latest)
		assert.NilError(t, err)
		return b
	}
	settled := func() {
		t.Helper()
		why, err := w.needsBackup(t.Context())
		assert.NilError(t, err)
		assert.Equal(t, why, "")
	}

	write(`{"id": "1"}`)
	assert.NilError(t, w.backUp(ctx))
	first := latest()
	assert.Assert(t, first.Good())
	settled()

	volumeOf(t, fake, "notes_memories", nil)
	assert.NilError(t, w.backUp(ctx))
	second := latest()
	assert.Assert(t, second.Name != first.Name && second.Good())
	settled()

	assert.NilError(t, fake.RemoveVolume(ctx, "notes_memories"))
	settled()
	write(`{"id": "2"}`)
	assert.NilError(t, w.backUp(ctx))
	assert.Equal(t, latest().Name, second.Name)
	said := strings.Join(w.Warnings, "\n")
	assert.Assert(t, strings.Contains(said, "holds all that is there, and less than the last good backup, which stays latest: source memories: volume notes_memories does not exist yet"), said)

	assert.NilError(t, w.command.flags.Parse([]string{"--yes"}))
	assert.ErrorContains(t, w.refuseMissing(ctx), "source memories cannot be backed up: volume notes_memories does not exist yet; docker compose up was not run")
}
