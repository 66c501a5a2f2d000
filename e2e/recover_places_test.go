//go:build e2e && unix

package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/icmd"
)

// place is a backups directory that becomes bad while a run is at work, and good again.
type place struct {
	name  string
	mount func(t testing.TB, at string)
	spoil func(t testing.TB, at string)
	heal  func(t testing.TB, at string)
	// backup and restore are the exit codes that recover may have while the place is bad, after either was killed.
	backup, restore []int
}

func badPlaces() []place {
	tmpfs := func(t testing.TB, at string) { Tmpfs(t, at, "200m") }
	remount := func(how string) func(testing.TB, string) {
		return func(t testing.TB, at string) {
			t.Helper()
			run(t, "", nil, "mount", "-o", "remount,"+how, at).Assert(t, icmd.Success)
		}
	}
	nothing := func(testing.TB, string) {}
	return []place{
		{
			name: "full", mount: tmpfs, spoil: func(t testing.TB, at string) { fill(t, at, 0) },
			heal: func(t testing.TB, at string) { assert.NilError(t, os.Remove(filepath.Join(at, "fill"))) },
			// The unfinished archive goes first, and gives the log its room; or the last block of the log has some left.
			backup: []int{0}, restore: []int{0, 3},
		},
		{name: "read-only", mount: tmpfs, spoil: remount("ro"), heal: remount("rw"), backup: []int{3}, restore: []int{3}},
		{
			name: "unmounted",
			mount: func(t testing.TB, at string) {
				Tmpfs(t, at+".disk", "200m")
				Mount(t, "--bind", at+".disk", at)
			},
			spoil: func(t testing.TB, at string) { run(t, "", nil, "umount", at).Assert(t, icmd.Success) },
			heal: func(t testing.TB, at string) {
				assert.NilError(t, os.Remove(filepath.Join(at, "audit.jsonl"))) // of the time without the disk
				assert.NilError(t, os.RemoveAll(filepath.Join(at, ".memsys.lock")))
				run(t, "", nil, "mount", "--bind", at+".disk", at).Assert(t, icmd.Success)
			},
			backup: []int{3}, restore: []int{3},
		},
		{name: "without locks", mount: lockless, spoil: nothing, heal: nothing, backup: []int{0}, restore: []int{0}},
	}
}

// onto moves the backups to a place that is mounted where they were.
func (s *states) onto(p place) string {
	s.t.Helper()
	at := s.Path("backups")
	kept := at + ".kept"
	assert.NilError(s.t, os.Rename(at, kept))
	assert.NilError(s.t, os.Mkdir(at, 0o700))
	p.mount(s.t, at)
	s.Run("cp", "--archive", kept+"/.", at).Assert(s.t, icmd.Success)
	assert.NilError(s.t, os.RemoveAll(kept))
	s.Standalone("backup").Assert(s.t, icmd.Success) // the log is known here
	return at
}

// Issue 3, "What it must show" 3: recover works wherever the backups directory is bad, and the services are as they were.
func TestRecoverWhereTheBackupsDirectoryIs(t *testing.T) {
	for _, p := range badPlaces() {
		t.Run(p.name, func(t *testing.T) {
			s := newStates(t, 12)
			at := s.onto(p)
			t.Run("of a backup", func(t *testing.T) {
				killed := s.halt(s.Start(PluginPath(), "backup"))
				killed.Signal(syscall.SIGKILL)
				killed.Wait()
				p.spoil(t, at)
				s.asBefore(resumeLimit)
				s.recovers(p.backup, "the backup of", "was interrupted")
				s.asBefore(0)
				assert.Equal(t, s.live(), "B")
				s.healed(p, at)
			})
			t.Run("of a restore", func(t *testing.T) {
				run := s.Start(PluginPath(), "restore", "--yes", s.backup["A"])
				assert.Assert(t, killWhen(t, run, s.setAside(20)), run.Output())
				p.spoil(t, at)
				s.recovers(p.restore, "the restore of", "was interrupted")
				s.asBefore(0)
				assert.Equal(t, s.live(), "B")
				s.neverBetween()
				s.healed(p, at)
			})
		})
	}
}

// recovers runs recover, which must end with one of the codes and say what was interrupted.
func (s *states) recovers(codes []int, texts ...string) {
	s.t.Helper()
	result := s.Standalone("recover")
	assert.Assert(s.t, slices.Contains(codes, result.ExitCode), "%d is none of %v: %s", result.ExitCode, codes, result.Combined())
	Code(s.t, result, result.ExitCode, texts...)
}

// healed brings the place back and holds that nothing is left, that work goes on, and that the log tells it all.
func (s *states) healed(p place, at string) {
	s.t.Helper()
	noProcess(s.t, "__guardian")
	p.heal(s.t, at)
	old := time.Now().Add(-48 * time.Hour)
	for _, name := range s.unfinished() { // what could not be removed goes with the next run that finds it old
		assert.NilError(s.t, os.Chtimes(filepath.Join(at, name), old, old))
	}
	Code(s.t, s.Standalone("recover"), 0, "nothing was interrupted")
	s.settled()
	s.Standalone("backup").Assert(s.t, icmd.Success)
	s.settled()
	s.backupsAreWhole()
	Code(s.t, s.Standalone("audit", "--verify"), 0, "sound")
	s.tidy()
}

// A log that is damaged is found, and the way it is said leads to the place.
func TestOneChangedByteInTheAuditLogIsFound(t *testing.T) {
	s := newStates(t, 1)
	s.bring("A")
	Code(t, s.Standalone("audit", "--verify"), 0, " records in 1 file")
	path := s.Path("backups", "audit.jsonl")
	whole, err := os.ReadFile(path)
	assert.NilError(t, err)
	for _, at := range []int{10, len(whole) / 2, len(whole) - 2} {
		changed := append([]byte{}, whole...)
		changed[at] ^= 1
		assert.NilError(t, os.WriteFile(path, changed, 0o600))
		Code(t, s.Memsys("audit", "--verify"), 4, "audit.jsonl:")
	}
	assert.NilError(t, os.WriteFile(path, whole, 0o600))
	s.settled()
}
