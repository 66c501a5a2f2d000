//go:build e2e && unix

package e2e

import (
	"os"
	"path/filepath"
	"testing"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/icmd"
)

// TestAUserOfGroupDockerMendsWhatIsNotTheirs: a memory and a database of root's that nobody else may read are cut; validate names them through a helper,
// --repair and restore --last-good bring back bytes, owners and modes, and diff compares all of it.
func TestAUserOfGroupDockerMendsWhatIsNotTheirs(t *testing.T) {
	NeedImage(t, Busybox)
	u := NewUser(t, "docker")
	p := NewProject(t, boxFile(`["./home/data:/data", "./backups:/backups"]`, ""))
	reachable(t, p.Dir)
	assert.NilError(t, os.MkdirAll(p.Path("backups"), 0o755))
	p.Write("home/data/memories/a.json", `{"id":"a","text":"one"}`)
	p.Write("home/data/memories/b.json", `{"id":"b","text":"two"}`)
	p.Write("home/data/picture.bin", "1")
	addDatabase(t, p)
	files := []string{"memories/a.json", "extra/notes.db"}
	for _, file := range append(files, "memories/b.json", "picture.bin") {
		assert.NilError(t, os.Chmod(p.Path("home/data", file), 0o600))
	}
	assert.NilError(t, os.Chmod(p.Path("home/data"), 0o700))
	p.Up()
	u.Give(t, p.Path("backups"))
	p.As(u)
	p.Backup()
	Code(t, p.Memsys("diff", "--quiet", "latest"), 0)
	kept := Keep(t, p.Path("home/data"))
	for _, mend := range [][]string{
		{"validate", "--repair", "--yes", "--skip", "structure,connections,mounts"},
		{"restore", "--last-good", "--yes", "--source", "data", "--path", files[0], "--path", files[1]},
	} {
		for _, file := range files {
			info, err := os.Stat(p.Path("home/data", file))
			assert.NilError(t, err)
			assert.NilError(t, os.Truncate(p.Path("home/data", file), info.Size()*2/3-1))
		}
		said := p.Memsys("validate", "--skip", "structure,connections,mounts")
		Code(t, said, 4)
		for _, file := range files {
			assert.Assert(t, lineWith(said.Combined(), "data/"+file) != "", "%s is not named:\n%s", file, said.Combined())
		}
		p.Memsys(mend...).Assert(t, icmd.Success)
		kept()
		Code(t, p.Memsys("validate", "--skip", "structure,connections,mounts"), 0)
		p.nothingOfHelpersIsLeft()
		assert.Equal(t, string(p.State("app")), "running")
	}
	assert.NilError(t, os.WriteFile(filepath.Join(p.Path("home/data"), "picture.bin"), []byte("2"), 0o600))
	Code(t, p.Memsys("diff", "latest"), 0, "picture.bin")
}
