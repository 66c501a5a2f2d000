//go:build unix

package plugin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/engine/enginetest"
	"github.com/memsys/docker-memsys/internal/helper"
	"github.com/memsys/docker-memsys/internal/restore"
	"github.com/memsys/docker-memsys/internal/store"
	"github.com/memsys/docker-memsys/internal/tree/treetest"
)

// sideBed is a project whose files are reached by another process, this test's executable as helper: all of a helper but the container.
type sideBed struct {
	t      *testing.T
	s      *session
	engine *enginetest.Engine
	data   string
	specs  []helper.Spec
	before atomic.Pointer[watcher]
}

// watcher is told of a helper's call before it is answered.
type watcher func(p *childProcess, method string, raw json.RawMessage)

// ask makes f be told from now on, from any goroutine; nil: nobody.
func (b *sideBed) ask(f watcher) {
	if f == nil {
		b.before.Store(nil)
		return
	}
	b.before.Store(&f)
}

func newSideBed(t *testing.T) *sideBed {
	t.Helper()
	s, fake := openTestSession(t)
	b := &sideBed{t: t, s: s, engine: fake, data: filepath.Join(s.WorkingDir, "data")}
	s.app.world.Helper = b.start
	s.Config.Helper, s.Config.Quiesce = "always", "none" // the guardian would be this test's executable
	s.Info.Local = true
	b.write("a", "old a")
	b.write("sub/b", "old b")
	fake.Add(engine.Container{
		Name: "notes-app-1", Project: "notes", Service: "app", Number: "1", State: engine.Running,
		Mounts: []engine.Mount{{Type: "bind", Source: b.data, Destination: "/data"}},
	})
	return b
}

func (b *sideBed) write(name, content string) {
	b.t.Helper()
	path := filepath.Join(b.data, name)
	assert.NilError(b.t, os.MkdirAll(filepath.Dir(path), 0o755))
	assert.NilError(b.t, os.WriteFile(path, []byte(content), 0o640))
}

// childProcess is a helper that is a child of this process.
type childProcess struct {
	*helper.Line
	cmd *exec.Cmd
	end func()
	// hung: it is stopped, and only a kill ends it.
	hung bool
}

// hang stops it, as a disk that does not answer would.
func (p *childProcess) hang(t *testing.T) {
	t.Helper()
	p.hung = true
	assert.NilError(t, p.cmd.Process.Signal(syscall.SIGSTOP))
}

func (b *sideBed) start(_ context.Context, _ *engine.Client, spec helper.Spec, h map[string]helper.Handler) (process, error) {
	b.specs = append(b.specs, spec)
	p := &childProcess{cmd: &exec.Cmd{Path: os.Args[0], Args: []string{"docker-memsys", helper.Arg}, Env: os.Environ(), Stderr: os.Stderr}}
	in, err := p.cmd.StdinPipe()
	assert.NilError(b.t, err)
	out, err := p.cmd.StdoutPipe()
	assert.NilError(b.t, err)
	assert.NilError(b.t, p.cmd.Start())
	p.end = sync.OnceFunc(func() {
		_ = in.Close()
		_ = p.cmd.Wait() // a helper that was killed is no failure
	})
	b.t.Cleanup(p.end)
	p.Line = helper.NewLine(duplex{out, in}, b.watched(p, h), spec.Codecs...)
	return p, nil
}

// watched asks before each call of the helper.
func (b *sideBed) watched(p *childProcess, h map[string]helper.Handler) map[string]helper.Handler {
	out := map[string]helper.Handler{}
	for method, handler := range h {
		out[method] = func(ctx context.Context, raw json.RawMessage) (any, error) {
			if f := b.before.Load(); f != nil && method != tellProgress {
				(*f)(p, method, raw)
			}
			return handler(ctx, raw)
		}
	}
	return out
}

func (p *childProcess) kill() {
	_ = p.cmd.Process.Kill() // one that has ended is as good
	p.end()
}

func (p *childProcess) Close(context.Context) error {
	err := p.Line.Close()
	if p.hung {
		p.kill()
	}
	p.end()
	return err
}

func (p *childProcess) Fetch(context.Context, string, io.Writer, func(int64)) error {
	return errors.New("there is no scratch volume")
}

func (p *childProcess) Send(context.Context, string, io.Reader, int64, func(int64)) error {
	return errors.New("there is no scratch volume")
}

type duplex struct {
	io.Reader
	io.WriteCloser
}

// begun does something within an operation.
func (b *sideBed) begun(op string, do func(ctx context.Context) error) error {
	b.t.Helper()
	ctx, err := b.s.begin(b.t.Context(), op, lockOptions{}, nil)
	assert.NilError(b.t, err)
	err = do(ctx)
	return errors.Join(err, b.s.end(ctx, err))
}

