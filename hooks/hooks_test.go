package hooks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/engine/enginetest"
	"github.com/memsys/docker-memsys/internal/journal"
	"github.com/memsys/docker-memsys/internal/progress"
)

// bed is a project on a fake engine whose programs are functions, with a journal in memory.
type bed struct {
	engine  *enginetest.Engine
	steps   []journal.Step
	full    string // the step that the journal refuses
	ran     []string
	said    []string
	program map[string]func(ctx context.Context, out io.Writer) (int, error)
}

func newBed() *bed {
	b := &bed{program: map[string]func(context.Context, io.Writer) (int, error){}}
	now := time.Date(2026, 11, 23, 6, 0, 0, 0, time.UTC)
	b.engine = enginetest.New(func() time.Time { return now })
	b.engine.SetProgram(func(ctx context.Context, c engine.Container, command []string, out io.Writer) (int, error) {
		b.ran = append(b.ran, c.Name+":"+strings.Join(command, " "))
		if f := b.program[command[0]]; f != nil {
			return f(ctx, out)
		}
		return 0, nil
	})
	return b
}

// Step makes the bed the journal.
func (b *bed) Step(name string, data any) error {
	if name == b.full {
		return journal.ErrFull
	}
	raw, err := json.Marshal(data)
	b.steps = append(b.steps, journal.Step{Name: name, Data: raw})
	return err
}

func (b *bed) add(service, number string, state engine.State) {
	b.engine.Add(engine.Container{Name: service + "-" + number, Project: "notes", Service: service, Number: number, State: state})
}

func (b *bed) runner() *Runner {
	sink := progress.Func(func(e progress.Event) {
		b.said = append(b.said, fmt.Sprintf("%s %s %s %s", e.Status, e.Step, e.Object, e.Text))
	})
	return &Runner{Engine: b.engine, Journal: b, Project: "notes", Clock: func() time.Time { return time.Time{} }, Sink: sink}
}

func hook(service, when, program string) compose.Hook {
	return compose.Hook{Service: service, When: when, Command: []string{program}, Timeout: time.Minute, OnError: "fail"}
}

func (b *bed) owed(t *testing.T) []string {
	t.Helper()
	refs, err := Owed(b.steps)
	assert.NilError(t, err)
	var out []string
	for _, r := range refs {
		out = append(out, r.When+" "+r.Service)
	}
	return out
}

func TestHooksRunInTheirOrderInTheFirstRunningContainer(t *testing.T) {
	b := newBed()
	b.add("app", "2", engine.Running)
	b.add("app", "10", engine.Running)
	b.add("app", "1", engine.Exited)
	b.add("db", "1", engine.Running)
	p := NewPlan(Backup, []compose.Hook{hook("app", "before-backup", "flush"), hook("app", "after-restore", "other"), hook("db", "before-backup", "lock"), hook("db", "after-backup", "unlock")})
	r := b.runner()
	before, err := r.Before(t.Context(), p)
	assert.NilError(t, err)
	assert.DeepEqual(t, b.ran, []string{"app-2:flush", "db-1:lock"})
	assert.DeepEqual(t, b.owed(t), []string{"after-backup db"})
	assert.Equal(t, before[1].Status, Done)
	_, err = r.After(t.Context(), p)
	assert.NilError(t, err)
	assert.Equal(t, b.ran[2], "db-1:unlock")
	assert.Equal(t, len(b.owed(t)), 0)
}

// host is this machine in a test.
type host func(ctx context.Context, command, env []string, stdin []byte) (int, error)

func (h host) Run(ctx context.Context, command, env []string, stdin io.Reader, _ io.Writer) (int, error) {
	text, err := io.ReadAll(stdin)
	if err != nil {
		return 0, err
	}
	return h(ctx, command, env, text)
}

