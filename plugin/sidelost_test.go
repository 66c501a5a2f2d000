//go:build unix

package plugin

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/engine/enginetest"
	"github.com/memsys/docker-memsys/internal/helper"
	"github.com/memsys/docker-memsys/internal/tree/treetest"
)

// interrupt leaves a restore in the middle of its swap, as a client and a helper do that were killed. It returns a copy of the data as it was.
func (b *sideBed) interrupt() (now string) {
	b.t.Helper()
	made := b.backup()
	b.write("a", "new a")
	now = filepath.Join(b.t.TempDir(), "now")
	copyTree(b.t, b.data, now)
	ctx, err := b.s.begin(b.t.Context(), "restore", lockOptions{}, nil)
	assert.NilError(b.t, err)
	b.ask(func(p *childProcess, method string, raw json.RawMessage) {
		if method == askStep && strings.Contains(string(raw), "restore.swap") {
			p.kill()
		}
	})
	err = b.s.planned(ctx, made, restoreOptions{noSafetyBackup: true}, func(*planned) error {
		return b.s.far.Call(ctx, callRun, idCall{1}, nil)
	})
	assert.ErrorIs(b.t, err, helper.ErrGone)
	b.ask(nil)
	b.s.leave(ctx)
	assert.NilError(b.t, errors.Join(b.s.journal.Close(), b.s.lock.Release(ctx)))
	return now
}

// TestNothingIsRecoveredWhileAHelperMayBeAtWork: the client is dead, its helper cannot be removed. Two at work on the same files would leave
// neither the old nor the new state.
func TestNothingIsRecoveredWhileAHelperMayBeAtWork(t *testing.T) {
	b := newSideBed(t)
	now := b.interrupt()
	b.engine.Add(engine.Container{Name: "memsys-helper-x", State: engine.Running, Labels: map[string]string{helper.Label: b.s.key()}})
	b.engine.Before(func(c enginetest.Call) error {
		if c.Name == "RemoveContainer" {
			return errors.New("the engine is busy")
		}
		return nil
	})
	started := len(b.specs)
	_, err := b.s.begin(t.Context(), "recover", lockOptions{}, nil)
	assert.ErrorContains(t, err, "may still be at work")
	assert.Equal(t, len(b.specs), started)
	pending, err := b.s.state.Pending()
	assert.NilError(t, err)
	assert.Assert(t, pending != nil, "it was called recovered")

	b.engine.Before(nil)
	assert.NilError(t, b.begun("recover", func(context.Context) error { return nil }))
	assert.Assert(t, b.running())
	assert.DeepEqual(t, treetest.Diff(now, b.data), []string(nil))
}

// TestServicesOwnCommandsRunAroundARestoreThroughAHelper as they do where this process has the files.
func TestServicesOwnCommandsRunAroundARestoreThroughAHelper(t *testing.T) {
	b := newSideBed(t)
	file := "name: notes\nservices:\n  app:\n    image: app\n    volumes: [./data:/data]\n" +
		"    pre_stop: [{command: [flush]}]\n    post_start: [{command: [warm]}]\n"
	assert.NilError(t, os.WriteFile(filepath.Join(b.s.WorkingDir, "compose.yaml"), []byte(file), 0o600))
	s, err := b.s.app.openSession(t.Context(), compose.Overrides{})
	assert.NilError(t, err)
	s.Config.Helper, s.Config.Quiesce, s.Info.Local = "always", "none", true
	b.s = s
	made := b.backup()
	before := t.TempDir()
	copyTree(t, b.data, filepath.Join(before, "data"))
	b.write("a", "new a")
	var ran []string
	b.engine.SetProgram(func(_ context.Context, c engine.Container, command []string, _ io.Writer) (int, error) {
		ran = append(ran, strings.Join(command, " ")+" while "+string(c.State))
		return 0, nil
	})
	assert.NilError(t, b.restore(t.Context(), made))
	assert.DeepEqual(t, ran, []string{"flush while running", "warm while running"})
	assert.DeepEqual(t, treetest.Diff(filepath.Join(before, "data"), b.data), []string(nil))
}
