package tree

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"

	"gotest.tools/v3/assert"
)

func TestAReaderCanPassOverHoles(t *testing.T) {
	root := filepath.Join(t.TempDir(), "f")
	assert.NilError(t, os.WriteFile(root, []byte("0123456789"), 0o600))
	err := Walk(t.Context(), root, WalkOptions{}, func(ctx context.Context, _ *Entry, open Opener) error {
		_, r, err := open(ctx)
		assert.NilError(t, err)
		defer r.Close()
		s, ok := r.(io.Seeker)
		assert.Assert(t, ok)
		at, err := s.Seek(4, io.SeekStart)
		assert.NilError(t, err)
		assert.Equal(t, at, int64(4))
		var b [2]byte
		_, err = io.ReadFull(r, b[:])
		assert.NilError(t, err)
		assert.Equal(t, string(b[:]), "45")
		_, err = s.Seek(-7, io.SeekCurrent)
		assert.ErrorContains(t, err, "before the start")
		_, err = s.Seek(0, io.SeekEnd)
		assert.ErrorContains(t, err, "not supported")
		rest, err := io.ReadAll(r)
		assert.NilError(t, err)
		assert.Equal(t, string(rest), "6789")
		return nil
	})
	assert.NilError(t, err)
}
