package archive

import (
	"os"
	"path/filepath"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/tree"
)

// A symbolic link can have a second name, as a file can.
func TestHardLinkToASymbolicLink(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "a"))
	assert.NilError(t, err)
	defer f.Close()
	w := NewWriter(f, WriterOptions{})
	for _, e := range []tree.Entry{
		{Path: "data/s", Kind: tree.Dir, Mode: 0o755},
		{Path: "data/s/a", Kind: tree.Symlink, Link: "nowhere", Mode: 0o777},
		{Path: "data/s/b", Kind: tree.Hardlink, Link: "data/s/a", Mode: 0o777},
	} {
		_, err := w.Add(t.Context(), e.Path, &e, nil)
		assert.NilError(t, err)
	}
	s, err := w.Close(t.Context(), &Manifest{Format: 1, Sources: []Source{{Name: "s", Prefix: "data/s"}}})
	assert.NilError(t, err)
	report, err := Verify(t.Context(), f, s.Size, VerifyOptions{})
	assert.NilError(t, err)
	assert.Equal(t, len(report.Damage), 0, "%v", report.Damage)

	watch := newNames()
	for _, e := range []tree.Entry{{Path: "data/s", Kind: tree.Dir}, {Path: "data/s/a", Kind: tree.Symlink, Link: "x"}, {Path: "data/s/b", Kind: tree.Hardlink, Link: "data/s/a"}} {
		assert.NilError(t, watch.add(&Entry{Entry: e}))
	}
	assert.ErrorContains(t, watch.add(&Entry{Entry: tree.Entry{Path: "data/s/c", Kind: tree.Hardlink, Link: "data/s/b"}}), "or a folder or hard link")
	assert.ErrorContains(t, watch.add(&Entry{Entry: tree.Entry{Path: "data/s/d", Kind: tree.Hardlink, Link: "data/s"}}), "or a folder or hard link")
}