func TestHooksOfTheProjectAreAroundThoseOfServicesAndToldWhatHappens(t *testing.T) {
	b := newBed()
	b.add("app", "1", engine.Running)
	b.engine.SetProgram(nil) // its echo prints what it reads
	project := func(service, when string, command ...string) compose.Hook {
		return compose.Hook{Service: service, When: when, Command: command, Timeout: time.Minute, OnError: "fail", Project: true}
	}
	p := NewPlan(Backup, []compose.Hook{
		project("", "after-backup", "send"), project("app", "before-backup", "/sleeper", "tell", "MEMSYS_EVENT"),
		{Service: "app", When: "before-backup", Command: []string{"/sleeper", "say", "own", "0"}, Timeout: time.Minute},
		{Service: "app", When: "after-backup", Command: []string{"/sleeper", "say", "own", "0"}, Timeout: time.Minute},
		project("app", "on-failure", "/sleeper", "echo"),
	})
	r := b.runner()
	var told []Message
	r.Host = host(func(_ context.Context, command, env []string, stdin []byte) (int, error) {
		var m Message
		assert.NilError(t, json.Unmarshal(stdin, &m))
		told = append(told, m)
		assert.DeepEqual(t, command, []string{"send"})
		assert.DeepEqual(t, env, []string{
			"MEMSYS_EVENT=after-backup", "MEMSYS_OPERATION=backup", "MEMSYS_PROJECT=notes", "MEMSYS_PROJECT_DIR=/notes",
			"MEMSYS_BACKUP=/b/a.tar.gz", "MEMSYS_RESULT=done", "MEMSYS_EXIT_CODE=0",
		})
		return 0, nil
	})
	r.Message = Message{Version: MessageVersion, Operation: "backup", Project: "notes", Directory: "/notes"}
	_, err := r.Before(t.Context(), p)
	assert.NilError(t, err)
	assert.Equal(t, b.said[1], "working before-backup app 0:0 / before-backup")
	assert.Equal(t, b.said[4], "working before-backup app own")
	assert.DeepEqual(t, b.owed(t), []string{"after-backup app", "after-backup "})
	r.Message.Result, r.Message.Backup = &Result{Status: "done"}, &Backed{Path: "/b/a.tar.gz"}
	all, err := r.After(t.Context(), p)
	assert.NilError(t, err)
	assert.Equal(t, all[1].String(), "hook after-backup: done")
	want := r.Message
	want.Event = "after-backup"
	assert.DeepEqual(t, told, []Message{want})
	assert.Equal(t, len(b.owed(t)), 0)

	b.said, r.Journal = nil, nil
	_, err = r.After(t.Context(), Plan{After: []compose.Hook{project("app", "on-failure", "/sleeper", "echo")}})
	assert.NilError(t, err)
	assert.Assert(t, strings.Contains(b.said[1], `{"version":1,"event":"on-failure","operation":"backup","project":"notes"`), b.said[1])
}

func TestAHookThatIsRefusedNeverRuns(t *testing.T) {
	b := newBed()
	h := compose.Hook{When: "before-up", Command: []string{"x"}, Timeout: time.Minute, OnError: "fail", Project: true, Refused: "it comes from elsewhere"}
	_, err := b.runner().Before(t.Context(), Plan{Before: []compose.Hook{h}}) // there is no host to run it
	assert.Error(t, err, "hook before-up: failed: it comes from elsewhere")
}

func TestAFailureEndsTheOperationUnlessItMayFail(t *testing.T) {
	b := newBed()
	b.add("app", "1", engine.Running)
	b.program["flush"] = func(context.Context, io.Writer) (int, error) { return 3, nil }
	p := Plan{Before: []compose.Hook{hook("app", "before-backup", "flush"), hook("app", "before-backup", "next")}}
	_, err := b.runner().Before(t.Context(), p)
	assert.ErrorContains(t, err, "hook before-backup of service app: failed: exit code 3")
	assert.DeepEqual(t, b.ran, []string{"app-1:flush"})
	p.Before[0].OnError = "continue"
	all, err := b.runner().Before(t.Context(), p)
	assert.NilError(t, err)
	assert.Equal(t, all[0].Status, Failed)
	assert.Equal(t, all[0].ExitCode, 3)
	assert.Equal(t, all[1].Status, Done)
}

func TestAServiceThatIsOffIsSkippedAndOneThatCannotRunItFails(t *testing.T) {
	b := newBed()
	b.add("app", "1", engine.Exited)
	p := Plan{Before: []compose.Hook{hook("app", "before-backup", "flush")}}
	all, err := b.runner().Before(t.Context(), p)
	assert.NilError(t, err)
	assert.Equal(t, all[0].String(), "hook before-backup of service app: skipped: the service is off")
	for _, state := range []engine.State{engine.Paused, engine.Restarting} {
		b.add("app", "2", state)
		_, err = b.runner().Before(t.Context(), p)
		assert.ErrorContains(t, err, "container app-2 is "+string(state))
		b = newBed()
	}
	r := b.runner()
	r.Engine = nil
	_, err = r.Before(t.Context(), p)
	assert.ErrorContains(t, err, "no engine answers")
	assert.Equal(t, len(b.ran), 0)
}

