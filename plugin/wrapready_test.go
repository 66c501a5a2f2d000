package plugin

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/engine/enginetest"
)

// risingApp is the container of the test project's service, that was just started.
func risingApp(change func(*engine.Container)) engine.Container {
	c := engine.Container{ID: "app", Name: "notes-app-1", Project: "notes", Service: "app", Number: "1", State: engine.Running, Started: time.Now(), Policy: "no"}
	if change != nil {
		change(&c)
	}
	return c
}

// upAfter is a docker compose up that has brought up what the fake has, and is then waited for.
func upAfter(t *testing.T, args ...string) (*guarded, *enginetest.Engine) {
	t.Helper()
	s, fake := openTestSession(t)
	own := wrapFlags(&wrapOptions{})
	opts := wrapOptions{backup: backupNever}
	readyFlags(own, &opts.ready)
	c, err := parseComposeCommand("up", append([]string{"-d", "--stable", "0s"}, args...), own)
	assert.NilError(t, err)
	s.Config.Health.Timeout, s.Info.Local = 5*time.Second, true
	ctx, err := s.begin(t.Context(), "up", lockOptions{}, nil)
	assert.NilError(t, err)
	t.Cleanup(func() { assert.NilError(t, s.end(ctx, nil)) })
	return &guarded{session: s, command: c, opts: opts}, fake
}

// ends asserts how a command ends: its exit code, and a text in what it says.
func ends(t *testing.T, w *guarded, code int, text string) {
	t.Helper()
	err := w.readiness(t.Context(), nil)
	said := ""
	if err != nil {
		said = err.Error()
	} else if w.risen != nil {
		said = w.risen.text()
	}
	assert.Equal(t, judge(err, false, false).Code, code, said)
	assert.Assert(t, strings.Contains(said, text), "%q is not in: %s", text, said)
}

func TestAnUpEndsAsItsServicesDo(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*engine.Container)
		args   []string
		code   int
		text   string
	}{
		"one that runs":        {nil, nil, exitDone, "1 container runs"},
		"a one-shot":           {func(c *engine.Container) { c.State = engine.Exited }, nil, exitDone, "1 container has ended well"},
		"one that fails":       {func(c *engine.Container) { c.State, c.ExitCode = engine.Exited, 3 }, nil, exitFailed, "not ready: notes-app-1 ended with exit code 3"},
		"a crash loop":         {func(c *engine.Container) { c.State, c.ExitCode, c.Restarts = engine.Restarting, 1, 7 }, nil, exitFailed, "notes-app-1 restarted 7 times, the last time after exit code 1"},
		"one that is ill":      {func(c *engine.Container) { c.Health = "unhealthy" }, []string{"--ready-timeout", "30ms"}, exitFailed, "notes-app-1 its healthcheck fails"},
		"nobody waits":         {func(c *engine.Container) { c.State, c.ExitCode = engine.Exited, 3 }, []string{"--no-ready"}, exitDone, ""},
		"nothing is started":   {func(c *engine.Container) { c.State, c.ExitCode = engine.Exited, 3 }, []string{"--no-start"}, exitDone, ""},
		"another is asked for": {func(c *engine.Container) { c.State, c.ExitCode = engine.Exited, 3 }, []string{"other"}, exitDone, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w, fake := upAfter(t, c.args...)
			fake.Add(risingApp(c.change))
			ends(t, w, c.code, c.text)
		})
	}
}

func TestASlowStarterIsWaitedFor(t *testing.T) {
	w, fake := upAfter(t)
	fake.Add(risingApp(func(c *engine.Container) { c.Health = "starting" }))
	looks := 0
	fake.Before(func(call enginetest.Call) error {
		if call.Name == "Containers" {
			if looks++; looks == 3 {
				fake.Add(risingApp(func(c *engine.Container) { c.Health = "healthy" }))
			}
		}
		return nil
	})
	ends(t, w, exitDone, "1 container runs")
	assert.Assert(t, looks >= 3)
}

// TestAServerThatDoesNotAnswerIsNotReady: and one that answers late is.
func TestAServerThatDoesNotAnswerIsNotReady(t *testing.T) {
	dead := httptest.NewServer(http.NotFoundHandler())
	dead.Close()
	var asked atomic.Int64
	late := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) < 2 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(late.Close)
	for _, c := range []struct {
		url, timeout string
		code         int
		text         string
	}{
		{dead.URL + "/health", "30ms", exitFailed, "not ready: " + dead.URL + "/health does not answer: connect: connection refused (health.url of a test)"},
		{late.URL, "30s", exitDone, "1 container runs"},
	} {
		w, fake := upAfter(t, "--ready-timeout", c.timeout)
		w.Config.Health.URL, w.Config.Origins["health.url"] = c.url, "a test"
		fake.Add(risingApp(nil))
		ends(t, w, c.code, c.text)
	}
	assert.Equal(t, asked.Load(), int64(2))
}

