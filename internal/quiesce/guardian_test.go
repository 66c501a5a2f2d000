package quiesce_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/engine/enginetest"
	"github.com/memsys/docker-memsys/internal/journal"
	"github.com/memsys/docker-memsys/internal/progress"
	"github.com/memsys/docker-memsys/internal/quiesce"
)

// holderArg makes the test binary a run that holds the containers named by its further arguments, says so and waits to be killed.
const holderArg = "__holder"

func TestMain(m *testing.M) {
	switch {
	case filepath.Base(os.Args[0]) == "ssh":
		dialStdio()
	case len(os.Args) > 1 && os.Args[1] == quiesce.GuardianArg:
		os.Exit(quiesce.GuardianMain(os.Stdin, os.Stdout))
	case len(os.Args) > 1 && os.Args[1] == holderArg:
		hold(os.Args[2], os.Args[3], os.Args[4], os.Args[5:])
	default:
		os.Exit(m.Run())
	}
}

// hold runs in a process of its own. dir is a state folder, host an engine.
func hold(dir, host, mode string, ids []string) {
	check := func(err error) {
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	}
	s, err := journal.Open(dir, "held")
	check(err)
	j, err := s.Journal(time.Now)
	check(err)
	check(j.Begin("backup", nil))
	e, err := engine.Dial(engine.Endpoint{Host: host})
	check(err)
	p := quiesce.Plan{Mode: quiesce.Mode(mode)}
	for _, id := range ids {
		p.Items = append(p.Items, quiesce.Item{ID: id, Name: id, Action: p.Mode})
	}
	q := quiesce.Quiescer{
		Engine: e, Journal: j, Guard: quiesce.Guardian{Endpoint: engine.Endpoint{Host: host}}, Now: time.Now,
		Limit: quiesce.DefaultLimit, Sink: progress.Discard,
	}
	_, err = q.Hold(context.Background(), p)
	check(err)
	fmt.Println("held")
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// startHolder starts a run that holds ids, and returns it once it says so.
func startHolder(t *testing.T, dir, host string, mode quiesce.Mode, ids ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0], append([]string{holderArg, dir, host, string(mode)}, ids...)...)
	_, err := cmd.StdinPipe() // stays open
	assert.NilError(t, err)
	out, err := cmd.StdoutPipe()
	assert.NilError(t, err)
	assert.NilError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	assert.NilError(t, err)
	assert.Equal(t, strings.TrimSpace(line), "held")
	return cmd
}

func items(mode quiesce.Mode, ids ...string) []quiesce.Item {
	var out []quiesce.Item
	for _, id := range ids {
		out = append(out, quiesce.Item{ID: id, Name: id, Action: mode})
	}
	return out
}

// after returns a channel on which each done call of this name is announced.
func after(e *enginetest.Engine, name string) <-chan string {
	c := make(chan string, 16)
	e.After(func(call enginetest.Call) error {
		if call.Name == name {
			c <- call.Object
		}
		return nil
	})
	return c
}

func within(t *testing.T, d time.Duration, c <-chan string) string {
	t.Helper()
	select {
	case s := <-c:
		return s
	case <-time.After(d):
		t.Fatalf("nothing happened within %s", d)
		return ""
	}
}

func TestTheGuardianResumesWhenItsParentIsKilled(t *testing.T) {
	for mode, call := range map[quiesce.Mode]string{quiesce.Pause: "Unpause", quiesce.Stop: "Start"} {
		t.Run(string(mode), func(t *testing.T) {
			fake := enginetest.New(time.Now)
			a, b := fake.Add(engine.Container{}), fake.Add(engine.Container{})
			off := fake.Add(engine.Container{State: engine.Exited})
			dir := t.TempDir()
			cmd := startHolder(t, dir, enginetest.Serve(t, fake), mode, a, b, off)
			assert.Assert(t, fake.State(a) != engine.Running && fake.State(b) != engine.Running)
			resumed := after(fake, call)
			assert.NilError(t, cmd.Process.Kill())
			within(t, 10*time.Second, resumed)
			within(t, 10*time.Second, resumed)
			assert.Equal(t, fake.State(a), engine.Running)
			assert.Equal(t, fake.State(b), engine.Running)
			assert.Equal(t, fake.State(off), engine.Exited)
			pending, err := journal.View(dir, "held").Pending()
			assert.NilError(t, err)
			done, err := quiesce.Recover(t.Context(), fake, pending.Steps)
			assert.NilError(t, err)
			assert.Equal(t, len(done), 0)
		})
	}
}

