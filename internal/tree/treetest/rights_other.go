//go:build !linux

package treetest

import (
	"os"
	"testing"
)

// WithoutRights runs f as the user who runs the tests, which must not be root.
func WithoutRights(t *testing.T, _ string, f func()) {
	t.Helper()
	if os.Getuid() == 0 {
		t.Skip("NEEDS A USER WITHOUT RIGHTS: run as non-root")
	}
	f()
}
