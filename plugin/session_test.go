package plugin

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/backup"
	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/engine/enginetest"
	"github.com/memsys/docker-memsys/internal/journal"
	"github.com/memsys/docker-memsys/internal/quiesce"
	"github.com/memsys/docker-memsys/internal/store"
)

// openTestSession is the session of a project with one source, on a fake engine.
func openTestSession(t *testing.T) (*session, *enginetest.Engine) {
	t.Helper()
	return openTestSessionOf(t, "name: notes\nservices:\n  app:\n    image: app\n    volumes: [./data:/data]\n")
}

// openTestSessionOf is the session of a compose file, beside which there is a folder data, on a fake engine.
func openTestSessionOf(t *testing.T, file string) (*session, *enginetest.Engine) {
	t.Helper()
	dir := t.TempDir()
	assert.NilError(t, os.Mkdir(filepath.Join(dir, "data"), 0o700))
	assert.NilError(t, os.WriteFile(filepath.Join(dir, "compose.yaml"), []byte(file), 0o600))
	fake := enginetest.New(time.Now)
	address := enginetest.Serve(t, fake)
	a := newApp(&world{
		Now: time.Now, Environ: []string{journal.DirVariable + "=" + filepath.Join(dir, "state")}, UID: os.Getuid(),
		Dir: func() (string, error) { return dir, nil },
		In:  stream{Reader: emptyReader{}}, Out: stream{Writer: io.Discard}, Err: stream{Writer: io.Discard},
		Engine: func() (connection, error) {
			c, err := engine.Dial(engine.Endpoint{Host: address})
			return connection{Client: c, Endpoint: engine.Endpoint{Host: address}}, err
		},
	})
	a.flags.progress = "quiet"
	s, err := a.openSession(t.Context(), compose.Overrides{})
	assert.NilError(t, err)
	t.Cleanup(func() { assert.NilError(t, s.Engine.Close()) })
	return s, fake
}

type emptyReader struct{}

func (emptyReader) Read([]byte) (int, error) { return 0, io.EOF }

// TestServicesStartThoughAnUnfinishedArchiveCannotBeRemoved: a disk that has become read-only must not keep services down.
func TestServicesStartThoughAnUnfinishedArchiveCannotBeRemoved(t *testing.T) {
	s, fake := openTestSession(t)
	id := fake.Add(engine.Container{Name: "app", Project: "notes", Service: "app", Number: "1", State: engine.Exited})
	unfinished := filepath.Join(t.TempDir(), ".memory_backup_20261120_020000.tar.gz.tmp-0")
	assert.NilError(t, os.MkdirAll(filepath.Join(unfinished, "in the way"), 0o700))
	step := func(name string, data any) journal.Step {
		raw, err := json.Marshal(data)
		assert.NilError(t, err)
		return journal.Step{Name: name, Data: raw}
	}
	pending := &journal.Interrupted{Op: "backup", Steps: []journal.Step{
		step(backup.StepTemporary, unfinished),
		step("quiesce.hold", map[string]any{"hold": "1", "items": []quiesce.Item{{ID: id, Name: "app", Action: quiesce.Stop}}}),
	}}
	err := s.resolve(t.Context(), pending)
	assert.ErrorContains(t, err, "remove unfinished archive")
	assert.Equal(t, fake.State(id), engine.Running)
}

// TestARunThatWaitedSeesWhatStartedMeanwhile: what is to be held still is known only once the lock is held.
func TestARunThatWaitedSeesWhatStartedMeanwhile(t *testing.T) {
	s, fake := openTestSession(t)
	id := fake.Add(engine.Container{Name: "app", Project: "notes", Service: "app", State: engine.Running})
	ctx, err := s.begin(t.Context(), "backup", lockOptions{}, nil)
	assert.NilError(t, err)
	assert.Equal(t, len(s.Containers), 1)
	assert.Equal(t, s.Containers[0].ID, id)
	assert.NilError(t, s.end(ctx, nil))
}

// TestWhatMayStandStillStaysOnRecord: the next command starts it.
func TestWhatMayStandStillStaysOnRecord(t *testing.T) {
	s, fake := openTestSession(t)
	id := fake.Add(engine.Container{Name: "app", State: engine.Exited})
	for _, left := range []bool{true, false} {
		ctx, err := s.begin(t.Context(), "backup", lockOptions{}, nil)
		assert.NilError(t, err)
		if left {
			assert.NilError(t, s.journal.Step("quiesce.hold", map[string]any{"hold": "1", "items": []quiesce.Item{{ID: id, Name: "app", Action: quiesce.Stop}}}))
		}
		assert.NilError(t, s.end(ctx, nil))
		pending, err := s.state.Pending()
		assert.NilError(t, err)
		assert.Equal(t, pending != nil, left)
	}
	assert.Equal(t, fake.State(id), engine.Running)
}

// TestWhatAKilledTakeOverLeftInTheTemporaryFolderIsSwept: a dry run takes over an archive of others there, on no journal.
func TestWhatAKilledTakeOverLeftInTheTemporaryFolderIsSwept(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	s, _ := openTestSession(t)
	long := time.Now().Add(-25 * time.Hour)
	var paths []string
	for _, at := range []time.Time{long, time.Now()} {
		path, err := store.Open(dir).TemporaryPath(at)
		assert.NilError(t, err)
		assert.NilError(t, os.WriteFile(path, nil, 0o600))
		assert.NilError(t, os.Chtimes(path, at, at))
		paths = append(paths, path)
	}
	ctx, err := s.begin(t.Context(), "backup", lockOptions{}, nil)
	assert.NilError(t, err)
	assert.NilError(t, s.end(ctx, nil))
	_, err = os.Lstat(paths[0])
	assert.ErrorIs(t, err, os.ErrNotExist)
	_, err = os.Lstat(paths[1]) // it may be in work
	assert.NilError(t, err)
}
