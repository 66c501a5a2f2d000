//go:build !linux

package treetest

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

func localName(name string) bool {
	return runtime.GOOS != "windows" || (filepath.IsLocal(name) && !strings.ContainsAny(name, "\\:*?\"<>|\t\n\x01 ."))
}

// setTime leaves the times of links alone, which the standard library cannot set.
func setTime(path string, at time.Time) error {
	if info, err := os.Lstat(path); err != nil || info.Mode()&os.ModeSymlink != 0 {
		return err
	}
	return os.Chtimes(path, at, at)
}

// platform adds nothing: what goes beyond the standard library is made on Linux only.
func (m *maker) platform() {}

// deep adds nothing: the standard library makes no path that is longer than PATH_MAX.
func (m *maker) deep() {}
