//go:build e2e

package helper_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/engine/enginetest"
	"github.com/memsys/docker-memsys/internal/helper"
)

// build makes the test's helper; its bytes depend on the version.
func build(t *testing.T, version string, cgo bool) string {
	t.Helper()
	exe := filepath.Join(t.TempDir(), "serving")
	cmd := exec.Command("go", "build", "-o", exe, "-ldflags", "-X main.version="+version, "./testdata/serving")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if cgo {
		cmd.Args = []string{"go", "build", "-o", exe, "-ldflags", "-linkmode=external", "./testdata/serving"}
		cmd.Env = append(os.Environ(), "CGO_ENABLED=1")
	}
	out, err := cmd.CombinedOutput()
	assert.NilError(t, err, string(out))
	return exe
}

type bed struct {
	enginetest.Bench
	engine helper.Engine
	key    string
	spec   helper.Spec
}

func newBed(t *testing.T) *bed {
	t.Helper()
	b := enginetest.Real(t)
	e, ok := b.Subject.(helper.Engine)
	assert.Assert(t, ok)
	exe := build(t, "v"+b.Prefix, false)
	key := b.Prefix + "key"
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		_, err := helper.Sweep(ctx, e, key, nil)
		assert.Check(t, err)
		for _, i := range imagesOf(t, e, "v"+b.Prefix) {
			assert.Check(t, e.RemoveImage(ctx, i.ID))
		}
	})
	return &bed{Bench: b, engine: e, key: key, spec: helper.Spec{
		Key: key, Project: "project", Version: "v" + b.Prefix, Executable: func(string, string) (string, error) { return exe, nil },
	}}
}

// imagesOf are the helper images of a version.
func imagesOf(t *testing.T, e helper.Engine, version string) []engine.Image {
	t.Helper()
	list, err := e.Images(context.WithoutCancel(t.Context()), "io.github.memsys.helper.version="+version)
	assert.NilError(t, err)
	return list
}

func (b *bed) start(t *testing.T, h map[string]helper.Handler) *helper.Process {
	t.Helper()
	p, err := helper.Start(t.Context(), b.engine, b.spec, h)
	assert.NilError(t, err)
	t.Cleanup(func() { assert.Check(t, p.Close(context.WithoutCancel(t.Context()))) })
	return p
}

// remains are the containers and volumes of the bed's project.
func (b *bed) remains(t *testing.T) string {
	t.Helper()
	containers, err := b.engine.Containers(t.Context(), engine.Filter{Label: helper.Label + "=" + b.key})
	assert.NilError(t, err)
	volumes, err := b.engine.Volumes(t.Context(), helper.Label, b.key)
	assert.NilError(t, err)
	var names []string
	for _, c := range containers {
		names = append(names, c.Name)
	}
	for _, v := range volumes {
		names = append(names, v.Name)
	}
	return strings.Join(names, " ")
}

