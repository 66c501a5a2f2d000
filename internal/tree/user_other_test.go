//go:build !linux

package tree_test

import (
	"os"
	"testing"
)

// withoutRights runs f as the user who runs the tests, which must not be root.
func withoutRights(t *testing.T, _ string, f func()) {
	t.Helper()
	if os.Getuid() == 0 {
		t.Skip("NEEDS A USER WITHOUT RIGHTS: run as non-root")
	}
	f()
}
