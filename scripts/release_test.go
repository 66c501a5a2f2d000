//go:build unix

package scripts

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/icmd"
)

// released makes a release of stand-ins, which name the platform that they were built for, and returns its folder.
func released(t *testing.T) string {
	t.Helper()
	m := newMachine(t)
	for _, name := range []string{"lib.sh", "release.sh"} {
		m.write("checkout/scripts/"+name, readFile(t, name), 0o755)
	}
	for _, name := range []string{"LICENSE", "README.md", "CHANGELOG.md"} {
		m.write("checkout/"+name, name, 0o644)
	}
	m.write("tools/go", strings.ReplaceAll(fakeGo, `cp "$FAKE_PROGRAM" "$2"`, `{ cat "$FAKE_PROGRAM"; echo "# $GOOS/$GOARCH"; } >"$2" && chmod 755 "$2"`), 0o755)
	env := append(os.Environ(), "PATH="+filepath.Join(filepath.Dir(m.bin), "tools")+":"+os.Getenv("PATH"), "VERSION=v1.2.3", "FAKE_PROGRAM="+filepath.Join(filepath.Dir(m.bin), "program"))
	for _, args := range [][]string{
		{"git", "init", "--quiet"},
		{"git", "add", "."},
		{"git", "-c", "user.name=n", "-c", "user.email=e", "commit", "--quiet", "--message", "first"},
		{"bash", "scripts/release.sh"},
	} {
		icmd.RunCmd(icmd.Cmd{Command: args, Dir: m.checkout, Env: env}).Assert(t, icmd.Success)
	}
	return filepath.Join(m.checkout, "dist")
}

// TestARelease asserts what is in its archives: the plugin, the helpers for engines on other platforms, the license.
func TestARelease(t *testing.T) {
	dist := released(t)
	sums := readFile(t, filepath.Join(dist, "checksums.txt"))
	both := []string{"memsys-helper-linux-amd64", "memsys-helper-linux-arm64"}
	files := 1 // the sums
	for platform, helpers := range map[string][]string{
		"linux/amd64": both[1:], "linux/arm64": both[:1], "darwin/amd64": both, "darwin/arm64": both, "windows/amd64": both, "windows/arm64": both,
	} {
		program := "docker-memsys"
		if strings.HasPrefix(platform, "windows") {
			program += ".exe"
		}
		base := filepath.Join(dist, "docker-memsys_1.2.3_"+strings.ReplaceAll(platform, "/", "_"))
		listings := map[string]map[string]string{base + ".tar.gz": untar(t, base+".tar.gz")}
		if strings.HasSuffix(program, ".exe") {
			listings[base+".zip"] = unzip(t, base+".zip")
		}
		for name, found := range listings {
			files++
			assert.Assert(t, strings.Contains(sums, sum(readFile(t, name))+"  "+filepath.Base(name)+"\n"), sums)
			want := map[string]string{program: platform}
			for _, helper := range helpers {
				want[helper] = "linux/" + helper[len("memsys-helper-linux-"):]
			}
			for name, platform := range want {
				assert.Assert(t, strings.HasSuffix(found[name], "# "+platform+"\n"), "%s: %q", name, found[name])
				delete(found, name)
			}
			for _, text := range []string{"LICENSE", "README.md", "CHANGELOG.md"} {
				assert.Equal(t, found[text], text, name)
				delete(found, text)
			}
			if strings.HasSuffix(name, ".tar.gz") {
				assert.Equal(t, found["install.sh"], readFile(t, "../install.sh"))
				delete(found, "install.sh")
			}
			assert.Equal(t, len(found), 0, "%s: %v", name, found)
		}
	}
	all, err := os.ReadDir(dist)
	assert.NilError(t, err)
	assert.Equal(t, len(all), files)
	assert.Equal(t, strings.Count(sums, "\n"), files-1)
}

func TestInstallFromTheFolderOfARelease(t *testing.T) {
	dist := released(t)
	for platform, want := range map[string]string{
		"linux_amd64": "docker-memsys memsys-helper-linux-arm64", "darwin_arm64": "docker-memsys memsys-helper-linux-amd64 memsys-helper-linux-arm64",
	} {
		m, folder := newMachine(t), t.TempDir()
		out, err := exec.Command("tar", "-xzf", filepath.Join(dist, "docker-memsys_1.2.3_"+platform+".tar.gz"), "-C", folder).CombinedOutput()
		assert.NilError(t, err, string(out))
		icmd.RunCmd(icmd.Cmd{Command: []string{filepath.Join(folder, "install.sh")}, Dir: folder, Env: m.env}).Assert(t, icmd.Success)
		entries, err := os.ReadDir(filepath.Dir(m.installed()))
		assert.NilError(t, err)
		var names []string
		for _, e := range entries {
			info, err := e.Info()
			assert.NilError(t, err)
			assert.Equal(t, info.Mode().Perm(), os.FileMode(0o755), e.Name())
			names = append(names, e.Name())
		}
		assert.Equal(t, strings.Join(names, " "), want)
	}
}

// untar reads the plain files of an archive, whose programs alone can be run.
func untar(t *testing.T, path string) map[string]string {
	t.Helper()
	file, err := os.Open(path)
	assert.NilError(t, err)
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	assert.NilError(t, err)
	found, r := map[string]string{}, tar.NewReader(unzipped)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return found
		}
		assert.NilError(t, err)
		assert.Equal(t, int(h.Typeflag), int(tar.TypeReg), h.Name)
		program := strings.Contains(h.Name, "memsys") || h.Name == "install.sh"
		assert.Equal(t, h.Mode&0o111 != 0, program, h.Name)
		content, err := io.ReadAll(r)
		assert.NilError(t, err)
		found[h.Name] = string(content)
	}
}

func unzip(t *testing.T, path string) map[string]string {
	t.Helper()
	r, err := zip.OpenReader(path)
	assert.NilError(t, err)
	defer r.Close()
	found := map[string]string{}
	for _, f := range r.File {
		in, err := f.Open()
		assert.NilError(t, err)
		content, err := io.ReadAll(in)
		assert.NilError(t, errors.Join(err, in.Close()))
		found[f.Name] = string(content)
	}
	return found
}
