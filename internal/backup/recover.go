package backup

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/memsys/docker-memsys/internal/journal"
	"github.com/memsys/docker-memsys/internal/store"
)

// Recover removes what an interrupted backup left behind: its temporary file, and what was being written beside the archive.
// An archive that has its name already is whole and stays. It returns the temporary files that it removed.
func Recover(steps []journal.Step) (removed []string, err error) {
	for _, s := range steps {
		if s.Name != StepTemporary && s.Name != StepPublish {
			continue
		}
		var path string
		if err := json.Unmarshal(s.Data, &path); err != nil {
			return removed, fmt.Errorf("read step %s of the journal: %w", s.Name, err)
		}
		if !store.IsTemporary(filepath.Base(path)) {
			return removed, fmt.Errorf("the journal names %s as an unfinished archive, which it is not", path)
		}
		if s.Name == StepPublish {
			if err := store.RemoveHalfWritten(path); err != nil {
				return removed, fmt.Errorf("remove what was being written beside the archive: %w", err)
			}
			continue
		}
		err := os.Remove(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return removed, fmt.Errorf("remove unfinished archive: %w", err)
		}
		removed = append(removed, path)
	}
	return removed, nil
}