func TestTheJournalResumesWhenTheGuardianDiedToo(t *testing.T) {
	fake := enginetest.New(time.Now)
	id := fake.Add(engine.Container{})
	dir := t.TempDir()
	host := enginetest.Serve(t, fake)
	cmd := startHolder(t, dir, host, quiesce.Pause, id)
	fake.Before(func(enginetest.Call) error { return engine.ErrConflict }) // the guardian can do nothing
	assert.NilError(t, cmd.Process.Kill())
	_ = cmd.Wait()
	assert.Equal(t, fake.State(id), engine.Paused)
	fake.Before(nil)
	pending, err := journal.View(dir, "held").Pending()
	assert.NilError(t, err)
	assert.Equal(t, pending.Op, "backup")
	_, err = quiesce.Recover(t.Context(), fake, pending.Steps)
	assert.NilError(t, err)
	assert.Equal(t, fake.State(id), engine.Running)
}

func TestTheGuardianGoesAtOnceWhenAllIsDone(t *testing.T) {
	fake := enginetest.New(time.Now)
	id := fake.Add(engine.Container{State: engine.Running})
	w, err := quiesce.Guardian{Endpoint: engine.Endpoint{Host: enginetest.Serve(t, fake)}}.Watch(t.Context(), items(quiesce.Pause, id), 0)
	assert.NilError(t, err)
	fake.SetState(id, engine.Paused)
	w.Done()
	assert.Equal(t, fake.State(id), engine.Paused) // not its business any more
}

func TestTheGuardianActsWhenReleaseFailed(t *testing.T) {
	fake := enginetest.New(time.Now)
	id := fake.Add(engine.Container{State: engine.Running})
	w, err := quiesce.Guardian{Endpoint: engine.Endpoint{Host: enginetest.Serve(t, fake)}}.Watch(t.Context(), items(quiesce.Pause, id), 0)
	assert.NilError(t, err)
	fake.SetState(id, engine.Paused)
	resumed := after(fake, "Unpause")
	w.Abandon()
	within(t, 10*time.Second, resumed)
}

func TestTheGuardianEndsAHoldWhoseParentStandsStill(t *testing.T) {
	fake := enginetest.New(time.Now)
	id := fake.Add(engine.Container{State: engine.Running})
	resumed := after(fake, "Unpause")
	g := quiesce.Guardian{Endpoint: engine.Endpoint{Host: enginetest.Serve(t, fake)}}
	w, err := g.Watch(t.Context(), items(quiesce.Pause, id), 300*time.Millisecond)
	assert.NilError(t, err)
	fake.SetState(id, engine.Paused)
	within(t, 5*time.Second, resumed)
	w.Done()
}

func TestNothingIsHeldWithoutAGuardian(t *testing.T) {
	fake := enginetest.New(time.Now)
	id := fake.Add(engine.Container{State: engine.Running})
	for name, g := range map[string]quiesce.Guardian{
		"no engine at its address": {Endpoint: engine.Endpoint{Host: "unix://" + filepath.Join(t.TempDir(), "none")}},
		"address it cannot use":    {Endpoint: engine.Endpoint{Host: "ssh://nowhere"}},
		"no such program":          {Executable: filepath.Join(t.TempDir(), "none")},
		"program that just ends":   {Executable: "/bin/true"},
	} {
		b := newBed()
		b.q.Guard = g
		before := b.states()
		_, err := b.q.Hold(t.Context(), b.plan(t, quiesce.Pause))
		assert.ErrorContains(t, err, "guardian", name)
		assert.DeepEqual(t, b.states(), before)
	}
	assert.Equal(t, fake.State(id), engine.Running)
}

func TestTheGuardianRefusesAnOrderThatItCannotRead(t *testing.T) {
	for _, in := range []string{"", "no order\n", `{"endpoint":{"host":""}}` + "\n"} {
		var out strings.Builder
		assert.Equal(t, quiesce.GuardianMain(strings.NewReader(in), &out), 1)
		assert.Assert(t, strings.Contains(out.String(), `"ready":false`), out.String())
	}
}

// The parent's request to pause may reach the engine after its death.
func TestTheGuardianResumesWhatIsPausedAfterTheParentsDeath(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := enginetest.New(time.Now)
		id := fake.Add(engine.Container{State: engine.Running})
		time.AfterFunc(700*time.Millisecond, func() { fake.SetState(id, engine.Paused) })
		assert.Equal(t, quiesce.Resume(fake, items(quiesce.Pause, id), func(context.Context) bool { return false }), 0)
		assert.Equal(t, fake.State(id), engine.Running)
	})
}

