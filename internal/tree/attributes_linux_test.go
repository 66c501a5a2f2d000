package tree_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/memsys/docker-memsys/internal/tree"
	"golang.org/x/sys/unix"
	"gotest.tools/v3/assert"
)

// A path of so many components is over PATH_MAX and over the number of folders that are kept open.
func TestManyFoldersInEachOther(t *testing.T) {
	const depth = 1500
	from, to := filepath.Join(t.TempDir(), "from"), filepath.Join(t.TempDir(), "to")
	w, err := tree.NewWriter(from, tree.WriteOptions{SkipOwners: true})
	assert.NilError(t, err)
	path := strings.TrimSuffix(strings.Repeat("ab/", depth), "/")
	write(t, w, path+"/bottom", "x")
	_, err = w.Finish(t.Context())
	assert.NilError(t, err)
	all, problems := copyTree(t, from, to, tree.WalkOptions{}, tree.WriteOptions{SkipOwners: true})
	assert.Equal(t, len(problems), 0)
	assert.Equal(t, len(all), depth+2)
	found, err := tree.Compare(t.Context(), to, sequence(all), tree.CompareOptions{Content: true})
	assert.NilError(t, err)
	assert.Equal(t, len(found), 0)
}

func TestAttributesThatCannotBeSetAreProblemsAndTheRestIsThere(t *testing.T) {
	root := filepath.Join(t.TempDir(), "root")
	w, err := tree.NewWriter(root, tree.WriteOptions{SkipOwners: !asRoot()})
	assert.NilError(t, err)
	e := fileEntry("f", 0)
	e.Xattrs = map[string][]byte{"nonsense.namespace": []byte("x"), "user.kept": []byte("y")}
	c, err := w.File(e)
	assert.NilError(t, err)
	assert.NilError(t, c.Close())
	problems, err := w.Finish(t.Context())
	assert.NilError(t, err)
	assert.Equal(t, len(problems), 1)
	assert.Equal(t, problems[0].Path, "f")
	assert.ErrorContains(t, problems[0].Err, "nonsense.namespace")
	value := make([]byte, 10)
	n, err := unix.Getxattr(filepath.Join(root, "f"), "user.kept", value)
	assert.NilError(t, err)
	assert.Equal(t, string(value[:n]), "y")
}

// Owners that are not set are told, and such a file may not be setuid.
func TestOwnersThatAreSkippedAreProblems(t *testing.T) {
	root := filepath.Join(t.TempDir(), "root")
	w, err := tree.NewWriter(root, tree.WriteOptions{SkipOwners: true})
	assert.NilError(t, err)
	e := fileEntry("f", 0)
	e.UID, e.Mode = os.Getuid()+1, 0o4755
	c, err := w.File(e)
	assert.NilError(t, err)
	assert.NilError(t, c.Close())
	problems, err := w.Finish(t.Context())
	assert.NilError(t, err)
	assert.Equal(t, len(problems), 1)
	assert.ErrorContains(t, problems[0].Err, "owner is")
	assert.ErrorContains(t, problems[0].Err, "mode is 0755, not 4755")
	mapped := filepath.Join(t.TempDir(), "mapped")
	w, err = tree.NewWriter(mapped, tree.WriteOptions{SkipOwners: true, MapOwner: func(int, int) (int, int) { return os.Getuid(), os.Getgid() }})
	assert.NilError(t, err)
	c, err = w.File(e)
	assert.NilError(t, err)
	assert.NilError(t, c.Close())
	problems, err = w.Finish(t.Context())
	assert.NilError(t, err)
	assert.Equal(t, len(problems), 0, "%v", problems)
}

// The staging lies in a folder whose default ACL and setgid bit would go down to everything that is made in it.
func TestNothingIsInheritedFromTheFolderAround(t *testing.T) {
	around := t.TempDir()
	acl := "\x02\x00\x00\x00\x01\x00\x07\x00\xff\xff\xff\xff\x02\x00\x07\x00\x39\x30\x00\x00\x04\x00\x05\x00\xff\xff\xff\xff\x10\x00\x07\x00\xff\xff\xff\xff\x20\x00\x05\x00\xff\xff\xff\xff"
	assert.NilError(t, unix.Setxattr(around, "system.posix_acl_default", []byte(acl), 0))
	assert.NilError(t, os.Chmod(around, 0o755|os.ModeSetgid))
	staged, err := tree.Stage(around, "1")
	assert.NilError(t, err)
	from := t.TempDir()
	touch(t, from, "a/b")
	all, problems := copyTree(t, from, staged, tree.WalkOptions{}, tree.WriteOptions{SkipOwners: !asRoot()})
	assert.Equal(t, len(problems), 0, "%v", problems)
	found, err := tree.Compare(t.Context(), staged, sequence(all), tree.CompareOptions{Content: true})
	assert.NilError(t, err)
	assert.Equal(t, len(found), 0, "%v", found)
}

func TestReadingLeavesTheAccessTimeAlone(t *testing.T) {
	root := t.TempDir()
	touch(t, root, "f")
	long := time.Unix(1e9, 0)
	assert.NilError(t, os.Chtimes(filepath.Join(root, "f"), long, long.Add(time.Hour)))
	copyTree(t, root, filepath.Join(t.TempDir(), "to"), tree.WalkOptions{}, tree.WriteOptions{})
	var st unix.Stat_t
	assert.NilError(t, unix.Stat(filepath.Join(root, "f"), &st))
	assert.Equal(t, st.Atim.Sec, long.Unix())
}

func TestAMountInTheWayOfASwapIsRefusedUnlessItIsKept(t *testing.T) {
	if !asRoot() {
		t.Skip("NEEDS ROOT: mounts a folder")
	}
	root := filepath.Join(t.TempDir(), "live")
	outer := t.TempDir()
	touch(t, root, "data/x", "data/inner\tmount/y")
	touch(t, outer, "z")
	at := filepath.Join(root, "data/inner\tmount")
	if err := unix.Mount(outer, at, "", unix.MS_BIND, ""); err != nil {
		t.Skip("MAY NOT MOUNT HERE: ", err)
	}
	defer func() { assert.NilError(t, unix.Unmount(at, 0)) }()
	staged, err := tree.Stage(root, "1")
	assert.NilError(t, err)
	touch(t, staged, "data/x", "data/new")
	_, err = tree.PlanSwap(t.Context(), root, "1", nil)
	assert.ErrorIs(t, err, tree.ErrMountPoint)
	swap, err := tree.PlanSwap(t.Context(), root, "1", func(e *tree.Entry) string {
		if strings.HasPrefix(e.Path, "data/inner") {
			return "nested mount"
		}
		return ""
	})
	assert.NilError(t, err)
	_, err = tree.Apply(t.Context(), swap, nil)
	assert.NilError(t, err)
	assert.NilError(t, tree.Discard(context.WithoutCancel(t.Context()), swap))
	for path, there := range map[string]bool{"data/new": true, "data/inner\tmount/z": true, "data/x": true, "data/inner\tmount": true} {
		_, err := os.Lstat(filepath.Join(root, path))
		assert.Equal(t, err == nil, there, path)
	}
}
