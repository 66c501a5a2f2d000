package plugin

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docker/cli/cli-plugins/hooks"
	"gotest.tools/v3/assert"
)

// TestHintsSayWhatMayBeDoneNext, before there is a backup, beside a young one, and beside an old one.
func TestHintsSayWhatMayBeDoneNext(t *testing.T) {
	s, _ := openTestSession(t)
	a := s.app
	assert.NilError(t, os.WriteFile(filepath.Join(s.WorkingDir, "data", "memory.json"), []byte("{}"), 0o600))
	flags := func(names ...string) map[string]string {
		set := map[string]string{}
		for _, name := range names {
			set[name] = ""
		}
		return set
	}
	says := func(asked hooks.Request, want string) {
		t.Helper()
		assert.Equal(t, a.hint(t.Context(), asked), want)
	}
	const none = "There is no good backup of this project's data yet: docker memsys backup"
	for _, verb := range []string{"up", "pull", "down"} {
		says(hooks.Request{RootCmd: "compose " + verb}, none)
	}

	s.Info.Local = true
	ctx, err := s.begin(t.Context(), "backup", lockOptions{}, nil)
	assert.NilError(t, err)
	assert.NilError(t, s.Store.Ensure())
	_, err = s.makeBackup(ctx, backupWish{reason: "manual"})
	assert.NilError(t, err)
	assert.NilError(t, s.end(ctx, nil))

	now := time.Now()
	a.world.Now = func() time.Time { return now.Add(2 * time.Hour) }
	says(hooks.Request{RootCmd: "compose up", Flags: flags("d")}, "")
	says(hooks.Request{RootCmd: "compose down"}, "")
	says(hooks.Request{RootCmd: "compose pull"}, "Before the new images run, docker memsys up -d backs the data up (the last good backup is 2 hours old)")
	says(hooks.Request{RootCmd: "compose down", Flags: flags("volumes")}, "What the volumes had is in the last good backup, 2 hours old: docker memsys restore")
	says(hooks.Request{RootCmd: "compose up", CommandError: "exited with code 1"}, "If the data is in doubt: docker memsys validate (the last good backup is 2 hours old)")
	says(hooks.Request{RootCmd: "compose pull", CommandError: "exited with code 1"}, "")
	a.world.Now = func() time.Time { return now.Add(73 * time.Hour) }
	says(hooks.Request{RootCmd: "compose up"}, "The last good backup is 3 days old: docker memsys backup")

	for _, flag := range []string{"f", "file", "p", "project-name", "project-directory", "env-file", "profile", "dry-run", "help"} {
		says(hooks.Request{RootCmd: "compose up", Flags: flags(flag)}, "")
	}
	for _, other := range []string{"compose", "compose build", "pull", ""} {
		says(hooks.Request{RootCmd: other}, "")
	}
}

// TestAHintIsOneAnswerOrNone: what takes too long, or means nothing, is left unsaid, and is no error.
func TestAHintIsOneAnswerOrNone(t *testing.T) {
	s, _ := openTestSession(t)
	for _, c := range []struct {
		request string
		limit   time.Duration
		answer  string
	}{
		{`{"RootCmd":"compose up"}`, time.Minute, `{"Type":0,"Template":"There is no good backup of this project's data yet: docker memsys backup"}` + "\n"},
		{`{"RootCmd":"compose up"}`, 0, ""},
		{`{"RootCmd":"compose build"}`, time.Minute, ""},
		{`{"RootCmd":`, time.Minute, ""},
	} {
		var out bytes.Buffer
		s.app.out.to = &out
		assert.NilError(t, s.app.printHint(c.request, c.limit))
		assert.Equal(t, out.String(), c.answer, "%s within %s", c.request, c.limit)
		assert.Assert(t, !strings.Contains(out.String(), "{{"))
	}
}
