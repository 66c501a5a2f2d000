package plugin

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/hooks/guard"
	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/engine/enginetest"
	"github.com/memsys/docker-memsys/internal/tree/treetest"
)

const guardedProject = `
name: notes
services:
  app: {image: app, volumes: ["./data:/data", "memories:/memories"]}
  other: {image: other, profiles: [tools], volumes: ["./gone:/gone", "vectors:/vectors"]}
volumes: {memories: {}, vectors: {labels: {a: b}}}
`

// openGuarded is a command line on a project, on a fake engine of this machine.
func openGuarded(t *testing.T, file, line string) (*guarded, *enginetest.Engine) {
	t.Helper()
	s, fake := openTestSessionOf(t, file)
	words := strings.Fields(line)
	var opts wrapOptions
	c, err := parseComposeCommand(words[0], words[1:], wrapFlags(&opts))
	assert.NilError(t, err)
	s.Info.Local = true
	return &guarded{session: s, command: c, opts: opts}, fake
}

// volumeOf is a volume of the engine with a file in it.
func volumeOf(t *testing.T, fake *enginetest.Engine, name string, labels map[string]string) {
	t.Helper()
	dir := t.TempDir()
	assert.NilError(t, os.WriteFile(filepath.Join(dir, "memory.json"), []byte("{}"), 0o600))
	fake.AddVolume(engine.Volume{Name: name, Driver: "local", Mountpoint: dir, Labels: labels})
}

// refusedBy are the guards that refuse the command.
func (w *guarded) refusedBy(t *testing.T) string {
	t.Helper()
	assert.NilError(t, w.planGuards(t.Context()))
	err := w.guards(t.Context())
	if err == nil {
		return ""
	}
	result := (*outcome)(nil)
	assert.Assert(t, errors.As(err, &result), "%v", err)
	assert.Equal(t, result.code, exitFailed)
	names, _, found := strings.Cut(strings.TrimPrefix(result.message, "refused by "), ";")
	assert.Assert(t, found, result.message)
	return names
}

func TestAVolumeThatWasMadeOtherwiseIsKept(t *testing.T) {
	labels := func(hash string) map[string]string {
		return map[string]string{"com.docker.compose.project": "notes", "com.docker.compose.volume": "memories", "com.docker.compose.config-hash": hash}
	}
	for _, c := range []struct{ line, hash, want string }{
		{"up -d", "other", "volume-config"},
		{"up -d -y app", "other", "volume-config"},
		{"up -d --force volume-config", "other", ""},
		{"up -d other", "other", ""},
		{"down", "other", ""},
		{"up -d", "", ""},
	} {
		w, fake := openGuarded(t, guardedProject, c.line)
		volumeOf(t, fake, "notes_memories", labels(c.hash))
		assert.Equal(t, w.refusedBy(t), c.want, "%+v", c)
	}
	// The setting passes it for good: a volume that goes is backed up as one that goes by a flag, and where none does nothing is stopped.
	for hash, deletes := range map[string]bool{"other": true, "": false} {
		w, fake := openGuarded(t, guardedProject+"x-memsys: {force: [volume-config]}\n", "up -d")
		volumeOf(t, fake, "notes_memories", labels(hash))
		assert.Equal(t, w.refusedBy(t), "")
		assert.Equal(t, w.deletes(), deletes)
	}
	w, fake := openGuarded(t, guardedProject, "up -d")
	hash, err := w.VolumeHash("memories")
	assert.NilError(t, err)
	volumeOf(t, fake, "notes_memories", labels(hash))
	assert.Equal(t, w.refusedBy(t), "")
}

func TestVolumesOfAFormerNameAreNotLeftBehind(t *testing.T) {
	w, fake := openGuarded(t, guardedProject, "up -d")
	volumeOf(t, fake, "former_memories", map[string]string{"com.docker.compose.project": "former", "com.docker.compose.volume": "memories"})
	assert.Equal(t, w.refusedBy(t), "", "nothing tells that it was this project")
	w.Containers = append(w.Containers, engine.Container{Name: "former-app-1", Project: "former", Labels: map[string]string{workingDirLabel: w.WorkingDir}})
	assert.Equal(t, w.refusedBy(t), "drift")
	volumeOf(t, fake, "notes_memories", nil)
	assert.Equal(t, w.refusedBy(t), "", "the project has that volume already")
}

// TestAVolumeOfAnotherNameIsNotLeftBehind: the compose file has given it a name of its own, and no container is left that shows the former one.
func TestAVolumeOfAnotherNameIsNotLeftBehind(t *testing.T) {
	w, fake := openGuarded(t, strings.Replace(guardedProject, "memories: {}", "memories: {name: mine}", 1), "up -d")
	volumeOf(t, fake, "notes_memories", map[string]string{"com.docker.compose.project": "notes", "com.docker.compose.volume": "memories"})
	assert.Equal(t, w.refusedBy(t), "drift")
	volumeOf(t, fake, "mine", nil)
	assert.Equal(t, w.refusedBy(t), "", "the project has that volume already")
}

