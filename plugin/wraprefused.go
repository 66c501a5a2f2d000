package plugin

import (
	"errors"
	"fmt"
	"slices"
	"syscall"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/backup"
	"github.com/memsys/docker-memsys/internal/journal"
)

// notBegun is why the command did not begin. What other commands call --wait is a flag of docker compose's here.
func (w *guarded) notBegun(err error) error {
	if !errors.Is(err, journal.ErrLocked) {
		return err
	}
	return &outcome{
		code: exitLocked, message: fmt.Sprintf("%v; docker compose %s was not run", err, w.command.verb), err: err,
		hint: "run it again when the other has ended, or wait for it with " + w.flag("lock-wait", "10m"),
	}
}

// refuseUnknown refuses, as docker compose would once its services were stopped, a service that the project does not have.
func (w *guarded) refuseUnknown() error {
	if w.command.strange || w.byName() {
		return nil
	}
	for _, word := range w.command.words {
		if !slices.ContainsFunc(w.Project.Services(), func(s compose.Service) bool { return s.Name == word }) {
			return &outcome{
				code: exitFailed, message: fmt.Sprintf("no such service: %s; docker compose %s was not run, nothing was changed", word, w.command.verb),
				hint: "docker compose config --services",
			}
		}
	}
	return nil
}

// notBackedUp is why the backup before the command was not made. These commands have no flag --backups.
func (w *guarded) notBackedUp(err error) error {
	if errors.As(err, new(*outcome)) {
		return err
	}
	err = fmt.Errorf("back up before docker compose %s, which was not run: %w", w.command.verb, err)
	hint := ""
	switch {
	case errors.As(err, new(*backup.NoSpaceError)), errors.Is(err, syscall.ENOSPC):
		hint = "free some room, or write elsewhere with MEMSYS_BACKUPS=DIR"
	case errors.Is(err, syscall.EROFS):
		hint = "write elsewhere with MEMSYS_BACKUPS=DIR"
	}
	if hint == "" {
		return err
	}
	return &outcome{code: exitFailed, message: err.Error(), hint: hint + "; without a backup: " + w.flag("backup", backupNever), err: err}
}
