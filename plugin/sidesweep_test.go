package plugin

import (
	"encoding/json"
	"os"
	"os/exec"
	"testing"
	"time"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/helper"
	"github.com/memsys/docker-memsys/internal/journal"
)

// readerLabel is the one by which a run with the lock knows the helper of a command that only reads.
const readerLabel = helper.Label + ".reader"

// TestARunWithTheLockLeavesTheHelpersOfCommandsThatReadAlone while these run; what they left when they were killed it removes.
func TestARunWithTheLockLeavesTheHelpersOfCommandsThatReadAlone(t *testing.T) {
	s, fake := openTestSession(t)
	now := time.Now()
	gone := exec.Command(os.Args[0], "-test.run=^$")
	assert.NilError(t, gone.Run())
	dead, early, late := journal.Self("sources", now), journal.Self("sources", now), journal.Self("sources", now)
	dead.PID = gone.Process.Pid
	early.Boot, late.Boot, late.Since = "other", "other", now.Add(-2*readerTime)
	name := func(h journal.Holder) string {
		text, err := json.Marshal(h)
		assert.NilError(t, err)
		return string(text)
	}
	for reader, stays := range map[string]bool{s.reader(): true, name(early): true, name(dead): false, name(late): false, "": false, "unreadable": false} {
		labels := map[string]string{helper.Label: s.key(), readerLabel: reader}
		id := fake.Add(engine.Container{Name: "helper", Labels: labels, State: engine.Running})
		fake.AddVolume(engine.Volume{Name: "scratch", Labels: labels})
		assert.NilError(t, s.recoverAll(t.Context(), recoverOptions{}))
		_, container := fake.Container(t.Context(), id)
		_, volume := fake.Volume(t.Context(), "scratch")
		assert.Equal(t, container == nil, stays, "%s: %v", reader, container)
		assert.Equal(t, volume == nil, stays, "%s: %v", reader, volume)
		if stays {
			assert.NilError(t, fake.RemoveContainer(t.Context(), id))
			assert.NilError(t, fake.RemoveVolume(t.Context(), "scratch"))
		}
	}
}

// TestOnlyCommandsWithoutTheLockAreReaders: a helper that may write is removed whatever became of its client.
func TestOnlyCommandsWithoutTheLockAreReaders(t *testing.T) {
	s, _ := openTestSession(t)
	spec := func() helper.Spec { return s.helperSpec(&far{session: s, access: reads}, nil) }
	assert.Assert(t, spec().Reader != "")
	ctx, err := s.begin(t.Context(), "backup", lockOptions{}, nil)
	assert.NilError(t, err)
	assert.Equal(t, spec().Reader, "")
	assert.NilError(t, s.end(ctx, nil))
}
