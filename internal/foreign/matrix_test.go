//go:build unix

package foreign

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/tree"
)

// tool runs a program in a folder, or skips the test where the machine has none: scripts/test.sh installs them.
func tool(t *testing.T, dir, name string, args ...string) {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed", name)
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "LC_ALL=C.UTF-8")
	out, err := cmd.CombinedOutput()
	assert.NilError(t, err, "%s", out)
}

// foreignFormat is a way in which others pack a folder, and what it cannot keep.
type foreignFormat struct {
	name   string
	format string
	make   func(t *testing.T, dir string) // archives memory-system in dir as archive
	// loses are fields of tree.Difference that the format has no place for.
	loses []string
}

// twelve are the formats that must come over whole.
func twelve() []foreignFormat {
	run := func(name string, args ...string) func(*testing.T, string) {
		return func(t *testing.T, dir string) { tool(t, dir, name, args...) }
	}
	seconds := []string{"time"}
	none := []string{"time", "hard links"}
	return []foreignFormat{
		{"tar of GNU tar", "tar", run("tar", "-cf", "archive", "memory-system"), seconds},
		{"tar of bsdtar, pax", "tar", run("bsdtar", "--format", "pax", "-cf", "archive", "memory-system"), nil},
		{"tar of busybox", "tar", run("busybox", "tar", "-cf", "archive", "memory-system"), seconds},
		{"tar.gz", "tar.gz", run("tar", "-czf", "archive", "memory-system"), seconds},
		{"tar.bz2", "tar.bz2", run("tar", "-cjf", "archive", "memory-system"), seconds},
		{"tar.xz", "tar.xz", run("tar", "-cJf", "archive", "memory-system"), seconds},
		{"tar.zst", "tar.zst", run("tar", "--zstd", "-cf", "archive", "memory-system"), seconds},
		{"tar.lz4", "tar.lz4", run("tar", "-I", "lz4", "-cf", "archive", "memory-system"), seconds},
		{"tar.lz", "tar.lz", run("tar", "--lzip", "-cf", "archive", "memory-system"), seconds},
		{"zip of Info-ZIP", "zip", func(t *testing.T, dir string) {
			tool(t, dir, "zip", "-qry", "archive.zip", "memory-system")
			assert.NilError(t, os.Rename(filepath.Join(dir, "archive.zip"), filepath.Join(dir, "archive")))
		}, none},
		{"7z, solid", "7z", func(t *testing.T, dir string) {
			tool(t, dir, "7z", "a", "-bd", "-snl", "-ms=on", "archive.7z", "memory-system")
			assert.NilError(t, os.Rename(filepath.Join(dir, "archive.7z"), filepath.Join(dir, "archive")))
		}, append([]string{"owner"}, none...)},
		{"7z of bsdtar", "7z", run("bsdtar", "--format", "7zip", "-cf", "archive", "memory-system"), append([]string{"owner"}, none...)},
	}
}

// fillStore fills a folder with what a memory store has, odd names among it.
func fillStore(t *testing.T, root string) {
	t.Helper()
	write := func(name, body string, mode os.FileMode) {
		path := filepath.Join(root, name)
		assert.NilError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		assert.NilError(t, os.WriteFile(path, []byte(body), mode))
		assert.NilError(t, os.Chmod(path, mode))
	}
	for i := range 40 {
		write(fmt.Sprintf("memories/m%02d.json", i), fmt.Sprintf(`{"id":%d,"text":"%s"}`, i, strings.Repeat("word ", i)), 0o640)
	}
	write("embeddings/big.bin", strings.Repeat("0123456789abcdef", 20000), 0o600)
	write("embeddings/empty", "", 0o644)
	write("indexes/with space and ü 記憶", "x", 0o600)
	write("indexes/"+strings.Repeat("long", 40)+"/"+strings.Repeat("name", 50), "deep", 0o644)
	write("run.sh", "#!/bin/sh\n", 0o755)
	assert.NilError(t, os.MkdirAll(filepath.Join(root, "void"), 0o750))
	assert.NilError(t, os.Symlink("../memories/m01.json", filepath.Join(root, "embeddings/link")))
	assert.NilError(t, os.Link(filepath.Join(root, "memories/m02.json"), filepath.Join(root, "memories/second.json")))
	if os.Getuid() == 0 {
		assert.NilError(t, os.Lchown(filepath.Join(root, "run.sh"), 1234, 5678))
	}
	when := time.Date(2024, 5, 6, 7, 8, 10, 123456789, time.UTC)
	assert.NilError(t, filepath.Walk(root, func(path string, info os.FileInfo, err error) error {
		if err == nil && info.Mode()&os.ModeSymlink == 0 {
			err = os.Chtimes(path, when, when)
		}
		return err
	}))
}

