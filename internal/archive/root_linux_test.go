package archive

import (
	"bytes"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/tree"
)

// TestTarRestoresWhatOnlyRootMay: owners, modes, attributes and ACLs come back by GNU tar alone.
func TestTarRestoresWhatOnlyRootMay(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
	to := t.TempDir()
	probe := filepath.Join(to, "probe")
	assert.NilError(t, os.WriteFile(probe, nil, 0o600))
	if syscall.Setxattr(probe, aclAccess, someACL(), 0) != nil || syscall.Setxattr(probe, "trusted.x", []byte{0}, 0) != nil {
		t.Skip("the file system keeps no ACLs or attributes")
	}
	capability := []byte{1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	bin := file("data/app/bin", []byte("x"))
	bin.Mode, bin.UID, bin.GID = 0o6755, 3_000_000_000, 1<<21+1
	acl := file("data/app/acl", []byte("x"))
	acl.Mode, acl.Xattrs = 0o670, map[string][]byte{aclAccess: someACL(), "user.binary": {0, 1, '\n', 255}, "user.eq=al%": []byte("v"), "trusted.x": {0}, "security.capability": capability}
	folder := dir("data/app/sub")
	folder.Mode, folder.Xattrs = 0o3750, map[string][]byte{aclDefault: someACL()}
	pipe := stored{Entry: tree.Entry{Path: "data/app/pipe", Kind: tree.FIFO, Mode: 0o640, ModTime: stamp}}
	null := stored{Entry: tree.Entry{Path: "data/app/null", Kind: tree.CharDevice, Mode: 0o666, ModTime: stamp, Major: 1, Minor: 3}}
	all := []stored{dir("data/app"), bin, acl, folder, pipe, null}
	run(t, "tar", "-xzpf", writeFile(t, write(t, all, manifest(), WriterOptions{})), "--numeric-owner", "--xattrs", "--xattrs-include=*", "--acls", "-C", to)
	for _, s := range all {
		path := filepath.Join(to, s.Path)
		var st syscall.Stat_t
		assert.NilError(t, syscall.Lstat(path, &st))
		assert.Equal(t, st.Mode&0o7777, s.Mode, s.Path)
		assert.Equal(t, [2]int{int(st.Uid), int(st.Gid)}, [2]int{s.UID, s.GID}, s.Path)
		for name, want := range s.Xattrs {
			got := make([]byte, 1000)
			n, err := syscall.Getxattr(path, name, got)
			assert.NilError(t, err, "%s %s", s.Path, name)
			assert.Assert(t, bytes.Equal(got[:n], want), "%s %s", s.Path, name)
		}
	}
}
