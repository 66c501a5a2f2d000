package treetest

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
	"gotest.tools/v3/assert"
)

// WithoutRights runs f on a thread that has no rights on other users' files, also when root runs the tests, and lets it
// reach below dir, a folder from t.TempDir.
func WithoutRights(t *testing.T, dir string, f func()) {
	t.Helper()
	if os.Getuid() != 0 {
		f()
		return
	}
	assert.NilError(t, os.Chmod(filepath.Dir(dir), 0o755))
	assert.NilError(t, os.Chmod(dir, 0o755))
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	assert.NilError(t, unix.Setfsuid(65534))
	defer func() { assert.NilError(t, unix.Setfsuid(0)) }()
	f()
}
