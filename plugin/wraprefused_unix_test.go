//go:build !windows

package plugin

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/backup"
)

// What hinders the backup is said with what there is to do here: these commands have no --backups, and --wait is docker compose's.
func TestWhatHindersABackupIsSaidInTheWordsOfTheCommand(t *testing.T) {
	b := newColdBed(t)
	s, err := b.app.openSession(t.Context(), compose.Overrides{})
	assert.NilError(t, err)
	w := &guarded{session: s, command: &composeCommand{verb: "down"}}
	for want, err := range map[string]error{
		"write elsewhere with MEMSYS_BACKUPS=DIR; without a backup: --backup never":                    syscall.EROFS,
		"free some room, or write elsewhere with MEMSYS_BACKUPS=DIR; without a backup: --backup never": &backup.NoSpaceError{},
		"run it as a user who may, such as root: sudo docker memsys …":                                 os.ErrPermission,
	} {
		v := judge(w.notBackedUp(err), false, false)
		assert.Equal(t, v.Code, exitFailed)
		assert.Equal(t, v.Hint, want)
		assert.Assert(t, strings.HasPrefix(v.Message, "back up before docker compose down, which was not run: "), v.Message)
	}
	locked, err := s.begin(t.Context(), "backup", lockOptions{}, nil)
	assert.NilError(t, err)
	for _, line := range []string{"down -v", "up", "pull"} {
		c, opts := b.command(line)
		v := judge(b.app.wrap(t.Context(), c, opts), false, false)
		assert.Equal(t, v.Code, exitLocked)
		assert.Equal(t, v.Hint, "run it again when the other has ended, or wait for it with --lock-wait 10m")
	}
	assert.NilError(t, s.end(locked, nil))
}
