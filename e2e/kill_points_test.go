//go:build e2e && unix

package e2e

import (
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/icmd"
)

// killWhen kills a process at once when something is so, and tells whether that came before its end.
func killWhen(t testing.TB, p *Process, so func() bool) bool {
	t.Helper()
	for end := time.Now().Add(eventLimit); time.Now().Before(end); runtime.Gosched() {
		select {
		case <-p.done:
			return false
		default:
		}
		if so() {
			p.Signal(syscall.SIGKILL)
			p.Wait()
			return true
		}
	}
	t.Fatalf("what the kill waits for did not happen: %s", p.Output())
	return false
}

// appeared tells whether a folder has a name of a pattern that is none of those known.
func appeared(dir, pattern string, known []string) bool {
	entries, _ := os.ReadDir(dir)
	return slices.ContainsFunc(entries, func(e os.DirEntry) bool {
		matched, _ := path.Match(pattern, e.Name())
		return matched && !slices.Contains(known, e.Name())
	})
}

// The moments at which an archive gets its name are too short for chance: each is waited for.
func TestBackupKilledWhileItIsPublished(t *testing.T) {
	v := newWriters(t, 4)
	v.backUp(false)
	for _, pattern := range []string{
		"memory_backup_*.tar.gz", "memory_backup_*.json", "memory_backup_*.md5", "memory_backup_*.sha256", ".memory_backup_*.md5.tmp-*",
	} {
		known := v.backupsNow()
		killed := killWhen(t, v.Start(PluginPath(), "backup"), func() bool { return appeared(v.Path("backups"), pattern, known) })
		v.backupsAreWhole()
		was := v.pending()
		t.Logf("killed (%v) at the first %s: %s, left %q", killed, pattern, lastStep(was), v.unfinished())
		v.asBefore(resumeLimit)
		v.backUp(was != nil)
		v.discard(v.archives()[:len(v.archives())-1]...)
	}
}

// Nor is the swap of a restore left to chance: it is killed after some of its moves.
func TestRestoreKilledWhileItSwaps(t *testing.T) {
	inEach(t, []mode{direct, helped}, restoreKilledWhileItSwaps)
}

func restoreKilledWhileItSwaps(t *testing.T, _ mode) {
	s := newStates(t, 2)
	rounds, random := Campaign(t, 40, 3)
	swapping := 0
	for round := range rounds {
		from, moves := s.live(), 1+random.IntN(30)
		p := s.Start(PluginPath(), "restore", "--yes", s.backup[other(from)])
		killed := killWhen(t, p, s.setAside(moves))
		was := s.pending()
		if lastStep(was) == "restore.swap" {
			swapping++
		}
		if round%2 == 1 { // so is the recovery
			_, killed := weapon{}.strike(t, s.Start(PluginPath(), "recover"), "recover", time.Duration(random.IntN(150))*time.Millisecond)
			t.Logf("its recovery was killed: %v", killed)
			was = s.pending()
		}
		to := s.next(round, was != nil, other(from))
		t.Logf("killed (%v) after %d moves: %s; from %s to %s", killed, moves, lastStep(was), from, to)
		s.tidy()
	}
	assert.Assert(t, swapping > 0, "no round was killed in a swap")
}

// A service that somebody starts on data between two states is stopped, gets data of one state, and runs again.
func TestRestoreKilledAndServicesStartedByHand(t *testing.T) {
	s := newStates(t, 2)
	p := s.Start(PluginPath(), "restore", "--yes", s.backup["A"])
	assert.Assert(t, killWhen(t, p, s.setAside(3)), p.Output())
	s.startsAsAskedFor(func() { s.Docker("start", s.ids["writer"]).Assert(t, icmd.Success) })
	s.tells(true, "recover")
	s.settled()
	assert.Equal(t, s.live(), "B")
	last := s.tellings()
	assert.Equal(t, last[len(last)-1], "B B B")
}

// setAside tells whether the swap of the volume has made some moves.
func (s *states) setAside(moves int) func() bool {
	pattern, old := filepath.Join(s.volume(), ".memsys-*", "old"), ""
	return func() bool {
		if old == "" {
			if found, _ := filepath.Glob(pattern); len(found) > 0 {
				old = found[0]
			}
			return false
		}
		entries, _ := os.ReadDir(old)
		return len(entries) >= moves
	}
}
