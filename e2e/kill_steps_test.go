//go:build e2e && unix

package e2e

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/helper"
	"github.com/memsys/docker-memsys/internal/journal"
)

// A killing is what is killed at a step of a restore, when the step is on record and before it is taken.
type killing struct {
	name string
	// strike strikes while the plugin stands still; where it returns true the plugin is killed, else it goes on.
	strike func(s *states) (client bool)
	// alone tells that the plugin has to put everything in order by itself.
	alone bool
}

var (
	killClient = killing{name: "client", strike: func(*states) bool { return true }}
	killHelper = killing{name: "helper", alone: true, strike: func(s *states) bool {
		for _, c := range s.helpers() {
			s.Docker("kill", c.ID) // it may have come to its end
		}
		return false
	}}
	// A helper that stands still does not notice that its client is gone: it would go on with its work later.
	killClientOfFrozenHelper = killing{name: "client while its helper stands still", strike: func(s *states) bool {
		for _, c := range s.helpers() {
			answer := s.Docker("inspect", "--format", "{{.State.Pid}}", c.ID)
			if pid, err := strconv.Atoi(strings.TrimSpace(answer.Stdout())); err == nil && pid > 0 { // else it has come to its end
				_ = syscall.Kill(pid, syscall.SIGSTOP)
			}
		}
		return true
	}}
)

// Issue 3, "What it must show" 3: kill -9 at every recorded step of a restore; and of an undo, which is a restore that takes other ways.
func TestRestoreKilledAtEveryStep(t *testing.T) {
	inEach(t, []mode{direct, helped}, func(t *testing.T, m mode) {
		s := newStates(t, 2)
		usual := s.bring("A")
		s.killedAtEveryStep(m, false)
		s.killedAtEveryStep(m, true)
		s.undoKilledAtAnyMoment(usual)
	})
}

// killedAtEveryStep kills at every step, twice, or at some of them. The last restore that came to its end can be undone after it.
func (s *states) killedAtEveryStep(m mode, undo bool) {
	s.t.Helper()
	kills := []killing{killClient}
	if m.helper {
		kills = append(kills, killHelper, killClientOfFrozenHelper)
	}
	s.bring(other(s.live())) // its safety backup is what an undo needs
	total, _ := s.restoreWatched(undo, 0, nil)
	full := 2 * total * len(kills)
	rounds, random := Campaign(s.t, full, min(3, 1+len(kills)))
	at, hit := map[string]int{}, 0
	for round, pick := range random.Perm(full)[:rounds] {
		kill := kills[pick/total%len(kills)]
		if rounds < full {
			kill = kills[round%len(kills)]
		}
		reached := s.killedAt(1+pick%total, kill, undo)
		at[fmt.Sprintf("%s %d", kill.name, reached)]++
		if reached > 0 {
			hit++
		}
	}
	assert.Assert(s.t, hit*2 >= rounds, "only %d of %d rounds killed anything", hit, rounds)
	for n := 1; n < total && rounds == full; n++ {
		reached := at[fmt.Sprintf("%s %d", killClient.name, n)] > 0
		for try := 0; try < 10 && !reached; try++ { // this process may be too slow for one
			reached = s.killedAt(n, killClient, undo) == n
		}
		assert.Assert(s.t, reached, "no kill at record %d", n)
	}
	s.t.Logf("undo %v, killed at: %v", undo, at)
}

// killedAt kills at the n-th record, puts everything in order, and returns how many records there were; 0: it came too late.
func (s *states) killedAt(n int, kill killing, undo bool) (reached int) {
	s.t.Helper()
	from := s.live()
	reached, struck := s.restoreWatched(undo, n, &kill)
	if !struck {
		reached = 0
	}
	was := s.pending()
	if kill.alone {
		assert.Assert(s.t, was == nil, "the plugin left it to others: %+v", was)
	} else {
		s.tells(was != nil, "recover")
	}
	s.settled()
	s.t.Logf("%s killed at record %d, reached %d: %s; from %s to %s", kill.name, n, reached, lastStep(was), from, s.live())
	if !undo { // it needs the safety backups
		s.tidy()
	}
	return reached
}