// TestAVolumeThatIsAFolder: its files are not in it, and stay where they are.
func TestAVolumeThatIsAFolder(t *testing.T) {
	was, empty := t.TempDir(), t.TempDir()
	assert.NilError(t, os.WriteFile(filepath.Join(was, "memory.json"), []byte("{}"), 0o600))
	for place, want := range map[string]string{was: "", empty: "volume-config"} {
		file := strings.Replace(guardedProject, "memories: {}", "memories: {labels: {new: label}, driver_opts: {type: none, o: bind, device: "+place+"}}", 1)
		w, fake := openGuarded(t, file, "up -d --yes")
		fake.AddVolume(engine.Volume{
			Name: "notes_memories", Driver: "local", Mountpoint: t.TempDir(), Options: map[string]string{"type": "none", "o": "bind", "device": was},
			Labels: map[string]string{"com.docker.compose.project": "notes", "com.docker.compose.volume": "memories", "com.docker.compose.config-hash": "other"},
		})
		assert.Equal(t, w.refusedBy(t), want)
	}
}

func TestAnEmptyPlaceDoesNotTakeTheOneWithData(t *testing.T) {
	was := t.TempDir()
	assert.NilError(t, os.WriteFile(filepath.Join(was, "memory.json"), []byte("{}"), 0o600))
	for _, file := range []string{was, ""} {
		w, _ := openGuarded(t, guardedProject, "up -d")
		data := filepath.Join(w.WorkingDir, "data")
		source, want := file, "drift"
		if source == "" {
			source, want = data, ""
		}
		w.Containers = []engine.Container{{ID: "gone", Name: "notes-app-1", Project: "notes", Service: "app", Mounts: []engine.Mount{{Type: "bind", Source: source, Destination: "/data"}}}}
		assert.Equal(t, w.refusedBy(t), want)
		assert.NilError(t, os.WriteFile(filepath.Join(data, "memory.json"), []byte("{}"), 0o600))
		assert.Equal(t, w.refusedBy(t), "", "the new place has data")
	}
}

func TestAFolderThatIsGoneIsNotMadeAnew(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{"up -d", ""}, // the service of the missing folder is not started
		{"up -d other", "missing-bind"},
		{"restart", ""},
		{"restart other", "missing-bind"},
		{"stop", ""},
		{"up other --force missing-bind", ""},
	} {
		w, _ := openGuarded(t, guardedProject, c.line)
		gone := filepath.Join(w.WorkingDir, "gone")
		assert.Equal(t, w.refusedBy(t), "", "nothing tells that there was data")
		w.Containers = []engine.Container{{ID: "gone", Name: "notes-other-1", Project: "notes", Service: "other", Mounts: []engine.Mount{{Type: "bind", Source: gone, Destination: "/gone"}}}}
		assert.Equal(t, w.refusedBy(t), c.want, c.line)
		_, err := os.Lstat(gone)
		assert.ErrorIs(t, err, os.ErrNotExist)
	}
}

func TestForceTakesNamesOfGuards(t *testing.T) {
	assert.NilError(t, wrapOptions{force: guard.Names()}.checkForce())
	assert.ErrorContains(t, wrapOptions{force: []string{"everything"}}.checkForce(), "use one of volume-config")
}

func TestWhatAnImageBringsIsNoDataOfTheProject(t *testing.T) {
	place := t.TempDir()
	made := time.Now()
	old := made.Add(-24 * time.Hour)
	write := func(name string, at time.Time) {
		file := filepath.Join(place, filepath.FromSlash(name))
		assert.NilError(t, os.MkdirAll(filepath.Dir(file), 0o700))
		assert.NilError(t, os.WriteFile(file, []byte("x"), 0o600))
		assert.NilError(t, os.Chtimes(file, at, at))
	}
	files := func(made time.Time) int64 {
		content := writtenSince(place, made, []string{"*.bak"})
		assert.Assert(t, content.Known)
		return content.Files
	}
	write("image.txt", old)
	write("app.log", made)
	write("logs/today.txt", made)
	write("memory.bak", made)
	assert.Equal(t, files(made), int64(0))
	write("sub/memory.json", made)
	assert.Equal(t, files(made), int64(1))
	assert.Equal(t, files(made.Add(-time.Hour)), int64(2), "an old file that came later was copied by somebody")
}

func TestDataInALayerThatTheCommandThrowsAway(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{"down", "layer"},
		{"down app", "layer"},
		{"down other", ""},
		{"up -d --force-recreate", "layer"},
		{"up -d --no-recreate", ""},
		{"up -d --scale app=0 --no-recreate", "layer"},
		{"stop", ""},
		{"restart", ""},
	} {
		w, fake := openGuarded(t, guardedProject, c.line)
		id := fake.Add(engine.Container{Name: "notes-app-1", Project: "notes", Service: "app", Number: "1", State: engine.Running})
		fake.AddToLayer(id, "/app/data/memory.json", 100)
		w.Containers, _ = w.containers(t.Context())
		assert.Equal(t, w.refusedBy(t), c.want, c.line)
	}
}

