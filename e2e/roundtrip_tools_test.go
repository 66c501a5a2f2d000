//go:build e2e && unix

package e2e

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containerd/stargz-snapshotter/estargz"
	"gotest.tools/v3/assert"
	"gotest.tools/v3/icmd"

	"github.com/memsys/docker-memsys/internal/tree/treetest"
)

// NeedTool ends a test whose program the machine lacks.
func NeedTool(t testing.TB, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		SkipOrFail(t, "%s is not installed", name)
	}
}

// plainBackup is a backup of a hostile tree without what plain tar leaves out, and the tree.
func plainBackup(t *testing.T) (archive, data string) {
	t.Helper()
	NeedRoot(t)
	p := NewProject(t, boxFile(`["./data:/data"]`, ""))
	data = p.Path("data")
	assert.NilError(t, treetest.Make(data, treetest.Options{Seed: 77, Plain: true, Devices: true}))
	p.Setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock") // the tools read the same archive with or without one
	return p.made(p.Standalone("backup", "--format", "json").Assert(t, icmd.Success)), data
}

// TestPlainTarBringsABackupBack states what tar leaves out: holes (their zeros take room), and paths of more than PATH_MAX, which
// the tree here does not have.
func TestPlainTarBringsABackupBack(t *testing.T) {
	archive, data := plainBackup(t)
	to := t.TempDir()
	run(t, to, nil, "tar", "xzpf", archive, "--numeric-owner", "--xattrs", "--xattrs-include=*", "--acls").Assert(t, icmd.Success)
	var found []string
	for _, difference := range treetest.Diff(data, filepath.Join(to, "data", "data")) {
		if !strings.Contains(difference, "data at [") { // sparseness
			found = append(found, difference)
		}
	}
	assert.Equal(t, strings.Join(found, "\n"), "")
	for _, name := range []string{"leading", "trailing", "middle", "all", "odd"} { // where holes differ, content was not compared
		a, err := os.ReadFile(filepath.Join(data, "sparse", name))
		assert.NilError(t, err)
		b, err := os.ReadFile(filepath.Join(to, "data", "data", "sparse", name))
		assert.NilError(t, err)
		assert.Assert(t, bytes.Equal(a, b), name)
	}
}

// pythonCount reads every byte of a tar file.
const pythonCount = `
import sys, tarfile
with tarfile.open(sys.argv[1]) as t:
    print(sum(len(t.extractfile(m).read()) if m.isreg() else 0 for m in t))
`

func TestOtherProgramsReadABackup(t *testing.T) {
	archive, _ := plainBackup(t)
	dir, name := filepath.Split(archive)
	for _, tool := range [][]string{
		{"gzip", "-t", name},
		{"bsdtar", "-tf", name},
		{"python3", "-c", pythonCount, name},
		{"sha256sum", "-c", name + ".sha256"},
		{"md5sum", "-c", name + ".md5"},
	} {
		t.Run(tool[0], func(t *testing.T) {
			NeedTool(t, tool[0])
			run(t, dir, []string{"LC_ALL=C.UTF-8"}, tool[0], tool[1:]...).Assert(t, icmd.Success)
		})
	}
	t.Run("the sums are no decoration", func(t *testing.T) {
		flip(t, archive, 1000)
		for _, tool := range [][]string{{"sha256sum", "-c", name + ".sha256"}, {"md5sum", "-c", name + ".md5"}} {
			assert.Equal(t, run(t, dir, nil, tool[0], tool[1:]...).ExitCode, 1)
		}
	})
}

func TestEstargzLibraryReadsABackupThroughItsVerifier(t *testing.T) {
	p := Sample(t, 300)
	archive := p.Backup()
	f, err := os.Open(archive)
	assert.NilError(t, err)
	defer f.Close()
	info, err := f.Stat()
	assert.NilError(t, err)
	r, err := estargz.Open(io.NewSectionReader(f, 0, info.Size()))
	assert.NilError(t, err)
	verifiers, err := r.VerifyTOC(r.TOCDigest())
	assert.NilError(t, err)
	files := 0
	err = filepath.Walk(p.Path("home", "data"), func(path string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().IsRegular() && !strings.HasSuffix(path, ".log") {
			rel, _ := filepath.Rel(p.Path("home", "data"), path)
			files++
			readChunks(t, r, verifiers, "data/data/"+rel, path)
		}
		return err
	})
	assert.NilError(t, err)
	assert.Assert(t, files >= 300, "only %d files", files)
}

// readChunks reads a file of an archive chunk by chunk through the library's verifier, and compares it with the live one.
func readChunks(t *testing.T, r *estargz.Reader, verifiers estargz.TOCEntryVerifier, name, path string) {
	t.Helper()
	live, err := os.ReadFile(path)
	assert.NilError(t, err)
	entry, ok := r.Lookup(name)
	assert.Assert(t, ok, name)
	assert.Equal(t, entry.Size, int64(len(live)), name)
	content, err := r.OpenFile(name)
	assert.NilError(t, err, name)
	for at := int64(0); at < entry.Size; {
		chunk, ok := r.ChunkEntryForOffset(name, at)
		assert.Assert(t, ok, name)
		verifier, err := verifiers.Verifier(chunk)
		assert.NilError(t, err, name)
		read, err := io.ReadAll(io.TeeReader(io.NewSectionReader(content, chunk.ChunkOffset, chunk.ChunkSize), verifier))
		assert.NilError(t, err, name)
		assert.Assert(t, verifier.Verified(), name)
		assert.Assert(t, bytes.Equal(read, live[at:at+chunk.ChunkSize]), name)
		at += chunk.ChunkSize
	}
}

// TestStoresComeBackWithTheirLogs keeps the write-ahead logs of LevelDB and RocksDB, and leaves logs alone.
func TestStoresComeBackWithTheirLogs(t *testing.T) {
	p := Box(t, `["./data:/data"]`, "")
	for _, store := range []string{"level", "below/rocks"} {
		for name, content := range map[string]string{
			"CURRENT": "MANIFEST-000004\n", "MANIFEST-000004": "m", "000005.log": "ahead", "000003.ldb": "table", "LOG": "text", "archive.log": "beside", "OPTIONS-000007": "o",
		} {
			p.Write("data/"+store+"/"+name, content)
		}
	}
	p.Write("data/logs/app.log", "first")
	p.Write("data/app.log", "first")
	p.Up()
	archive := p.Backup()
	listed := run(t, "", nil, "tar", "tzf", archive).Assert(t, icmd.Success).Stdout()
	for _, store := range []string{"level", "below/rocks"} {
		assert.Assert(t, strings.Contains(listed, fmt.Sprintf("data/data/%s/000005.log\n", store)), listed)
		assert.NilError(t, os.RemoveAll(p.Path("data", store)))
	}
	assert.Assert(t, !strings.Contains(listed, "/app.log"), listed)
	p.Write("data/app.log", "second")
	p.Write("data/logs/app.log", "second")
	p.Write("data/logs/later.log", "later")
	p.Memsys("restore", "--yes").Assert(t, icmd.Success)
	for _, store := range []string{"level", "below/rocks"} {
		assert.Equal(t, p.Read("data/"+store+"/000005.log"), "ahead")
		assert.Equal(t, p.Read("data/"+store+"/archive.log"), "beside")
		assert.Equal(t, p.Read("data/"+store+"/CURRENT"), "MANIFEST-000004\n")
	}
	assert.Equal(t, p.Read("data/app.log"), "second")
	assert.Equal(t, p.Read("data/logs/app.log"), "second")
	assert.Equal(t, p.Read("data/logs/later.log"), "later")
}
