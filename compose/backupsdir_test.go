package compose

import (
	"os"
	"path/filepath"
	"testing"

	"gotest.tools/v3/assert"
)

func TestARunThatMadeNoArchiveDoesNotMakeAFolderSomebodysData(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "backups")
	assert.Assert(t, holdsBackups(dir), "a folder that is not made yet")
	assert.NilError(t, os.Mkdir(dir, 0o700))
	for _, name := range []string{".memsys.lock", ".memory_backup_20260101_000000.tar.gz.tmp-00", "lost+found", "audit.jsonl", "audit-000001.jsonl"} {
		assert.NilError(t, os.WriteFile(filepath.Join(dir, name), nil, 0o600))
		assert.Assert(t, holdsBackups(dir), name)
	}
	assert.NilError(t, os.WriteFile(filepath.Join(dir, "dump.sql"), nil, 0o600))
	assert.Assert(t, !holdsBackups(dir), "somebody's data")
	assert.NilError(t, os.WriteFile(filepath.Join(dir, "memory_backup_20260101_000000.tar.gz"), nil, 0o600))
	assert.Assert(t, holdsBackups(dir))
}
