//go:build e2e && unix

package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/icmd"
	"gotest.tools/v3/poll"

	"github.com/memsys/docker-memsys/internal/tree/treetest"
)

// The writer says at each start which state it finds in each of its three sources: it must never find two.
const statesProject = `
x-memsys: {backups: ./backups}
services:
  writer:
    image: memsystest/busybox:latest
    command: [sh, -c, "echo $$(cat /data/state) $$(cat /store/state) $$(cat /settings); exec tail -f /dev/null"]
    volumes: ["./data:/data", "store:/store", "./settings:/settings"]
    network_mode: none
    stop_signal: SIGKILL
  still:
    image: memsystest/busybox:latest
    command: [tail, -f, /dev/null]
    network_mode: none
    stop_signal: SIGKILL
  off:
    image: memsystest/busybox:latest
    command: [tail, -f, /dev/null]
    volumes: ["./data:/data"]
    network_mode: none
    stop_signal: SIGKILL
volumes:
  store: {}
`

// states is a project with two states of its data, each in a backup and in a copy made without the plugin.
type states struct {
	*victim
	copies string
	backup map[string]string // name of the backup of a state
	told   int               // how often the writer has told its state before
}

// newStates makes both states; the data is in state B.
func newStates(t testing.TB, megabytes int) *states {
	t.Helper()
	v := newVictim(t, statesProject, func(p *Project) {
		assert.NilError(t, os.Mkdir(p.Path("data"), 0o755))
		p.Write("settings", "A")
		p.Write("data/app.log", "stays")
		p.Write("data/nested/run.log", "stays too")
	})
	s := &states{victim: v, copies: t.TempDir(), backup: map[string]string{}}
	for seed, state := range []string{"A", "B"} {
		s.put(state, rand.New(rand.NewPCG(uint64(seed), 3)), megabytes)
		v.Docker("restart", v.ids["writer"]).Assert(t, icmd.Success)
		s.copy(state)
		v.Standalone("backup", "--note", state).Assert(t, icmd.Success)
		s.backup[state] = v.archives()[len(v.archives())-1]
	}
	s.told = len(s.tellings())
	return s
}

// sources are the three sources by the name of their copies.
func (s *states) sources() map[string]string {
	return map[string]string{"data": s.Path("data"), "store": s.volume(), "settings": s.Path("settings")}
}

// put brings the live data into a state that differs from the other in everything that a file has.
func (s *states) put(state string, random *rand.Rand, megabytes int) {
	s.t.Helper()
	data, store := s.Path("data"), s.volume()
	s.clear(data, "app.log", "nested")
	s.clear(store)
	s.Write("settings", state)
	for _, dir := range []string{data, store} {
		assert.NilError(s.t, os.WriteFile(filepath.Join(dir, "state"), []byte(state), 0o644))
	}
	memories(s.t, random, filepath.Join(data, "memories"), 100)
	noise(s.t, random, filepath.Join(data, "embeddings.bin"), megabytes<<19)
	memories(s.t, random, store, 300) // as many moves at the top
	noise(s.t, random, filepath.Join(store, "vectors.bin"), megabytes<<19)
	noise(s.t, random, filepath.Join(store, "leveldb", "CURRENT"), 16)
	noise(s.t, random, filepath.Join(store, "leveldb", "MANIFEST-000001"), 200)
	noise(s.t, random, filepath.Join(store, "leveldb", "000002.log"), 2000)
	s.differ(state, data)
}

// clear removes the entries of a folder but some.
func (s *states) clear(dir string, but ...string) {
	s.t.Helper()
	entries, err := os.ReadDir(dir)
	assert.NilError(s.t, err)
	for _, e := range entries {
		if !slices.Contains(but, e.Name()) {
			assert.NilError(s.t, os.RemoveAll(filepath.Join(dir, e.Name())))
		}
	}
}

// differ makes what is of another kind, owner, mode, time or number of names in each state.
func (s *states) differ(state, data string) {
	s.t.Helper()
	path := func(elem ...string) string { return filepath.Join(append([]string{data}, elem...)...) }
	number := int(state[0])
	must := func(err error) { s.t.Helper(); assert.NilError(s.t, err) }
	write := func(name, text string) {
		must(os.MkdirAll(filepath.Dir(path(name)), 0o755))
		must(os.WriteFile(path(name), []byte(text), 0o644))
	}
	write("nested/changes", state)
	write("links/one", "linked "+state)
	must(os.Link(path("links", "one"), path("links", "two "+state)))
	must(os.Symlink("to "+state, path("current")))
	write("only "+state+"/deep/file", state)
	must(os.Mkdir(path("empty "+state), 0o700))
	write("same", "the same in both")
	must(os.Chtimes(path("same"), time.Time{}, time.Unix(int64(1e9+number), 123456789)))
	write("owned", "of others")
	must(os.Chown(path("owned"), 1000+number, 2000+number))
	must(os.Chmod(path("owned"), os.FileMode(0o600+number%8)))
	if state == "A" {
		write("kind", "a file")
	} else {
		write("kind/inside", "a folder")
	}
	must(os.Chmod(data, os.FileMode(0o711+number%2*0o44)))
	must(os.Chmod(s.Path("settings"), os.FileMode(0o600+number%8)))
}

// copy keeps a copy of the live data.
func (s *states) copy(state string) {
	s.t.Helper()
	assert.NilError(s.t, os.Mkdir(filepath.Join(s.copies, state), 0o755))
	for name, root := range s.sources() {
		s.Run("cp", "--archive", root, filepath.Join(s.copies, state, name)).Assert(s.t, icmd.Success)
	}
}

