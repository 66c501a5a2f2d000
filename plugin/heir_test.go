package plugin

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/backup"
	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/engine/enginetest"
	"github.com/memsys/docker-memsys/internal/journal"
	"github.com/memsys/docker-memsys/internal/quiesce"
	"github.com/memsys/docker-memsys/internal/tree"
)

// killed leaves what a run of another user leaves that was killed: its lock, and its record in a state folder of its own.
func killed(t *testing.T, s *session, fake *enginetest.Engine, command string, record func(*journal.Journal)) journal.Holder {
	t.Helper()
	ended := exec.Command("true")
	assert.NilError(t, ended.Run())
	dead := journal.Self("docker memsys "+command, time.Now())
	dead.PID, dead.User, dead.State, dead.Identity = ended.Process.Pid, "other", filepath.Join(t.TempDir(), "state"), s.identity()
	state, err := journal.Open(dead.State, dead.Identity)
	assert.NilError(t, err)
	j, err := state.Journal(time.Now)
	assert.NilError(t, err)
	record(j)
	assert.NilError(t, j.Close())
	label, err := json.Marshal(dead)
	assert.NilError(t, err)
	key := journal.Key(s.Name)
	fake.AddVolume(engine.Volume{
		Name: "memsys-lock-" + key + "-dead-0", CreatedAt: time.Now(),
		Labels: map[string]string{"io.memsys.lock": key, "io.memsys.holder": string(label)},
	})
	return dead
}

// restoring puts on record that a swap has begun.
func restoring(t *testing.T, s *session) func(*journal.Journal) {
	return func(j *journal.Journal) {
		assert.NilError(t, j.Begin("restore", nil))
		root := filepath.Join(s.WorkingDir, "data")
		assert.NilError(t, j.Step("restore.swap", &tree.Swap{Root: tree.RawPath(root), Staging: tree.RawPath(filepath.Join(root, ".memsys-x"))}))
	}
}

// TestTheLockOfAnotherUsersKilledRestoreIsNotTakenOver: its record is where this user does not see it, and data is between two states.
func TestTheLockOfAnotherUsersKilledRestoreIsNotTakenOver(t *testing.T) {
	s, fake := openTestSession(t)
	dead := killed(t, s, fake, "restore", restoring(t, s))
	for range 2 {
		_, err := s.begin(t.Context(), "backup", lockOptions{}, nil)
		assert.ErrorContains(t, err, `"docker memsys restore" of other on `)
		v := judge(err, false, false)
		assert.Equal(t, v.Code, exitFailed)
		assert.Assert(t, v.Hint != "")
	}
	state := journal.View(dead.State, dead.Identity)
	j, err := state.Journal(time.Now)
	assert.NilError(t, err)
	assert.NilError(t, j.End("recovered")) // by that user
	assert.NilError(t, j.Close())
	ctx, err := s.begin(t.Context(), "backup", lockOptions{}, nil)
	assert.NilError(t, err)
	assert.NilError(t, s.end(ctx, nil))
}

// TestTheBackupsDirectoryTellsOfAKilledRestoreWhereNoEngineDoes and commands that only read say so.
func TestTheBackupsDirectoryTellsOfAKilledRestore(t *testing.T) {
	s, fake := openTestSession(t)
	dead := killed(t, s, fake, "restore", restoring(t, s))
	defer func(c connection) { s.Engine = c }(s.Engine)
	s.Engine = connection{}
	assert.NilError(t, s.Store.Ensure())
	line, err := json.Marshal(dead)
	assert.NilError(t, err)
	lock := filepath.Join(s.Store.Path, journal.BackupsLockName)
	assert.NilError(t, os.WriteFile(lock, line, 0o644))
	_, err = s.begin(t.Context(), "backup", lockOptions{}, nil)
	assert.ErrorContains(t, err, "data may be between two states")
	kept, err := os.ReadFile(lock)
	assert.NilError(t, err)
	assert.Equal(t, string(kept), string(line), "what tells of it is gone")
	assert.Assert(t, journal.Remains(s.Store.Path) != nil)
}

// TestAnotherUsersKilledBackupStopsNobody: it touched no data.
func TestAnotherUsersKilledBackupStopsNobody(t *testing.T) {
	s, fake := openTestSession(t)
	killed(t, s, fake, "backup", func(j *journal.Journal) { assert.NilError(t, j.Begin("backup", nil)) })
	ctx, err := s.begin(t.Context(), "restore", lockOptions{}, nil)
	assert.NilError(t, err)
	assert.NilError(t, s.end(ctx, nil))
}

// TestAtBootOnlyServicesStart: what else is left waits for the next command.
func TestAtBootOnlyServicesStart(t *testing.T) {
	s, fake := openTestSession(t)
	id := fake.Add(engine.Container{Name: "app", Project: "notes", Service: "app", Number: "1", State: engine.Exited})
	unfinished := filepath.Join(t.TempDir(), ".memory_backup_20261120_020000.tar.gz.tmp-0")
	assert.NilError(t, os.WriteFile(unfinished, nil, 0o600))
	ctx, err := s.begin(t.Context(), "backup", lockOptions{}, nil)
	assert.NilError(t, err)
	assert.NilError(t, s.journal.Step(backup.StepTemporary, unfinished))
	assert.NilError(t, s.journal.Step("quiesce.hold", map[string]any{"hold": "1", "items": []quiesce.Item{{ID: id, Name: "app", Action: quiesce.Stop}}}))
	assert.NilError(t, s.journal.Close())
	assert.NilError(t, s.lock.Release(ctx))
	assert.NilError(t, s.recoverServices(t.Context(), recoverOptions{servicesOnly: true}))
	assert.Equal(t, fake.State(id), engine.Running)
	_, err = os.Stat(unfinished)
	assert.NilError(t, err)
	pending, err := s.state.Pending()
	assert.NilError(t, err)
	assert.Assert(t, pending != nil)
}
