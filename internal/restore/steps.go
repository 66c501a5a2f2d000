package restore

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/memsys/docker-memsys/internal/durable"
	"github.com/memsys/docker-memsys/internal/tree"
)

// The steps of a restore in the journal, each on record before it is taken.
const (
	stepVolume = "restore.volume" // name of a volume that is made
	stepRoot   = "restore.root"   // paths that are made, the outermost first
	stepStage  = "restore.stage"  // a swap of nothing: root and staging folder
	stepSwap   = "restore.swap"   // a swap without its moves, which stand in the staging folder
	stepTake   = "restore.take"   // a take: entries set aside earlier become the new content
	stepRecord = "restore.record" // id of the record that is kept for an undo
	stepCommit = "restore.commit" // committed: the new state counts
	stepRevert = "restore.revert" // the old state counts
	stepDone   = "restore.done"   // nothing is left to do

	stepCleaned = "restore.cleaned" // the data is in order, after the commit or the way back, and services may use it
)

// RecordVolume puts on record that a volume is made for a restore, before it is.
func RecordVolume(j Journal, name string) error { return j.Step(stepVolume, name) }

// RecordDone puts on record that nothing of a restore is left to do, where a caller had to do the last of it.
func RecordDone(j Journal) error { return j.Step(stepDone, nil) }

// IsDone tells whether a step of the journal says that nothing of a restore is left to do.
func IsDone(step string) bool { return step == stepDone }

// committed says at the commit which stagings keep the former entries.
type committed struct {
	Aside []string `json:"aside,omitempty"`
}

// swapFile holds a swap with all its moves, which may be too many for the journal.
const swapFile = tree.SwapFile

// noted is a swap as it stands in its staging folder, with what is to be known of it should the former entries stay there.
type noted struct {
	*tree.Swap
	Note note `json:"note"`
}

// note tells what a folder of entries set aside is about.
type note struct {
	ID     string         `json:"id"` // of the restore
	Source string         `json:"source"`
	Kind   string         `json:"kind"`
	Backup string         `json:"backup"` // that was restored
	Time   time.Time      `json:"time"`
	Why    string         `json:"why,omitempty"`
	Kept   []tree.RawPath `json:"kept,omitempty"` // stayed in place
}

// saveSwap writes the whole swap into its staging folder.
func saveSwap(s *tree.Swap, n note) error {
	data, err := json.Marshal(noted{s, n})
	if err != nil {
		return fmt.Errorf("record the moves: %w", err)
	}
	if err := durable.WriteFile(filepath.Join(string(s.Staging), swapFile), data, 0o600); err != nil {
		return fmt.Errorf("record the moves: %w", err)
	}
	return nil
}

// trimmed is what of a swap stands in the journal: enough to discard the staging once the swap is over.
func trimmed(s *tree.Swap) *tree.Swap {
	out := &tree.Swap{Root: s.Root, Inode: s.Inode, Staging: s.Staging, File: s.File}
	if len(s.Folders) > 0 {
		out.Folders = s.Folders[:1]
	}
	return out
}

// loadSwap returns the whole swap. Where its staging is gone, or was renamed to be removed, the trimmed one has all that is left to do.
func loadSwap(s *tree.Swap) (*tree.Swap, error) {
	data, err := os.ReadFile(filepath.Join(string(s.Staging), swapFile))
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the moves: %w", err)
	}
	whole := new(tree.Swap)
	if err := json.Unmarshal(data, whole); err != nil {
		return nil, fmt.Errorf("read the moves in %s: %w", s.Staging, err)
	}
	if whole.Root != s.Root || whole.Staging != s.Staging {
		return nil, fmt.Errorf("read the moves in %s: they are of %s", s.Staging, whole.Root)
	}
	return whole, nil
}

// undo is what a restore has begun, as the journal tells it.
type undo struct {
	volumes   []string
	roots     [][]string
	swaps     []*tree.Swap // at most one for each staging, the latest known
	takes     []take
	record    string // id of the record that says how the restore is undone
	committed bool
	cleaned   bool
	done      bool
	// interrupted tells that a run died, so that the state of things is not known but looked at.
	interrupted bool
	aside       map[string]bool
}

func (u *undo) swap(s *tree.Swap) {
	for i := range u.swaps {
		if u.swaps[i].Staging == s.Staging {
			u.swaps[i] = s
			return
		}
	}
	u.swaps = append(u.swaps, s)
}
