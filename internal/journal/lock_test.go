package journal

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gotest.tools/v3/assert"
)

// holdArg makes the test binary a run that takes the lock in a folder, says so and waits to be killed or told to end.
const holdArg = "__hold-lock"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == holdArg {
		os.Exit(holdLock(os.Args[2], os.Args[3]))
	}
	os.Exit(m.Run())
}

func holdLock(dir, backups string) int {
	s, err := Open(dir, "p")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	_, l, err := s.Lock(context.Background(), LockOptions{Holder: Self("docker memsys backup", time.Now()), BackupsDir: backups, Now: time.Now})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("held")
	_, _ = io.Copy(io.Discard, os.Stdin)
	if err := l.Release(context.Background()); err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

// startHolder starts a process that holds the lock; end lets it end by itself.
func startHolder(t *testing.T, dir, backups string) (cmd *exec.Cmd, end func()) {
	t.Helper()
	cmd = exec.Command(os.Args[0], holdArg, dir, backups)
	in, err := cmd.StdinPipe()
	assert.NilError(t, err)
	out, err := cmd.StdoutPipe()
	assert.NilError(t, err)
	assert.NilError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	assert.NilError(t, err)
	assert.Equal(t, strings.TrimSpace(line), "held")
	return cmd, func() { _ = in.Close() }
}

func options() LockOptions {
	return LockOptions{Holder: Self("docker memsys restore", time.Now()), Now: time.Now}
}

func TestASecondRunIsToldWhoHoldsTheLock(t *testing.T) {
	dir := t.TempDir()
	cmd, _ := startHolder(t, dir, "")
	s, err := Open(dir, "p")
	assert.NilError(t, err)
	_, _, err = s.Lock(t.Context(), options())
	assert.ErrorIs(t, err, ErrLocked)
	var locked *LockedError
	assert.Assert(t, errors.As(err, &locked))
	assert.Equal(t, locked.Holder.PID, cmd.Process.Pid)
	assert.ErrorContains(t, err, `"docker memsys backup"`)
	h, err := s.Holder()
	assert.NilError(t, err)
	assert.Equal(t, h.PID, cmd.Process.Pid)
	_, l, err := lockIn(t, dir, "another", options())
	assert.NilError(t, err)
	assert.NilError(t, l.Release(t.Context()))
}

func lockIn(t *testing.T, dir, identity string, o LockOptions) (context.Context, *Lock, error) {
	t.Helper()
	s, err := Open(dir, identity)
	assert.NilError(t, err)
	return s.Lock(t.Context(), o)
}

func TestTheLockOfAKilledRunIsFree(t *testing.T) {
	dir := t.TempDir()
	cmd, _ := startHolder(t, dir, "")
	assert.NilError(t, cmd.Process.Kill())
	_ = cmd.Wait()
	h, err := View(dir, "p").Holder()
	assert.NilError(t, err)
	assert.Assert(t, h == nil, "a dead run was named as the holder")
	_, l, err := lockIn(t, dir, "p", options())
	assert.NilError(t, err)
	assert.NilError(t, l.Release(t.Context()))
}

func TestARunThatWaitsGetsTheLockWhenItIsGivenBack(t *testing.T) {
	dir := t.TempDir()
	cmd, end := startHolder(t, dir, "")
	o := options()
	o.Wait = time.Minute
	o.OnWait = func(h Holder) {
		assert.Equal(t, h.PID, cmd.Process.Pid)
		end()
	}
	ctx, l, err := lockIn(t, dir, "p", o)
	assert.NilError(t, err)
	assert.NilError(t, ctx.Err())
	assert.NilError(t, l.Release(t.Context()))
	assert.ErrorIs(t, ctx.Err(), context.Canceled)
}

func TestAWaitEndsWithTheContext(t *testing.T) {
	dir := t.TempDir()
	startHolder(t, dir, "")
	s, err := Open(dir, "p")
	assert.NilError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	o := options()
	o.Wait = time.Minute
	o.OnWait = func(Holder) { cancel() }
	_, _, err = s.Lock(ctx, o)
	assert.ErrorIs(t, err, context.Canceled)
}

func TestRunsWithOtherStateFoldersMeetInTheBackupsDirectory(t *testing.T) {
	backups := t.TempDir()
	cmd, _ := startHolder(t, t.TempDir(), backups)
	o := options()
	o.BackupsDir = backups
	dir := t.TempDir()
	_, _, err := lockIn(t, dir, "p", o)
	var locked *LockedError
	assert.Assert(t, errors.As(err, &locked))
	assert.Equal(t, locked.Holder.PID, cmd.Process.Pid)
	o.BackupsDir = ""
	_, l, err := lockIn(t, dir, "p", o)
	assert.NilError(t, err, "the local lock must have been given back")
	assert.NilError(t, l.Release(t.Context()))
}

func TestABackupsDirectoryWithoutLocksIsALimitNotAFailure(t *testing.T) {
	if os.Getuid() == 0 {
		if _, err := os.Stat("/proc/self"); err != nil {
			t.Skip("no read-only file system at hand")
		}
	}
	o := options()
	o.BackupsDir = "/proc/self" // nothing can be made there
	_, l, err := lockIn(t, t.TempDir(), "p", o)
	if err != nil { // where such a folder says "not found"
		assert.ErrorIs(t, err, os.ErrNotExist)
		return
	}
	assert.Equal(t, len(l.Limits()), 1)
	assert.Assert(t, strings.Contains(l.Limits()[0], "/proc/self"))
	assert.NilError(t, l.Release(t.Context()))
}

func TestALockFileOfAnotherUserIsLockedAllTheSame(t *testing.T) {
	backups := t.TempDir()
	path := filepath.Join(backups, BackupsLockName)
	assert.NilError(t, os.WriteFile(path, nil, 0o444))
	a, b := newFileLock(path, Self("a", time.Now())), newFileLock(path, Self("b", time.Now()))
	blocked, err := a.try(t.Context())
	assert.NilError(t, err)
	assert.Assert(t, blocked == nil)
	blocked, err = b.try(t.Context())
	assert.NilError(t, err)
	assert.Assert(t, blocked != nil)
	assert.NilError(t, a.release(t.Context()))
}

func TestAProcessIsKnownByItsStartNotOnlyItsId(t *testing.T) {
	h := Self("x", time.Now())
	assert.Assert(t, !h.gone())
	h.Start += "0" // the id was given to another process since
	assert.Assert(t, h.gone())
	h.Boot = "another system"
	assert.Assert(t, !h.gone(), "the processes of another system are not known")
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	assert.NilError(t, cmd.Run())
	dead := Self("x", time.Now())
	dead.PID = cmd.Process.Pid
	assert.Assert(t, dead.gone())
}