// TestTheDataIsLookedAtWhereItHasChanged: after it was found to be in order, and not again.
func TestTheDataIsLookedAtWhereItHasChanged(t *testing.T) {
	w, fake := upAfter(t)
	fake.Add(risingApp(nil))
	file := filepath.Join(w.WorkingDir, "data", "memories.json")
	write := func(text string) { assert.NilError(t, os.WriteFile(file, []byte(text), 0o600)) }
	write(`[{"id": "1", "content": "a"}]`)
	ends(t, w, exitDone, "1 source validated (quick)")
	ends(t, w, exitDone, "the data is as it was when it was last validated")
	w.Config.Validate = "full"
	ends(t, w, exitDone, "1 source validated (full)")
	w.Config.Validate = "quick"
	ends(t, w, exitDone, "the data is as it was when it was last validated")
	write(`[{"id": "1", "con`)
	ends(t, w, exitDamaged, "the services run, but damage was found in 1 place")
	ends(t, w, exitDamaged, "the services run, but damage was found in 1 place")
	w.Config.Validate = proofNone
	ends(t, w, exitDone, "1 container runs")
}

// TestOfAProjectWithoutDataNothingIsSaid: nothing was validated, now or before.
func TestOfAProjectWithoutDataNothingIsSaid(t *testing.T) {
	w, fake := upAfter(t)
	fake.Add(risingApp(nil))
	w.Sources = nil
	assert.NilError(t, os.WriteFile(filepath.Join(w.WorkingDir, "compose.yaml"), []byte("name: notes\nservices: {app: {image: app}}\n"), 0o600))
	p, err := w.app.readProject(t.Context(), compose.Overrides{})
	assert.NilError(t, err)
	w.project = p
	assert.NilError(t, w.readiness(t.Context(), nil))
	assert.Equal(t, w.risen.text(), "1 container runs")
}

// TestAWaitThatIsInterruptedLeavesTheServicesAsTheyAre: its exit code says that it was.
func TestAWaitThatIsInterruptedLeavesTheServicesAsTheyAre(t *testing.T) {
	w, fake := upAfter(t)
	fake.Add(risingApp(func(c *engine.Container) { c.Health = "starting" }))
	ctx, cancel := context.WithCancelCause(t.Context())
	fake.Before(func(call enginetest.Call) error {
		if call.Name == "Containers" {
			cancel(errInterrupted)
		}
		return nil
	})
	err := w.readiness(ctx, nil)
	assert.Equal(t, judge(err, true, false).Code, exitInterrupted)
	assert.ErrorContains(t, err, "interrupted while the services were waited for")
	assert.Equal(t, fake.State("app"), engine.Running)
}

// TestWhatComposeFailedAtIsNotWaitedFor: its exit code stays.
func TestWhatComposeFailedAtIsNotWaitedFor(t *testing.T) {
	w, fake := upAfter(t)
	failed := errors.New("compose failed")
	assert.Equal(t, w.after(t.Context(), failed), failed)
	for _, call := range fake.Calls() {
		assert.Assert(t, call.Name != "Start")
	}
}

// TestBesideAnAttachedUpWhatIsWrongIsSaidAtOnce: where Compose draws on no terminal; and how the command ends.
func TestBesideAnAttachedUpWhatIsWrongIsSaidAtOnce(t *testing.T) {
	composed := errors.New("compose failed")
	for name, c := range map[string]struct {
		change    func(*engine.Container)
		terminal  bool
		composed  error
		atOnce    string // said while Compose runs
		code      int
		afterward string
	}{
		"all is well":               {nil, false, nil, "", exitDone, "ready: 1 container ran"},
		"all was well":              {nil, false, composed, "", exitFailed, ""},
		"a crash loop":              {crashing, false, nil, "failed: up: not ready: notes-app-1 restarted 7 times", exitFailed, ""},
		"a crash loop, interrupted": {crashing, false, composed, "failed: up: not ready: notes-app-1 restarted 7 times", exitFailed, ""},
		"on a terminal":             {crashing, true, composed, "", exitFailed, "notes-app-1 restarted 7 times"},
	} {
		t.Run(name, func(t *testing.T) {
			w, fake := upAfter(t)
			var out bytes.Buffer
			w.app.err, w.app.world.Err.Terminal, w.app.flags.progress = &out, c.terminal, "plain"
			fake.Add(risingApp(c.change))
			b := &besider{w: w, p: w.newProving(true), done: make(chan struct{})}
			assert.NilError(t, w.end(t.Context(), nil))
			b.watch(t.Context())
			<-b.done
			assert.Assert(t, strings.HasPrefix(out.String(), c.atOnce), out.String())
			assert.Equal(t, out.Len() > 0, c.atOnce != "", out.String())
			assert.NilError(t, w.app.openDisplay())
			out.Reset()
			err := b.conclude(t.Context(), c.composed)
			w.app.closeDisplay()
			if c.composed != nil {
				assert.Equal(t, err, c.composed)
			}
			assert.Equal(t, judge(err, false, false).Code, c.code)
			assert.Assert(t, strings.Contains(out.String(), c.afterward), out.String())
			assert.Equal(t, out.Len() > 0, c.afterward != "", out.String())
			_, err = w.begin(t.Context(), "up", lockOptions{}, nil) // the lock is free
			assert.NilError(t, err)
		})
	}
}

