//go:build e2e && unix

package e2e

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/icmd"

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
			s.Docker("kill", c.ID).Assert(s.t, icmd.Success)
		}
		return false
	}}
	// A helper that stands still does not notice that its client is gone: it would go on with its work later.
	killClientOfFrozenHelper = killing{name: "client while its helper stands still", strike: func(s *states) bool {
		for _, c := range s.helpers() {
			pid, err := strconv.Atoi(s.Output("inspect", "--format", "{{.State.Pid}}", c.ID))
			assert.NilError(s.t, err)
			assert.NilError(s.t, syscall.Kill(pid, syscall.SIGSTOP))
		}
		return true
	}}
)

// Issue 3, "What it must show" 3: kill -9 at every recorded step of a restore.
func TestRestoreKilledAtEveryStep(t *testing.T) {
	inEach(t, []mode{direct, helped}, func(t *testing.T, m mode) { killedAtEveryStep(t, m, false) })
}

// An undo is a restore, and takes other ways.
func TestUndoKilledAtEveryStep(t *testing.T) {
	inEach(t, []mode{direct, helped}, func(t *testing.T, m mode) { killedAtEveryStep(t, m, true) })
}

// killedAtEveryStep kills at every step, twice, or at some of them.
func killedAtEveryStep(t *testing.T, m mode, undo bool) {
	s := newStates(t, 2)
	s.bring("A")
	kills := []killing{killClient}
	if m.helper {
		kills = append(kills, killHelper, killClientOfFrozenHelper)
	}
	total := s.restoreWatched(undo, 0, nil)
	full := 2 * total * len(kills)
	rounds, random := Campaign(t, full, min(4, 2+len(kills)))
	at := map[string]int{}
	for round, pick := range random.Perm(full)[:rounds] {
		n, kill := 1+pick%total, kills[pick/total%len(kills)]
		if rounds < full {
			kill = kills[round%len(kills)]
		}
		from := s.live()
		reached := s.restoreWatched(undo, n, &kill)
		was := s.pending()
		at[fmt.Sprintf("%s %d", kill.name, reached)]++
		if kill.alone {
			assert.Assert(t, was == nil, "the plugin left it to others: %+v", was)
		} else {
			s.tells(was != nil, "recover")
		}
		s.settled()
		to := s.live()
		t.Logf("%s killed at record %d of %d, reached %d: %s; from %s to %s", kill.name, n, total, reached, lastStep(was), from, to)
		if !undo { // it needs the safety backups
			s.tidy()
		}
	}
	t.Logf("killed at: %v", at)
	if rounds == full {
		for n := 1; n < total; n++ {
			assert.Assert(t, at[fmt.Sprintf("%s %d", killClient.name, n)] > 0, "no kill at record %d", n)
		}
	}
}

// restoreWatched brings the other state, by a restore or an undo, strikes when the n-th record of it is in the journal, and returns how many
// were on record then. Without a killing it returns how many there are.
func (s *states) restoreWatched(undo bool, n int, kill *killing) (records int) {
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
			records = w.records()
			assert.Assert(s.t, kill == nil || records < n, "it ended with %d records: %s", records, p.Output())
			return records
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
		return records
	}
	s.t.Fatalf("record %d did not come: %s", n, p.Output())
	return 0
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

// Undo is killed at random moments, too.
func TestUndoKilledAtAnyMoment(t *testing.T) {
	inEach(t, []mode{direct, helped}, func(t *testing.T, m mode) {
		s := newStates(t, 4)
		usual := s.bring("A")
		rounds, random := Campaign(t, 60, 2)
		for round, moment := range moments(rounds, random) {
			from := s.live()
			p := s.Start(PluginPath(), "restore", "--yes", "--undo", "--progress", "plain")
			_, killed := weapon{}.strike(t, p, "restore", time.Duration(moment*float64(usual)))
			was := s.pending()
			s.tells(was != nil, "recover")
			s.settled()
			to := s.live()
			t.Logf("round %d: killed (%v) at %.2f of %s: %s; from %s to %s", round, killed, moment, usual.Round(time.Millisecond), lastStep(was), from, to)
			assert.Assert(t, killed || to == other(from), p.Output())
		}
	})
}
