package backup

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/engine/enginetest"
	"github.com/memsys/docker-memsys/internal/quiesce"
)

// moody is a side whose data is in the middle of a change for a number of looks, or while its writer is only paused.
type moody struct {
	Local
	bed    *bed
	writer string
	looks  int // that find unrest
	looked int
}

func (m *moody) Restless(context.Context, RestlessRequest) ([]archive.Problem, error) {
	m.looked++
	if m.looked > m.looks {
		return nil, nil
	}
	source := m.bed.req.Sources[0].Name
	return []archive.Problem{{Source: source, Path: "half.json", Kind: problemRestless, Error: "it ends in the middle of a value"}}, nil
}

func (b *bed) moodyRun(t *testing.T, mode quiesce.Mode, looks int) (*Result, *moody, error) {
	t.Helper()
	m := &moody{bed: b, looks: looks, writer: b.service("app", false)}
	b.req.Side, b.req.Quiesce = m, mode
	b.containers(t)
	plan, err := Prepare(t.Context(), b.dir, b.req)
	assert.NilError(t, err)
	run := b.runner()
	res, err := run.Run(t.Context(), plan)
	assert.Equal(t, b.engine.State(m.writer), engine.Running)
	return res, m, err
}

func TestAWriterInTheMiddleOfAChangeIsLetGoAndHeldAgain(t *testing.T) {
	b := newBed(t)
	res, m, err := b.moodyRun(t, quiesce.Auto, 3)
	assert.NilError(t, err)
	assert.Assert(t, res.Complete, "%v", res.Problems)
	assert.Equal(t, m.looked, 4)
	assert.Equal(t, res.Tries, 4)
	assert.Equal(t, len(res.Held), 1)
	assert.Equal(t, res.Held[0].Mode, "pause")
}

func TestAWriterThatNeverRestsIsStopped(t *testing.T) {
	b := newBed(t)
	res, m, err := b.moodyRun(t, quiesce.Auto, maxTries)
	assert.NilError(t, err)
	assert.Assert(t, res.Complete, "%v", res.Problems)
	assert.Equal(t, m.looked, maxTries+1)
	assert.Equal(t, res.Held[0].Mode, "stop")
}

// TestAWriterThatCannotBeFrozenAtOnceIsNotStopped: a program that waits for its disk is frozen a little later. One that never is, is stopped.
func TestAWriterThatCannotBeFrozenAtOnceIsNotStopped(t *testing.T) {
	for name, c := range map[string]struct {
		fails, tries int
		mode         string
	}{
		"a few times": {3, 4, "pause"},
		"always":      {1000, maxBusy + 2, "stop"},
	} {
		t.Run(name, func(t *testing.T) {
			b, failed := newBed(t), 0
			b.engine.Before(func(call enginetest.Call) error {
				if call.Name != "Pause" || failed == c.fails {
					return nil
				}
				failed++
				return errors.New("Cannot pause container x: OCI runtime pause failed: unable to freeze: unknown")
			})
			res, _, err := b.moodyRun(t, quiesce.Auto, 0)
			assert.NilError(t, err)
			assert.Assert(t, res.Complete, "%v", res.Problems)
			assert.Equal(t, res.Held[0].Mode, c.mode)
			assert.Equal(t, res.Tries, c.tries)
		})
	}
}

func TestWhatMakesNoSenseWhenItsWriterIsStoppedIsTold(t *testing.T) {
	b := newBed(t)
	res, _, err := b.moodyRun(t, quiesce.Stop, 1)
	assert.NilError(t, err)
	assert.Assert(t, res.Complete)
	assert.Assert(t, strings.Contains(strings.Join(res.Warnings, " "), "half.json is copied as it is"), "%v", res.Warnings)
}

func TestAWriterThatIsNotToBeStoppedMakesTheBackupIncomplete(t *testing.T) {
	b := newBed(t)
	res, m, err := b.moodyRun(t, quiesce.Pause, maxTries+1)
	assert.NilError(t, err)
	assert.Assert(t, !res.Complete)
	assert.Equal(t, res.Problems[0].Kind, problemRestless)
	assert.Equal(t, m.looked, maxTries)
}

// TestARealHalfFileIsSeen: the look of this process, over the line that a helper answers on too.
func TestARealHalfFileIsSeen(t *testing.T) {
	b := newBed(t)
	path := filepath.Join(b.data, "half.json")
	assert.NilError(t, os.WriteFile(path, []byte(`{"a": `), 0o600))
	line, err := json.Marshal(RestlessRequest{Places: []Place{{Name: "data", Path: b.data}, {Name: "gone", Path: b.data + "x"}}, Now: time.Now()})
	assert.NilError(t, err)
	var req RestlessRequest
	assert.NilError(t, json.Unmarshal(line, &req))
	found, err := Local{}.Restless(t.Context(), req)
	assert.NilError(t, err)
	assert.Equal(t, len(found), 1)
	assert.Equal(t, found[0].Path, "half.json")
}
