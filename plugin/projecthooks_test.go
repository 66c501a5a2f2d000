//go:build unix

package plugin

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docker/cli/cli-plugins/metadata"
	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/hooks"
	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/journal"
)

// openHookedSession is a session whose project has every hook, each of which writes what it is told into a file, and a docker that
// ends with the number in the file "code".
func openHookedSession(t *testing.T) *session {
	t.Helper()
	s, _ := openTestSession(t)
	file := "name: notes\nservices:\n  app:\n    image: app\n    volumes: [./data:/data]\nx-memsys:\n  hooks:\n"
	for _, point := range compose.ProjectHookPoints() {
		file += "    " + point + ": {command: [./note.sh]}\n"
	}
	write := func(name, text string) {
		assert.NilError(t, os.WriteFile(filepath.Join(s.WorkingDir, name), []byte(text), 0o700))
	}
	write("compose.yaml", file)
	write("note.sh", "#!/bin/sh\ncat >>told\nexit $(cat \"$MEMSYS_EVENT\" 2>/dev/null || echo 0)\n")
	write("docker", "#!/bin/sh\nread -r told 2>/dev/null\nexit $(cat "+s.WorkingDir+"/code 2>/dev/null || echo 0)\n")
	write("data/a.json", "{}")
	t.Setenv(metadata.ReexecEnvvar, filepath.Join(s.WorkingDir, "docker"))
	return s
}

// told are the messages that the hooks got, and forgets them.
func told(t *testing.T, s *session) (all []hooks.Message, events string) {
	t.Helper()
	name := filepath.Join(s.WorkingDir, "told")
	b, err := os.ReadFile(name)
	if os.IsNotExist(err) {
		return nil, ""
	}
	assert.NilError(t, err)
	assert.NilError(t, os.Remove(name))
	for line := range strings.Lines(string(b)) {
		var m hooks.Message
		assert.NilError(t, json.Unmarshal([]byte(line), &m))
		all = append(all, m)
		events += " " + m.Event
	}
	return all, strings.TrimSpace(events)
}

// wrapLine runs docker memsys VERB with these arguments.
func wrapLine(t *testing.T, ctx context.Context, s *session, verb string, args ...string) error {
	t.Helper()
	opts := wrapOptions{backup: backupAuto, ready: readyOptions{none: true}}
	c, err := parseComposeCommand(verb, args, wrapFlags(&opts))
	assert.NilError(t, err)
	return s.app.wrap(ctx, c, opts)
}

func (s *session) fails(t *testing.T, name, code string) {
	t.Helper()
	assert.NilError(t, os.WriteFile(filepath.Join(s.WorkingDir, name), []byte(code), 0o600))
}

func TestTheProjectsHooksAreAroundAWrappedCommand(t *testing.T) {
	s := openHookedSession(t)
	assert.NilError(t, wrapLine(t, t.Context(), s, "up", "-d"))
	all, events := told(t, s)
	assert.Equal(t, events, "before-up after-up")
	assert.DeepEqual(t, all[0], hooks.Message{
		Version: 1, Event: "before-up", Operation: "up", Project: "notes", Directory: s.WorkingDir, Backups: s.Store.Path, Arguments: []string{"-d"},
	})
	assert.DeepEqual(t, all[1].Result, &hooks.Result{Status: "done"})

	s.fails(t, "code", "7")
	err := wrapLine(t, t.Context(), s, "up", "-d")
	assert.Equal(t, verdictOf(err).Code, 7)
	all, events = told(t, s)
	assert.Equal(t, events, "before-up after-up on-failure")
	assert.DeepEqual(t, all[2].Result, &hooks.Result{Status: "failed", ExitCode: 7})
	assert.Assert(t, all[2].Backup == nil)

	err = wrapLine(t, t.Context(), s, "down", "--no-hooks")
	assert.Equal(t, verdictOf(err).Code, 7)
	_, events = told(t, s)
	assert.Equal(t, events, "")
}

// TestAfterTheRunADockerComposeIsGuardedAgain: the mark of the run, with which a provider leaves the work to it, is gone with the lock.
func TestAfterTheRunADockerComposeIsGuardedAgain(t *testing.T) {
	s := openHookedSession(t)
	assert.NilError(t, os.WriteFile(filepath.Join(s.WorkingDir, "note.sh"), []byte("#!/bin/sh\necho $MEMSYS_EVENT ${MEMSYS_RUN%%/*} >>told\n"), 0o700))
	s.fails(t, "code", "7")
	assert.Equal(t, verdictOf(wrapLine(t, t.Context(), s, "up", "-d")).Code, 7)
	marks, err := os.ReadFile(filepath.Join(s.WorkingDir, "told"))
	assert.NilError(t, err)
	assert.Equal(t, string(marks), "before-up notes\nafter-up notes\non-failure\n")
}

