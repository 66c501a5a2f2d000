//go:build e2e && unix

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/icmd"
)

// A folder that holds something is not enough: under the mount point of a disk that is gone there may be files too.
func TestABackupOfADiskThatIsNotMountedIsNotGood(t *testing.T) {
	NeedRoot(t)
	p := Box(t, `["./data:/data", "./backups:/backups"]`, "")
	p.Write("data/below.json", "{}\n")
	assert.NilError(t, os.Mkdir(p.Path("backups"), 0o755))
	at := p.Path("data")
	run(t, "", nil, "mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", at).Assert(t, icmd.Success)
	mounted := true
	unmount := func() {
		if mounted {
			run(t, "", nil, "umount", at).Assert(t, icmd.Success)
		}
		mounted = false
	}
	t.Cleanup(unmount)
	p.Write("data/a.json", "{}\n")
	good := p.Backup()
	unmount()
	Code(t, p.Memsys("backup"), 3, "is not on the disk that it was on", "docker memsys backup --accept-shrink")
	assert.Equal(t, p.latest(), filepath.Base(good))
	assert.NilError(t, os.Remove(p.Path("data", "below.json")))
	Code(t, p.Memsys("backup"), 3, "is empty")
	assert.Equal(t, p.latest(), filepath.Base(good))
	Code(t, p.Memsys("backup", "--accept-shrink"), 0)
	assert.Assert(t, p.latest() != filepath.Base(good))
}

func TestABackupOfDataThatIsLargelyGoneIsNotGood(t *testing.T) {
	p := Box(t, `["./data:/data", "./backups:/backups"]`, "")
	assert.NilError(t, os.Mkdir(p.Path("backups"), 0o755))
	for _, name := range strings.Fields("a b c d e f g h i j k l m n o p q r s t u v w x y z") {
		p.Write("data/"+name+".json", "{}\n")
	}
	good := p.Backup()
	for _, name := range strings.Fields("a b c d e f g h i j k l m n o") {
		assert.NilError(t, os.Remove(p.Path("data", name+".json")))
	}
	dry := p.Memsys("backup", "--dry-run").Assert(t, icmd.Success)
	assert.Assert(t, contains(dry.Stdout(), "source data has shrunk: it has 12 entries"), dry.Stdout())
	Code(t, p.Memsys("backup"), 3, "source data has shrunk: it has 12 entries", "it has 27")
	assert.Equal(t, p.latest(), filepath.Base(good))
	p.Up()
	Code(t, p.Memsys("restore", "--yes"), 0, "safety backup") // which the guard does not stop
	assert.Equal(t, p.Read("data/a.json"), "{}\n")
}

// latest is the name of the archive that counts as the latest.
func (p *Project) latest() string {
	p.t.Helper()
	return filepath.Base(strings.TrimSpace(p.Read("backups/latest_backup.txt")))
}
