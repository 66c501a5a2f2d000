//go:build unix

package plugin

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/helper"
	"github.com/memsys/docker-memsys/internal/restore"
	"github.com/memsys/docker-memsys/internal/tree/treetest"
)

// around is a helper whose calls go through another function.
type around struct {
	process
	call func(ctx context.Context, method string, params, result any) error
}

func (w around) Call(ctx context.Context, method string, params, result any) error {
	return w.call(ctx, method, params, result)
}

// wrap puts a function around the calls of every helper that is started from now on.
func (b *sideBed) wrap(f func(ctx context.Context, p *childProcess, method string, result any, call func(ctx context.Context) error) error) {
	start := b.s.app.world.Helper
	b.s.app.world.Helper = func(ctx context.Context, e *engine.Client, spec helper.Spec, h map[string]helper.Handler) (process, error) {
		p, err := start(ctx, e, spec, h)
		if err != nil {
			return nil, err
		}
		child, ok := p.(*childProcess)
		assert.Assert(b.t, ok)
		return around{p, func(ctx context.Context, method string, params, result any) error {
			return f(ctx, child, method, result, func(ctx context.Context) error { return p.Call(ctx, method, params, result) })
		}}, nil
	}
}

// TestARestoreWhoseHelperHangsIsLeftWhenInterrupted: what it left is put in order by the next command.
func TestARestoreWhoseHelperHangsIsLeftWhenInterrupted(t *testing.T) {
	for name, impatient := range map[string]bool{"nothing is heard": false, "a second Ctrl-C": true} {
		t.Run(name, func(t *testing.T) {
			b := newSideBed(t)
			b.s.app.world.Patience = 50 * time.Millisecond
			if impatient {
				b.s.app.world.Patience = time.Hour
				b.s.app.interruption.again = make(chan struct{})
			}
			made := b.backup()
			b.write("a", "new a")
			now := filepath.Join(t.TempDir(), "now")
			copyTree(t, b.data, now)
			ctx, cancel := context.WithCancel(t.Context())
			steps := 0
			b.ask(func(p *childProcess, method string, _ json.RawMessage) {
				if method != askStep {
					return
				}
				if steps++; steps == 4 {
					p.hang(t)
					cancel()
					if impatient {
						close(b.s.app.interruption.again)
					}
				}
			})
			err := b.restore(ctx, made)
			assert.ErrorIs(t, err, errLeft)
			assert.Assert(t, errors.As(err, new(*restore.StuckError)), "%v", err)
			assert.Equal(t, judge(err, true, false).Code, exitNeedsPerson)
			assert.ErrorContains(t, err, "docker memsys recover")
			pending, err := b.s.state.Pending()
			assert.NilError(t, err)
			assert.Assert(t, pending != nil)
			b.ask(nil)
			b.s.app.interruption.again = nil // another process
			assert.NilError(t, b.begun("recover", func(context.Context) error { return nil }))
			assert.DeepEqual(t, treetest.Diff(now, b.data), []string(nil))
			assert.Assert(t, b.running())
		})
	}
}

// late is a context that ends just after a call was begun with it.
type late struct {
	context.Context
	begun bool
}

func (l *late) Err() error {
	if !l.begun {
		l.begun = true
		return nil
	}
	return l.Context.Err()
}

func TestABackupWhoseHelperHangsIsLeftWhenInterrupted(t *testing.T) {
	b := newSideBed(t)
	b.s.app.world.Patience = 50 * time.Millisecond
	assert.NilError(t, b.s.Store.Ensure())
	interrupt := func() {}
	b.wrap(func(ctx context.Context, p *childProcess, method string, _ any, call func(ctx context.Context) error) error {
		if method == callRead {
			p.hang(t)
			ended, cancel := context.WithCancel(ctx)
			cancel()
			interrupt()
			return call(&late{Context: ended})
		}
		return call(ctx)
	})
	err := b.begun("backup", func(begun context.Context) error {
		begun, interrupt = context.WithCancel(begun)
		defer interrupt()
		_, err := b.s.makeBackup(begun, backupWish{reason: "manual"})
		return err
	})
	assert.ErrorIs(t, err, errLeft)
	v := judge(err, true, false)
	assert.Equal(t, v.Code, exitInterrupted)
	assert.Equal(t, v.Hint, "docker memsys recover removes what it left")
	left, err := filepath.Glob(filepath.Join(b.s.Store.Path, ".memory_backup*"))
	assert.NilError(t, err)
	assert.Equal(t, len(left), 0)
	assert.Assert(t, b.running())
}

// TestOnlyAnotherCtrlCIsASecondOne: neither other signals nor the same one twice.
func TestOnlyAnotherCtrlCIsASecondOne(t *testing.T) {
	i := interruption{again: make(chan struct{})}
	signals, done := make(chan os.Signal), make(chan struct{})
	now := time.Unix(0, 0)
	over := make(chan struct{})
	go func() { i.receive(signals, done, func() time.Time { return now }); close(over) }()
	for _, s := range []os.Signal{syscall.SIGTERM, syscall.SIGHUP, os.Interrupt, os.Interrupt, syscall.SIGHUP} {
		signals <- s
	}
	signals <- syscall.SIGHUP // those before were acted on
	select {
	case <-i.again:
		t.Fatal("taken for a second Ctrl-C")
	default:
	}
	assert.Assert(t, i.early.Load())
	now = now.Add(time.Second)
	signals <- os.Interrupt
	<-i.again
	signals <- os.Interrupt
	close(done)
	<-over
}
