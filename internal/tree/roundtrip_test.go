package tree_test

import (
	"cmp"
	"context"
	"crypto/sha256"
	"io"
	"iter"
	"os"
	"path/filepath"
	"testing"

	"github.com/memsys/docker-memsys/internal/tree"
	"github.com/memsys/docker-memsys/internal/tree/treetest"
	"gotest.tools/v3/assert"
)

// copyTree writes a tree anew through Walk and Writer and returns what was read.
func copyTree(t *testing.T, from, to string, wo tree.WalkOptions, o tree.WriteOptions) ([]tree.Expected, []tree.Problem) {
	t.Helper()
	w, err := tree.NewWriter(to, o)
	assert.NilError(t, err)
	var all []tree.Expected
	err = tree.Walk(t.Context(), from, wo, func(ctx context.Context, e *tree.Entry, open tree.Opener) error {
		if e.Kind != tree.File {
			all = append(all, tree.Expected{Entry: e})
			return w.Create(ctx, e)
		}
		want, err := copyFile(ctx, w, open)
		all = append(all, want)
		return err
	})
	assert.NilError(t, err)
	problems, err := w.Finish(t.Context())
	assert.NilError(t, err)
	return all, problems
}

func copyFile(ctx context.Context, w *tree.Writer, open tree.Opener) (tree.Expected, error) {
	e, r, err := open(ctx)
	if err != nil {
		return tree.Expected{}, err
	}
	defer r.Close()
	c, err := w.File(e)
	if err != nil {
		return tree.Expected{}, err
	}
	want := tree.Expected{Entry: e}
	buf := make([]byte, 1<<20-1)
	if e.Size > 1<<30 {
		return want, cmp.Or(copyData(c, r.(io.ReaderAt), &want), c.Close())
	}
	for at := int64(0); ; {
		n, err := io.ReadFull(r, buf)
		if n > 0 {
			if _, err := c.WriteAt(buf[:n], at); err != nil {
				return want, err
			}
			want.Chunks = append(want.Chunks, tree.Chunk{Offset: at, Size: int64(n), SHA256: sha256.Sum256(buf[:n])})
			at += int64(n)
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return want, c.Close()
		}
		if err != nil {
			return want, cmp.Or(c.Abort(), err)
		}
	}
}

// copyData copies what is no hole, for files too large to be read as a whole.
func copyData(c tree.Content, r io.ReaderAt, want *tree.Expected) error {
	pos := int64(0)
	for _, hole := range append(want.Entry.Holes, tree.Extent{Offset: want.Entry.Size}) {
		buf := make([]byte, hole.Offset-pos)
		if _, err := r.ReadAt(buf, pos); err != nil && err != io.EOF {
			return err
		}
		if _, err := c.WriteAt(buf, pos); err != nil {
			return err
		}
		want.Chunks = append(want.Chunks, tree.Chunk{Offset: pos, Size: int64(len(buf)), SHA256: sha256.Sum256(buf)})
		pos = hole.Offset + hole.Length
	}
	return nil
}

func sequence(all []tree.Expected) iter.Seq2[tree.Expected, error] {
	return func(yield func(tree.Expected, error) bool) {
		for _, e := range all {
			if !yield(e, nil) {
				return
			}
		}
	}
}

// tempDir is t.TempDir for trees with folders that not even their owner may write.
func tempDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	t.Cleanup(func() { assert.NilError(t, tree.RemoveAll(context.Background(), dir)) })
	return dir
}

func asRoot() bool { return os.Geteuid() == 0 }

func TestEverythingComesBackEqual(t *testing.T) {
	if !asRoot() {
		t.Log("NOT ROOT: owners, capabilities, devices and trusted attributes are not part of this run")
	}
	from, to := filepath.Join(tempDir(t), "from"), filepath.Join(tempDir(t), "to")
	assert.NilError(t, treetest.Make(from, treetest.Options{Seed: 1, Huge: !testing.Short(), Devices: asRoot()}))
	all, problems := copyTree(t, from, to, tree.WalkOptions{}, tree.WriteOptions{Devices: true, SkipOwners: !asRoot(), Sync: true})
	assert.Equal(t, len(problems), 0, "%v", problems)
	for _, d := range treetest.Diff(from, to) {
		t.Error(d)
	}
	found, err := tree.Compare(t.Context(), to, sequence(all), tree.CompareOptions{Content: true, Holes: true})
	assert.NilError(t, err)
	assert.Equal(t, len(found), 0, "%v", found)
}