func TestACommandThatTakesTooLongIsNotWaitedFor(t *testing.T) {
	b := newBed()
	b.add("app", "1", engine.Running)
	b.program["hang"] = func(ctx context.Context, _ io.Writer) (int, error) {
		<-ctx.Done()
		return 0, &engine.StrayError{Err: context.Cause(ctx)}
	}
	h := hook("app", "before-backup", "hang")
	h.Timeout, h.OnError = 50*time.Millisecond, "continue"
	all, err := b.runner().Before(t.Context(), Plan{Before: []compose.Hook{h}})
	assert.NilError(t, err)
	assert.Equal(t, all[0].Text, "it took longer than 50ms; it may go on in its container")
	b.program["hang"] = func(ctx context.Context, _ io.Writer) (int, error) {
		<-ctx.Done()
		return 0, context.Cause(ctx)
	}
	all, err = b.runner().Before(t.Context(), Plan{Before: []compose.Hook{h}})
	assert.NilError(t, err)
	assert.Equal(t, all[0].Text, "it took longer than 50ms and was ended")
}

func TestAnInterruptionEndsWhatComesBeforeAndWhatComesAfterRuns(t *testing.T) {
	b := newBed()
	b.add("app", "1", engine.Running)
	stop := errors.New("interrupted")
	ctx, cancel := context.WithCancelCause(t.Context())
	b.program["hang"] = func(ctx context.Context, _ io.Writer) (int, error) {
		cancel(stop)
		<-ctx.Done()
		return 0, context.Cause(ctx)
	}
	h := hook("app", "before-backup", "hang")
	h.OnError = "continue"
	p := Plan{Before: []compose.Hook{h}, After: []compose.Hook{hook("app", "after-backup", "unlock")}}
	_, err := b.runner().Before(ctx, p)
	assert.ErrorIs(t, err, stop)
	_, err = b.runner().After(ctx, p)
	assert.NilError(t, err)
	assert.Equal(t, b.ran[1], "app-1:unlock")
}

func TestNothingRunsThatIsNotOnRecord(t *testing.T) {
	for _, step := range []string{stepBegin, stepRun} {
		b := newBed()
		b.add("app", "1", engine.Running)
		b.full = step
		_, err := b.runner().Before(t.Context(), Plan{Before: []compose.Hook{hook("app", "before-backup", "flush")}})
		assert.ErrorIs(t, err, journal.ErrFull)
		assert.Equal(t, len(b.ran), 0)
	}
}

func TestWhatCouldNotRunAfterwardsIsStillOwed(t *testing.T) {
	b := newBed()
	b.add("app", "1", engine.Paused)
	p := Plan{After: []compose.Hook{hook("app", "after-backup", "unlock"), hook("db", "after-backup", "unlock")}}
	_, err := b.runner().Before(t.Context(), p)
	assert.NilError(t, err)
	all, err := b.runner().After(t.Context(), p)
	assert.NilError(t, err)
	assert.Equal(t, all[0].Status, Failed)
	assert.Assert(t, !all[0].Unknown)
	assert.DeepEqual(t, b.owed(t), []string{"after-backup app"})

	b.engine.Before(func(enginetest.Call) error { return errors.New("the engine is busy") })
	all, err = b.runner().After(t.Context(), p)
	assert.NilError(t, err)
	assert.Assert(t, all[0].Unknown && all[1].Unknown)
}

func TestOutputIsBoundedAndNeitherItNorTheCommandIsOnRecord(t *testing.T) {
	b := newBed()
	b.add("app", "1", engine.Running)
	b.program["talk"] = func(_ context.Context, out io.Writer) (int, error) {
		fmt.Fprint(out, "first\r\nsec", "ond\n", strings.Repeat("x", 3*mostBytes), "\n")
		for range 2 * mostLines {
			fmt.Fprintln(out, "more")
		}
		fmt.Fprint(out, "hunter2")
		return 0, nil
	}
	h := hook("app", "before-backup", "talk")
	h.Command = append(h.Command, "--password=hunter2")
	_, err := b.runner().Before(t.Context(), Plan{Before: []compose.Hook{h}})
	assert.NilError(t, err)
	assert.Equal(t, b.said[1], "working before-backup app first")
	assert.Equal(t, b.said[2], "working before-backup app second")
	assert.Equal(t, b.said[3], "working before-backup app "+strings.Repeat("x", mostBytes)+" …")
	assert.Equal(t, len(b.said), 1+mostLines+1+1)
	assert.Equal(t, b.said[1+mostLines], "working before-backup app and 54 more lines")
	for _, s := range b.steps {
		assert.Assert(t, !strings.Contains(string(s.Data), "hunter2"))
		assert.Assert(t, !strings.Contains(string(s.Data), "talk"))
	}
}
