//go:build e2e && unix

package e2e

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/icmd"

	"github.com/memsys/docker-memsys/internal/tree/treetest"
)

// appender appends to a file without a pause, as fast as a shell can.
const appender = "while :; do echo more >>%s; done"

// TestAFileThatNeverRestsIsRecorded: a writer that memsys cannot hold makes the backup incomplete, one in a container does not.
func TestAFileThatNeverRestsIsRecorded(t *testing.T) {
	p := NewProject(t, "services:\n"+boxService("app", `volumes: ["./data:/data"]`)+boxService("writer", `volumes: ["./data:/data"]`))
	NeedImage(t, Busybox)
	p.noise("data/changing", 96<<20) // reading it takes so long that a writer has its turn on a busy machine too
	p.Write("data/still", "still")
	p.Up("app")
	writer := p.Start("sh", "-c", strings.ReplaceAll(appender, "%s", p.Path("data", "changing")))
	// A file system that is busy with other people's writes may let none through while the file is read: such a backup is rightly complete.
	for try := 1; ; try++ {
		if result := p.Memsys("backup"); try == 10 || result.ExitCode != 0 {
			Code(t, result, 3, "data/changing: changed")
			break
		}
	}
	name, state := p.newest()
	assert.Equal(t, state, "incomplete")
	Code(t, p.Memsys("verify", name), 0, "sound")
	writer.Signal(9)
	writer.Wait()

	p.Write("compose.yaml", strings.Replace(p.Read("compose.yaml"), "  writer:\n    image: memsystest/busybox:latest\n    command: [tail, -f, /dev/null]",
		"  writer:\n    image: memsystest/busybox:latest\n    command: [sh, -c, '"+strings.ReplaceAll(appender, "%s", "/data/changing")+"']", 1))
	p.Up()
	p.Backup()
	assert.Equal(t, p.State("writer"), "running")
}

// TestASocketIsLeftOutAndStays in its place.
func TestASocketIsLeftOutAndStays(t *testing.T) {
	p := Box(t, `["./data:/data"]`, "")
	p.Write("data/file", "first")
	listener, err := net.Listen("unix", p.Path("data", "s"))
	assert.NilError(t, err)
	defer listener.Close()
	p.Up()
	p.Backup()
	p.Write("data/file", "second")
	p.Memsys("restore", "--yes").Assert(t, icmd.Success)
	assert.Equal(t, p.Read("data/file"), "first")
	info, err := os.Lstat(p.Path("data", "s"))
	assert.NilError(t, err)
	assert.Assert(t, info.Mode()&os.ModeSocket != 0)
}

// TestAFileThatCannotBeMovedPutsEverythingBack: not even root renames an immutable file.
func TestAFileThatCannotBeMovedPutsEverythingBack(t *testing.T) {
	NeedRoot(t)
	p := Box(t, `["./data:/data"]`, "")
	p.Write("data/a", "first")
	p.Write("data/m/fixed", "first")
	p.Write("data/z", "first")
	p.Up()
	p.Backup()
	for _, name := range []string{"a", "m/fixed", "z", "new"} {
		p.Write("data/"+name, "second")
	}
	if run(t, "", nil, "chattr", "+i", p.Path("data", "m"), p.Path("data", "z")).ExitCode != 0 {
		SkipOrFail(t, "this file system knows no immutable files")
	}
	free := func() {
		run(t, "", nil, "chattr", "-i", p.Path("data", "m"), p.Path("data", "z")).Assert(t, icmd.Success)
	}
	t.Cleanup(free)
	Code(t, p.Memsys("restore", "--yes"), 1, "everything was put back", "operation not permitted")
	for _, name := range []string{"a", "m/fixed", "z", "new"} {
		assert.Equal(t, p.Read("data/"+name), "second", name)
	}
	assert.Equal(t, p.State("app"), "running")
	Tidy(t, p.Dir)
	free()
	p.Memsys("restore", "--yes").Assert(t, icmd.Success)
	assert.Equal(t, p.Read("data/m/fixed"), "first")
}

// TestASourceBehindALinkStaysBehindIt: the folder that the link leads to is the source.
func TestASourceBehindALinkStaysBehindIt(t *testing.T) {
	p := Box(t, `["./data:/data"]`, "")
	p.Write("real/file", "first")
	assert.NilError(t, os.Symlink("real", p.Path("data")))
	p.Up()
	p.Backup()
	p.Write("real/file", "second")
	p.Memsys("restore", "--yes").Assert(t, icmd.Success)
	assert.Equal(t, p.Read("real/file"), "first")
	target, err := os.Readlink(p.Path("data"))
	assert.NilError(t, err)
	assert.Equal(t, target, "real")
	assert.Equal(t, p.Exec("app", "cat", "/data/file"), "first")
}

// TestSourcesInsideEachOther are each backed up once and restored alone or together.
func TestSourcesInsideEachOther(t *testing.T) {
	p := Box(t, `["./data:/data", "./data/inner:/inner", "./data/inner/deep/most:/most"]`, "")
	files := []string{"data/file", "data/inner/file", "data/inner/deep/file", "data/inner/deep/most/file"}
	write := func(text string) {
		for _, name := range files {
			p.Write(name, text)
		}
	}
	check := func(texts ...string) {
		t.Helper()
		for i, name := range files {
			assert.Equal(t, p.Read(name), texts[i], name)
		}
	}
	write("first")
	p.Up()
	listed := run(t, "", nil, "tar", "tzf", p.Backup()).Assert(t, icmd.Success).Stdout()
	assert.Equal(t, strings.Count(listed, "/file\n"), 4, listed)
	write("second")
	Code(t, p.Memsys("restore", "--yes", "--source", "data"), 0)
	check("first", "second", "second", "second")
	write("second")
	Code(t, p.Memsys("restore", "--yes", "--source", "inner"), 0)
	check("second", "first", "first", "second")
	write("second")
	Code(t, p.Memsys("restore", "--yes"), 0)
	check("first", "first", "first", "first")
	Tidy(t, p.Dir)
}

// TestPathsAloneAreRestored, and the rest of a hostile tree stays as it is.
func TestPathsAloneAreRestored(t *testing.T) {
	p := NewProject(t, boxFile(`["./data:/data"]`, ""))
	p.Setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
	assert.NilError(t, treetest.Make(p.Path("data"), treetest.Options{Seed: 9, Plain: true}))
	whole := Keep(t, p.Path("data"))
	Code(t, p.Standalone("backup"), 0)
	for _, name := range []string{"memories", "leveldb"} {
		assert.NilError(t, os.Rename(p.Path("data", name), filepath.Join(p.Dir, name)))
	}
	p.Write("data/memories/new", "stays no more")
	p.Write("data/names/new", "stays")
	Code(t, p.Standalone("restore", "--yes", "--path", "memories", "--path", "leveldb/**"), 0)
	gone(t, p.Path("data", "memories", "new"))
	assert.Equal(t, p.Read("data/names/new"), "stays")
	Same(t, p.Path("memories"), p.Path("data", "memories"))
	Code(t, p.Standalone("restore", "--yes"), 0)
	whole()
	Code(t, p.Standalone("restore", "--yes", "--source", "nothing"), 2, `no source "nothing"`)
}
