package plugin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/memsys/docker-memsys/internal/journal"
	"github.com/memsys/docker-memsys/internal/tree"
)

const (
	// scratchPrefix is how the folders begin in which private copies lie, in the system's folder for such files.
	scratchPrefix = "docker-memsys-validate-"
	// scratchHolder is the file in one that says whose it is.
	scratchHolder = "holder.json"
	// strayTime is after how long a folder that says nothing is one that its run did not come to mark.
	strayTime = time.Hour
)

// makeScratch makes a folder for private copies, that nobody else may look into. The caller removes it; where it is killed, the
// next one that makes such a folder does, whatever its command.
func (a *app) makeScratch() (string, error) {
	a.sweepScratch()
	dir, err := os.MkdirTemp("", scratchPrefix)
	if err != nil {
		return "", scratchError(err)
	}
	holder, err := json.Marshal(journal.Self("docker memsys validate", a.world.Now()))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, scratchHolder), holder, 0o600)
	}
	if err != nil {
		return "", errors.Join(scratchError(err), os.RemoveAll(dir))
	}
	return dir, nil
}

// scratchError says which folder it is that cannot be written, and how to name another.
func scratchError(err error) error {
	return &outcome{
		code: exitFailed, message: fmt.Sprintf("no private copy can be made in the folder for temporary files, %s: %v; nothing was changed", os.TempDir(), err),
		hint: "free some room there, or name another folder in the variable TMPDIR", err: err,
	}
}

// removeScratch removes a folder for private copies.
func removeScratch(dir string) error {
	if err := tree.RemoveAll(context.Background(), dir); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove private copies: %w", err)
	}
	return nil
}

// sweepScratch removes the folders of this user's runs that were killed.
func (a *app) sweepScratch() {
	found, err := filepath.Glob(filepath.Join(os.TempDir(), scratchPrefix+"*"))
	if err != nil {
		return
	}
	for _, dir := range found {
		if a.abandoned(dir) {
			_ = removeScratch(dir) // the next run tries again
		}
	}
}

// abandoned tells whether a folder for private copies is this user's, and nobody's at work.
func (a *app) abandoned(dir string) bool {
	e, err := tree.Lstat(dir)
	if err != nil || e.Kind != tree.Dir || a.world.UID >= 0 && e.UID != a.world.UID || !strings.HasPrefix(filepath.Base(dir), scratchPrefix) {
		return false
	}
	text, err := os.ReadFile(filepath.Join(dir, scratchHolder))
	var holder journal.Holder
	if err != nil || json.Unmarshal(text, &holder) != nil {
		return a.world.Now().Sub(e.ModTime) > strayTime
	}
	return !holder.AtWork(a.world.Now(), 24*strayTime)
}