func (b *sideBed) backup() store.Backup {
	b.t.Helper()
	var made store.Backup
	assert.NilError(b.t, b.s.Store.Ensure())
	err := b.begun("backup", func(ctx context.Context) error {
		res, err := b.s.makeBackup(ctx, backupWish{reason: "manual"})
		if err == nil {
			made = res.Backup
			assert.Assert(b.t, res.Complete, "%v %v", res.Missing, res.Problems)
		}
		return err
	})
	assert.NilError(b.t, err)
	return made
}

func (b *sideBed) restore(ctx context.Context, from store.Backup) error {
	b.t.Helper()
	return b.begun("restore", func(begun context.Context) error {
		begun, cancel := context.WithCancel(begun)
		defer cancel()
		defer context.AfterFunc(ctx, cancel)()
		return b.s.planned(begun, from, restoreOptions{}, func(p *planned) error {
			assert.Equal(b.t, p.Through, throughHelper)
			_, err := p.run(begun)
			return err
		})
	})
}

// running tells that the service is as it was.
func (b *sideBed) running() bool {
	all, err := b.engine.Containers(b.t.Context(), engine.Filter{})
	assert.NilError(b.t, err)
	return len(all) == 1 && all[0].State == engine.Running
}

func TestABackupAndARestoreThroughAHelper(t *testing.T) {
	b := newSideBed(t)
	made := b.backup()
	was := filepath.Join(t.TempDir(), "was")
	copyTree(t, b.data, was)
	b.write("a", "new a")
	b.write("c", "new c")
	assert.NilError(t, os.RemoveAll(filepath.Join(b.data, "sub")))
	assert.NilError(t, b.restore(t.Context(), made))
	assert.DeepEqual(t, treetest.Diff(was, b.data), []string(nil))
	assert.Assert(t, b.running())
	pending, err := b.s.state.Pending()
	assert.NilError(t, err)
	assert.Assert(t, pending == nil)
	assert.Assert(t, !b.specs[0].Writes)
	assert.DeepEqual(t, b.specs[0].Mounts, []helper.Mount{{Path: b.s.Store.Path, Target: b.s.Store.Path}, {Path: b.data, Target: b.data, ReadOnly: true}})
	assert.Assert(t, b.specs[1].Writes)
}

// TestARestoreThroughAHelperRunsTheServicesOwnCommands: as one of this process does, and where one fails nothing is changed.
func TestARestoreThroughAHelperRunsTheServicesOwnCommands(t *testing.T) {
	for _, way := range []string{"always", "never"} {
		for _, refuses := range []bool{false, true} {
			t.Run(fmt.Sprint(way, " ", refuses), func(t *testing.T) {
				b := newSideBed(t)
				file := filepath.Join(b.s.WorkingDir, "compose.yaml")
				assert.NilError(t, os.WriteFile(file, []byte("name: notes\nservices:\n  app:\n    image: app\n    volumes: [./data:/data]\n    pre_stop: [{command: [flush]}]\n    post_start: [{command: [warm, up]}]\n"), 0o600))
				s, err := b.s.app.openSession(t.Context(), compose.Overrides{})
				assert.NilError(t, err)
				s.Config.Helper, s.Config.Quiesce, s.Info.Local = way, "none", true
				b.s = s
				made := b.backup()
				b.write("a", "new a")
				var ran []string
				b.engine.SetProgram(func(_ context.Context, _ engine.Container, command []string, out io.Writer) (int, error) {
					ran = append(ran, strings.Join(command, " "))
					if !refuses {
						return 0, nil
					}
					_, err := fmt.Fprintln(out, "still busy")
					return 3, err
				})
				err = b.begun("restore", func(ctx context.Context) error {
					return b.s.planned(ctx, made, restoreOptions{noSafetyBackup: true}, func(p *planned) error {
						assert.Equal(t, p.Through == throughHelper, way == "always")
						_, err := p.run(ctx)
						return err
					})
				})
				assert.Assert(t, b.running())
				content, e := os.ReadFile(filepath.Join(b.data, "a"))
				assert.NilError(t, e)
				if refuses {
					assert.ErrorContains(t, err, "stop app: its pre_stop command failed: flush ended with 3: still busy")
					assert.DeepEqual(t, ran, []string{"flush"})
					assert.Equal(t, string(content), "new a")
					return
				}
				assert.NilError(t, err)
				assert.DeepEqual(t, ran, []string{"flush", "warm up"})
				assert.Equal(t, string(content), "old a")
			})
		}
	}
}

// copyTree copies with cp, which keeps everything that these tests make.
func copyTree(t *testing.T, from, to string) {
	t.Helper()
	out, err := exec.Command("cp", "-a", from, to).CombinedOutput()
	assert.NilError(t, err, string(out))
}

