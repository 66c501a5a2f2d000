//go:build unix

package scripts

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/assert/cmp"
	"gotest.tools/v3/icmd"
)

// program is a stand-in for the plugin: it answers as a plugin does.
const program = `#!/bin/sh
[ "$1" = docker-cli-plugin-metadata ] && echo '{"SchemaVersion":"0.1.0","Vendor":"memsys","Version":"1.2.3"}'
`

// fakeGo tells the version in FAKE_GO and "builds" the stand-in into the file after -o.
const fakeGo = `#!/bin/sh
[ "$1" != env ] || { echo "$FAKE_GO"; exit; }
[ -z "$FAKE_BUILD_FAILS" ] || { echo "main.go:1: broken" >&2; exit 1; }
while [ "$1" != -o ]; do shift; done
cp "$FAKE_PROGRAM" "$2"
`

const archiveName = "docker-memsys_1.2.3_linux_amd64.tar.gz"

// machine is a copy of the checkout's installer and a PATH that holds nothing but what a bare system has, with a
// stand-in for go and docker.
type machine struct {
	t                  *testing.T
	checkout, bin, dir string
	env                []string
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	root := t.TempDir()
	m := &machine{t: t, checkout: filepath.Join(root, "checkout"), bin: filepath.Join(root, "bin"), dir: filepath.Join(root, "config")}
	m.write("checkout/scripts/build.sh", readFile(t, "build.sh"), 0o755)
	m.write("checkout/install.sh", readFile(t, "../install.sh"), 0o755)
	m.write("checkout/go.mod", "module m\n\ngo 1.26.0\n", 0o644)
	m.write("program", program, 0o755)
	m.write("bin/go", fakeGo, 0o755)
	m.write("bin/docker", "#!/bin/sh\n", 0o755)
	for _, name := range strings.Fields("sh sed awk tar gzip sha256sum shasum openssl mktemp mv rm cp cat chmod mkdir dirname basename uname cut head find sync git") {
		if path, err := exec.LookPath(name); err == nil {
			assert.NilError(t, os.Symlink(path, filepath.Join(m.bin, name)))
		}
	}
	m.env = []string{
		"PATH=" + m.bin, "HOME=" + filepath.Join(root, "home"), "DOCKER_CONFIG=" + m.dir, "TMPDIR=" + root,
		"DESTDIR=" + filepath.Join(root, "dest"), "FAKE_GO=go1.26.8", "FAKE_PROGRAM=" + filepath.Join(root, "program"),
	}
	return m
}

// write writes a file of the machine.
func (m *machine) write(name, content string, mode os.FileMode) string {
	m.t.Helper()
	path := filepath.Join(filepath.Dir(m.checkout), name)
	assert.NilError(m.t, os.MkdirAll(filepath.Dir(path), 0o755))
	assert.NilError(m.t, os.WriteFile(path, []byte(content), mode))
	return path
}

// install runs install.sh; env comes on top.
func (m *machine) install(env []string, args ...string) *icmd.Result {
	m.t.Helper()
	command := icmd.Command(filepath.Join(m.checkout, "install.sh"), args...)
	command.Env = append(append([]string{}, m.env...), env...)
	return icmd.RunCmd(command)
}

// installed is the plugin's path in the user's folder.
func (m *machine) installed() string { return filepath.Join(m.dir, "cli-plugins", "docker-memsys") }

// helper is the path of a helper program beside it.
func (m *machine) helper(arch string) string {
	return filepath.Join(filepath.Dir(m.installed()), "memsys-helper-linux-"+arch)
}

// refuses asserts that install.sh fails with a message, changes nothing and leaves nothing behind.
func (m *machine) refuses(env []string, message string, args ...string) {
	m.t.Helper()
	const old = "the former plugin"
	m.write("config/cli-plugins/docker-memsys", old, 0o755)
	m.install(env, args...).Assert(m.t, icmd.Expected{ExitCode: 1, Err: message})
	assert.Equal(m.t, readFile(m.t, m.installed()), old)
	m.leavesNothing()
}

