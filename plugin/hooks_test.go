package plugin

import (
	"errors"
	"testing"
	"time"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/hooks"
	"github.com/memsys/docker-memsys/internal/engine"
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
	assert.DeepEqual(t, gone, []string{"hook after-restore of service app did not run, and the project has it no more"})
	assert.NilError(t, s.end(ctx, nil))
}

func TestHooksThatFailedHaveAnExitCodeOfTheirOwn(t *testing.T) {
	failed := []hooks.Outcome{{Service: "app", When: "after-backup", Status: hooks.Failed, Text: "exit code 1"}}
	v := verdictOf(hooksFailed(failed, "the backup is complete"))
	assert.Equal(t, v.Code, exitIncomplete)
	assert.Equal(t, v.Message, "the backup is complete, but hook after-backup of service app: failed: exit code 1")
	assert.NilError(t, hooksFailed([]hooks.Outcome{{Status: hooks.Skipped}}, ""))
}