func crashing(c *engine.Container) { c.State, c.ExitCode, c.Restarts = engine.Restarting, 1, 7 }

// TestBesideAnAttachedUpServicesThatHaveEndedAreLookedAtOnceMore: Compose ends with the last of them, before anybody else has seen it.
func TestBesideAnAttachedUpServicesThatHaveEndedAreLookedAtOnceMore(t *testing.T) {
	for _, code := range []int{0, 3} {
		w, fake := upAfter(t)
		b := &besider{w: w, p: w.newProving(true), done: make(chan struct{})}
		ctx, stop := context.WithCancel(t.Context())
		stop()
		b.watch(ctx)
		fake.Add(risingApp(func(c *engine.Container) { c.State, c.ExitCode, c.Ended = engine.Exited, code, time.Now() }))
		b.lookOnce(t.Context())
		assert.Equal(t, b.err != nil, code != 0)
		assert.Equal(t, b.risen != nil, code == 0)
	}
}

// TestDamageThatTheBackupFindsStopsNoUp: nothing is deleted, and the verdict tells it.
func TestDamageThatTheBackupFindsStopsNoUp(t *testing.T) {
	w, fake := upAfter(t)
	w.opts.backup = backupAuto
	fake.Add(risingApp(nil))
	file := filepath.Join(w.WorkingDir, "data", "memories.json")
	assert.NilError(t, os.WriteFile(file, []byte(`[{"id": "1", "con`), 0o600))
	assert.NilError(t, w.backUp(t.Context()))
	assert.Assert(t, strings.Contains(strings.Join(w.Warnings, "\n"), "holds damaged data"), "%v", w.Warnings)
	ends(t, w, exitDamaged, "the services run, but damage was found in 1 place")
	assert.NilError(t, os.WriteFile(file, []byte(`[{"id": "1", "content": "a"}]`), 0o600))
	assert.NilError(t, w.backUp(t.Context()))
	ends(t, w, exitDone, "the data is as in memory_backup_")
}

// TestWhatWasFoundToBeAsInTheLastBackupIsNotComparedAgain: until a file, a setting or the backup is another.
func TestWhatWasFoundToBeAsInTheLastBackupIsNotComparedAgain(t *testing.T) {
	w, _ := upAfter(t)
	w.opts.backup = backupAuto
	file := filepath.Join(w.WorkingDir, "data", "memories.json")
	assert.NilError(t, os.WriteFile(file, []byte(`[{"id": "1", "content": "a"}]`), 0o600))
	known := func() string {
		print, err := w.printAll(t.Context())
		assert.NilError(t, err)
		if b := w.sameAs(t.Context(), print); b != nil {
			return b.Name
		}
		return ""
	}
	needs := func(text string) {
		t.Helper()
		why, err := w.needsBackup(t.Context())
		assert.NilError(t, err)
		assert.Assert(t, (text == "") == (why == "") && strings.Contains(why, text), "%q", why)
	}
	needs("there is no good backup yet")
	assert.NilError(t, w.backUp(t.Context()))
	assert.Equal(t, known(), "")
	needs("")
	first := known()
	assert.Assert(t, first != "")
	needs("")
	assert.Equal(t, w.proven, first)
	w.Config.Exclude = []string{"*.tmp"}
	assert.Equal(t, known(), "")
	w.Config.Exclude = nil
	assert.Equal(t, known(), first)
	assert.NilError(t, os.WriteFile(file, []byte(`[{"id": "1", "content": "b"}]`), 0o600))
	assert.Equal(t, known(), "")
	needs("memories.json")
	assert.NilError(t, w.backUp(t.Context()))
	needs("")
	second := known()
	assert.Assert(t, second != "" && second != first)
	assert.NilError(t, os.Remove(filepath.Join(w.Store.Path, second)))
	assert.Equal(t, known(), "")
}