// leavesNothing asserts that no temporary file is left beside the plugin or in TMPDIR.
func (m *machine) leavesNothing() {
	m.t.Helper()
	for _, pattern := range []string{"config/cli-plugins/.docker-memsys.*", "tmp.*"} {
		left, err := filepath.Glob(filepath.Join(filepath.Dir(m.checkout), pattern))
		assert.NilError(m.t, err)
		assert.Equal(m.t, len(left), 0, "left behind: %v", left)
	}
}

// archive writes a released archive with its checksum beside it and returns its path.
func (m *machine) archive(members ...member) string {
	m.t.Helper()
	packed := pack(m.t, members...)
	path := m.write("downloads/"+archiveName, packed, 0o644)
	m.write("downloads/checksums.txt", sum("other")+"  other.tar.gz\n"+sum(packed)+"  "+archiveName+"\n", 0o644)
	return path
}

func plainFile() tar.Header {
	return tar.Header{Name: "docker-memsys", Mode: 0o755, Typeflag: tar.TypeReg}
}

// helperFor is the program for engines on Linux of an architecture.
func helperFor(arch string) member {
	header := plainFile()
	header.Name = "memsys-helper-linux-" + arch
	return member{header, "helper"}
}

// member is a file of an archive.
type member struct {
	header  tar.Header
	content string
}

func pack(t *testing.T, members ...member) string {
	t.Helper()
	var packed bytes.Buffer
	zipped := gzip.NewWriter(&packed)
	writer := tar.NewWriter(zipped)
	for _, m := range members {
		m.header.Size = int64(len(m.content))
		assert.NilError(t, writer.WriteHeader(&m.header))
		_, err := writer.Write([]byte(m.content))
		assert.NilError(t, err)
	}
	assert.NilError(t, writer.Close())
	assert.NilError(t, zipped.Close())
	return packed.String()
}

func sum(content string) string {
	digest := sha256.Sum256([]byte(content))
	return hex.EncodeToString(digest[:])
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	assert.NilError(t, err)
	return string(content)
}

func TestInstallFromACheckout(t *testing.T) {
	m := newMachine(t)
	result := m.install(nil).Assert(t, icmd.Success)
	lines := strings.Split(strings.TrimSpace(result.Stdout()), "\n")
	assert.Assert(t, cmp.Contains(lines[len(lines)-1], "Installed docker memsys 1.2.3 in "+filepath.Dir(m.installed())))
	assert.Assert(t, cmp.Contains(lines[len(lines)-1], "docker memsys backup"))
	assert.Equal(t, readFile(t, m.installed()), program)
	info, err := os.Stat(m.installed())
	assert.NilError(t, err)
	assert.Equal(t, info.Mode().Perm(), os.FileMode(0o755))
	m.leavesNothing()
}

func TestInstallReplacesTheFileAndNotItsContent(t *testing.T) {
	m := newMachine(t)
	m.write("config/cli-plugins/docker-memsys", "the former plugin", 0o755)
	running, err := os.Open(m.installed())
	assert.NilError(t, err)
	defer running.Close()
	m.install(nil).Assert(t, icmd.Success)
	content := make([]byte, 64)
	count, err := running.Read(content)
	assert.NilError(t, err)
	assert.Equal(t, string(content[:count]), "the former plugin")
}

func TestInstallWithoutDockerConfigGoesToHome(t *testing.T) {
	m := newMachine(t)
	m.install([]string{"DOCKER_CONFIG="}).Assert(t, icmd.Success)
	assert.Equal(t, readFile(t, filepath.Join(filepath.Dir(m.checkout), "home/.docker/cli-plugins/docker-memsys")), program)
}

func TestInstallForAllUsersTakesTheFirstFolderThatExists(t *testing.T) {
	m := newMachine(t)
	m.install(nil, "--system").Assert(t, icmd.Success)
	usual := filepath.Join(filepath.Dir(m.checkout), "dest/usr/local/lib/docker/cli-plugins/docker-memsys")
	assert.Equal(t, readFile(t, usual), program)

	m = newMachine(t)
	present := m.write("dest/usr/libexec/docker/cli-plugins/docker-memsys", "old", 0o755)
	m.install(nil, "--system").Assert(t, icmd.Success)
	assert.Equal(t, readFile(t, present), program)
}