func TestTheGuardianLeavesWhatTheNextRunHolds(t *testing.T) {
	for mode, held := range map[quiesce.Mode]engine.State{quiesce.Pause: engine.Paused, quiesce.Stop: engine.Exited} {
		synctest.Test(t, func(t *testing.T) {
			fake := enginetest.New(time.Now)
			id := fake.Add(engine.Container{State: held})
			var come atomic.Bool
			time.AfterFunc(500*time.Millisecond, func() { come.Store(true) })
			time.AfterFunc(700*time.Millisecond, func() {
				assert.Check(t, fake.State(id) == engine.Running, "what the dead run held")
				fake.SetState(id, held)
			})
			begun := time.Now()
			assert.Equal(t, quiesce.Resume(fake, items(mode, id), func(context.Context) bool { return come.Load() }), 0)
			assert.Equal(t, fake.State(id), held)
			assert.Assert(t, time.Since(begun) < time.Second, "it has nothing to do any more")
		})
	}
}

// Even when the next run has come already, what the dead one held is let go: the next one has not held it.
func TestTheGuardianLetsGoWhenTheNextRunIsThereAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := enginetest.New(time.Now)
		id := fake.Add(engine.Container{State: engine.Paused})
		assert.Equal(t, quiesce.Resume(fake, items(quiesce.Pause, id), func(context.Context) bool { return true }), 0)
		assert.Equal(t, fake.State(id), engine.Running)
	})
}

func TestTheGuardianReachesAnEngineBehindTLS(t *testing.T) {
	fake := enginetest.New(time.Now)
	id := fake.Add(engine.Container{State: engine.Running})
	w, err := quiesce.Guardian{Endpoint: enginetest.ServeTLS(t, fake)}.Watch(t.Context(), items(quiesce.Pause, id), 0)
	assert.NilError(t, err)
	fake.SetState(id, engine.Paused)
	resumed := after(fake, "Unpause")
	w.Abandon()
	within(t, 10*time.Second, resumed)
}

// A run is killed at moments spread over its whole life: starting, recording, pausing, holding.
func TestARunKilledAtAnyMomentLeavesNothingPaused(t *testing.T) {
	for n := range 10 {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			fake := enginetest.New(time.Now)
			var ids []string
			for range 5 {
				ids = append(ids, fake.Add(engine.Container{State: engine.Running}))
			}
			// The moments are requests, so that they lie in the hold however fast the machine is.
			cmd := exec.Command(os.Args[0], append([]string{holderArg, t.TempDir(), enginetest.Serve(t, fake), string(quiesce.Pause)}, ids...)...)
			_, err := cmd.StdinPipe()
			assert.NilError(t, err)
			var calls atomic.Int32
			reached := make(chan struct{})
			fake.Before(func(enginetest.Call) error {
				if int(calls.Add(1)) == 6+n {
					close(reached)
				}
				return nil
			})
			assert.NilError(t, cmd.Start())
			select {
			case <-reached:
			case <-time.After(20 * time.Second):
				t.Error("the run did not come so far")
			}
			assert.NilError(t, cmd.Process.Kill())
			_ = cmd.Wait()
			<-time.After(2 * time.Second) // the promise; a busy machine gets more
			for late := time.After(10 * time.Second); !allRun(fake, ids); {
				select {
				case <-late:
					t.Fatal("a container is still paused")
				case <-time.After(10 * time.Millisecond):
				}
			}
		})
	}
}

func allRun(e *enginetest.Engine, ids []string) bool {
	for _, id := range ids {
		if e.State(id) != engine.Running {
			return false
		}
	}
	return true
}

// dialStdio is the program ssh of the tests: it runs "docker system dial-stdio", which it is told to run, itself.
func dialStdio() {
	command := strings.Join(os.Args[1:], " ")
	_, rest, ok := strings.Cut(command, "unix://")
	if !ok || !strings.Contains(command, "dial-stdio") {
		fmt.Fprintln(os.Stderr, "not told what to dial: "+command)
		os.Exit(1)
	}
	conn, err := net.Dial("unix", strings.TrimRight(strings.Fields(rest)[0], `'"`))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	go func() {
		_, _ = io.Copy(conn, os.Stdin)
		os.Exit(0)
	}()
	_, _ = io.Copy(os.Stdout, conn)
	os.Exit(0)
}