// live is the state that the data is in, in every byte, owner, mode and time.
func (s *states) live() string {
	s.t.Helper()
	differences := map[string][]string{}
	for _, state := range []string{"A", "B"} {
		for name, root := range s.sources() {
			for _, d := range treetest.Diff(filepath.Join(s.copies, state, name), root) {
				differences[state] = append(differences[state], name+" "+d)
			}
		}
		if differences[state] == nil {
			return state
		}
	}
	few := func(all []string) string { return strings.Join(all[:min(len(all), 12)], "\n  ") }
	s.t.Fatalf("the data is in neither state.\nFrom A:\n  %s\nFrom B:\n  %s", few(differences["A"]), few(differences["B"]))
	return ""
}

// tellings are the states that the writer found when it started.
func (s *states) tellings() []string {
	s.t.Helper()
	return strings.Split(strings.TrimSpace(s.Output("logs", s.ids["writer"])), "\n")
}

// startsAsAskedFor waits for the telling of a writer that start starts: it may find a mixture, since that was asked for. It tells it some time
// after the engine has started it.
func (s *states) startsAsAskedFor(start func()) {
	s.t.Helper()
	before := len(s.tellings())
	start()
	poll.WaitOn(s.t, func(poll.LogT) poll.Result {
		if len(s.tellings()) > before {
			return poll.Success()
		}
		return poll.Continue("the writer has told nothing")
	}, poll.WithTimeout(eventLimit))
	s.told = len(s.tellings())
}

// neverBetween checks that the writer has never started on a mixture.
func (s *states) neverBetween() {
	s.t.Helper()
	all := s.tellings()
	for _, told := range all[s.told:] {
		assert.Assert(s.t, told == "A A A" || told == "B B B", "a service started on data between two states: %q", told)
	}
	s.told = len(all)
}

// tidy removes all archives but those of the two states.
func (s *states) tidy() {
	s.t.Helper()
	for _, name := range s.archives() {
		if name != s.backup["A"] && name != s.backup["B"] {
			s.discard(name)
		}
	}
}

// other is the state that is not this one.
func other(state string) string { return map[string]string{"A": "B", "B": "A"}[state] }

// Issue 2, "What it must show" 3: kill -9 at random moments of a restore in place.
func TestRestoreKilledAtAnyMoment(t *testing.T) {
	inEach(t, []mode{direct, helped, remote}, restoreKilledAtAnyMoment)
}

func restoreKilledAtAnyMoment(t *testing.T, m mode) {
	s := newStates(t, 12)
	rounds, random := Campaign(t, 200, m.some(4))
	usual := s.bring("A")
	hits, ends := map[string]int{}, map[string]int{}
	for round, moment := range moments(rounds, random) {
		w, from := weapons(round), s.live()
		p := w.start(s.Project, "restore", "--yes", "--progress", "plain", s.backup[other(from)])
		_, killed := w.strike(t, p, "restore", time.Duration(moment*float64(usual)))
		s.backupsAreWhole()
		was := s.pending()
		if killed {
			hits[lastStep(was)]++
		}
		to := s.next(round, was != nil, other(from))
		if was == nil && !killed {
			assert.Equal(t, to, other(from), p.Output())
		}
		ends[fmt.Sprintf("old %v", to == from)]++
		t.Logf("round %d: %s killed (%v) at %.2f of %s: %s; from %s to %s", round, w.name, killed, moment, usual.Round(time.Millisecond), lastStep(was), from, to)
		s.tidy()
	}
	t.Logf("the data came to its state: %v", ends)
	enough(t, rounds, hits)
}

// bring restores a state without being disturbed and returns how long that took.
func (s *states) bring(state string) time.Duration {
	s.t.Helper()
	start := time.Now()
	s.Standalone("restore", "--yes", s.backup[state]).Assert(s.t, icmd.Success)
	took := time.Since(start)
	s.settled()
	assert.Equal(s.t, s.live(), state)
	return took
}

// next is the next command after a restore that was interrupted or not, another in each round; it returns the state of the data.
func (s *states) next(round int, interrupted bool, wanted string) string {
	s.t.Helper()
	switch round % 4 {
	case 1:
		s.tells(interrupted, "list") // reads, so it says what was interrupted and changes nothing
		assert.Equal(s.t, s.pending() != nil, interrupted)
		s.tells(interrupted, "recover")
	case 2:
		s.tells(interrupted, "restore", "--yes", "--progress", "plain", s.backup[wanted])
		assert.Equal(s.t, s.live(), wanted)
	case 3:
		s.tells(interrupted, "recover")
	default:
		s.backUp(interrupted)
	}
	s.settled()
	return s.live()
}

// tells runs a command that says whether something was interrupted.
func (s *states) tells(interrupted bool, args ...string) {
	s.t.Helper()
	result := s.Standalone(args...)
	result.Assert(s.t, icmd.Success)
	assert.Equal(s.t, tellsInterrupted(result), interrupted, result.Combined())
}

// settled holds what is so after every command that ended.
func (s *states) settled() {
	s.t.Helper()
	s.asBefore(0)
	s.nothingIsLeft()
	s.neverBetween()
	s.Standalone("audit", "--verify").Assert(s.t, icmd.Success)
	s.Standalone("verify", "--all", "--progress", "quiet").Assert(s.t, icmd.Success)
}
