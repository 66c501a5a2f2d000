package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"gotest.tools/v3/assert"
)

func TestNoArchiveIsReplacedByARename(t *testing.T) {
	for name, rename := range map[string]func(from, to string) error{"system": renameNew, "link": renameByLink} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			from, to := filepath.Join(dir, "new"), filepath.Join(dir, "old")
			assert.NilError(t, os.WriteFile(from, []byte("new"), 0o600))
			assert.NilError(t, os.WriteFile(to, []byte("old"), 0o600))
			assert.Assert(t, errors.Is(rename(from, to), fs.ErrExist))
			data, err := os.ReadFile(to)
			assert.NilError(t, err)
			assert.Equal(t, string(data), "old")
			assert.NilError(t, os.Remove(to))
			assert.NilError(t, rename(from, to))
			_, err = os.Lstat(from)
			assert.Assert(t, errors.Is(err, fs.ErrNotExist))
		})
	}
}