func TestALayerThatCannotBeSeenMayHaveData(t *testing.T) {
	for line, want := range map[string]string{"down": "layer", "up -d --no-recreate": "", "restart": ""} {
		w, fake := openGuarded(t, guardedProject, line)
		fake.Add(engine.Container{Name: "notes-app-1", Project: "notes", Service: "app", Number: "1", State: engine.Running})
		w.Containers, _ = w.containers(t.Context())
		fake.Before(func(c enginetest.Call) error {
			if c.Name == "Changes" {
				return errors.New("not supported")
			}
			return nil
		})
		assert.Equal(t, w.refusedBy(t), want, line)
	}
}

func TestAProjectThatWritesToo(t *testing.T) {
	for _, c := range []struct {
		line  string
		state engine.State
		ro    bool
		want  string
	}{
		{"up -d", engine.Running, false, "shared"},
		{"up -d --force shared", engine.Running, false, ""},
		{"up -d", engine.Running, true, ""},
		{"up -d", engine.Exited, false, ""},
		{"up -d other", engine.Running, false, ""},
		{"down", engine.Running, false, ""},
	} {
		w, _ := openGuarded(t, guardedProject, c.line)
		w.Containers = []engine.Container{{
			Name: "others-1", Project: "others", Service: "x", State: c.state,
			Mounts: []engine.Mount{{Type: "bind", Source: filepath.Join(w.WorkingDir, "data"), Destination: "/x", ReadOnly: c.ro}},
		}}
		assert.Equal(t, w.refusedBy(t), c.want, "%+v", c)
	}
}

func TestTwoContainersOfOneServiceThatWrite(t *testing.T) {
	w, _ := openGuarded(t, guardedProject, "up -d --scale app=2")
	assert.Equal(t, w.refusedBy(t), "", "nothing in it stands one writer only")
	assert.NilError(t, os.WriteFile(filepath.Join(w.WorkingDir, "data", "memories.jsonl"), []byte("{}"), 0o600))
	assert.Equal(t, w.refusedBy(t), "shared")
	w.Config.Force = []string{"shared"}
	assert.Equal(t, w.refusedBy(t), "")
	w.Config.Force = []string{"sharing"}
	assert.ErrorContains(t, w.guards(t.Context()), "the setting force: sharing means nothing")
}

// TestAFolderThatCannotBeReadHidesNoStore: what is beside it is looked at.
func TestAFolderThatCannotBeReadHidesNoStore(t *testing.T) {
	w, _ := openGuarded(t, guardedProject, "up -d --scale app=2")
	data := filepath.Join(w.WorkingDir, "data")
	locked := filepath.Join(data, "lost+found")
	assert.NilError(t, os.Mkdir(locked, 0o000))
	t.Cleanup(func() { assert.NilError(t, os.Chmod(locked, 0o700)) })
	assert.NilError(t, os.Chmod(data, 0o755))
	assert.NilError(t, os.WriteFile(filepath.Join(data, "memories.jsonl"), []byte("{}"), 0o600))
	treetest.WithoutRights(t, w.WorkingDir, func() { assert.Equal(t, w.refusedBy(t), "shared") })
}

// TestTheDiskOfAVolumeThatThisUserMayNotEnter: it is the engine's.
func TestTheDiskOfAVolumeThatThisUserMayNotEnter(t *testing.T) {
	w, fake := openGuarded(t, "name: notes\nservices: {app: {image: app, volumes: [\"memories:/memories\"]}}\nvolumes: {memories: {}}\n", "up -d")
	locked := filepath.Join(w.WorkingDir, "locked")
	assert.NilError(t, os.MkdirAll(filepath.Join(locked, "volume"), 0o700))
	assert.NilError(t, os.Chmod(locked, 0o000))
	t.Cleanup(func() { assert.NilError(t, os.Chmod(locked, 0o700)) })
	fake.AddVolume(engine.Volume{Name: "notes_memories", Driver: "local", Mountpoint: filepath.Join(locked, "volume")})
	w.Info.RootDir = w.WorkingDir
	g := &guardFacts{guarded: w, services: []string{"app"}}
	var disks []guard.Disk
	treetest.WithoutRights(t, w.WorkingDir, func() { disks = g.disks(t.Context()) })
	assert.Equal(t, len(disks), 1)
	assert.Equal(t, disks[0].Path, w.WorkingDir)
	assert.Equal(t, disks[0].Use, "source memories")
}

func TestABackupThatIsTooOldWhereNoneIsMade(t *testing.T) {
	for line, want := range map[string]string{
		"down": "", "down --backup never": "max-age", "up -d --backup never": "max-age", "stop --backup never": "", "restart --backup never": "max-age",
	} {
		w, _ := openGuarded(t, guardedProject, line)
		assert.Equal(t, w.refusedBy(t), "", "no limit is set")
		w.Config.MaxAge = time.Hour
		assert.Equal(t, w.refusedBy(t), want, line)
	}
}