func TestUninstall(t *testing.T) {
	m := newMachine(t)
	m.install(nil).Assert(t, icmd.Success)
	m.install(nil, "--uninstall").Assert(t, icmd.Expected{Out: "Removed docker memsys"})
	_, err := os.Lstat(m.installed())
	assert.ErrorIs(t, err, os.ErrNotExist)
	m.install(nil, "--uninstall").Assert(t, icmd.Expected{Out: "is not installed"})
}

func TestInstallWithoutGoSaysWhatToDo(t *testing.T) {
	m := newMachine(t)
	assert.NilError(t, os.Remove(filepath.Join(m.bin, "go")))
	m.refuses(nil, "go was not found: install Go 1.26.0 or newer")
}

func TestInstallComparesTheVersionOfGo(t *testing.T) {
	for _, old := range []string{"go1.9", "go1.25.9", "go1.26rc1", "go0.99"} {
		t.Run(old, func(t *testing.T) {
			m := newMachine(t)
			m.write("checkout/go.mod", "module m\n\ngo 1.26.1\n", 0o644)
			m.refuses([]string{"FAKE_GO=" + old}, "is too old: install Go 1.26.1 or newer")
		})
	}
	for _, recent := range []string{"go1.26.0", "go1.27rc1", "go1.100", "go2.0", "devel go1.27-1a2b3c Mon Nov 2"} {
		t.Run(recent, func(t *testing.T) {
			newMachine(t).install([]string{"FAKE_GO=" + recent}).Assert(t, icmd.Success)
		})
	}
}

func TestInstallStopsWhenTheBuildFails(t *testing.T) {
	newMachine(t).refuses([]string{"FAKE_BUILD_FAILS=1"}, "the build failed")
}

func TestInstallWithoutDockerInstallsAndSaysWhatToDo(t *testing.T) {
	m := newMachine(t)
	assert.NilError(t, os.Remove(filepath.Join(m.bin, "docker")))
	m.install(nil).Assert(t, icmd.Expected{Err: "docker was not found. Install Docker's command line", Out: m.installed() + " backup"})
	assert.Equal(t, readFile(t, m.installed()), program)
}

func TestInstallRefusesAFolderThatCannotBeWritten(t *testing.T) {
	m := newMachine(t)
	m.write("file", "", 0o644)
	blocked := filepath.Join(filepath.Dir(m.checkout), "file")
	m.install([]string{"DOCKER_CONFIG=" + blocked}).Assert(t, icmd.Expected{ExitCode: 1, Err: "cannot make the folder " + blocked})
	m.install([]string{"DESTDIR=" + blocked}, "--system").Assert(t, icmd.Expected{ExitCode: 1, Err: "run it as root"})
	m.leavesNothing()
}

func TestInstallRefusesAReadOnlyFolder(t *testing.T) {
	m := newMachine(t)
	m.write("config/cli-plugins/docker-memsys", "the former plugin", 0o755)
	// Root writes everywhere, so the read-only folder is played by a mktemp that fails as it would there.
	m.write("bin/real-mktemp", "", 0o755)
	assert.NilError(t, os.Rename(filepath.Join(m.bin, "mktemp"), filepath.Join(m.bin, "real-mktemp")))
	m.write("bin/mktemp", "#!/bin/sh\n[ \"$1\" = -d ] && exec real-mktemp -d\necho 'Read-only file system' >&2\nexit 1\n", 0o755)
	m.refuses(nil, "cannot write to "+filepath.Dir(m.installed()))
}

func TestInstallFromAReleasedArchive(t *testing.T) {
	m := newMachine(t)
	archive := m.archive(member{plainFile(), program})
	assert.NilError(t, os.Remove(filepath.Join(m.bin, "go")))
	m.install(nil, "--from-file", archive).Assert(t, icmd.Success)
	assert.Equal(t, readFile(t, m.installed()), program)
	m.leavesNothing()
}