func TestTwelveFormatsComeOverFileByFile(t *testing.T) {
	all := twelve()
	assert.Equal(t, len(all), 12)
	for _, f := range all {
		t.Run(f.name, func(t *testing.T) {
			b := newBed(t)
			src := t.TempDir()
			fillStore(t, filepath.Join(src, "memory-system/data"))
			assert.NilError(t, os.WriteFile(filepath.Join(src, "memory-system/docker-compose.yml"), []byte("services: {}\n"), 0o600))
			f.make(t, src)
			data, err := os.ReadFile(filepath.Join(src, "archive"))
			assert.NilError(t, err)
			assert.NilError(t, b.attempt(data))
			assert.Equal(t, b.contents.Format, f.format)
			assert.Assert(t, b.manifest.Complete)
			assert.DeepEqual(t, b.mapping.Project, []string{"memory-system/docker-compose.yml"})
			assert.DeepEqual(t, differences(t, filepath.Join(src, "memory-system/data"), b.path("place/out/data/data"), f.loses), []string(nil))
			compose, err := os.ReadFile(b.path("place/out/project/docker-compose.yml"))
			assert.NilError(t, err)
			assert.Equal(t, string(compose), "services: {}\n")
		})
	}
}

// differences compares two trees, but for what a format has no place for. Times that it keeps in seconds are compared in seconds.
func differences(t *testing.T, want, got string, loses []string) []string {
	t.Helper()
	read := func(root string) map[string]*tree.Entry {
		out := map[string]*tree.Entry{}
		assert.NilError(t, tree.Walk(t.Context(), root, tree.WalkOptions{}, func(_ context.Context, e *tree.Entry, _ tree.Opener) error {
			out[e.Path] = e
			return nil
		}))
		return out
	}
	lost := func(field string) bool { return strings.Contains(strings.Join(loses, ","), field) }
	a, b := read(want), read(got)
	var out []string
	for path, x := range a {
		y := b[path]
		if y == nil {
			out = append(out, path+" is missing")
			continue
		}
		if lost("time") {
			x.ModTime, y.ModTime = x.ModTime.Truncate(2*time.Second), y.ModTime.Truncate(2*time.Second)
		}
		if lost("hard links") && x.Kind == tree.Hardlink {
			x.Kind, x.Link, x.Size = y.Kind, y.Link, y.Size
		}
		if lost("owner") {
			x.UID, x.GID = y.UID, y.GID
		}
		if x.Kind == tree.Symlink { // its mode means nothing, and few formats keep its time
			x.Mode, x.ModTime = y.Mode, y.ModTime
		}
		if x.Kind != y.Kind || x.Mode != y.Mode || x.Size != y.Size || x.Link != y.Link || !x.ModTime.Equal(y.ModTime) || x.UID != y.UID || x.GID != y.GID {
			out = append(out, fmt.Sprintf("%s: %s %04o %d %d:%d %s %s, want %s %04o %d %d:%d %s %s", path,
				y.Kind, y.Mode, y.Size, y.UID, y.GID, y.ModTime, y.Link, x.Kind, x.Mode, x.Size, x.UID, x.GID, x.ModTime, x.Link))
		}
		if info, err := os.Lstat(filepath.Join(want, path)); err == nil && info.Mode().IsRegular() {
			p, _ := os.ReadFile(filepath.Join(want, path))
			q, err := os.ReadFile(filepath.Join(got, path))
			if err != nil || string(p) != string(q) {
				out = append(out, path+": another content")
			}
		}
	}
	for path := range b {
		if a[path] == nil {
			out = append(out, path+" is too much")
		}
	}
	return out
}
