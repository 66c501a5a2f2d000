//go:build e2e && linux

package power

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"gotest.tools/v3/assert"
)

const composeFile = `name: power
services:
  memory:
    image: scratch
    volumes:
      - ./data/memory:/app/memory
      - ./data/index:/app/index
      - ./data/settings.json:/app/settings.json
      - ./backups:/app/backups
`

// The sources, below the project's folder.
var sources = []string{"data/memory", "data/index", "data/settings.json"}

// bed is a project on a disk that is recorded or laid out anew, always at the same path.
type bed struct {
	t     testing.TB
	at    string // where the disk is seen
	below string // where it lies while it is recorded
	env   []string
}

func newBed(t testing.TB) *bed {
	t.Helper()
	if os.Getuid() != 0 {
		skipOrFail(t, "mounting needs root")
	}
	if _, err := os.Stat("/dev/fuse"); err != nil {
		skipOrFail(t, "the kernel has no file systems in user space: %v", err)
	}
	dir := t.TempDir()
	b := &bed{t: t, at: filepath.Join(dir, "disk"), below: filepath.Join(dir, "below")}
	assert.NilError(t, os.Mkdir(b.at, 0o755))
	assert.NilError(t, os.Mkdir(b.below, 0o755))
	b.env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "DOCKER_CONFIG=" + filepath.Join(dir, "docker"), "TZ=UTC",
		ownMounts + "=1", "DOCKER_HOST=unix://" + filepath.Join(dir, "no-engine.sock"), "MEMSYS_STATE_DIR=" + filepath.Join(b.at, "box", "state"),
	}
	return b
}

// skipOrFail ends a test that cannot run here: skipped on a person's machine, failed in CI.
func skipOrFail(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("MEMSYS_CI") == "1" {
		t.Fatalf("cannot run, which CI does not allow: "+format, args...)
	}
	t.Skipf(format, args...)
}

func (b *bed) project() string { return filepath.Join(b.at, "box", "project") }

// story is one command as it was recorded, with the live data before and after it.
type story struct {
	name    string
	command []string
	recording
	begin    int // the first operation of the command
	old, new string
	end      *disk // of the story, had the power not failed
	code     int
	output   string
	// whole is the disk with every archive that there may be, where that is not the one at the end.
	whole *disk
}

// record runs the plugin on the recording layer over below.
func (b *bed) record(name string, args ...string) *story {
	b.t.Helper()
	s := &story{name: name, command: args, old: live(filepath.Join(b.below, "box", "project"))}
	var err error
	s.start, err = scan(b.below)
	assert.NilError(b.t, err)
	rec := &recorder{}
	unmount := layer(b.t, b.below, b.at, rec)
	defer unmount()
	s.code, s.output = run(b.t, rec, b.project(), b.env, args...)
	rec.add(op{what: "done", mark: "done"})
	s.ops = rec.ops
	s.end = s.after(loss{before: len(s.ops), model: whole})
	s.new = live(filepath.Join(b.below, "box", "project"))
	return s
}