func TestInstallWithBusyboxAlone(t *testing.T) {
	const busybox = "/bin/busybox"
	applets, err := exec.Command(busybox, "--list").Output()
	if err != nil {
		t.Skip("there is no busybox")
	}
	m := newMachine(t)
	archive := m.archive(member{plainFile(), program})
	m.bin = filepath.Join(filepath.Dir(m.checkout), "busybox")
	assert.NilError(t, os.Mkdir(m.bin, 0o755))
	for _, name := range strings.Fields(string(applets)) {
		assert.NilError(t, os.Symlink(busybox, filepath.Join(m.bin, name)))
	}
	m.write("checkout/install.sh", strings.Replace(readFile(t, "../install.sh"), "#!/bin/sh", "#!"+busybox+" sh", 1), 0o755)
	m.install([]string{"PATH=" + m.bin}, "--from-file", archive).Assert(t, icmd.Success)
	assert.Equal(t, readFile(t, m.installed()), program)
	m.write("downloads/"+archiveName, "other", 0o644)
	m.refuses([]string{"PATH=" + m.bin}, "the checksum of", "--from-file", archive)
}

func TestInstallPrefersTheChecksumOfTheArchiveAlone(t *testing.T) {
	m := newMachine(t)
	archive := m.archive(member{plainFile(), program})
	m.write("downloads/checksums.txt", "", 0o644)
	m.write("downloads/"+archiveName+".sha256", sum(readFile(t, archive))+" *"+archiveName+"\n", 0o644)
	m.install(nil, "--from-file="+archive).Assert(t, icmd.Success)
}

func TestInstallRefusesAnArchiveWithoutOneRightChecksum(t *testing.T) {
	right := sum(pack(t, member{plainFile(), program}))
	for name, test := range map[string]struct{ sums, message string }{
		"wrong":      {sum("other") + "  " + archiveName + "\n", "the checksum of"},
		"none":       {"", "no checksum of"},
		"other name": {right + "  other-" + archiveName + "\n", "no checksum of"},
		"twice":      {right + "  " + archiveName + "\n" + right + "  " + archiveName + "\n", "no checksum of"},
		"cut short":  {right[:32] + "  " + archiveName + "\n", "no checksum of"},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			archive := m.archive(member{plainFile(), program})
			m.write("downloads/checksums.txt", test.sums, 0o644)
			m.refuses(nil, test.message, "--from-file", archive)
		})
	}
}

func TestInstallRefusesAnArchiveThatIsCutShort(t *testing.T) {
	m := newMachine(t)
	archive := m.archive(member{plainFile(), program})
	packed := readFile(t, archive)
	m.write("downloads/"+archiveName, packed[:len(packed)/2], 0o644)
	m.refuses(nil, "the checksum of", "--from-file", archive)
	m.write("downloads/checksums.txt", sum(packed[:len(packed)/2])+"  "+archiveName+"\n", 0o644)
	m.refuses(nil, "does not hold docker-memsys", "--from-file", archive)
}

func TestInstallRefusesAnArchiveWithSomethingElseInIt(t *testing.T) {
	other, link := plainFile(), plainFile()
	other.Name = "another"
	link.Typeflag, link.Linkname = tar.TypeSymlink, "/bin/sh"
	for name, test := range map[string]struct {
		header           tar.Header
		content, message string
	}{
		"no program":        {other, program, "does not hold docker-memsys"},
		"a link":            {link, "", "is not a plain file"},
		"another machine's": {plainFile(), "\x7fELF nothing that runs", "does not run on this machine"},
		"no plugin":         {plainFile(), "#!/bin/sh\necho hello\n", "is no Docker CLI plugin"},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			m.refuses(nil, test.message, "--from-file", m.archive(member{test.header, test.content}))
		})
	}
}

func TestInstallRefusesAFileThatIsNoArchive(t *testing.T) {
	m := newMachine(t)
	m.refuses(nil, "cannot read", "--from-file", filepath.Join(m.dir, "missing.tar.gz"))
	m.refuses(nil, "is not a released archive", "--from-file", m.write("downloads/x.zip", "", 0o644))
	m.refuses(nil, "--from-file needs", "--from-file")
}