// TestAHelperThatDiesAtAnyCallLeavesTheOldOrTheNewState: killed before each call that it makes in a restore is answered, and after it.
func TestAHelperThatDiesAtAnyCallLeavesTheOldOrTheNewState(t *testing.T) {
	died := 0
	for at := 1; ; at++ {
		b := newSideBed(t)
		made := b.backup()
		was := filepath.Join(t.TempDir(), "was")
		copyTree(t, b.data, was)
		b.write("a", "new a")
		b.write("c", "new c")
		now := filepath.Join(t.TempDir(), "now")
		copyTree(t, b.data, now)
		calls, killed := 0, false
		b.ask(func(p *childProcess, _ string, _ json.RawMessage) {
			if calls++; calls == at {
				killed = true
				p.kill()
			}
		})
		err := b.restore(t.Context(), made)
		if !killed {
			assert.NilError(t, err)
			break
		}
		died++
		assert.Assert(t, b.running(), "call %d: %v", at, err)
		restored, former := treetest.Diff(was, b.data), treetest.Diff(now, b.data)
		reverted := errors.As(err, new(*restore.RevertedError))
		assert.Assert(t, !reverted && len(restored) == 0 || len(former) == 0, "call %d: %v\nnot the backup: %v\nnot as it was: %v", at, err, restored, former)
		pending, e := b.s.state.Pending()
		assert.NilError(t, e)
		assert.Assert(t, pending == nil, "call %d: %v", at, pending)
	}
	assert.Assert(t, died > 8, "%d", died)
}

func TestAnInterruptedRestoreThroughAHelperIsPutBack(t *testing.T) {
	b := newSideBed(t)
	made := b.backup()
	b.write("a", "new a")
	now := filepath.Join(t.TempDir(), "now")
	copyTree(t, b.data, now)
	ctx, cancel := context.WithCancel(t.Context())
	steps := 0
	b.ask(func(_ *childProcess, method string, _ json.RawMessage) {
		if method == askStep {
			if steps++; steps == 4 {
				cancel()
			}
		}
	})
	err := b.restore(ctx, made)
	assert.Assert(t, errors.As(err, new(*restore.RevertedError)), "%v", err)
	assert.ErrorIs(t, err, context.Canceled)
	assert.DeepEqual(t, treetest.Diff(now, b.data), []string(nil))
	assert.Assert(t, b.running())
}

// TestAContainerThatTakesAnothersPlaceDuringARestoreIsStarted, and none of another project that has its number.
func TestAContainerThatTakesAnothersPlaceDuringARestoreIsStarted(t *testing.T) {
	b := newSideBed(t)
	made := b.backup()
	other := b.engine.Add(engine.Container{Name: "another-app-1", Project: "another", Service: "app", Number: "1", State: engine.Exited})
	var successor string
	b.ask(func(_ *childProcess, method string, raw json.RawMessage) {
		if method == askStep && strings.Contains(string(raw), "restore.swap") && successor == "" {
			all, err := b.engine.Containers(t.Context(), engine.Filter{Project: "notes"})
			assert.Check(t, err)
			b.engine.Remove(all[0].ID)
			all[0].ID, all[0].State = "", engine.Exited
			successor = b.engine.Add(all[0])
		}
	})
	err := b.restore(t.Context(), made)
	assert.NilError(t, err)
	assert.Equal(t, b.engine.State(other), engine.Exited)
	assert.Equal(t, b.engine.State(successor), engine.Running)
}

// TestAnotherRunRecoversThroughAHelper: the client died, so all that is left is what the journal tells.
func TestAnotherRunRecoversThroughAHelper(t *testing.T) {
	b := newSideBed(t)
	now := b.interrupt()
	assert.NilError(t, b.begun("recover", func(context.Context) error { return nil }))
	assert.DeepEqual(t, treetest.Diff(now, b.data), []string(nil))
	assert.Assert(t, b.running())
}

