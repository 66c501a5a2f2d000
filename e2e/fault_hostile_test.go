//go:build e2e && unix

package e2e

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"gotest.tools/v3/assert"
)

// hostileBed is a project on this machine whose data and surroundings (the canary) must stay as they are.
func hostileBed(t *testing.T) (p *Project, check func()) {
	t.Helper()
	p = NewProject(t, boxFile(`["./data:/data"]`, ""))
	p.Setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
	p.Write("data/live", "live")
	p.Write("data/sub/live", "live")
	p.Write("canary/file", "canary")
	p.Write("canary/sub/file", "canary")
	data, canary := Keep(t, p.Path("data")), Keep(t, p.Path("canary"))
	return p, func() {
		t.Helper()
		data()
		canary()
		gone(t, p.Path("to"))
		Tidy(t, p.Dir)
		entries, err := os.ReadDir(p.Dir)
		assert.NilError(t, err)
		var names []string
		for _, e := range entries {
			names = append(names, e.Name())
		}
		assert.DeepEqual(t, names, []string{"backups", "canary", "compose.yaml", "data"})
	}
}

// root is the first entry of every forged archive.
var root = forgedEntry{name: "data/data/", kind: "dir"}

// TestAForgedArchiveThatMeansNoHarmIsRestored shows that what the next test sees refused is refused for its harm alone.
func TestAForgedArchiveThatMeansNoHarmIsRestored(t *testing.T) {
	p, _ := hostileBed(t)
	path := forge(t, p, root, forgedEntry{name: "data/data/first", kind: "reg", content: "forged"}, forgedEntry{name: "data/data/hard", kind: "hardlink", link: "data/data/first"},
		forgedEntry{name: "data/data/link", kind: "symlink", link: "/etc"}, forgedEntry{name: "data/data/sub/", kind: "dir"}, forgedEntry{name: "data/data/sub/file", kind: "reg", content: "forged"})
	Code(t, p.Standalone("verify", path), 0, "sound")
	Code(t, p.Standalone("restore", "latest", "--yes", "--allow-other-project"), 0)
	assert.Equal(t, p.Read("data/sub/file"), "forged")
	assert.Equal(t, p.Read("data/hard"), "forged")
	gone(t, p.Path("data", "live"))
}

func TestHostileArchivesAreRefusedAndWriteNothing(t *testing.T) {
	file := func(name string) forgedEntry { return forgedEntry{name: name, kind: "reg", content: "harm"} }
	link := func(name, target string) forgedEntry { return forgedEntry{name: name, kind: "symlink", link: target} }
	for name, entries := range map[string][]forgedEntry{
		"dot dot":                   {file("data/data/../../canary/file")},
		"dot dot at the front":      {file("../canary/file")},
		"absolute":                  {file("/tmp/memsys-e2e-hostile")},
		"file through link":         {link("data/data/out", "../canary"), file("data/data/out/file")},
		"folder through link":       {link("data/data/out", "../canary"), {name: "data/data/out/", kind: "dir"}, file("data/data/out/file")},
		"file through absolute":     {link("data/data/out", "/tmp"), file("data/data/out/memsys-e2e-hostile")},
		"link twice":                {link("data/data/out", "../canary"), link("data/data/out", "../canary/sub")},
		"hard link outside":         {{name: "data/data/hard", kind: "hardlink", link: "../canary/file"}},
		"hard link to absolute":     {{name: "data/data/hard", kind: "hardlink", link: "/etc/passwd"}},
		"hard link to live data":    {{name: "data/data/hard", kind: "hardlink", link: "data/data/live"}},
		"duplicate":                 {file("data/data/twice"), file("data/data/twice")},
		"file, then folder":         {file("data/data/x"), {name: "data/data/x/", kind: "dir"}, file("data/data/x/y")},
		"outside of data":           {file("elsewhere/file")},
		"project file with dot dot": {file("project/../../canary/file")},
	} {
		t.Run(name, func(t *testing.T) {
			p, check := hostileBed(t)
			path := forge(t, p, append([]forgedEntry{root}, entries...)...)
			Code(t, p.Standalone("verify", path), 4, "damaged", "unsafe name", entries[len(entries)-1].name)
			Code(t, p.Standalone("restore", path, "--yes", "--allow-other-project"), 4, "nothing was changed")
			Code(t, p.Standalone("restore", path, "--to", p.Path("to")), 4)
			check()
			gone(t, "/tmp/memsys-e2e-hostile")
		})
	}
}

