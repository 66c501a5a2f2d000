//go:build e2e && unix && !linux

package e2e

import "testing"

// lockless mounts a file system without locks.
func lockless(t testing.TB, _ string) {
	t.Helper()
	SkipOrFail(t, "no file system without locks can be mounted here")
}
