package journal

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"gotest.tools/v3/assert"
)

// TestARottedRecordIsNeverTakenForATornOne flips a bit in each byte of each record that others follow.
func TestARottedRecordIsNeverTakenForATornOne(t *testing.T) {
	dir := t.TempDir()
	s, j := open(t, dir)
	path := filepath.Join(s.Dir(), "journal")
	for n := range 3 { // remains of earlier operations behind, longer and shorter ones
		assert.NilError(t, j.Begin("earlier", nil))
		for range 6 - 2*n {
			assert.NilError(t, j.Step("step", "of an earlier operation"))
		}
		assert.NilError(t, j.End("done"))
	}
	assert.NilError(t, j.Begin("restore", nil))
	ends := []int64{int64(len(magic)), j.file.next}
	for i := range 3 {
		assert.NilError(t, j.Step(fmt.Sprint("step", i), i))
		ends = append(ends, j.file.next)
	}
	whole, err := os.ReadFile(path)
	assert.NilError(t, err)
	read := func(data []byte) (scanned, error) { return readLog(path, data) }
	for record := range 4 {
		for at := ends[record]; at < ends[record+1]; at++ {
			rotted := bytes.Clone(whole)
			rotted[at] ^= 0x10
			got, err := read(rotted)
			if record == 3 { // the last: it may have been torn
				assert.NilError(t, err, "byte %d", at)
				assert.Equal(t, len(got.entries), 3)
				continue
			}
			var damaged *DamagedError
			assert.Assert(t, errors.As(err, &damaged) && errors.Is(err, ErrDamaged), "byte %d of record %d: %v", at, record, err)
			assert.Equal(t, damaged.Known.Op, map[bool]string{true: "restore"}[record > 0])
			assert.Equal(t, len(damaged.Known.Steps), min(3, 2+map[bool]int{true: 1}[record == 0]))
		}
	}
	assert.NilError(t, os.WriteFile(path, flipped(whole, ends[1]+3), 0o600))
	_, err = s.Pending()
	assert.ErrorContains(t, err, "of the restore that began")
	_, err = s.Journal(time.Now)
	assert.ErrorIs(t, err, ErrDamaged)
	assert.NilError(t, j.End("done"))
	data, err := os.ReadFile(path)
	assert.NilError(t, err)
	for record := range 4 { // an operation that has ended is not pending, whatever has rotted in it
		got, err := read(flipped(data, ends[record]+3))
		assert.NilError(t, err)
		assert.Assert(t, interrupted(got.entries) == nil)
	}
}

func flipped(data []byte, at int64) []byte {
	data = bytes.Clone(data)
	data[at] ^= 0x10
	return data
}

// TestATornBeginIsNoDamage whatever remains of earlier operations lie behind it.
func TestATornBeginIsNoDamage(t *testing.T) {
	for _, steps := range []int{0, 1, 5} {
		for _, size := range []int{1, 300} {
			dir := t.TempDir()
			s, j := open(t, dir)
			assert.NilError(t, j.Begin("first", nil))
			for range steps {
				assert.NilError(t, j.Step("step", "of the first"))
			}
			assert.NilError(t, j.End("done"))
			path := filepath.Join(s.Dir(), "journal")
			before, err := os.ReadFile(path)
			assert.NilError(t, err)
			assert.NilError(t, j.Begin("second", string(bytes.Repeat([]byte("x"), size))))
			after, err := os.ReadFile(path)
			assert.NilError(t, err)
			for cut := int64(len(magic)) + 1; cut < j.file.next; cut++ {
				torn := bytes.Clone(before)
				copy(torn[:cut], after)
				got, err := readLog(path, torn)
				assert.NilError(t, err, "%d steps, cut at %d", steps, cut)
				assert.Assert(t, interrupted(got.entries) == nil)
			}
		}
	}
}
