//go:build e2e && unix

package e2e

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/icmd"
	"gotest.tools/v3/poll"

	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/journal"
)

// downVictim is a project whose down -v is struck: the writer and the reader run, off was stopped by its user.
type downVictim struct {
	lastWord
	*victim
}

// newDownVictim brings it up once, so that it has a journal.
func newDownVictim(t *testing.T) *downVictim {
	p := newLastWord(t)
	client, err := engine.Dial(engine.Endpoint{Host: os.Getenv("DOCKER_HOST")})
	assert.NilError(t, err)
	t.Cleanup(func() { assert.Check(t, client.Close()) })
	v := &downVictim{p, &victim{Project: p.Project, engine: client, ids: map[string]string{}}}
	off := "  off:\n    image: " + Busybox + "\n    command: [sleep, '1000']\n    stop_signal: SIGKILL\n    volumes: ['store:/store:ro']\n    network_mode: none\nvolumes:"
	p.Write("compose.yaml", strings.Replace(p.Read("compose.yaml"), "volumes:\n  store", off+"\n  store", 1))
	v.bring()
	p.Standalone("backup").Assert(t, icmd.Success)
	return v
}

// bring brings all services into the state of before, whatever they are in.
func (v *downVictim) bring() {
	v.victim.t.Helper()
	v.lastWord.Compose("up", "--detach").Assert(v.victim.t, icmd.Success)
	for _, service := range []string{"writer", "reader", "off"} {
		v.ids[service] = v.lastWord.Container(service)
	}
	v.lastWord.Docker("stop", v.ids["off"]).Assert(v.victim.t, icmd.Success)
	v.writes()
}

// found is what the services are in: "before", "removed", or which states they have.
func (v *downVictim) found() string {
	v.victim.t.Helper()
	var states []string
	for _, service := range []string{"writer", "reader", "off"} {
		c, err := v.engine.Container(v.victim.t.Context(), v.ids[service])
		if err != nil {
			assert.ErrorIs(v.victim.t, err, engine.ErrNotFound)
			states = append(states, "gone")
			continue
		}
		states = append(states, string(c.State))
	}
	switch all := strings.Join(states, " "); all {
	case "running running exited":
		return "before"
	case "gone gone gone":
		return "removed"
	default:
		return all
	}
}

// settles waits until the guardian of a killed run has ended, or the services have run again for longer than a stop takes to end them that was
// under way. The guardian goes on to look for one for half a minute, and leaves them to the next run.
func (v *downVictim) settles() {
	v.victim.t.Helper()
	const underWay = 3 * time.Second
	var since time.Time
	poll.WaitOn(v.victim.t, func(poll.LogT) poll.Result {
		switch found := v.found(); {
		case len(plugins(v.victim.t, "__guardian", 0)) == 0:
			return poll.Success()
		case found != "before":
			since = time.Time{}
			return poll.Continue("its guardian is at work: %s", found)
		case since.IsZero():
			since = time.Now()
		}
		if time.Since(since) < underWay {
			return poll.Continue("its guardian looks on")
		}
		return poll.Success()
	}, poll.WithTimeout(eventLimit), poll.WithDelay(20*time.Millisecond))
}

// afterwards puts everything in order with the next command, and checks that services are as they were or as docker compose has left
// them, that the command says so, and that no memory is lost.
func (v *downVictim) afterwards(was *journal.Interrupted) string {
	v.victim.t.Helper()
	result := v.lastWord.Standalone("recover", "--progress", "plain")
	result.Assert(v.victim.t, icmd.Success)
	assert.Equal(v.victim.t, strings.Contains(result.Combined(), "the down of "), was != nil, result.Combined())
	assert.Assert(v.victim.t, v.pending() == nil)
	found := v.found()
	switch found {
	case "before":
		v.writes()
	case "removed":
	default: // docker compose was killed on its way, or has failed
		assert.Assert(v.victim.t, strings.Contains(result.Combined(), "docker compose down has removed"), "%s: %s", found, result.Combined())
		assert.Assert(v.victim.t, !strings.Contains(found, "running"), found)
	}
	v.restored()
	return found
}