// TestDeviceNodesNeedConsent: they are sound, but no restore makes them unasked.
func TestDeviceNodesNeedConsent(t *testing.T) {
	p, check := hostileBed(t)
	path := forge(t, p, root, forgedEntry{name: "data/data/null", kind: "char"})
	Code(t, p.Standalone("verify", path), 0)
	Code(t, p.Standalone("restore", path, "--yes", "--allow-other-project"), 1, "device nodes", "--allow-devices")
	Code(t, p.Standalone("restore", path, "--to", p.Path("to")), 1, "device nodes", "--allow-devices")
	check()
}

func TestADecompressionBombTakesNoMemory(t *testing.T) {
	t.Run("file", func(t *testing.T) {
		p, check := hostileBed(t)
		defuse(t, p, forge(t, p, root, forgedEntry{name: "data/data/small", kind: "reg", content: "small", packed: bomb(t, "")}))
		check()
	})
	t.Run("contents table", func(t *testing.T) {
		p, check := hostileBed(t)
		path := forge(t, p, root, forgedEntry{name: "data/data/small", kind: "reg", content: "small"})
		data, err := os.ReadFile(path)
		assert.NilError(t, err)
		at := tableOffset(t, io.NewSectionReader(bytes.NewReader(data), 0, int64(len(data))))
		extra, footer := string(data[at+10:at+10+38]), data[len(data)-51:]
		data = append(append(data[:at:at], bomb(t, extra)...), footer...)
		assert.NilError(t, os.WriteFile(path, data, 0o600))
		defuse(t, p, path)
		check()
	})
}

// defuse asserts that an archive is refused in little memory.
func defuse(t *testing.T, p *Project, path string) {
	t.Helper()
	for _, args := range [][]string{{"verify", path}, {"restore", path, "--yes", "--allow-other-project"}, {"restore", path, "--to", p.Path("to")}} {
		process := p.Start(PluginPath(), args...)
		assert.Equal(t, process.Wait(), 4, process.Output())
		assert.Assert(t, strings.Contains(process.Output(), "damaged") || strings.Contains(process.Output(), "cannot be read"), process.Output())
		used := process.cmd.ProcessState.SysUsage().(*syscall.Rusage)
		assert.Assert(t, used.Maxrss < 256<<10, "%s took %d KiB", args[0], used.Maxrss)
	}
}

// TestAContentsTableThatLiesAboutItselfIsRefused points the footer, and the manifest's place, elsewhere.
func TestAContentsTableThatLiesAboutItselfIsRefused(t *testing.T) {
	for name, lie := range map[string]func(data []byte) []byte{
		"footer points before the table": func(data []byte) []byte { copy(data[len(data)-51+16:], "0000000000000000"); return data },
		"footer points behind the end":   func(data []byte) []byte { copy(data[len(data)-51+16:], "7fffffffffffffff"); return data },
		"table cut out": func(data []byte) []byte {
			return append(append([]byte{}, data[:len(data)/2]...), data[len(data)-51:]...)
		},
		"bytes behind the footer": func(data []byte) []byte { return append(data, "behind"...) },
	} {
		t.Run(name, func(t *testing.T) {
			p, check := hostileBed(t)
			path := forge(t, p, root, forgedEntry{name: "data/data/file", kind: "reg", content: "x"})
			data, err := os.ReadFile(path)
			assert.NilError(t, err)
			assert.NilError(t, os.WriteFile(path, lie(data), 0o600))
			Code(t, p.Standalone("verify", path), 4)
			Code(t, p.Standalone("restore", path, "--yes", "--allow-other-project"), 4, "nothing was changed")
			Code(t, p.Standalone("restore", filepath.Base(path), "--to", p.Path("to")), 4)
			check()
		})
	}
}
