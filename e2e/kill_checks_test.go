//go:build e2e && unix

package e2e

import (
	"compress/gzip"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/audit"
	"github.com/memsys/docker-memsys/internal/helper"
)

// backupsNow are the names in the backups directory.
func (v *victim) backupsNow() []string {
	v.t.Helper()
	entries, err := os.ReadDir(v.Path("backups"))
	if !errors.Is(err, fs.ErrNotExist) {
		assert.NilError(v.t, err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// archives are the finished archives.
func (v *victim) archives() []string {
	v.t.Helper()
	var found []string
	for _, name := range v.backupsNow() {
		if strings.HasPrefix(name, "memory_backup_") && strings.HasSuffix(name, ".tar.gz") {
			found = append(found, name)
		}
	}
	return found
}

// unfinished are the names of files that are being written, or were when their writer died.
func (v *victim) unfinished() []string {
	v.t.Helper()
	var found []string
	for _, name := range v.backupsNow() {
		if strings.HasPrefix(name, ".") && name != ".memsys.lock" {
			found = append(found, name)
		}
	}
	return found
}

// backupsAreWhole holds every name of the backups directory to what it says, without the plugin: archives are read to their
// end, sums are those of archives that are there, latest_backup.txt leads to one with a commit mark.
func (v *victim) backupsAreWhole() {
	v.t.Helper()
	for _, name := range v.backupsNow() {
		path := v.Path("backups", name)
		switch {
		case strings.HasPrefix(name, "."):
		case strings.HasSuffix(name, ".tar.gz"):
			assert.NilError(v.t, readArchive(path), name)
		case strings.HasSuffix(name, ".sha256"):
			checkSum(v.t, path, sha256.New())
		case strings.HasSuffix(name, ".md5"):
			checkSum(v.t, path, md5.New())
		case strings.HasSuffix(name, ".json"):
			_, err := os.Stat(strings.TrimSuffix(path, ".json"))
			assert.NilError(v.t, err, "a record without its archive")
		case audit.IsFile(name):
			v.auditIsSound()
		case name == "latest_backup.txt":
			latest := strings.TrimSpace(v.Read(filepath.Join("backups", name)))
			_, err := os.Stat(latest + ".sha256")
			assert.NilError(v.t, err, "latest_backup.txt names %s", latest)
		default:
			v.t.Errorf("%s is nothing that belongs into a backups directory", name)
		}
	}
}

// auditIsSound checks the chain of the audit log; what a crash cut short is no damage.
func (p *Project) auditIsSound() {
	p.t.Helper()
	log := audit.Log{Dir: p.Path("backups"), State: p.getenv("MEMSYS_STATE_DIR")}
	report, err := log.Verify(p.t.Context(), nil)
	assert.NilError(p.t, err)
	assert.Equal(p.t, len(report.Damage), 0, "%v", report.Damage)
}

// readArchive reads a gzip file to its end.
func readArchive(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, z)
	return err
}

// checkSum does the work of sha256sum -c or md5sum -c.
func checkSum(t testing.TB, path string, sum hash.Hash) {
	t.Helper()
	line, err := os.ReadFile(path)
	assert.NilError(t, err)
	archive := strings.TrimSuffix(path, filepath.Ext(path))
	f, err := os.Open(archive)
	assert.NilError(t, err, "a commit mark without its archive")
	defer f.Close()
	_, err = io.Copy(sum, f)
	assert.NilError(t, err)
	assert.Equal(t, string(line), hex.EncodeToString(sum.Sum(nil))+"  "+filepath.Base(archive)+"\n")
}

// nothingIsLeft holds the end of a command that recovered: no temporary file, no staging folder, nothing on record, no guardian, no lock,
// no helper container, no scratch volume, no image without a name.
func (v *victim) nothingIsLeft() {
	v.t.Helper()
	assert.DeepEqual(v.t, v.unfinished(), []string(nil))
	assert.DeepEqual(v.t, v.stagings(), []string(nil))
	assert.Assert(v.t, v.pending() == nil, "on record: %+v", v.pending())
	noProcess(v.t, "__guardian")
	assert.DeepEqual(v.t, v.locks(), []string{})
	assert.Equal(v.t, len(v.helpers()), 0, "%v", v.helpers())
	scratch, err := v.engine.Volumes(v.t.Context(), helper.Label, v.key())
	assert.NilError(v.t, err)
	assert.Equal(v.t, len(scratch), 0, "%v", scratch)
	images, err := v.engine.Images(v.t.Context(), helper.Label+".digest")
	assert.NilError(v.t, err)
	for _, i := range images {
		assert.Assert(v.t, len(i.RepoTags) > 0 && i.RepoTags[0] != "<none>:<none>", "an image without a name: %v", i)
	}
}

// stagings are the folders of a restore in the project and in its volume.
func (v *victim) stagings() []string {
	v.t.Helper()
	var found []string
	for _, root := range []string{v.Dir, v.volume()} {
		err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil // a service has just removed it
			}
			if err == nil && strings.HasPrefix(e.Name(), ".memsys-") {
				found = append(found, path)
			}
			return err
		})
		assert.NilError(v.t, err)
	}
	return found
}

// discard removes archives with what stands beside them, and latest_backup.txt where it names one of them.
func (v *victim) discard(names ...string) {
	v.t.Helper()
	for _, name := range names {
		if latest, err := os.ReadFile(v.Path("backups", "latest_backup.txt")); err == nil && filepath.Base(strings.TrimSpace(string(latest))) == name {
			assert.NilError(v.t, os.Remove(v.Path("backups", "latest_backup.txt")))
		}
		for _, suffix := range []string{".sha256", ".md5", ".json", ""} {
			err := os.Remove(v.Path("backups", name+suffix))
			if !errors.Is(err, fs.ErrNotExist) {
				assert.NilError(v.t, err)
			}
		}
	}
}
