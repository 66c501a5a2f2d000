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

// Unfinished are the temporary files that an interrupted backup left, those that Recover removes.
func Unfinished(steps []journal.Step) (paths []string, err error) {
	for _, s := range steps {
		if s.Name != StepTemporary {
			continue
		}
		path, err := unfinished(s)
		if err != nil {
			return nil, err
		}
		if _, err := os.Lstat(path); err == nil {
			paths = append(paths, path)
		}
	}
	return paths, nil
}

// unfinished is the path that a step of the journal names.
func unfinished(s journal.Step) (string, error) {
	var path string
	if err := json.Unmarshal(s.Data, &path); err != nil {
		return "", fmt.Errorf("read step %s of the journal: %w", s.Name, err)
	}
	if !store.IsTemporary(filepath.Base(path)) {
		return "", fmt.Errorf("the journal names %s as an unfinished archive, which it is not", path)
	}
	return path, nil
}

// Recover removes what an interrupted backup left behind: its temporary file, and what was being written beside the archive.
// An archive that has its name already is whole and stays. It returns the temporary files that it removed.
func Recover(steps []journal.Step) (removed []string, err error) {
	for _, s := range steps {
		if s.Name != StepTemporary && s.Name != StepPublish {
			continue
		}
		path, err := unfinished(s)
		if err != nil {
			return removed, err
		}
		if err := os.RemoveAll(store.Scratch(path)); err != nil {
			return removed, fmt.Errorf("remove private copies: %w", err)
		}
		if s.Name == StepPublish {
			if err := store.RemoveHalfWritten(path); err != nil {
				return removed, fmt.Errorf("remove what was being written beside the archive: %w", err)
			}
			continue
		}
		err = os.Remove(path)
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