// restored brings a volume back that is gone: with all memories.
func (v *downVictim) restored() {
	v.victim.t.Helper()
	if v.lastWord.volume() == "" {
		Code(v.victim.t, v.lastWord.Standalone("restore", "--yes", "latest"), 0)
		assert.Equal(v.victim.t, v.memories(), v.written())
	}
}

// again brings all back after a down -v.
func (v *downVictim) again() {
	v.restored()
	v.bring()
}

// struck starts a command and strikes it when n records are in the journal, after a time; it returns how many there were, 0: it came too late.
func (v *downVictim) struck(n int, after time.Duration, signal syscall.Signal, args ...string) (records int, p *Process) {
	v.victim.t.Helper()
	w := v.watchJournal()
	defer w.file.Close()
	p = v.lastWord.Start(PluginPath(), args...)
	for end := time.Now().Add(eventLimit); time.Now().Before(end); runtime.Gosched() {
		select {
		case <-p.done:
			return 0, p
		default:
		}
		if w.records() < n {
			continue
		}
		if after > 0 {
			timer := time.NewTimer(after)
			defer timer.Stop()
			select {
			case <-p.done:
				return 0, p
			case <-timer.C:
			}
		}
		p.Signal(syscall.SIGSTOP)
		records = w.records()
		p.Signal(signal)
		p.Signal(syscall.SIGCONT)
		p.Wait()
		return records, p
	}
	v.victim.t.Fatalf("record %d did not come: %s", n, p.Output())
	return 0, p
}

// course runs a command to its end and returns when each of its records came, and when it ended: in time since its start.
func (v *downVictim) course(args ...string) (records []time.Duration, end time.Duration) {
	v.victim.t.Helper()
	w := v.watchJournal()
	defer w.file.Close()
	p := v.lastWord.Start(PluginPath(), args...)
	for start := time.Now(); ; runtime.Gosched() {
		select {
		case <-p.done:
			assert.Equal(v.victim.t, p.Wait(), 0, p.Output())
			return records, time.Since(start)
		default:
		}
		for n := w.records(); len(records) < n; {
			records = append(records, time.Since(start))
		}
	}
}

// Issue 5, "What it must show" 7: kill -9 of a down -v at each step.
func TestDownWithVolumesKilledAtEveryStep(t *testing.T) {
	direct.set(t)
	v := newDownVictim(t)
	course, end := v.course("down", "-v")
	v.again()
	rounds, random := Campaign(t, 40, 4)
	seen := map[string]int{}
	hits := 0
	for round, pick := range random.Perm(40)[:rounds] {
		n, after := 1+pick%len(course), time.Duration(0)
		if round%2 == 1 {
			after = time.Duration(random.Int64N(int64(end - course[n-1])))
		}
		reached, _ := v.struck(n, after, syscall.SIGKILL, "down", "-v")
		v.settles()
		was := v.pending()
		step := lastStep(was)
		found := v.afterwards(was)
		t.Logf("killed at record %d (wanted %d, %s later), %s: %s", reached, n, after, step, found)
		if seen[found]++; reached > 0 {
			hits++
		}
		v.bring()
	}
	t.Logf("services were found: %v", seen)
	assert.Assert(t, hits*2 >= rounds, "only %d of %d rounds killed anything", hits, rounds)
}

