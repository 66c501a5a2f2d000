package plugin

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/memsys/docker-memsys/internal/journal"
	"github.com/memsys/docker-memsys/internal/progress"
	"github.com/memsys/docker-memsys/internal/restore"
)

// What a run of another user, or of another client of the engine, had begun when it was killed stands in a state folder that this run
// does not see. Its lock tells of it: the claim on the engine and the file in the backups directory outlive it, until somebody takes them over.

// heir decides whether the lock of a run that was killed may be taken over. What it may have left between two states must be put in order
// from its own record first; all else is said.
func (s *session) heir(dead journal.Holder) error {
	if s.ownRun(dead) {
		return nil
	}
	data, left := danger(dead)
	switch {
	case !left:
		return nil
	case !data:
		s.app.sink().Report(progress.Event{Step: "lock", Status: progress.Warning, Text: killedText(dead) + ": docker memsys recover, run by that user there, puts in order what it left"})
		return nil
	}
	return &outcome{
		code: exitFailed, message: killedText(dead) + ", data may be between two states, and the record of it is in " + dead.State + "; nothing was changed",
		hint: fmt.Sprintf("docker memsys recover%s as user %s on %s; only where that record is lost for good: docker volume rm $(docker volume ls --quiet --filter label=io.memsys.lock=%s); rm %s",
			folderOf(dead), dead.User, dead.Host, journal.Key(s.Name), filepath.Join(s.Store.Path, journal.BackupsLockName)),
	}
}

// ownRun tells whether the record of a run lies in our own state folder, or is of another project that shares the backups directory.
func (s *session) ownRun(dead journal.Holder) bool {
	if dead.State == "" || dead.Identity != "" && !strings.HasPrefix(dead.Identity, s.Name+" in ") {
		return true
	}
	host, _ := os.Hostname()
	state, err := s.app.stateDir()
	return err == nil && dead.State == state && dead.Host == host && dead.Identity == s.identity()
}

// danger tells whether a killed run left something on record, as far as the record can be read here, and whether data may be between two
// states. Where it cannot be read, the command tells.
func danger(dead journal.Holder) (data, left bool) {
	host, _ := os.Hostname()
	harmless := slices.Contains([]string{"docker memsys backup", "docker memsys verify"}, dead.Command)
	if dead.Host != host {
		return !harmless, true
	}
	pending, err := journal.View(dead.State, dead.Identity).Pending()
	if err != nil {
		return !harmless, true
	}
	if pending == nil {
		return false, false
	}
	rec, err := restore.PlanRecovery(pending.Steps)
	return err != nil || rec != nil, true
}

// folderOf names the folder of a run's project.
func folderOf(dead journal.Holder) string {
	if _, dir, ok := strings.Cut(dead.Identity, " in "); ok {
		return " in " + dir
	}
	return ""
}

func killedText(dead journal.Holder) string {
	return fmt.Sprintf("%q of %s on %s was killed", dead.Command, dead.User, dead.Host)
}

// noticeRemains says, for commands that only read, that a run of another user was killed in its work on the project.
func (a *app) noticeRemains(p *project) {
	dead := journal.Remains(p.Store.Path)
	if dead == nil || (&session{project: p, app: a}).ownRun(*dead) {
		return
	}
	if _, left := danger(*dead); left {
		a.sink().Report(progress.Event{Step: "recover", Status: progress.Warning, Text: killedText(*dead) + ": docker memsys recover, run by that user there, puts in order what it left"})
	}
}