func TestAHookThatFailsBeforehandKeepsComposeFromRunning(t *testing.T) {
	s := openHookedSession(t)
	s.fails(t, "before-pull", "3")
	s.fails(t, "code", "99")
	err := wrapLine(t, t.Context(), s, "pull")
	assert.Error(t, err, "hook before-pull: failed: exit code 3; nothing was changed")
	assert.Equal(t, verdictOf(err).Code, exitFailed)
	_, events := told(t, s)
	assert.Equal(t, events, "before-pull after-pull on-failure")
}

func TestAHookThatFailsAfterwardsIsSaidInTheExitCode(t *testing.T) {
	s := openHookedSession(t)
	s.fails(t, "after-down", "3")
	err := wrapLine(t, t.Context(), s, "down", "--backup", "never")
	assert.Error(t, err, "docker compose down has done its work, but hook after-down: failed: exit code 3")
	assert.Equal(t, verdictOf(err).Code, exitIncomplete)
	all, events := told(t, s)
	assert.Equal(t, events, "before-down after-down on-failure")
	assert.Equal(t, all[2].Result.Status, "incomplete")
}

func TestAnAttachedUpEndsWithItsHooks(t *testing.T) {
	s := openHookedSession(t)
	s.fails(t, "code", "130")
	err := wrapLine(t, t.Context(), s, "up", "--backup", "never")
	assert.Equal(t, verdictOf(err).Code, 130)
	all, events := told(t, s)
	assert.Equal(t, events, "before-up after-up", "Ctrl-C is how it ends, not a failure")
	assert.Equal(t, all[1].Result.Status, "interrupted")
	pending, err := s.state.Pending()
	assert.NilError(t, err)
	assert.Assert(t, pending == nil)
}

func TestWhatAKilledUpOwesRunsNext(t *testing.T) {
	s := openHookedSession(t)
	p, err := s.app.loadProject(t.Context(), compose.Overrides{})
	assert.NilError(t, err)
	s.project = p
	w := &guarded{session: s, command: &composeCommand{verb: "up", flags: composeFlags("up")}}
	assert.NilError(t, w.command.flags.Parse([]string{"-d"}))
	ctx, err := s.begin(t.Context(), "up", lockOptions{}, nil)
	assert.NilError(t, err)
	assert.NilError(t, w.hooksBefore(ctx))
	assert.NilError(t, s.journal.Close())
	assert.NilError(t, s.lock.Release(ctx)) // as if it had been killed
	told(t, s)
	pending, err := journal.View(stateOf(t, s), s.identity()).Pending()
	assert.NilError(t, err)
	lines, err := s.owedLines(pending)
	assert.NilError(t, err)
	assert.DeepEqual(t, lines, []string{"run after-up on this machine: ./note.sh (at most 1m0s, on error: fail)"})
	assert.NilError(t, s.recoverAll(t.Context(), recoverOptions{}))
	all, events := told(t, s)
	assert.Equal(t, events, "after-up")
	assert.Equal(t, all[0].Result.Status, "interrupted")
	assert.Equal(t, all[0].Operation, "up")
}

func stateOf(t *testing.T, s *session) string {
	t.Helper()
	dir, err := s.app.stateDir()
	assert.NilError(t, err)
	return dir
}

func TestOnFailureOfABackup(t *testing.T) {
	s := openHookedSession(t)
	s.app.connected = nil
	s.app.world.Engine = func() (connection, error) { // one that does not answer: the files are taken for ours
		endpoint := engine.Endpoint{Host: "unix://" + filepath.Join(s.WorkingDir, "no.sock")}
		c, err := engine.Dial(endpoint)
		return connection{Client: c, Endpoint: endpoint}, err
	}
	opts := backupOptions{reason: "scheduled"}
	assert.NilError(t, s.app.backup(t.Context(), nil, opts))
	all, events := told(t, s)
	assert.Equal(t, events, "before-backup after-backup")
	assert.DeepEqual(t, all[1].Result, &hooks.Result{Status: "done"})
	assert.Assert(t, all[1].Backup.Complete)
	_, err := os.Stat(all[1].Backup.Path)
	assert.NilError(t, err)
	assert.NilError(t, os.Rename(filepath.Join(s.WorkingDir, "data"), filepath.Join(s.WorkingDir, "gone")))
	err = s.app.backup(t.Context(), nil, opts)
	all, events = told(t, s)
	assert.Equal(t, events, "on-failure", "%v", err)
	assert.Equal(t, all[0].Result.ExitCode, verdictOf(err).Code)
	assert.Assert(t, s.app.backup(t.Context(), nil, backupOptions{reason: "scheduled", noHooks: true}) != nil)
	_, events = told(t, s)
	assert.Equal(t, events, "")
	assert.ErrorContains(t, s.app.backup(t.Context(), []string{"nobody"}, opts), "no service")
	_, events = told(t, s)
	assert.Equal(t, events, "", "a flag that is wrong is no failure")
}
