package plugin

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/hooks"
	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/journal"
	"github.com/memsys/docker-memsys/internal/restore"
)

// TestAStuckRestoreOwesItsHooks: its services are not let go, so what comes after waits for recover, and runs then.
func TestAStuckRestoreOwesItsHooks(t *testing.T) {
	s, fake := openTestSession(t)
	fake.Add(engine.Container{Name: "app", Project: "notes", Service: "app", Number: "1"})
	ctx, err := s.begin(t.Context(), "restore", lockOptions{}, nil)
	assert.NilError(t, err)
	after := compose.Hook{Service: "app", When: "after-restore", Command: []string{"/sleeper", "say", "x", "0"}, Timeout: time.Minute, OnError: "fail"}
	plan := hooks.NewPlan(hooks.Restore, []compose.Hook{after})
	ran, err := s.withHooks(ctx, plan, func([]hooks.Outcome) error { return &restore.StuckError{Err: errors.New("a disk is gone")} })
	assert.Equal(t, len(ran), 0)
	assert.Equal(t, verdictOf(err).Code, exitNeedsPerson)
	pending, err := s.journal.Pending()
	assert.NilError(t, err)
	owed, err := hooks.Owed(pending.Steps)
	assert.NilError(t, err)
	assert.Equal(t, len(owed), 1)
	_, gone, err := s.owedHooks(pending)
	assert.NilError(t, err)
	assert.DeepEqual(t, gone, []string{"hook after-restore of app did not run, and the project has it no more"})
	assert.NilError(t, s.end(ctx, nil))
}

// TestAHookThatCouldNotRunStaysOnRecord: what its before-… has locked must not stay locked since the container could not be reached just then.
func TestAHookThatCouldNotRunStaysOnRecord(t *testing.T) {
	s, fake := openTestSession(t)
	id := fake.Add(engine.Container{Name: "app", Project: "notes", Service: "app", Number: "1", State: engine.Running})
	ctx, err := s.begin(t.Context(), "backup", lockOptions{}, nil)
	assert.NilError(t, err)
	say := []string{"/sleeper", "say", "x", "0"}
	plan := hooks.NewPlan(hooks.Backup, []compose.Hook{
		{Service: "app", When: "before-backup", Command: say, Timeout: time.Minute, OnError: "continue"},
		{Service: "app", When: "after-backup", Command: say, Timeout: time.Minute, OnError: "fail"},
	})
	all, err := s.withHooks(ctx, plan, func([]hooks.Outcome) error {
		fake.SetState(id, engine.Paused)
		return nil
	})
	assert.NilError(t, err)
	assert.Equal(t, all[1].Status, hooks.Failed)
	assert.NilError(t, s.end(ctx, nil))
	pending, err := s.state.Pending()
	assert.NilError(t, err)
	assert.Assert(t, pending != nil)
	owed, err := hooks.Owed(pending.Steps)
	assert.NilError(t, err)
	assert.Equal(t, len(owed), 1)
}

// TestWithoutAnEngineNoUnlockIsForgotten: a hook that has begun before a crash may have locked something; where none has, nothing is waited for.
func TestWithoutAnEngineNoUnlockIsForgotten(t *testing.T) {
	for _, began := range []bool{true, false} {
		s, _ := openTestSession(t)
		file := "name: notes\nservices:\n  app:\n    image: app\n    x-memsys: {after-backup: {command: [unlock]}}\n"
		assert.NilError(t, os.WriteFile(filepath.Join(s.WorkingDir, "compose.yaml"), []byte(file), 0o600))
		var err error
		s.project, err = s.app.loadProject(t.Context(), compose.Overrides{})
		assert.NilError(t, err)
		client := s.Engine.Client
		t.Cleanup(func() { s.Engine.Client = client })
		s.Engine.Client = nil
		pending := &journal.Interrupted{Op: "backup", Steps: []journal.Step{
			{Name: "hooks.begin", Data: json.RawMessage(`{"owed":[{"service":"app","when":"after-backup"}]}`)},
		}}
		if began {
			pending.Steps = append(pending.Steps, journal.Step{Name: "hooks.run", Data: json.RawMessage(`{"run":{"service":"app","when":"before-backup"}}`)})
		}
		err = s.resolve(t.Context(), pending)
		if began {
			assert.ErrorContains(t, err, "no engine answers: after-backup of app")
			continue
		}
		assert.NilError(t, err)
	}
}

func TestHooksThatFailedHaveAnExitCodeOfTheirOwn(t *testing.T) {
	failed := []hooks.Outcome{{Service: "app", When: "after-backup", Status: hooks.Failed, Text: "exit code 1"}}
	v := verdictOf(hooksFailed(failed, "the backup is complete"))
	assert.Equal(t, v.Code, exitIncomplete)
	assert.Equal(t, v.Message, "the backup is complete, but hook after-backup of service app: failed: exit code 1")
	assert.NilError(t, hooksFailed([]hooks.Outcome{{Status: hooks.Skipped}}, ""))
}