// An up that may replace volumes: what docker compose has not replaced runs again.
func TestUpThatMayReplaceVolumesKilledAtEveryStep(t *testing.T) {
	direct.set(t)
	v := newDownVictim(t)
	course, _ := v.course("up", "-d", "-y", "--no-ready")
	v.bring()
	rounds, random := Campaign(t, 20, 3)
	hits := 0
	for _, pick := range random.Perm(20)[:rounds] {
		n := 1 + pick%len(course)
		reached, p := v.struck(n, 0, syscall.SIGKILL, "up", "-d", "-y", "--no-ready")
		v.settles()
		was := v.pending()
		result := v.lastWord.Standalone("recover", "--progress", "plain")
		result.Assert(t, icmd.Success)
		assert.Equal(t, strings.Contains(result.Combined(), "the up of "), was != nil, result.Combined())
		found := v.found()
		t.Logf("killed at record %d (wanted %d), %s: %s", reached, n, lastStep(was), found)
		if reached > 0 {
			hits++
		} else {
			t.Logf("it came too late: %s", p.Output())
		}
		assert.Assert(t, found == "before" || strings.HasPrefix(found, "running running "), "%s: %s", found, result.Combined()) // up starts off too
		v.writes()
		v.bring()
	}
	assert.Assert(t, hits*2 >= rounds, "only %d of %d rounds killed anything", hits, rounds)
}

// Ctrl-C at each step: the run itself puts services back, or leaves them as docker compose has.
func TestDownWithVolumesInterruptedAtEveryStep(t *testing.T) {
	direct.set(t)
	v := newDownVictim(t)
	course, _ := v.course("down", "-v")
	v.again()
	rounds, random := Campaign(t, 20, 3)
	seen := map[string]int{}
	for _, pick := range random.Perm(20)[:rounds] {
		n := 1 + pick%len(course)
		reached, p := v.struck(n, 0, syscall.SIGINT, "down", "-v")
		code := p.Wait()
		was := v.pending()
		assert.Assert(t, was == nil, "it was left to others: %+v", was)
		found := v.found()
		t.Logf("interrupted at record %d (wanted %d): exit code %d, %s", reached, n, code, found)
		switch found {
		case "before":
			assert.Assert(t, code == 130 || reached == 0, "%d: %s", code, p.Output())
			v.writes()
		case "removed":
		default:
			assert.Assert(t, strings.Contains(p.Output(), "docker compose down has removed"), "%s: %s", found, p.Output())
		}
		seen[found]++
		v.again()
	}
	t.Logf("services were found: %v", seen)
}

// Ctrl-C in a terminal reaches docker compose too.
func TestCtrlCInATerminalWhileServicesAreBackedUpBringsThemBack(t *testing.T) {
	direct.set(t)
	v := newDownVictim(t)
	p := v.lastWord.RunTTY("docker", "memsys", "down", "-v")
	p.WaitFor("services are stopped before their data is deleted")
	p.Interrupt()
	assert.Equal(t, p.Wait(), 130, p.Output())
	assert.Equal(t, v.found(), "before")
	v.writes()
	assert.Assert(t, v.pending() == nil)
}

// A docker compose that outlives the run that started it is waited for: nothing is started that it is about to remove.
func TestTheNextCommandWaitsForTheDockerComposeOfAKilledRun(t *testing.T) {
	direct.set(t)
	v := newDownVictim(t)
	w := v.watchJournal()
	defer w.file.Close()
	p := v.lastWord.Start(PluginPath(), "down", "-v")
	held := func() bool { was := v.pending(); return was != nil && lastStep(was) == "quiesce.handed" }
	if !killWhen(t, p, held) {
		t.Logf("it came too late: %s", p.Output())
	}
	was := v.pending()
	found := v.afterwards(was)
	t.Logf("%s: %s", lastStep(was), found)
	poll.WaitOn(t, func(poll.LogT) poll.Result { // nobody changes it any more
		if is := v.found(); is != found {
			return poll.Error(fmt.Errorf("services were %s and are %s", found, is))
		}
		if len(plugins(t, "compose", 0)) > 0 {
			return poll.Continue("docker compose is still at work")
		}
		return poll.Success()
	}, poll.WithTimeout(eventLimit))
}
