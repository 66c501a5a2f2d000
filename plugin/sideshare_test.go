//go:build unix

package plugin

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/helper"
)

// TestABackupsDirectoryThatAHelperCannotUse: it is started again, with a scratch volume, and asked no more.
func TestABackupsDirectoryThatAHelperCannotUse(t *testing.T) {
	b := newSideBed(t)
	assert.NilError(t, b.s.Store.Ensure())
	asked := 0
	b.wrap(func(ctx context.Context, _ *childProcess, method string, result any, call func(ctx context.Context) error) error {
		if method != callShare {
			return call(ctx)
		}
		asked++
		refused, ok := result.(*pathCall)
		assert.Assert(t, ok)
		refused.Path = b.s.Store.Path
		return nil
	})
	assert.NilError(t, b.begun("backup", func(ctx context.Context) error {
		f, err := b.s.helperFor(ctx, reads)
		assert.NilError(t, err)
		assert.Equal(t, f.scratch, helper.Scratch)
		assert.NilError(t, f.close(ctx))
		f, err = b.s.helperFor(ctx, reads)
		assert.NilError(t, err)
		return f.close(ctx)
	}))
	assert.Equal(t, asked, 1)
	sees := func(s helper.Spec) bool {
		return slices.ContainsFunc(s.Mounts, func(m helper.Mount) bool { return m.Path == b.s.Store.Path })
	}
	assert.Assert(t, sees(b.specs[0]) && !b.specs[0].Scratch)
	for _, s := range b.specs[1:] {
		assert.Assert(t, !sees(s) && s.Scratch)
	}
	left, err := filepath.Glob(filepath.Join(b.s.Store.Path, ".memory_backup*"))
	assert.NilError(t, err)
	assert.Equal(t, len(left), 0)
}

// TestABackupsDirectoryThatTheEngineCannotMount is the same: its root may not look into it.
func TestABackupsDirectoryThatTheEngineCannotMount(t *testing.T) {
	b := newSideBed(t)
	assert.NilError(t, b.s.Store.Ensure())
	start, tries := b.s.app.world.Helper, 0
	b.s.app.world.Helper = func(ctx context.Context, e *engine.Client, spec helper.Spec, h map[string]helper.Handler) (process, error) {
		if tries++; !spec.Scratch {
			return nil, errors.New("invalid mount config: stat " + b.s.Store.Path + ": permission denied")
		}
		return start(ctx, e, spec, h)
	}
	f, err := b.s.helperFor(t.Context(), reads)
	assert.NilError(t, err)
	assert.NilError(t, f.close(t.Context()))
	assert.Equal(t, tries, 2)
}

func TestWhatAHelperCannotUse(t *testing.T) {
	dir := t.TempDir()
	file, gone := filepath.Join(dir, "file"), filepath.Join(dir, "gone")
	assert.NilError(t, os.WriteFile(file, []byte("as it was"), 0o600))
	f := &fileServer{}
	for want, c := range map[string]shareCall{
		"":   {Folder: dir, File: file, Archives: []string{file}},
		gone: {Folder: dir, File: gone},
		dir:  {Folder: dir, File: dir}, // a folder cannot be written to as a file
	} {
		refused, err := f.share(t.Context(), c)
		assert.NilError(t, err)
		assert.Equal(t, refused.Path, want)
	}
	refused, err := f.share(t.Context(), shareCall{Archives: []string{file, gone}})
	assert.NilError(t, err)
	assert.Equal(t, refused.Path, gone)
	content, err := os.ReadFile(file)
	assert.NilError(t, err)
	assert.Equal(t, string(content), "as it was")
}