func TestInstallOutOfAnUnpackedArchive(t *testing.T) {
	m := newMachine(t)
	assert.NilError(t, os.Remove(filepath.Join(m.checkout, "go.mod")))
	m.refuses(nil, "there is no source beside")
	m.write("checkout/docker-memsys", program, 0o755)
	m.install(nil).Assert(t, icmd.Success)
	assert.Equal(t, readFile(t, m.installed()), program)
}

// The programs for engines on other machines are those of the plugin's own release: none of another version stays.
func TestInstallPutsTheHelpersBesideThePlugin(t *testing.T) {
	m := newMachine(t)
	m.write("config/cli-plugins/memsys-helper-linux-amd64", "of another version", 0o755)
	path := m.archive(member{plainFile(), program}, helperFor("arm64"))
	m.install(nil, "--from-file", path).Assert(t, icmd.Success)
	assert.Equal(t, readFile(t, m.installed()), program)
	assert.Equal(t, readFile(t, m.helper("arm64")), "helper")
	_, err := os.Stat(m.helper("amd64"))
	assert.ErrorIs(t, err, os.ErrNotExist)
	m.leavesNothing()
	m.install(nil, "--uninstall").Assert(t, icmd.Success)
	_, err = os.Stat(m.helper("arm64"))
	assert.ErrorIs(t, err, os.ErrNotExist)

	unpacked := newMachine(t)
	assert.NilError(t, os.Remove(filepath.Join(unpacked.checkout, "go.mod")))
	unpacked.write("checkout/docker-memsys", program, 0o755)
	unpacked.write("checkout/memsys-helper-linux-amd64", "helper", 0o755)
	unpacked.install(nil).Assert(t, icmd.Success)
	assert.Equal(t, readFile(t, unpacked.helper("amd64")), "helper")
}

// TestAHelperForWhichThereIsNoRoomEndsTheInstallation: the former plugin keeps its own one, and none goes missing unheard.
func TestAHelperForWhichThereIsNoRoomEndsTheInstallation(t *testing.T) {
	for tool, message := range map[string]string{"cat": "is the disk full?", "tar": "cannot unpack memsys-helper-linux-arm64"} {
		t.Run(tool, func(t *testing.T) {
			m := newMachine(t)
			for _, arch := range []string{"amd64", "arm64"} {
				m.write("config/cli-plugins/memsys-helper-linux-"+arch, "of the former version", 0o755)
			}
			path := m.archive(member{plainFile(), program}, helperFor("amd64"), helperFor("arm64"))
			assert.NilError(t, os.Rename(filepath.Join(m.bin, tool), filepath.Join(m.bin, "real-"+tool)))
			m.write("bin/"+tool, "#!/bin/sh\ncase \"$*\" in *memsys-helper-linux-arm64*) echo 'No space left on device' >&2; exit 1 ;; esac\nexec real-"+tool+" \"$@\"\n", 0o755)
			m.refuses(nil, message, "--from-file", path)
			for _, arch := range []string{"amd64", "arm64"} {
				assert.Equal(t, readFile(t, m.helper(arch)), "of the former version")
			}
		})
	}
}

func TestInstallOnAnotherSystemBuildsTheHelpersToo(t *testing.T) {
	m := newMachine(t)
	assert.NilError(t, os.Remove(filepath.Join(m.bin, "uname")))
	m.write("bin/uname", "#!/bin/sh\necho Darwin\n", 0o755)
	m.install(nil).Assert(t, icmd.Success)
	for _, arch := range []string{"amd64", "arm64"} {
		assert.Equal(t, readFile(t, filepath.Join(filepath.Dir(m.installed()), "memsys-helper-linux-"+arch)), program)
	}
}

func TestInstallRefusesAnUnknownArgument(t *testing.T) {
	newMachine(t).install(nil, "--uninstal").Assert(t, icmd.Expected{ExitCode: 2, Err: "unknown argument --uninstal"})
}