// write gives the live data a new content.
func (b *bed) write(round int) {
	b.t.Helper()
	root := filepath.Join(b.below, "box", "project")
	data := filepath.Join(root, "data")
	assert.NilError(b.t, os.MkdirAll(filepath.Join(data, "memory", "daily", "logs"), 0o755))
	assert.NilError(b.t, os.MkdirAll(filepath.Join(data, "index"), 0o750))
	put := func(path, text string) {
		path = filepath.Join(data, path)
		assert.NilError(b.t, os.WriteFile(path, []byte(text), 0o640))
		assert.NilError(b.t, os.Chtimes(path, time.Time{}, time.Unix(int64(1700000000+round*100), int64(round))))
	}
	old := filepath.Join(data, "memory", fmt.Sprintf("only-%d.json", round-1))
	if _, err := os.Lstat(old); err == nil {
		assert.NilError(b.t, os.Remove(old))
	}
	put(fmt.Sprintf("memory/only-%d.json", round), "{}")
	put("memory/memories.json", fmt.Sprintf(`[{"round": %d}]`, round))
	put("memory/daily/note.json", strings.Repeat(fmt.Sprintf("{\"note\": %d}\n", round), 900*round))
	put("memory/daily/logs/run.log", fmt.Sprintf("kept %d\n", round))
	put("index/vectors.bin", strings.Repeat(fmt.Sprint(round), 5000))
	put("settings.json", strings.Repeat(fmt.Sprintf("{\"round\": %d}\n", round), round*3))
	name := filepath.Join(data, "index", "second-name.bin")
	_ = os.Remove(name)
	assert.NilError(b.t, os.Link(filepath.Join(data, "index", "vectors.bin"), name))
	link := filepath.Join(data, "index", "current")
	_ = os.Remove(link)
	assert.NilError(b.t, os.Symlink(fmt.Sprintf("vectors-%d", round), link))
	assert.NilError(b.t, unix.Setxattr(filepath.Join(data, "index"), "user.round", []byte(fmt.Sprint(round)), 0))
	for i, folder := range []string{"index", "memory/daily", "memory"} {
		at := time.Unix(int64(1600000000+round*100+i), int64(round))
		assert.NilError(b.t, os.Chtimes(filepath.Join(data, folder), time.Time{}, at))
	}
}

// begin makes the project.
func (b *bed) begin() {
	b.t.Helper()
	first := filepath.Join(b.below, benchName) // its number is that of the bench of every disk that is laid out
	assert.NilError(b.t, os.Mkdir(first, 0o700))
	assert.NilError(b.t, os.Remove(first))
	root := filepath.Join(b.below, "box", "project")
	assert.NilError(b.t, os.MkdirAll(root, 0o755))
	assert.NilError(b.t, os.WriteFile(filepath.Join(root, "compose.yaml"), []byte(composeFile), 0o644))
	b.write(1)
}

// live describes all sources of a project with every attribute; two texts are equal when the data is.
func live(project string) string {
	var out []string
	for _, source := range sources {
		root := filepath.Join(project, source)
		if _, err := os.Lstat(root); os.IsNotExist(err) {
			out = append(out, source+" is missing")
			continue
		}
		d, err := scan(root)
		if err != nil {
			return err.Error()
		}
		seen := map[id]string{}
		if single, n, err := read(root); err == nil && !n.isDir() {
			out = append(out, n.describe(source))
			seen[single] = source
			continue
		}
		out = append(out, d.lines(source, d.root, seen)...)
	}
	return strings.Join(out, "\n")
}

func (d *disk) lines(path string, number id, seen map[id]string) []string {
	n := d.inodes[number]
	if first := seen[number]; first != "" {
		return []string{path + " is also " + first}
	}
	seen[number] = path
	out := []string{n.describe(path)}
	var names []string
	for name := range n.entries {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if !strings.HasPrefix(name, ".memsys-") {
			out = append(out, d.lines(path+"/"+name, n.entries[name], seen)...)
		}
	}
	return out
}

func (n *inode) describe(path string) string {
	return fmt.Sprintf("%s %o %d:%d %d.%09d %d %x %q %v", path, n.mode, n.uid, n.gid, n.mtime.Sec, n.mtime.Nsec, len(n.data),
		sha256.Sum256(n.data), n.target, n.xattrs)
}

// at finds a path in a disk.
func (d *disk) at(path string) *inode {
	n := d.inodes[d.root]
	for part := range strings.SplitSeq(path, "/") {
		if n = d.inodes[n.entries[part]]; n == nil {
			return nil
		}
	}
	return n
}

// names are the entries of a folder of a disk.
func (d *disk) names(path string) []string {
	n := d.at(path)
	if n == nil {
		return nil
	}
	var out []string
	for name := range n.entries {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}
