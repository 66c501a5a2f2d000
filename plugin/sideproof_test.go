//go:build unix

package plugin

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/inventory"
	"github.com/memsys/docker-memsys/internal/store"
)

// proofs are two backups of the same data: one through a helper, one by this process.
func (b *sideBed) proofs() (far, near *archive.Manifest) {
	b.t.Helper()
	var out []*archive.Manifest
	for _, way := range []string{"always", "never"} {
		b.s.Config.Helper, b.s.way = way, nil
		m, err := store.ReadManifest(b.backup().Path)
		assert.NilError(b.t, err)
		out = append(out, m)
	}
	return out[0], out[1]
}

func TestAHelperLooksAtTheCopyAsThisProcessDoes(t *testing.T) {
	b := newSideBed(t)
	b.write("vectors/good.npy", "\x93NUMPY\x01\x00v\x00"+padded("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }")+"\x00\x00\x80\x3f\x00\x00\x00\x40")
	b.s.Config.Validate = "quick"
	far, near := b.proofs()
	assert.DeepEqual(t, far.Validation, near.Validation)
	assert.Assert(t, far.Validation != nil)
	assert.Equal(t, far.Validation.Status, inventory.OK)
	for i := range far.Sources {
		assert.DeepEqual(t, far.Sources[i].Inventory, near.Sources[i].Inventory)
	}
	assert.Assert(t, len(near.Sources[0].Inventory.Collections) > 0)

	t.Run("and finds the damage", func(t *testing.T) {
		assert.NilError(t, os.Truncate(filepath.Join(b.data, "vectors/good.npy"), 130))
		far, near := b.proofs()
		assert.Equal(t, far.Validation.Status, inventory.Damaged)
		assert.DeepEqual(t, far.Validation, near.Validation)
		left, err := filepath.Glob(filepath.Join(b.s.Store.Path, ".memory_*"))
		assert.NilError(t, err)
		assert.Equal(t, len(left), 0, "%v", left)
	})
}

func TestAHelperCountsWhatItHasRestored(t *testing.T) {
	b := newSideBed(t)
	b.s.Config.Validate = "quick"
	made := b.backup()
	b.write("a", "new a")
	err := b.begun("restore", func(ctx context.Context) error {
		return b.s.planned(ctx, made, restoreOptions{}, func(p *planned) error {
			res, err := p.run(ctx)
			assert.NilError(t, err)
			assert.Equal(t, len(res.Counted), 1)
			assert.Assert(t, res.Counted[0].Checked, "%+v", res.Counted)
			return nil
		})
	})
	assert.NilError(t, err)
}

// padded is the header of a .npy file as it is padded: 118 bytes, so that the data begins at 128.
func padded(header string) string {
	for len(header) < 117 {
		header += " "
	}
	return header + "\n"
}
