//go:build unix

package plugin

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/compose"
)

// folderPlan is the plan of the folders of a project, with the project's folder left out of its lines.
func folderPlan(t *testing.T, uid int, yaml string, prepare func(dir string)) (lines, remarks []string, err error) {
	t.Helper()
	s, _ := openTestSession(t)
	assert.NilError(t, os.Remove(filepath.Join(s.WorkingDir, "data")))
	assert.NilError(t, os.WriteFile(filepath.Join(s.WorkingDir, "compose.yaml"), []byte(yaml), 0o600))
	prepare(s.WorkingDir)
	s.project, err = s.app.loadProject(t.Context(), compose.Overrides{})
	assert.NilError(t, err)
	s.Sources = s.Project.Sources(s.live(), s.Config)
	s.Info.Local, s.Info.SharesFiles, s.app.world.UID = true, true, uid
	folders, remarks, err := s.planFolders(t.Context())
	for _, f := range folders {
		lines = append(lines, strings.ReplaceAll(f.String(), s.WorkingDir+"/", ""))
	}
	for i := range remarks {
		remarks[i] = strings.ReplaceAll(remarks[i], s.WorkingDir+"/", "")
	}
	return lines, remarks, err
}

const twoUsers = `name: notes
services:
  app: {image: x, user: "1234:1235", volumes: ["./var/data:/data", "./cache:/cache"]}
  db: {image: x, user: "77:77", volumes: ["./var/data:/data", "./store:/store"]}
  one: {image: x, user: root, volumes: ["./own:/own"]}
`

func TestFoldersAreForThoseWhoWriteThere(t *testing.T) {
	lines, remarks, err := folderPlan(t, 0, twoUsers, func(dir string) {
		for _, name := range []string{"cache", "store"} {
			assert.NilError(t, os.Mkdir(filepath.Join(dir, name), 0o755))
		}
		assert.NilError(t, os.WriteFile(filepath.Join(dir, "store/a"), nil, 0o600))
	})
	assert.NilError(t, err)
	app := ", for 1234:1235, whom service app runs as"
	assert.DeepEqual(t, lines, []string{
		"make backups, mode 0700", "give cache to 1234:1235, whom service app runs as", "make own, mode 0750", "make var, mode 0750",
		"make var/data, mode 0750" + app, "make var/data/embeddings, mode 0750" + app, "make var/data/indexes, mode 0750" + app,
		"make var/data/memories, mode 0750" + app, "make var/logs, mode 0750" + app, "make var/ssl, mode 0750" + app,
	})
	assert.Equal(t, len(remarks), 2, "%q", remarks)
	assert.Assert(t, strings.HasSuffix(remarks[0], "var/data: services app and db run as 1234:1235 and 77:77: it is for the first"), remarks[0])
	assert.Assert(t, strings.HasSuffix(remarks[1], "and service db runs as 77:77: if it cannot write there, chown -R 77:77 store"), remarks[1])
}

func TestWhatOnlyRootCanMakeIsRefusedBeforeAnythingIs(t *testing.T) {
	_, _, err := folderPlan(t, 4321, twoUsers, func(string) {})
	assert.ErrorContains(t, err, "must belong to 1234:1235, whom service app runs as; nothing was changed")
	assert.Equal(t, verdictOf(err).Hint, "sudo docker memsys init")
}

func TestAnImageThatIsNotHereIsNamed(t *testing.T) {
	lines, remarks, err := folderPlan(t, 0, "name: notes\nservices: {app: {image: nowhere, volumes: ['./data:/data']}}\n", func(string) {})
	assert.NilError(t, err)
	assert.Equal(t, lines[1], "make data, mode 0750")
	assert.DeepEqual(t, remarks, []string{
		"whom service app runs as is not known: its image is not here yet: pull or build it, and run docker memsys init again",
	})
}

// TestAFolderThatIsAnotherByNowIsLeft: between the plan and the answer somebody may fill it, make it, or put a link in its place.
func TestAFolderThatIsAnotherByNowIsLeft(t *testing.T) {
	for name, c := range map[string]struct {
		planned, meanwhile func(path, elsewhere string) error
		exists             bool
		want               string
	}{
		"filled": {
			func(path, _ string) error { return os.Mkdir(path, 0o755) },
			func(path, _ string) error { return os.WriteFile(filepath.Join(path, "a"), nil, 0o600) }, true, "is not empty any more",
		},
		"made":            {nil, func(path, _ string) error { return os.Mkdir(path, 0o755) }, false, "has been made meanwhile"},
		"a link":          {nil, func(path, elsewhere string) error { return os.Symlink(elsewhere, path) }, false, "has been made meanwhile"},
		"a link to empty": {nil, func(path, elsewhere string) error { return os.Symlink(elsewhere, path) }, true, "path escapes from parent"},
	} {
		t.Run(name, func(t *testing.T) {
			path, elsewhere := filepath.Join(t.TempDir(), "memories"), t.TempDir()
			if c.planned != nil {
				assert.NilError(t, c.planned(path, elsewhere))
			}
			before, err := os.Stat(elsewhere)
			assert.NilError(t, err)
			assert.NilError(t, c.meanwhile(path, elsewhere))
			f := folder{path: path, mode: folderMode, owner: &owner{os.Getuid(), os.Getgid()}, exists: c.exists}
			assert.ErrorContains(t, f.make(), c.want)
			after, err := os.Stat(elsewhere)
			assert.NilError(t, err)
			assert.Equal(t, after.Mode(), before.Mode())
		})
	}
}

func TestALinkIsNotGivenAway(t *testing.T) {
	elsewhere := t.TempDir()
	lines, remarks, err := folderPlan(t, 0, twoUsers, func(dir string) {
		assert.NilError(t, os.Symlink(elsewhere, filepath.Join(dir, "cache")))
	})
	assert.NilError(t, err)
	assert.Assert(t, !strings.Contains(strings.Join(lines, "\n"), "give cache"), "%q", lines)
	assert.Assert(t, strings.Contains(strings.Join(remarks, "\n"), "and service app runs as 1234:1235: if it cannot write there"), "%q", remarks)
}