// restoreWatched brings the other state, by a restore or an undo, strikes when the n-th record of it is in the journal, and returns how many
// were on record then. Without a killing it returns how many there are.
func (s *states) restoreWatched(undo bool, n int, kill *killing) (records int, struck bool) {
	s.t.Helper()
	args := []string{"restore", "--yes", "--progress", "plain", s.backup[other(s.live())]}
	if undo {
		args[4] = "--undo"
	}
	w := s.watchJournal()
	defer w.file.Close()
	p := s.Start(PluginPath(), args...)
	for end := time.Now().Add(eventLimit); time.Now().Before(end); runtime.Gosched() {
		select {
		case <-p.done:
			return w.records(), false
		default:
		}
		if kill == nil || w.records() < n {
			continue
		}
		p.Signal(syscall.SIGSTOP)
		records = w.records()
		if kill.strike(s) {
			p.Signal(syscall.SIGKILL)
		}
		p.Signal(syscall.SIGCONT)
		p.Wait()
		return records, true
	}
	s.t.Fatalf("record %d did not come: %s", n, p.Output())
	return 0, false
}

// helpers are the helper containers of the project.
func (v *victim) helpers() []engine.Container {
	v.t.Helper()
	all, err := v.engine.Containers(v.t.Context(), engine.Filter{Label: helper.Label + "=" + v.key()})
	assert.NilError(v.t, err)
	return all
}

// key is the project's key in labels.
func (v *victim) key() string { return journal.Key(v.Name + " in " + v.Dir) }

// journalWatch counts the records of the operation that begins after it.
type journalWatch struct {
	t      testing.TB
	file   *os.File
	before [8]byte
	buffer []byte
}

// watchJournal opens the journal of a project that has had an operation.
func (v *victim) watchJournal() *journalWatch {
	v.t.Helper()
	state := journal.View(v.getenv("MEMSYS_STATE_DIR"), v.Name+" in "+v.Dir)
	file, err := os.Open(filepath.Join(state.Dir(), "journal"))
	assert.NilError(v.t, err)
	w := &journalWatch{t: v.t, file: file, buffer: make([]byte, 64<<10)}
	w.before, _ = w.read()
	return w
}

// records is how many records the new operation has, its begin among them.
func (w *journalWatch) records() int {
	run, n := w.read()
	if run == w.before {
		return 0
	}
	return n
}

// read returns the run of the first record and how many follow each other; see docs of internal/journal for the file.
func (w *journalWatch) read() (run [8]byte, n int) {
	const magic, header = 17, 20
	size, _ := w.file.ReadAt(w.buffer, 0) // the file is longer
	for at := magic; at+header <= size; n++ {
		length, number := binary.LittleEndian.Uint32(w.buffer[at:]), binary.LittleEndian.Uint32(w.buffer[at+16:])
		if n == 0 {
			copy(run[:], w.buffer[at+8:])
		}
		if length == 0 || int(number) != n || [8]byte(w.buffer[at+8:at+16]) != run {
			break
		}
		at += header + int(length)
	}
	return run, n
}

// undoKilledAtAnyMoment kills at random moments of a time. It follows a restore or an undo.
func (s *states) undoKilledAtAnyMoment(usual time.Duration) {
	s.t.Helper()
	rounds, random := Campaign(s.t, 60, 1)
	hits := map[string]int{}
	for round, moment := range moments(rounds, random) {
		from := s.live()
		p := s.Start(PluginPath(), "restore", "--yes", "--undo", "--progress", "plain")
		_, killed := weapon{}.strike(s.t, p, "restore", time.Duration(moment*float64(usual)))
		was := s.pending()
		if killed {
			hits[lastStep(was)]++
		}
		s.tells(was != nil, "recover")
		s.settled()
		to := s.live()
		s.t.Logf("round %d: undo killed (%v) at %.2f of %s: %s; from %s to %s", round, killed, moment, usual.Round(time.Millisecond), lastStep(was), from, to)
		assert.Assert(s.t, killed || to == other(from), p.Output())
	}
	if rounds > 1 { // one that is drawn may come too late
		enough(s.t, rounds, hits)
	}
}
