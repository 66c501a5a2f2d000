package plugin

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/engine"
)

// providing is a project with one memory that docker compose has called us for, and what it would read of us.
func providing(t *testing.T, call *composeCall) (*session, *bytes.Buffer) {
	t.Helper()
	s, _ := openTestSession(t)
	assert.NilError(t, os.WriteFile(filepath.Join(s.WorkingDir, "data", "memory.json"), []byte("{}"), 0o600))
	a, messages := s.app, &bytes.Buffer{}
	a.world.Out.Writer = messages
	a.becomeProvider(call)
	assert.NilError(t, a.openDisplay())
	s.Info.Local = true
	return s, messages
}

// messagesOf are the messages of a run that has ended. Anything else on standard output would fail Compose's command.
func messagesOf(t *testing.T, out *bytes.Buffer) (kinds, texts string) {
	t.Helper()
	for decoder := json.NewDecoder(out); decoder.More(); {
		var m struct{ Type, Message string }
		assert.NilError(t, decoder.Decode(&m))
		kinds += m.Type + " "
		texts += m.Message + "\n"
	}
	return kinds, texts
}

func archivesOf(t *testing.T, dir string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "backups", "memory_backup_*.tar.gz"))
	assert.NilError(t, err)
	return found
}

func TestAProviderBacksUpBeforeComposeGoesOn(t *testing.T) {
	s, out := providing(t, parseComposeCall(strings.Fields("docker-compose compose up -d")))
	assert.Equal(t, s.app.finish(s.guard(t.Context(), "up", wrapOptions{backup: backupAuto})), exitDone)
	kinds, texts := messagesOf(t, out)
	assert.Assert(t, !strings.Contains(kinds, "error"), texts)
	assert.Assert(t, strings.Contains(texts, "backup: there is no good backup yet"), texts)
	assert.Assert(t, !strings.Contains(texts, "dry run"), texts)
	assert.Equal(t, len(archivesOf(t, s.WorkingDir)), 1)
}

func TestAProviderThatFailsSaysWhyAtLast(t *testing.T) {
	s, out := providing(t, &composeCall{})
	assert.NilError(t, os.WriteFile(filepath.Join(s.WorkingDir, "backups"), nil, 0o600))
	assert.Equal(t, s.app.finish(s.guard(t.Context(), "down", wrapOptions{backup: backupAuto})), exitFailed)
	kinds, texts := messagesOf(t, out)
	assert.Equal(t, strings.Count(kinds, "error"), 1)
	assert.Assert(t, strings.HasSuffix(kinds, "error "), "%s\n%s", kinds, texts)
	assert.Assert(t, strings.Contains(texts, "backups"), texts)
}

// TestAProviderKeepsVolumesThatItCannotReach from being deleted: what nobody can read, nobody has a copy of.
func TestAProviderKeepsVolumesThatItCannotReach(t *testing.T) {
	for line, refused := range map[string]bool{"down -v": true, "down": false, "": true} {
		call := &composeCall{}
		if line != "" {
			call = parseComposeCall(strings.Fields("docker-compose compose " + line))
		}
		s, out := providing(t, call)
		file := "name: notes\nservices:\n  app: {image: app, volumes: [\"store:/store\"]}\nvolumes: {store: {}}\n"
		assert.NilError(t, os.WriteFile(filepath.Join(s.WorkingDir, "compose.yaml"), []byte(file), 0o600))
		p, err := s.app.readProject(t.Context(), compose.Overrides{})
		assert.NilError(t, err)
		s.project, s.Sources, s.Info.Local = p, p.Sources(nil, p.Config), false
		_, err = s.Engine.CreateVolume(t.Context(), engine.Volume{Name: "notes_store", Driver: "local"})
		assert.NilError(t, err)
		err = s.guard(t.Context(), "down", wrapOptions{backup: backupAuto})
		s.app.closeDisplay()
		_, texts := messagesOf(t, out)
		assert.Equal(t, err != nil, refused, "%s: %v\n%s", line, err, texts)
	}
}

// TestWhatAProviderCouldNotDoBesideItsWorkStopsNobody: the backup is made, though the audit log could not be written.
func TestWhatAProviderCouldNotDoBesideItsWorkStopsNobody(t *testing.T) {
	s, out := providing(t, &composeCall{})
	s.app.missed = errors.New("write audit log: read-only")
	assert.Equal(t, s.app.finish(nil), exitDone)
	kinds, texts := messagesOf(t, out)
	assert.Equal(t, kinds, "info ")
	assert.Equal(t, texts, "warning: write audit log: read-only\n")
}

func TestAProviderOnlyPlansWhereComposeDoesNoMore(t *testing.T) {
	s, out := providing(t, parseComposeCall(strings.Fields("docker-compose compose --dry-run up")))
	assert.NilError(t, s.guard(t.Context(), "up", wrapOptions{backup: backupAuto}))
	s.app.closeDisplay()
	_, texts := messagesOf(t, out)
	assert.Assert(t, strings.Contains(texts, "plan: the data would be backed up"), texts)
	_, err := os.Stat(filepath.Join(s.WorkingDir, "backups"))
	assert.Assert(t, os.IsNotExist(err))
}

func TestAProviderThatCannotSeeADryRunSaysSo(t *testing.T) {
	s, out := providing(t, &composeCall{})
	assert.NilError(t, s.guard(t.Context(), "up", wrapOptions{backup: backupAuto}))
	s.app.closeDisplay()
	_, texts := messagesOf(t, out)
	assert.Assert(t, strings.Contains(texts, "whether this is a dry run cannot be seen here: a backup is harmless"), texts)
	assert.Equal(t, len(archivesOf(t, s.WorkingDir)), 1)
}

// TestAnIncompleteBackupStopsComposeInTheProvidersWords: what to do about it is an option, no flag.
func TestAnIncompleteBackupStopsComposeInTheProvidersWords(t *testing.T) {
	w := &guarded{inside: true}
	assert.Equal(t, w.flag("backup", backupNever), "the option backup: never of the provider")
	assert.Equal(t, w.flag("force", "space", "shared"), "the option force: [space, shared] of the provider")
	w.inside = false
	assert.Equal(t, w.flag("force", "space", "shared"), "--force space --force shared")
	assert.Equal(t, w.flag("backup", backupNever), "--backup never")
}

// TestAServiceThatIsProvidedIsNotWaitedFor: it never has a container.
func TestAServiceThatIsProvidedIsNotWaitedFor(t *testing.T) {
	s, _ := openTestSession(t)
	file := "name: notes\nservices:\n  memsys: {provider: {type: memsys}}\n  app:\n    image: app\n    depends_on: [memsys]\n"
	assert.NilError(t, os.WriteFile(filepath.Join(s.WorkingDir, "compose.yaml"), []byte(file), 0o600))
	p, err := s.app.readProject(t.Context(), compose.Overrides{})
	assert.NilError(t, err)
	s.project = p
	for _, args := range [][]string{nil, {"app", "memsys"}} {
		c, err := parseComposeCommand("up", args, wrapFlags(&wrapOptions{}))
		assert.NilError(t, err)
		expected := (&guarded{session: s, command: c}).expected()
		assert.Equal(t, len(expected), 1)
		assert.Equal(t, expected[0].Name, "app")
	}
}
