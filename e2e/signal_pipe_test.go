//go:build e2e && unix

package e2e

import (
	"os"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/icmd"
)

// Issue 2: somebody who stops reading ends a backup as a signal does, and it is told by the exit code.
func TestBackupWhoseOutputNobodyReadsAnyMore(t *testing.T) {
	v := newWriters(t, 24)
	for _, command := range []string{"docker memsys", PluginPath()} {
		t.Run(command, func(t *testing.T) {
			result := v.Run("sh", "-c", "{ "+command+" backup --progress plain 2>&1; echo $? >code; } | head -n 1")
			result.Assert(t, icmd.Success)
			assert.Equal(t, strings.Count(result.Stdout(), "\n"), 1, result.Combined())
			assert.Equal(t, strings.TrimSpace(v.Read("code")), "130", result.Combined())
			noProcess(t, "backup")
			v.asBefore(0)
			v.nothingIsLeft()
			v.backupsAreWhole()
		})
	}
}

func TestListWhoseOutputNobodyReads(t *testing.T) {
	v := newWriters(t, 1)
	v.Standalone("backup").Assert(t, icmd.Success)
	for _, command := range [][]string{{"docker", "memsys", "list"}, {PluginPath(), "list"}} {
		result := v.Run("sh", "-c", strings.Join(command, " ")+" | head -c1")
		result.Assert(t, icmd.Success)
		assert.Equal(t, result.Combined(), "B")
		p := v.process(command[0], command[1:])
		p.cmd.Stdout, p.cmd.Stderr = unread(t), &p.out
		assert.NilError(t, p.cmd.Start())
		p.watch(func() {})
		assert.Equal(t, p.Wait(), 130, p.Output())
		assert.Equal(t, p.Output(), "")
	}
}

// unread is a pipe that nobody reads any more.
func unread(t testing.TB) *os.File {
	t.Helper()
	read, write, err := os.Pipe()
	assert.NilError(t, err)
	assert.NilError(t, read.Close())
	t.Cleanup(func() { _ = write.Close() })
	return write
}
