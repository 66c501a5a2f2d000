//go:build e2e && unix

package e2e

import (
	"strings"
	"syscall"
	"testing"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/icmd"

	"github.com/memsys/docker-memsys/internal/engine"
)

// killedRestore is root's restore, killed among its moves: data is between two states, and the record of it is root's alone.
func (s *states) killedRestore() {
	s.t.Helper()
	p := s.Start(PluginPath(), "restore", "--yes", s.backup["A"])
	assert.Assert(s.t, killWhen(s.t, p, s.setAside(20)), p.Output())
	assert.Assert(s.t, s.pending() != nil)
}

// other is another user of this host in the project's own folder, with a state folder and a backups directory of his own.
func (v *victim) otherUser() func(args ...string) *icmd.Result {
	command := v.stranger()
	n := len(command) - 3 // backup --backups DIR
	return func(args ...string) *icmd.Result {
		full := append(append([]string{}, command[1:n]...), args...)
		return v.Run(command[0], append(full, command[n+1:]...)...)
	}
}

// made holds that a backup was made, whatever of root's data its user could not read.
func madeBackup(t testing.TB, result *icmd.Result) {
	t.Helper()
	assert.Assert(t, result.ExitCode == 0 || result.ExitCode == 3, result.Combined())
	assert.Assert(t, strings.Contains(result.Stdout(), "memory_backup_"), result.Combined())
}

// Issue 3, "What it must show" 3: first root, then a user, whose state folder knows nothing of root's restore.
func TestRecoverIsLeftToTheUserWhoWasInterrupted(t *testing.T) {
	s := newStates(t, 4)
	user := s.otherUser()
	s.killedRestore()
	for _, verb := range []string{"backup", "backup"} { // what tells of it stays
		Code(t, user(verb), 1, `"docker memsys restore" of root on `, "was killed, data may be between two states", "nothing was changed", "next: docker memsys recover in "+s.Dir+" as user root")
	}
	assert.Assert(t, len(s.stagings()) > 0, "somebody put it in order who must not")
	Code(t, s.Standalone("recover"), 0, "put back as it was")
	s.settled()
	assert.Equal(t, s.live(), "B")
	madeBackup(t, user("backup"))
	s.settled()
}

// A backup has changed no data: the other user goes on, and is told. What it held still stays so until its own user's recovery.
func TestAKilledBackupOfAnotherUserIsSaid(t *testing.T) {
	v := newWriters(t, 24)
	user := v.otherUser()
	killed := v.halt(v.Start(PluginPath(), "backup"))
	for _, guardian := range plugins(t, "__guardian", killed.Pid()) {
		assert.NilError(t, syscall.Kill(guardian, syscall.SIGKILL))
	}
	killed.Signal(syscall.SIGKILL)
	killed.Wait()
	result := user("backup")
	madeBackup(t, result)
	assert.Assert(t, strings.Contains(result.Combined(), `"docker memsys backup" of root on `), result.Combined())
	assert.Equal(t, v.state("writer"), engine.Paused)
	v.Standalone("recover").Assert(t, icmd.Expected{Err: "unpaused service writer"})
	v.asBefore(0)
	v.nothingIsLeft()
}

// Two clients of one engine, each with its own folder and state: the one is kept off what the other has left between two states.
func TestRecoverIsLeftToTheClientThatWasInterrupted(t *testing.T) {
	s := newStates(t, 4)
	client := s.elsewhere()
	client.Write("settings", "of the other folder")
	s.killedRestore()
	Code(t, client.Standalone("backup"), 1, `"docker memsys restore" of root on `, "docker memsys recover in "+s.Dir)
	Code(t, client.Standalone("recover"), 1, `"docker memsys restore" of root on `)
	Code(t, s.Standalone("recover"), 0, "put back as it was")
	s.settled()
	madeBackup(t, client.Standalone("backup"))
	s.settled()
	assert.Equal(t, s.live(), "B")
}
