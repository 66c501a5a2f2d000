//go:build unix

package plugin

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/helper"
)

// TestWhatIsNoDataOfTheProjectIsNotMounted: a helper would have the engine's socket and /etc to write to in a restore, and engines refuse
// a container that has /proc twice. Mounts of memory have no place at all.
func TestWhatIsNoDataOfTheProjectIsNotMounted(t *testing.T) {
	b := newSideBed(t)
	file := filepath.Join(b.s.WorkingDir, "compose.yaml")
	assert.NilError(t, os.WriteFile(file, []byte("name: notes\nservices:\n  app:\n    image: app\n    tmpfs: [/scratch]\n    volumes: [./data:/data, '/proc:/host/proc:ro', '/etc/localtime:/etc/localtime:ro', '/var/run/docker.sock:/var/run/docker.sock']\n"), 0o600))
	s, err := b.s.app.openSession(t.Context(), compose.Overrides{})
	assert.NilError(t, err)
	s.Config.Helper, s.Config.Quiesce, s.Info.Local = "always", "none", true
	b.s = s
	assert.Equal(t, len(s.Sources), 5)
	for _, a := range []access{reads, writes} {
		b.specs = nil
		f, err := s.startHelper(t.Context(), a)
		assert.NilError(t, err)
		mounts := slices.DeleteFunc(b.specs[0].Mounts, func(m helper.Mount) bool { return m.Path == s.Store.Path })
		assert.DeepEqual(t, mounts, []helper.Mount{{Path: b.data, Target: b.data, ReadOnly: a == reads}})
		assert.NilError(t, f.close(t.Context()))
	}
	for _, through := range []string{"always", "never"} {
		s.Config.Helper, s.way = through, nil
		rows, err := s.app.sourceRows(t.Context(), s, sourcesOptions{noSize: true})
		assert.NilError(t, err)
		assert.Equal(t, len(rows), 5)
		s.leave(t.Context())
	}
	s.Config.Helper, s.way = "always", nil
	assert.NilError(t, b.restore(t.Context(), b.backup()))
}

// TestAMissingFolderThatIsNoneOfOursEndsTheStart: Docker Desktop names it by the path that its virtual machine has for it.
func TestAMissingFolderThatIsNoneOfOursEndsTheStart(t *testing.T) {
	b := newSideBed(t)
	tries := 0
	refusal := errors.New("invalid mount config for type \"bind\": bind source path does not exist: /host_mnt/data")
	b.s.app.world.Helper = func(context.Context, *engine.Client, helper.Spec, map[string]helper.Handler) (process, error) {
		if tries++; tries > 2 {
			panic("it tries for ever")
		}
		return nil, refusal
	}
	_, err := b.s.startHelper(t.Context(), writes)
	assert.ErrorIs(t, err, refusal)
}