func TestAHelperReadsAndWritesWhatIsMounted(t *testing.T) {
	b := newBed(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	assert.NilError(t, os.WriteFile(file, []byte("content"), 0o600))
	b.spec.Mounts = []helper.Mount{{Path: dir, Target: dir, ReadOnly: true}}
	p := b.start(t, map[string]helper.Handler{"answer": func(context.Context, json.RawMessage) (any, error) { return "yes", nil }})
	var got []byte
	assert.NilError(t, p.Call(t.Context(), "read", []string{file}, &got))
	assert.Equal(t, string(got), "content")
	assert.ErrorIs(t, p.Call(t.Context(), "write", []string{file, "x"}, nil), syscall.EROFS)
	var answer string
	assert.NilError(t, p.Call(t.Context(), "ask", nil, &answer))
	assert.Equal(t, answer, "yes")
	assert.NilError(t, p.Close(t.Context()))
	assert.Equal(t, b.remains(t), "")
	assert.ErrorIs(t, p.Call(t.Context(), "ask", nil, nil), helper.ErrGone)
}

func TestAHelperHasNoRightThatItDoesNotNeed(t *testing.T) {
	b := newBed(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	assert.NilError(t, os.WriteFile(file, nil, 0o600))
	b.spec.Mounts = []helper.Mount{{Path: dir, Target: dir}}
	p := b.start(t, nil)
	var status string
	assert.NilError(t, p.Call(t.Context(), "status", nil, &status))
	assert.Assert(t, strings.Contains(status, "CapEff:\t000000000000000a\n"), status)
	assert.Assert(t, strings.Contains(status, "CapBnd:\t000000000000000a\n"), status)
	assert.Assert(t, strings.Contains(status, "NoNewPrivs:\t1\n"), status)
	assert.ErrorIs(t, p.Call(t.Context(), "chown", []string{file}, nil), syscall.EPERM)
	assert.ErrorIs(t, p.Call(t.Context(), "write", []string{"/file", "x"}, nil), syscall.EROFS)
	var root string
	assert.NilError(t, p.Call(t.Context(), "root", nil, &root))
	assert.Assert(t, !strings.Contains(root, "bin") && !strings.Contains(root, "tmp "), root)
	b.spec.Writes, b.spec.Devices = true, true
	w := b.start(t, nil)
	assert.NilError(t, w.Call(t.Context(), "chown", []string{file}, nil))
	assert.NilError(t, w.Call(t.Context(), "status", nil, &status))
	assert.Assert(t, strings.Contains(status, "CapEff:\t000000008800001b\n"), status)
}

func TestAHelperThatEndsIsExplained(t *testing.T) {
	b := newBed(t)
	b.spec.Scratch = true
	p := b.start(t, nil)
	err := p.Call(t.Context(), "panic", nil, nil)
	assert.ErrorIs(t, err, helper.ErrGone)
	assert.ErrorContains(t, err, "exit code 2; it said: panic: planted")
	err = p.Fetch(t.Context(), helper.Scratch+"/file", &bytes.Buffer{}, nil)
	assert.ErrorIs(t, err, helper.ErrGone)
	assert.NilError(t, p.Close(t.Context()))
	p = b.start(t, nil)
	err = p.Call(t.Context(), "exit", nil, nil)
	assert.ErrorIs(t, err, helper.ErrGone)
	assert.ErrorContains(t, err, "exit code 7")
	assert.NilError(t, p.Close(t.Context()))
	waiting := make(chan struct{})
	p = b.start(t, map[string]helper.Handler{"waiting": func(context.Context, json.RawMessage) (any, error) { close(waiting); return nil, nil }})
	go func() {
		<-waiting
		list, _ := b.engine.Containers(context.Background(), engine.Filter{Label: helper.Label + "=" + b.key})
		for _, c := range list {
			_ = b.engine.RemoveContainer(context.Background(), c.ID)
		}
	}()
	err = p.Call(t.Context(), "wait", nil, nil)
	assert.ErrorIs(t, err, helper.ErrGone)
	assert.ErrorContains(t, err, "exit code 137")
	assert.NilError(t, p.Close(t.Context()))
	assert.Equal(t, b.remains(t), "")
}

func TestAFileGoesThroughTheScratchVolumeAndBack(t *testing.T) {
	b := newBed(t)
	b.spec.Scratch = true
	p := b.start(t, nil)
	content := bytes.Repeat([]byte("0123456789"), 1<<20)
	var sent, fetched int64
	file := helper.Scratch + "/archive"
	assert.NilError(t, p.Send(t.Context(), file, bytes.NewReader(content), int64(len(content)), func(n int64) { sent = n }))
	var got bytes.Buffer
	assert.NilError(t, p.Fetch(t.Context(), file, &got, func(n int64) { fetched = n }))
	assert.Assert(t, bytes.Equal(got.Bytes(), content))
	assert.Equal(t, sent, int64(len(content)))
	assert.Equal(t, fetched, int64(len(content)))
	assert.ErrorContains(t, p.Send(t.Context(), file, bytes.NewReader(content[:100]), 200, nil), "unexpected EOF")
	assert.ErrorIs(t, p.Fetch(t.Context(), helper.Scratch+"/missing", &got, nil), engine.ErrNotFound)
	assert.NilError(t, p.Close(t.Context()))
	assert.Equal(t, b.remains(t), "")
}

func TestParallelClientsMakeOneImageAndAnotherVersionReplacesIt(t *testing.T) {
	b := newBed(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			p, err := helper.Start(t.Context(), b.engine, b.spec, nil)
			if err != nil {
				t.Error(err)
				return
			}
			if err := p.Close(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	assert.NilError(t, b.start(t, nil).Close(t.Context()))
	assert.Equal(t, len(imagesOf(t, b.engine, b.spec.Version)), 1)
	other := *b
	other.spec.Version += "b"
	exe := build(t, other.spec.Version, false)
	other.spec.Executable = func(string, string) (string, error) { return exe, nil }
	assert.NilError(t, other.start(t, nil).Close(t.Context()))
	assert.Equal(t, len(imagesOf(t, b.engine, b.spec.Version)), 0)
	assert.Equal(t, len(imagesOf(t, b.engine, other.spec.Version)), 1)
	used := other.start(t, nil)
	assert.NilError(t, b.start(t, nil).Close(t.Context()))
	var answer []string
	assert.NilError(t, used.Call(t.Context(), "env", nil, &answer))
	assert.NilError(t, used.Close(t.Context()))
	for _, i := range imagesOf(t, b.engine, other.spec.Version) {
		assert.NilError(t, b.engine.RemoveImage(t.Context(), i.ID))
	}
}

func TestAHelperOfAnotherVersionIsRefused(t *testing.T) {
	b := newBed(t)
	b.spec.Version += "other"
	_, err := helper.Start(t.Context(), b.engine, b.spec, nil)
	assert.ErrorContains(t, err, "use the same of both")
	assert.Equal(t, b.remains(t), "")
	for _, i := range imagesOf(t, b.engine, b.spec.Version) {
		assert.NilError(t, b.engine.RemoveImage(t.Context(), i.ID))
	}
}

func TestAnExecutableThatIsNotStaticIsRefused(t *testing.T) {
	b := newBed(t)
	exe := build(t, "any", true)
	b.spec.Executable = func(string, string) (string, error) { return exe, nil }
	_, err := helper.Start(t.Context(), b.engine, b.spec, nil)
	assert.ErrorContains(t, err, "is not static")
	assert.Equal(t, b.remains(t), "")
}

func TestWhatAClientThatDiedLeftIsSwept(t *testing.T) {
	b := newBed(t)
	b.spec.Scratch = true
	_, err := helper.Start(t.Context(), b.engine, b.spec, nil)
	assert.NilError(t, err)
	removed, err := helper.Sweep(t.Context(), b.engine, b.key+"x", nil)
	assert.NilError(t, err)
	assert.Equal(t, len(removed), 0)
	removed, err = helper.Sweep(t.Context(), b.engine, b.key, nil)
	assert.NilError(t, err)
	assert.Equal(t, len(removed), 2)
	assert.Equal(t, b.remains(t), "")
}
