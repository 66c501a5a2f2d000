package archive

import (
	"bytes"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/tree"
)

// tool returns the path of a program, or skips the test where the machine has none.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed", name)
	}
	return path
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), tool(t, name), args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	out, err := cmd.CombinedOutput()
	assert.NilError(t, err, "%s", out)
	return string(out)
}

// plain is the hostile tree without what only root may make, paths near PATH_MAX and times that tar programs warn of.
func plain() []stored {
	var kept []stored
	for _, s := range hostile() {
		if s.Kind == tree.CharDevice || s.Kind == tree.BlockDevice || len(s.Path) > 3000 || s.ModTime.Before(time.Unix(0, 0)) || s.ModTime.After(time.Unix(1<<32, 0)) {
			continue
		}
		s.UID, s.GID, s.Xattrs = os.Getuid(), os.Getgid(), nil
		kept = append(kept, s)
	}
	return kept
}

func writeFile(t *testing.T, b []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "a.tar.gz")
	assert.NilError(t, os.WriteFile(name, b, 0o600))
	return name
}

func TestGzipAcceptsAnArchive(t *testing.T) {
	run(t, "gzip", "-t", writeFile(t, write(t, hostile(), manifest(), WriterOptions{})))
}

func TestTarRestoresAnArchive(t *testing.T) {
	for _, name := range []string{"tar", "bsdtar"} {
		t.Run(name, func(t *testing.T) {
			if runtime.GOOS != "linux" {
				t.Skip("names in raw bytes need a file system of Linux")
			}
			all := plain()
			to := t.TempDir()
			assert.Equal(t, run(t, name, "-xpzf", writeFile(t, write(t, all, manifest(), WriterOptions{})), "-C", to), "")
			checkRestored(t, to, all)
		})
	}
}

func TestPythonReadsAnArchive(t *testing.T) {
	const script = `
import sys, tarfile
with tarfile.open(sys.argv[1]) as t:
    for m in t:
        content = t.extractfile(m).read() if m.isreg() else b""
        print(m.name.encode("utf-8", "surrogateescape").hex(), len(content), m.mode, m.uid)
`
	all := hostile()
	out := run(t, "python3", "-c", script, writeFile(t, write(t, all, manifest(), WriterOptions{})))
	lines := strings.Split(strings.TrimSpace(out), "\n")
	assert.Equal(t, len(lines), len(all)+3)
	for i, s := range all {
		name, _, _ := strings.Cut(lines[i], " ")
		assert.Equal(t, name, hex.EncodeToString([]byte(s.Path)))
	}
}

func checkRestored(t *testing.T, to string, all []stored) {
	t.Helper()
	for _, s := range all {
		path := filepath.Join(to, s.Path)
		info, err := os.Lstat(path)
		assert.NilError(t, err)
		switch s.Kind {
		case tree.File:
			b, err := os.ReadFile(path)
			assert.NilError(t, err)
			assert.Assert(t, bytes.Equal(b, s.data), s.Path)
			assert.Assert(t, info.ModTime().Equal(s.ModTime), "%s: %v, want %v", s.Path, info.ModTime(), s.ModTime)
		case tree.Symlink:
			link, err := os.Readlink(path)
			assert.NilError(t, err)
			assert.Equal(t, link, s.Link)
		case tree.Hardlink:
			first, err := os.Lstat(filepath.Join(to, s.Link))
			assert.NilError(t, err)
			assert.Assert(t, os.SameFile(first, info))
		}
	}
}
