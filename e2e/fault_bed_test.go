//go:build e2e && unix

package e2e

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/icmd"

	"github.com/memsys/docker-memsys/internal/tree/treetest"
)

// Box is a project with one service, app, that keeps its mounts in use and does nothing else. volumes is the list of its
// mounts in YAML, rest what follows the services.
func Box(t testing.TB, volumes, rest string) *Project {
	t.Helper()
	NeedImage(t, Busybox)
	return NewProject(t, boxFile(volumes, rest))
}

func boxFile(volumes, rest string) string {
	return "services:\n" + boxService("app", "volumes: "+volumes) + rest
}

// boxService is a service that does nothing; keys are further lines of YAML.
func boxService(name string, keys ...string) string {
	text := fmt.Sprintf("  %s:\n    image: %s\n    command: [tail, -f, /dev/null]\n    stop_signal: SIGKILL\n    network_mode: none\n", name, Busybox)
	for _, key := range keys {
		text += "    " + key + "\n"
	}
	return text
}

// Code asserts the exit code of a command, and that it says each text.
func Code(t testing.TB, result *icmd.Result, code int, texts ...string) *icmd.Result {
	t.Helper()
	assert.Equal(t, result.ExitCode, code, "%s", result.Combined())
	for _, text := range texts {
		assert.Assert(t, strings.Contains(result.Combined(), text), "it does not say %q:\n%s", text, result.Combined())
	}
	return result
}

// Backup makes a backup that must be complete, and returns the archive's path.
func (p *Project) Backup(args ...string) string {
	p.t.Helper()
	return p.made(p.Memsys(append([]string{"backup", "--format", "json"}, args...)...).Assert(p.t, icmd.Success))
}

// made is the path that the result of a backup names.
func (p *Project) made(result *icmd.Result) string {
	p.t.Helper()
	var made struct{ Path string }
	assert.NilError(p.t, json.Unmarshal([]byte(result.Stdout()), &made), result.Combined())
	assert.Assert(p.t, made.Path != "", result.Combined())
	return made.Path
}

// lines are the objects that a command prints with --format json, one in each line.
func lines[T any](t testing.TB, result *icmd.Result) []T {
	t.Helper()
	var all []T
	for line := range strings.Lines(result.Assert(t, icmd.Success).Stdout()) {
		var object T
		assert.NilError(t, json.Unmarshal([]byte(line), &object), line)
		all = append(all, object)
	}
	return all
}

// Mountpoint is where a volume of the project lies on this machine.
func (p *Project) Mountpoint(key string) string {
	p.t.Helper()
	return p.Output("volume", "inspect", "--format", "{{.Mountpoint}}", p.Name+"_"+key)
}

// Keep makes a copy of a tree with every attribute, and returns a function that asserts that the tree is as it was.
func Keep(t testing.TB, path string) func() {
	t.Helper()
	kept := filepath.Join(t.TempDir(), "kept")
	run(t, "", nil, "cp", "--archive", path, kept).Assert(t, icmd.Success)
	Same(t, kept, path) // the comparison itself can be relied on here
	return func() {
		t.Helper()
		Same(t, kept, path)
	}
}

// Same asserts that two trees are equal in everything that a file system keeps.
func Same(t testing.TB, want, have string) {
	t.Helper()
	assert.Equal(t, strings.Join(treetest.Diff(want, have), "\n"), "")
}

// Tidy asserts that nothing temporary is left in folders: no staging of a restore, no unfinished archive.
func Tidy(t testing.TB, folders ...string) {
	t.Helper()
	for _, folder := range folders {
		err := filepath.WalkDir(folder, func(path string, _ fs.DirEntry, err error) error {
			if strings.Count(path, string(filepath.Separator)) > strings.Count(folder, string(filepath.Separator))+5 {
				return fs.SkipDir // trees of tests may be deeper than PATH_MAX
			}
			name := filepath.Base(path)
			if strings.HasPrefix(name, ".memsys-") || strings.Contains(name, ".tmp-") {
				t.Errorf("left behind: %s", path)
			}
			return err
		})
		assert.NilError(t, err)
	}
}

// Mount mounts something for as long as the test runs.
func Mount(t testing.TB, args ...string) {
	t.Helper()
	NeedRoot(t)
	at := args[len(args)-1]
	assert.NilError(t, os.MkdirAll(filepath.Dir(at), 0o755))
	run(t, "", nil, "mount", args...).Assert(t, icmd.Success)
	t.Cleanup(func() { run(t, "", nil, "umount", "--lazy", at).Assert(t, icmd.Success) })
}

// Tmpfs mounts an empty file system of a size, such as 8m.
func Tmpfs(t testing.TB, at, size string) {
	t.Helper()
	assert.NilError(t, os.MkdirAll(at, 0o755))
	Mount(t, "-t", "tmpfs", "-o", "size="+size, "tmpfs", at)
}

// Archives are the names of the archives in a folder, oldest first.
func Archives(t testing.TB, folder string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(folder, "memory_backup_*.tar.gz"))
	assert.NilError(t, err)
	return found
}

func contains(text, part string) bool { return strings.Contains(text, part) }
