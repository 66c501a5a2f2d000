package plugin

import (
	"os"
	"path/filepath"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/engine"
)

// TestWhatDoesNotExistYetIsLeftOutBeforeAnUp: a volume that docker compose will make, and a folder. What a backup has, and is gone, is missing.
func TestWhatDoesNotExistYetIsLeftOutBeforeAnUp(t *testing.T) {
	s, _ := openTestSession(t)
	file := "name: notes\nservices:\n  app: {image: app, volumes: [\"./data:/data\", \"./more:/more\", \"store:/store\"]}\nvolumes: {store: {}}\n"
	assert.NilError(t, os.WriteFile(filepath.Join(s.WorkingDir, "compose.yaml"), []byte(file), 0o600))
	assert.NilError(t, os.WriteFile(filepath.Join(s.WorkingDir, "data", "memory.json"), []byte("{}"), 0o600))
	p, err := s.app.readProject(t.Context(), compose.Overrides{})
	assert.NilError(t, err)
	s.project, s.Sources, s.Info.Local = p, p.Sources(nil, p.Config), true
	c, err := parseComposeCommand("up", []string{"-d"}, wrapFlags(&wrapOptions{}))
	assert.NilError(t, err)
	w := &guarded{session: s, command: c, opts: wrapOptions{backup: backupAuto}}
	missing := func(wish backupWish) (names []string) {
		t.Helper()
		plan, err := s.planBackup(t.Context(), wish)
		assert.NilError(t, err)
		for _, src := range plan.Sources {
			if src.Missing != "" {
				names = append(names, src.Name)
			}
		}
		return names
	}
	assert.DeepEqual(t, missing(backupWish{reason: "manual"}), []string{"more", "store"}) // who asks for a backup is told
	assert.Equal(t, len(missing(w.wish())), 0)

	locked, err := s.begin(t.Context(), "up", lockOptions{}, nil)
	assert.NilError(t, err)
	assert.NilError(t, w.backUp(locked))
	assert.NilError(t, os.Mkdir(filepath.Join(s.WorkingDir, "more"), 0o700))
	assert.NilError(t, os.WriteFile(filepath.Join(s.WorkingDir, "more", "memory.json"), []byte("{}"), 0o600))
	assert.NilError(t, w.backUp(locked))
	assert.NilError(t, s.end(locked, nil))
	assert.Equal(t, len(archivesOf(t, s.WorkingDir)), 2)
	assert.NilError(t, os.RemoveAll(filepath.Join(s.WorkingDir, "more")))
	assert.DeepEqual(t, missing(w.wish()), []string{"more"})

	_, err = s.Engine.CreateVolume(t.Context(), engine.Volume{Name: "notes_store", Driver: "local"})
	assert.NilError(t, err)
	assert.DeepEqual(t, missing(w.wish()), []string{"more", "store"}) // it is there, and the fake has no files
}
