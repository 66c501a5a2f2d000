//go:build e2e && unix

package e2e

import (
	"os"
	"path/filepath"
	"testing"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/icmd"

	"github.com/memsys/docker-memsys/internal/tree/treetest"
)

// undo undoes the last restore without being disturbed and asserts the state that the data comes to.
func (s *states) undo(want string, texts ...string) {
	s.t.Helper()
	Code(s.t, s.Standalone("restore", "--undo", "--yes"), 0, append([]string{"undid the restore of"}, texts...)...)
	s.asBefore(0)
	s.nothingIsLeft()
	s.neverBetween()
	assert.Equal(s.t, s.live(), want)
}

// TestUndoGoesBackAndForth: of a whole restore, and of a part of one.
func TestUndoGoesBackAndForth(t *testing.T) {
	s := newStates(t, 1)
	s.bring("A")
	s.undo("B")
	s.undo("A")
	s.undo("B")
	s.partly()
	s.Standalone("verify", "--all", "--progress", "quiet").Assert(t, icmd.Success)
}

// partly restores a part of one source, and a source alone: their undo takes back no more and no less.
func (s *states) partly() {
	s.t.Helper()
	for _, part := range [][]string{{"--source", "data", "--path", "memories/**", "--path", "kind"}, {"--source", "settings"}} {
		s.startsAsAskedFor(func() { Code(s.t, s.Standalone(append([]string{"restore", s.backup["A"], "--yes"}, part...)...), 0) })
		differs := map[bool]string{true: s.Path("data"), false: s.Path("settings")}[part[1] == "data"]
		assert.Assert(s.t, len(treetest.Diff(filepath.Join(s.copies, "B", filepath.Base(differs)), differs)) > 0, "nothing was restored")
		s.undo("B")
	}
}

// TestUndoAfterTheDataWasChanged: it says so, needs to be told that this may go, and needs no state folder.
func TestUndoAfterTheDataWasChanged(t *testing.T) {
	s := newStates(t, 1)
	s.bring("A")
	s.Write("data/nested/since", "later")
	assert.NilError(t, os.WriteFile(filepath.Join(s.volume(), "state"), []byte("changed"), 0o644))
	plan := Code(t, s.Standalone("restore", "--undo", "--dry-run"), 0, "changed in data since", "nested/since", "changed in store since")
	assert.Assert(t, !contains(plan.Combined(), "changed in settings since"), plan.Combined())
	Code(t, s.Standalone("restore", "--undo"), 2, "and with it what was changed since in 2 entries?", "--yes")
	assert.Equal(t, s.Read("data/nested/since"), "later")
	assert.NilError(t, os.RemoveAll(s.getenv("MEMSYS_STATE_DIR")))
	s.undo("B", "state folder does not know the last restore")
}

func TestThroughAHelperUndoGoesBackAndForth(t *testing.T) {
	throughHelper(t)
	TestUndoGoesBackAndForth(t)
}

// asides are what docker memsys aside lists.
func (s *states) asides() []struct{ ID, Source, Path, Why string } {
	s.t.Helper()
	return lines[struct{ ID, Source, Path, Why string }](s.t, s.Standalone("aside", "--format", "json"))
}

// withoutRoom restores a state while no safety backup can be written.
func (s *states) withoutRoom(state string) {
	s.t.Helper()
	backups := s.Path("backups")
	s.Run("mount", "-o", "remount,bind,ro", backups).Assert(s.t, icmd.Success)
	result := s.Standalone("restore", "--yes", s.backup[state])
	s.Run("mount", "-o", "remount,bind,rw", backups).Assert(s.t, icmd.Success)
	assert.Assert(s.t, result.ExitCode == 0 || result.ExitCode == 3, result.Combined())
	assert.Equal(s.t, len(s.asides()), 3, "%s", result.Combined())
	s.asBefore(0)
}

// TestUndoFromWhatWasSetAside: without a safety backup the former entries stay, come back, and go when somebody says so.
func TestUndoFromWhatWasSetAside(t *testing.T) {
	s := newStates(t, 1)
	Mount(t, "--bind", s.Path("backups"), s.Path("backups"))
	s.withoutRoom("A")
	s.undo("B")
	assert.Equal(t, len(s.asides()), 0)
	s.undo("A") // from the safety backup of the undo
	s.withoutRoom("B")
	all := s.asides()
	Code(t, s.Standalone("aside", "--remove", "all"), 2, "No backup is known to have it", "--yes")
	assert.DeepEqual(t, s.asides(), all)
	Code(t, s.Standalone("aside", "--remove", all[0].ID, "--yes"), 0, "removed")
	assert.Equal(t, len(s.asides()), 0)
	s.nothingIsLeft()
	assert.Equal(t, s.live(), "B")
	Code(t, s.Standalone("restore", "--undo", "--yes"), 8, "nothing to undo", "is gone")
	assert.Equal(t, s.live(), "B")
	s.asBefore(0)
}

func TestThroughAHelperUndoFromWhatWasSetAside(t *testing.T) {
	throughHelper(t)
	TestUndoFromWhatWasSetAside(t)
}

// TestUndoOfWhatARestoreMade leaves the folder and the volume that were missing, empty, and goes forth again.
func TestUndoOfWhatARestoreMade(t *testing.T) {
	p := Box(t, `["./data:/data", "vol:/vol"]`, "volumes: {vol: {}}\n")
	p.Write("data/file", "first")
	p.Up()
	p.Exec("app", "sh", "-c", "echo first >/vol/file")
	p.Backup()
	p.Compose("down", "--volumes").Assert(t, icmd.Success)
	assert.NilError(t, os.RemoveAll(p.Path("data")))
	Code(t, p.Memsys("restore", "--yes"), 0)
	kept := []func(){Keep(t, p.Path("data")), Keep(t, p.Mountpoint("vol"))}
	Code(t, p.Memsys("restore", "--undo", "--yes"), 0)
	for _, root := range []string{p.Path("data"), p.Mountpoint("vol")} {
		entries, err := os.ReadDir(root)
		assert.NilError(t, err)
		assert.Equal(t, len(entries), 0, "%s: %v", root, entries)
	}
	Code(t, p.Memsys("restore", "--undo", "--yes"), 0)
	for _, same := range kept {
		same()
	}
}

// TestAUserUndoesARestoreOfWhatIsNotTheirs: a user who owns none of the data has it back, from a safety backup and from what was set aside.
func TestAUserUndoesARestoreOfWhatIsNotTheirs(t *testing.T) {
	u := NewUser(t, "docker")
	e := newElsewhere(t, u, "", treetest.Options{Seed: 51, Files: 10, Plain: true})
	e.As(u)
	e.Backup()
	for _, live := range []string{e.bind, e.volume} {
		assert.NilError(t, os.WriteFile(filepath.Join(live, "later"), []byte("later"), 0o600))
	}
	kept := []func(){Keep(t, e.bind), Keep(t, e.volume)}
	Code(t, e.Memsys("restore", "latest", "--yes"), 0)
	_, err := os.Stat(filepath.Join(e.bind, "later"))
	assert.ErrorIs(t, err, os.ErrNotExist)
	Code(t, e.Memsys("restore", "--undo", "--yes"), 0)
	for _, same := range kept {
		same()
	}
	Tidy(t, e.bind, e.volume)
	assert.Equal(t, e.State("app"), "running")
	e.nothingOfHelpersIsLeft()
}
