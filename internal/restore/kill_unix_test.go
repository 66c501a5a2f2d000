//go:build unix

package restore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/engine/enginetest"
	"github.com/memsys/docker-memsys/internal/journal"
	"github.com/memsys/docker-memsys/internal/progress"
	"github.com/memsys/docker-memsys/internal/quiesce"
	"github.com/memsys/docker-memsys/internal/tree"
)

// childEnv carries a victim's orders.
const childEnv = "MEMSYS_TEST_RESTORE_VICTIM"

// victim is what the process that is to be killed has to do.
type victim struct {
	Backup   Backup
	Project  archive.Project
	Sources  []compose.Source
	Backups  string
	Safety   Saved
	State    string // the journal's folder
	Endpoint string // of the engine
	// Die is the event at which it kills itself, 0 for none. Events are records, before and after each, and moves.
	Die int
	// Recover tells to end what is on record instead.
	Recover bool
}

// TestMain is the victim where it is asked to be one.
func TestMain(m *testing.M) {
	orders := os.Getenv(childEnv)
	if orders == "" {
		os.Exit(m.Run())
	}
	if err := beVictim(orders); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// deadly counts events and kills the process at one of them.
type deadly struct {
	Journal
	n, die int
}

func (d *deadly) event() error {
	if d.n++; d.n == d.die {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
	return nil
}

func (d *deadly) Step(name string, data any) error {
	_ = d.event()
	err := d.Journal.Step(name, data)
	_ = d.event()
	return err
}

func beVictim(orders string) error {
	var v victim
	if err := json.Unmarshal([]byte(orders), &v); err != nil {
		return err
	}
	client, err := engine.Dial(engine.Endpoint{Host: v.Endpoint})
	if err != nil {
		return err
	}
	s, err := journal.Open(v.State, "notes")
	if err != nil {
		return err
	}
	j, err := s.Journal(time.Now)
	if err != nil {
		return err
	}
	if v.Recover {
		return recoverWith(client, j)
	}
	if err := j.Begin("restore", nil); err != nil {
		return err
	}
	d := &deadly{Journal: j, die: v.Die}
	if err := restoreWith(v, client, d); err != nil {
		return err
	}
	fmt.Println(d.n)
	return j.End("done")
}

// recoverWith ends what is on record, as far as it gets.
func recoverWith(client *engine.Client, j *journal.Journal) error {
	pending, err := j.Pending()
	if err != nil || pending == nil {
		return err
	}
	rec, err := PlanRecovery(pending.Steps)
	if err != nil || rec == nil {
		return err
	}
	ctx, cancel := contextFor(time.Minute)
	defer cancel()
	return runnerFor(client, j, nil).Recover(ctx, rec)
}

func (e *eventful) orders(t *testing.T, endpoint string, die int) string {
	t.Helper()
	req := e.request(t, e.path)
	data, err := json.Marshal(victim{
		Backup: req.Backup, Project: req.Project, Sources: req.Sources, Backups: req.Backups, Safety: e.safety(), State: e.bed.stateDir(), Endpoint: endpoint, Die: die,
	})
	assert.NilError(t, err)
	return string(data)
}

func (e *eventful) recoverOrders(t *testing.T, endpoint string) string {
	t.Helper()
	data, err := json.Marshal(victim{State: e.bed.stateDir(), Endpoint: endpoint, Recover: true})
	assert.NilError(t, err)
	return string(data)
}

// kill runs a victim; after is when it is killed from outside, 0 for never. It returns what it printed.
func kill(t *testing.T, orders string, after time.Duration) string {
	t.Helper()
	cmd := exec.Command(os.Args[0]) //nolint:gosec // this test itself
	cmd.Env = append(os.Environ(), childEnv+"="+orders)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	assert.NilError(t, cmd.Start())
	if after > 0 {
		timer := time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
		defer timer.Stop()
	}
	err := cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() < 0 {
		return ""
	}
	assert.NilError(t, err, out.String())
	return strings.TrimSpace(out.String())
}

// survive checks what the next command makes of a restore that was killed.
func (e *eventful) survive(t *testing.T, what string) string {
	t.Helper()
	e.recover(t)
	state := e.state()
	assert.Assert(t, state == "old" || state == "new", "%s: %s", what, state)
	e.checkServices(t)
	return state
}

func TestKilledAtEveryStep(t *testing.T) {
	states := map[string]int{}
	for n := 1; ; n++ {
		e := newEventful(t)
		if out := kill(t, e.orders(t, enginetest.Serve(t, e.engine), n), 0); out != "" {
			count, err := strconv.Atoi(out)
			assert.NilError(t, err)
			assert.Assert(t, count < n && n > 20, "%d events, at %d", count, n)
			break
		}
		states[e.survive(t, fmt.Sprintf("killed at event %d", n))]++
	}
	assert.Assert(t, states["old"] > 0 && states["new"] > 0, "%v", states)
}

// A restore is killed at random moments; MEMSYS_TEST_KILLS says how often, 5 times without it.
func TestKilledAtRandomMoments(t *testing.T) {
	kills := 5
	if n, err := strconv.Atoi(os.Getenv("MEMSYS_TEST_KILLS")); err == nil {
		kills = n
	}
	calm := newEventful(t)
	start := time.Now()
	kill(t, calm.orders(t, enginetest.Serve(t, calm.engine), 0), 0)
	whole := time.Since(start)
	states := map[string]int{}
	for i := range kills {
		e := newEventful(t)
		after := time.Duration(rand.Int64N(int64(whole)))
		endpoint := enginetest.Serve(t, e.engine)
		kill(t, e.orders(t, endpoint, 0), after)
		if i%2 == 1 { // the recovery dies too
			kill(t, e.recoverOrders(t, endpoint), time.Duration(rand.Int64N(int64(30*time.Millisecond))))
		}
		states[e.survive(t, fmt.Sprintf("kill %d after %s", i, after))]++
	}
	t.Logf("%d kills in the first %s: %v", kills, whole, states)
}

// restoreWith is what the victim does.
func restoreWith(v victim, client *engine.Client, d *deadly) error {
	f, r, err := openFile(v.Backup.Path)
	if err != nil {
		return err
	}
	defer f.Close()
	ctx, cancel := contextFor(time.Minute)
	defer cancel()
	containers, err := client.Containers(ctx, engine.Filter{})
	if err != nil {
		return err
	}
	req := Request{
		Backup: v.Backup, Project: v.Project, Sources: v.Sources, Containers: containers, Volumes: client, Local: true, Locate: byPath,
		Backups: v.Backups, Safety: true, ID: "victim", Free: tree.FreeSpace,
	}
	p, err := Prepare(ctx, r, req)
	if err != nil {
		return err
	}
	run := runnerFor(client, d, d.event)
	run.Safety = func(context.Context) (Saved, error) { return v.Safety, nil }
	_, err = run.Run(ctx, p)
	return err
}

func runnerFor(client *engine.Client, j Journal, onMove func() error) *Runner {
	return &Runner{
		Clock: time.Now, Journal: j, Progress: progress.Discard, Volumes: client, Containers: listAll(client),
		Quiescer: &quiesce.Quiescer{Engine: client, Journal: j, Guard: quiesce.Unguarded{}, Now: time.Now, Sink: progress.Discard},
		onMove:   onMove,
	}
}

func (b *bed) stateDir() string { return b.state }

// byPath locates sources that have a path.
func byPath(_ context.Context, s compose.Source) (string, error) { return s.Path, nil }

func contextFor(d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), d)
}

func listAll(e quiesce.Engine) func(context.Context) ([]engine.Container, error) {
	return func(ctx context.Context) ([]engine.Container, error) { return e.Containers(ctx, engine.Filter{}) }
}
