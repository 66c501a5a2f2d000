package restore

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/journal"
	"github.com/memsys/docker-memsys/internal/progress"
	"github.com/memsys/docker-memsys/internal/tree"
)

// between leaves a source as a restore leaves it that dies between two moves, and returns the steps on record.
func between(t *testing.T, root string) []journal.Step {
	t.Helper()
	staging, err := tree.StagingPath(root, "dead")
	assert.NilError(t, err)
	e, err := tree.Lstat(root)
	assert.NilError(t, err)
	write(t, root, "kept", "k")
	write(t, staging, "old/a", "former", "new/z", "restored")
	swap := &tree.Swap{
		Root: tree.RawPath(root), Inode: e.Inode, Staging: tree.RawPath(staging),
		Moves: []tree.Move{{Path: "a", Old: true}, {Path: "z", New: true}},
	}
	assert.NilError(t, saveSwap(swap, note{}))
	raw, err := json.Marshal(trimmed(swap))
	assert.NilError(t, err)
	return []journal.Step{{Name: stepStage, Data: raw}, {Name: stepSwap, Data: raw}}
}

// TestARecoveryWaitsForADiskThatIsNotMounted: else its data stays between two states and nothing is on record any more.
func TestARecoveryWaitsForADiskThatIsNotMounted(t *testing.T) {
	for name, commit := range map[string][]journal.Step{"reverted": nil, "committed": {{Name: stepCommit, Data: json.RawMessage("{}")}}} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t)
			root := b.source("data")
			assert.NilError(t, os.MkdirAll(root, 0o755))
			rec, err := PlanRecovery(append(between(t, root), commit...))
			assert.NilError(t, err)
			r := &Runner{Progress: progress.Discard}
			assert.NilError(t, os.Rename(root, root+".disk"))
			assert.ErrorContains(t, r.Recover(t.Context(), rec), "not mounted")
			assert.NilError(t, os.Mkdir(root, 0o755))
			assert.ErrorContains(t, r.Recover(t.Context(), rec), "not mounted")
			assert.NilError(t, os.Remove(root))
			assert.NilError(t, os.Rename(root+".disk", root))
			for range 2 { // it can be repeated
				assert.NilError(t, r.Recover(t.Context(), rec))
			}
			gone(t, root, filepath.Base(string(rec.undo.swaps[0].Staging)))
			if len(commit) > 0 {
				assert.Equal(t, read(t, root, "z"), "restored")
				gone(t, root, "a")
			} else {
				assert.Equal(t, read(t, root, "a"), "former")
				gone(t, root, "z")
			}
		})
	}
}
