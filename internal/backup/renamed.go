package backup

import (
	"fmt"

	"github.com/memsys/docker-memsys/internal/store"
)

// renamed says that the backups here are of a project of another name in the same folder, where this one has none yet: with its
// name a project loses its volumes, and docker compose makes new, empty ones.
func renamed(all []store.Backup, now store.Owner) string {
	var was store.Backup
	for _, b := range all { // newest first
		switch {
		case b.Owner.Name == now.Name:
			return ""
		case was.Name == "" && b.Owner.Name != "" && now.WorkingDir != "" && b.Owner.WorkingDir == now.WorkingDir:
			was = b
		}
	}
	if was.Name == "" {
		return ""
	}
	return fmt.Sprintf("the project was named %s when %s was made, and is now named %s: named volumes of the former name are not its own any more", was.Owner.Name, was.Name, now.Name)
}
