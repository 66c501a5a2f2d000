//go:build e2e && unix

package e2e

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/icmd"

	"github.com/memsys/docker-memsys/internal/tree/treetest"
)

// throughHelper lets every run of the plugin work through a helper container, and asserts in the end that none is left.
func throughHelper(t *testing.T) {
	t.Helper()
	p := NewProject(t, "services: {}")
	t.Setenv("MEMSYS_HELPER", "always")
	t.Cleanup(func() {
		if !t.Failed() {
			p.nothingOfHelpersIsLeft()
		}
	})
}

func TestThroughAHelperBackupInterruptedWhileServicesArePaused(t *testing.T) {
	throughHelper(t)
	TestBackupInterruptedWhileServicesArePaused(t)
}

func TestThroughAHelperRestoreInterrupted(t *testing.T) {
	throughHelper(t)
	TestRestoreInterrupted(t)
}

// interrupted starts a restore, strikes it when it has begun to put files into the source, and tells whether it was still at work.
func (e *elsewhere) interrupted(t *testing.T, strike func(p *Process)) (code int) {
	t.Helper()
	p := e.Start(PluginPath(), "restore", "latest", "--yes", "--progress", "plain")
	begun := func() bool {
		staging, err := filepath.Glob(filepath.Join(e.bind, ".memsys-*"))
		return err == nil && len(staging) > 0
	}
	for !begun() {
		select {
		case <-p.done:
			t.Fatalf("the restore ended before it began: %s", p.Output())
		default:
		}
	}
	strike(p)
	return p.Wait()
}

// oldOrNew asserts that both sources are as they were or as the backup has them, both the same, and that nothing is left.
func (e *elsewhere) oldOrNew(t *testing.T, old, kept [2]string) {
	t.Helper()
	differences := map[string][]string{}
	for name, want := range map[string][2]string{"old": old, "new": kept} {
		differences[name] = append(treetest.Diff(want[0], e.bind), treetest.Diff(want[1], e.volume)...)
	}
	assert.Assert(t, len(differences["old"]) == 0 || len(differences["new"]) == 0, "neither old nor new.\nFrom old: %.2000q\nFrom new: %.2000q", differences["old"], differences["new"])
	Tidy(t, e.bind, e.volume)
	assert.Equal(t, e.State("app"), "running")
	e.nothingOfHelpersIsLeft()
}

// damaged backs up, damages the live data, and returns copies of the damaged and of the good data.
func (e *elsewhere) damaged(t *testing.T) (old, kept [2]string) {
	t.Helper()
	e.Backup()
	kept = [2]string{setAside(t, e.bind), setAside(t, e.volume)}
	for i, live := range []string{e.bind, e.volume} {
		old[i] = filepath.Join(t.TempDir(), "old")
		run(t, "", nil, "cp", "--archive", live, old[i]).Assert(t, icmd.Success)
	}
	return old, kept
}

func TestARestoreOfAUserThatIsKilledIsRecoveredByThem(t *testing.T) {
	u := NewUser(t, "docker")
	e := newElsewhere(t, u, "", treetest.Options{Seed: 41})
	e.As(u)
	old, kept := e.damaged(t)
	assert.Equal(t, e.interrupted(t, func(p *Process) { p.Signal(syscall.SIGKILL) }), -1)
	e.Memsys("recover").Assert(t, icmd.Success)
	e.oldOrNew(t, old, kept)
	e.Memsys("restore", "latest", "--yes").Assert(t, icmd.Success)
	Same(t, kept[0], e.bind)
	Same(t, kept[1], e.volume)
}

func TestARestoreOverSSHThatIsKilledIsRecovered(t *testing.T) {
	u := NewUser(t, "docker")
	e := newElsewhere(t, u, "", treetest.Options{Seed: 42})
	e.As(u)
	e.OverSSH(u, socket(t))
	old, kept := e.damaged(t)
	assert.Equal(t, e.interrupted(t, func(p *Process) { p.Signal(syscall.SIGKILL) }), -1)
	e.Memsys("recover").Assert(t, icmd.Success)
	e.oldOrNew(t, old, kept)
}

func TestARestoreWhoseHelperIsKilledPutsEverythingBack(t *testing.T) {
	u := NewUser(t, "docker")
	e := newElsewhere(t, u, "", treetest.Options{Seed: 43})
	e.As(u)
	old, kept := e.damaged(t)
	code := e.interrupted(t, func(*Process) {
		helpers := strings.Fields(e.Output("ps", "--quiet", "--filter", "label=io.github.memsys.helper"))
		assert.Assert(t, len(helpers) <= 1)
		for _, id := range helpers {
			e.Docker("kill", id)
		}
	})
	t.Logf("exit code %d", code)
	if code == 0 {
		Same(t, kept[0], e.bind)
		return
	}
	e.Memsys("recover").Assert(t, icmd.Success)
	e.oldOrNew(t, old, kept)
}

func TestARestoreOfAUserThatIsInterruptedPutsEverythingBack(t *testing.T) {
	u := NewUser(t, "docker")
	e := newElsewhere(t, u, "", treetest.Options{Seed: 44})
	e.As(u)
	old, kept := e.damaged(t)
	code := e.interrupted(t, func(p *Process) { p.Signal(syscall.SIGINT) })
	assert.Assert(t, code == 130 || code == 0, code)
	e.oldOrNew(t, old, kept)
}
