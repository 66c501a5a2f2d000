//go:build unix

package plugin

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/validate"
)

func TestWhoGetsToASourceIsToldByTheFoldersAboveIt(t *testing.T) {
	assert.Assert(t, !shut("/etc/passwd"))
	dir := filepath.Join(t.TempDir(), "within", "data")
	assert.NilError(t, os.MkdirAll(dir, 0o755))
	assert.NilError(t, os.Chmod(filepath.Dir(dir), 0o750))
	assert.Assert(t, shut(dir))
	link := filepath.Join(t.TempDir(), "link")
	assert.NilError(t, os.Symlink(dir, link))
	assert.Assert(t, shut(link), "it lies where the link leads")
}

func TestInABackupVolumesAreShut(t *testing.T) {
	away := map[string]string{"type": "none", "o": "bind", "device": "/srv"}
	for _, c := range []struct {
		src  archive.Source
		want bool
	}{
		{archive.Source{Kind: "bind"}, false},
		{archive.Source{Kind: "volume", Volume: &archive.Volume{Name: "v"}}, true},
		{archive.Source{Kind: "volume", Volume: &archive.Volume{Name: "v", Options: away}}, false},
	} {
		assert.Equal(t, storedPrivate(c.src), c.want, "%+v", c.src)
	}
	src := archive.Source{Mounts: []archive.Mount{{Subpath: "a"}, {}, {Subpath: "a"}, {Subpath: "b"}}}
	assert.DeepEqual(t, storedLayout(src), []string{"a", "b"})
}

// TestAHelperIsToldOfTheTimeTheFoldersAndWhoGetsIn: what the command knows and the helper cannot see.
func TestAHelperIsToldOfTheTimeTheFoldersAndWhoGetsIn(t *testing.T) {
	b := helped(t)
	pem, err := os.ReadFile("testdata/expired.pem")
	assert.NilError(t, err)
	b.write("ssl/server.crt", string(pem))
	assert.NilError(t, os.Chmod(b.data, 0o755))
	assert.NilError(t, os.Chmod(filepath.Join(b.data, "a"), 0o644))
	for i := range b.s.Sources {
		if b.s.Sources[i].Name == "data" {
			b.s.Sources[i].Mounts = append(b.s.Sources[i].Mounts, compose.Mount{Service: "app", Target: "/x", Subpath: "missing"})
		}
	}
	opts := validateOptions{checks: []string{"structure.certificates", "structure.layout", "structure.permissions"}, depth: "full"}
	o, err := opts.inspection(b.s.app, &b.s.Config, t.TempDir())
	assert.NilError(t, err)
	for _, local := range []bool{true, false} {
		b.s.Info.Local = local
		plan, err := b.s.planValidation(t.Context(), o)
		assert.NilError(t, err)
		run := validate.Runner{Clock: b.s.app.world.Now, Progress: b.s.app.sink()}
		report, err := run.Run(t.Context(), plan)
		assert.NilError(t, err)
		got := map[string]string{}
		for _, res := range report.Results {
			for _, f := range res.Findings {
				got[f.Check] += f.Path + ": " + f.Text
			}
		}
		assert.Equal(t, got["structure.layout"], "missing: the folder is missing")
		assert.Assert(t, strings.HasPrefix(got["structure.certificates"], "ssl/server.crt: expired"), "%q", got)
		assert.Equal(t, strings.Contains(got["structure.permissions"], "everybody may read 1 file (a)"), !local, "the folder of a test is its own: %q", got)
	}
}
