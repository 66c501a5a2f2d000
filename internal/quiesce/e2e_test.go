//go:build e2e

package quiesce_test

import (
	"os"
	"testing"
	"time"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/engine/enginetest"
	"github.com/memsys/docker-memsys/internal/journal"
	"github.com/memsys/docker-memsys/internal/quiesce"
)

func TestOnARealEngineServicesRunAgainWithinTwoSecondsOfTheKill(t *testing.T) {
	b := enginetest.Real(t)
	for mode, held := range map[quiesce.Mode]engine.State{quiesce.Pause: engine.Paused, quiesce.Stop: engine.Exited} {
		t.Run(string(mode), func(t *testing.T) {
			var ids []string
			for _, name := range []string{"a", "b", "c"} {
				id := b.Create(t, engine.Container{Name: b.Prefix + string(mode) + name, Project: b.Prefix, Service: name, Number: "1"})
				assert.NilError(t, b.Start(t.Context(), id))
				ids = append(ids, id)
			}
			user := ids[2] // paused by its user before
			assert.NilError(t, b.Pause(t.Context(), user))
			dir := t.TempDir()
			cmd := startHolder(t, dir, os.Getenv("DOCKER_HOST"), mode, ids...)
			for _, id := range ids[:2] {
				assert.Equal(t, state(t, b, id), held)
			}
			killed := time.Now()
			assert.NilError(t, cmd.Process.Kill())
			for _, id := range ids[:2] {
				for state(t, b, id) != engine.Running {
					assert.Assert(t, time.Since(killed) < 2*time.Second, "%s is not resumed", id)
				}
			}
			t.Logf("resumed %s after the kill", time.Since(killed))
			assert.Equal(t, state(t, b, user), engine.Paused)
			p, err := journal.View(dir, "held").Pending()
			assert.NilError(t, err)
			done, err := quiesce.Recover(t.Context(), b, p.Steps)
			assert.NilError(t, err)
			assert.Equal(t, len(done), 0)
		})
	}
}

func state(t *testing.T, b enginetest.Bench, id string) engine.State {
	t.Helper()
	c, err := b.Container(t.Context(), id)
	assert.NilError(t, err)
	return c.State
}
