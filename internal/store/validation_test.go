package store

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/inventory"
)

func damaged(depth inventory.Depth) inventory.Validation {
	return inventory.Validation{
		Depth: depth, Status: inventory.Damaged,
		Findings: []inventory.Finding{{Check: "memories.json", Status: inventory.Damaged, Source: "data", Path: "a.json", Text: "is cut"}},
	}
}

func healthy(depth inventory.Depth) inventory.Validation {
	return inventory.Validation{Depth: depth, Status: inventory.OK}
}

func proven(v inventory.Validation) func(*archive.Manifest) {
	return func(m *archive.Manifest) { m.Validation = &v }
}

func TestABackupWithDamagedDataIsNeverLatest(t *testing.T) {
	d := newDir(t)
	good := add(t, d, start, proven(healthy(inventory.Quick)))
	torn := add(t, d, start.Add(time.Hour), proven(damaged(inventory.Quick)))
	assert.Equal(t, torn.State, Verified)
	assert.Assert(t, torn.Damaged() && !torn.Good())
	assert.Equal(t, latest(t, d), good.Name)
	assert.Equal(t, pointedAt(t, d), good.Name)

	t.Run("nor without its record", func(t *testing.T) {
		assert.NilError(t, os.Remove(torn.Path+recordSuffix))
		b, err := d.Find(t.Context(), torn.Name)
		assert.NilError(t, err)
		assert.Assert(t, b.Damaged())
		assert.Equal(t, latest(t, d), good.Name)
	})
}

func pointedAt(t *testing.T, d *Dir) string {
	t.Helper()
	b, err := d.Find(t.Context(), LatestFile)
	assert.NilError(t, err)
	return b.Name
}

func TestDamageThatIsFoundLaterTakesLatestAway(t *testing.T) {
	d := newDir(t)
	first := add(t, d, start, nil)
	second := add(t, d, start.Add(time.Hour), proven(healthy(inventory.Quick)))
	assert.Equal(t, latest(t, d), second.Name)
	_, err := d.RecordValidation(t.Context(), second, start.Add(2*time.Hour), damaged(inventory.Full))
	assert.NilError(t, err)
	assert.Equal(t, latest(t, d), first.Name)
	assert.Equal(t, pointedAt(t, d), first.Name)

	b, err := d.Find(t.Context(), first.Name)
	assert.NilError(t, err)
	_, err = d.RecordValidation(t.Context(), b, start.Add(3*time.Hour), damaged(inventory.Quick))
	assert.NilError(t, err)
	_, err = os.Stat(filepath.Join(d.Path, LatestFile))
	assert.Assert(t, os.IsNotExist(err), "nothing is better than a path to damaged data")

	_, err = d.Find(t.Context(), Latest)
	var none *NotFoundError
	assert.Assert(t, errors.As(err, &none))
	assert.Error(t, err, `no backup "latest" in `+d.Path+`: none of the 2 archives is a verified, complete backup of the whole project without damage in its data; `+
		`damage was found in `+second.Name+`, `+first.Name)
}

func TestFoundDamageStaysUntilALookThatCoversItFindsNone(t *testing.T) {
	part := healthy(inventory.Full)
	part.Checks = []string{"memories"}
	partly := healthy(inventory.Full)
	partly.Status, partly.Findings = inventory.Warning, []inventory.Finding{{Status: inventory.Unchecked, Text: "is too large"}}
	for _, c := range []struct {
		name         string
		first, later inventory.Validation
		damaged      bool
	}{
		{"a look as close finds none", damaged(inventory.Quick), healthy(inventory.Quick), false},
		{"a closer look finds none", damaged(inventory.Quick), healthy(inventory.Full), false},
		{"a look from farther away finds none", damaged(inventory.Full), healthy(inventory.Quick), true},
		{"some checks find none", damaged(inventory.Quick), part, true},
		{"a look that could not read all finds none", damaged(inventory.Quick), partly, true},
		{"damage is found later", healthy(inventory.Full), damaged(inventory.Quick), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDir(t)
			b := add(t, d, start, proven(c.first))
			_, err := d.RecordValidation(t.Context(), b, start.Add(time.Hour), c.later)
			assert.NilError(t, err)
			again, err := d.Find(t.Context(), b.Name)
			assert.NilError(t, err)
			assert.Equal(t, again.Damaged(), c.damaged)
			assert.Equal(t, again.State, Verified)
		})
	}
}

// TestFoundDamageIsKeptWhateverWasKnownWhenTheLookBegan: a look takes minutes, in which another may have ended.
func TestFoundDamageIsKeptWhateverWasKnownWhenTheLookBegan(t *testing.T) {
	d := newDir(t)
	b := add(t, d, start, proven(healthy(inventory.Quick)))
	_, err := d.RecordValidation(t.Context(), b, start.Add(time.Hour), damaged(inventory.Full))
	assert.NilError(t, err)
	after, err := d.RecordValidation(t.Context(), b, start.Add(time.Hour), healthy(inventory.Quick))
	assert.NilError(t, err)
	assert.Assert(t, after.Damaged())
	again, err := d.Find(t.Context(), b.Name)
	assert.NilError(t, err)
	assert.Assert(t, again.Damaged())
}

func TestTheOnlyBackupIsNamedWhenItsDataIsDamaged(t *testing.T) {
	d := newDir(t)
	b := add(t, d, start, proven(damaged(inventory.Quick)))
	_, err := d.Find(t.Context(), Latest)
	assert.Error(t, err, `no backup "latest" in `+d.Path+`: the only archive, `+b.Name+`, holds damaged data`)
}

func TestAValidationOfAnotherArchiveIsNotUsed(t *testing.T) {
	d := newDir(t)
	b := add(t, d, start, proven(healthy(inventory.Quick)))
	rec, err := d.record(b.Name)
	assert.NilError(t, err)
	rec.Validation = &Validation{ID: "another", Time: start, Validation: damaged(inventory.Full)}
	assert.NilError(t, d.writeRecord(b.Name, rec))
	again, err := d.Find(t.Context(), b.Name)
	assert.NilError(t, err)
	assert.Assert(t, !again.Damaged())
}