// TestAVolumeMadeForARestoreThatFailsIsRemoved: by this process, once the helper that has it mounted is gone.
func TestAVolumeMadeForARestoreThatFailsIsRemoved(t *testing.T) {
	for _, fails := range []bool{false, true} {
		t.Run(fmt.Sprint(fails), func(t *testing.T) {
			b := newSideBed(t)
			volume := engine.Volume{
				Name: "notes_vol", Driver: "local", Mountpoint: "/var/lib/docker/volumes/notes_vol/_data",
				Options: map[string]string{"type": "none", "o": "bind", "device": filepath.Join(b.s.WorkingDir, "vol")},
			}
			assert.NilError(t, os.Mkdir(volume.Options["device"], 0o755))
			b.engine.AddVolume(volume)
			file := filepath.Join(b.s.WorkingDir, "compose.yaml")
			assert.NilError(t, os.WriteFile(file, []byte("name: notes\nservices:\n  app:\n    image: app\n    volumes: [./data:/data, 'vol:/vol']\nvolumes: {vol: {}}\n"), 0o600))
			s, err := b.s.app.openSession(t.Context(), compose.Overrides{})
			assert.NilError(t, err)
			s.Config.Helper, s.Config.Quiesce, s.Info.Local = "always", "none", true
			b.s = s
			assert.NilError(t, os.WriteFile(filepath.Join(volume.Options["device"], "v"), []byte("v"), 0o600))
			made := b.backup()
			assert.NilError(t, b.engine.RemoveVolume(t.Context(), volume.Name))
			b.ask(func(p *childProcess, method string, _ json.RawMessage) {
				if fails && method == askMakeVolume {
					p.kill()
				}
			})
			err = b.restore(t.Context(), made)
			_, there := b.engine.Volume(t.Context(), volume.Name)
			if fails {
				assert.Assert(t, errors.As(err, new(*restore.RevertedError)), "%v", err)
				assert.ErrorIs(t, there, engine.ErrNotFound)
				return
			}
			assert.NilError(t, err)
			assert.NilError(t, there)
			pending, err := b.s.state.Pending()
			assert.NilError(t, err)
			assert.Assert(t, pending == nil)
		})
	}
}

func TestWhereTheFilesAreReached(t *testing.T) {
	b := newSideBed(t)
	s := b.s
	for name, c := range map[string]struct {
		set    func()
		access access
		helper bool
	}{
		"always":          {func() { s.Config.Helper = "always" }, reads, true},
		"never":           {func() { s.Config.Helper = "never"; s.Info.Local = false }, reads, false},
		"elsewhere":       {func() { s.Info.Local = false }, reads, true},
		"root":            {func() { s.app.world.UID = 0 }, writes, false},
		"all is ours":     {func() {}, writes, false},
		"another's files": {func() { s.app.world.UID++ }, reads, true},
		"no engine":       {func() { s.Engine = connection{}; s.Config.Helper = "always" }, reads, false},
	} {
		t.Run(name, func(t *testing.T) {
			engine := s.Engine
			s.way, s.Config.Helper, s.Info.Local, s.app.world.UID = nil, "auto", true, max(os.Getuid(), 1)
			assert.NilError(t, os.Chown(b.data, -1, -1))
			if os.Getuid() == 0 {
				out, err := exec.Command("chown", "-R", "1", b.data).CombinedOutput()
				assert.NilError(t, err, string(out))
			}
			c.set()
			w, err := s.choose(t.Context(), c.access)
			s.Engine = engine
			assert.NilError(t, err)
			assert.Equal(t, w.helper, c.helper, w.why)
			assert.Assert(t, w.why != "")
		})
	}
}

func TestWithoutAHelperThisProcessDoesWhatItCan(t *testing.T) {
	b := newSideBed(t)
	b.s.app.world.Helper = func(context.Context, *engine.Client, helper.Spec, map[string]helper.Handler) (process, error) {
		return nil, errors.New("no such binary")
	}
	_, err := b.s.reach(t.Context(), reads)
	assert.ErrorContains(t, err, "no such binary")
	b.s.Config.Helper, b.s.way, b.s.Info.Local = "auto", nil, false
	f, err := b.s.reach(t.Context(), reads)
	assert.NilError(t, err)
	assert.Assert(t, f == nil)
	assert.Assert(t, slices.ContainsFunc(b.s.Warnings, func(w string) bool {
		return w == "no helper container can be had, only what this user reaches is read and written: no such binary"
	}))
}

func TestWhatDoesNotExistOnTheEnginesHostIsNotMounted(t *testing.T) {
	b := newSideBed(t)
	start := b.s.app.world.Helper
	b.s.Info.Local = false
	var tried [][]helper.Mount
	b.s.app.world.Helper = func(ctx context.Context, e *engine.Client, spec helper.Spec, h map[string]helper.Handler) (process, error) {
		tried = append(tried, spec.Mounts)
		for _, m := range spec.Mounts {
			if m.Path == b.data {
				return nil, fmt.Errorf("start: invalid mount config for type \"bind\": bind source path does not exist: %s", m.Path)
			}
		}
		return start(ctx, e, spec, h)
	}
	f, err := b.s.startHelper(t.Context(), writes)
	assert.NilError(t, err)
	assert.Equal(t, tried[1][0].Path, filepath.Dir(b.data), "a restore makes it there")
	assert.NilError(t, f.close(t.Context()))
	f, err = b.s.startHelper(t.Context(), reads)
	assert.NilError(t, err)
	assert.Equal(t, len(tried[3]), 0)
	assert.NilError(t, f.close(t.Context()))
}
