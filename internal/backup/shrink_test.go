package backup

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/store"
)

func TestASourceThatHasBecomeEmptyIsMissing(t *testing.T) {
	b := newBed(t)
	good, err := b.backup(t)
	assert.NilError(t, err)
	assert.NilError(t, os.RemoveAll(filepath.Join(b.data, "memories")))
	b.now = b.now.Add(time.Hour)
	for range 2 { // the one that was incomplete does not count for the next
		res, err := b.backup(t)
		assert.NilError(t, err)
		assert.Equal(t, res.Backup.State, store.Incomplete)
		assert.Equal(t, len(res.Missing), 1)
		latest, err := b.dir.Find(t.Context(), store.Latest)
		assert.NilError(t, err)
		assert.Equal(t, latest.Name, good.Name)
	}
	b.req.AcceptShrink = true
	res, err := b.backup(t)
	assert.NilError(t, err)
	assert.Assert(t, res.Complete)
	b.req.AcceptShrink = false
	res, err = b.backup(t) // what was agreed to once is the state from then on
	assert.NilError(t, err)
	assert.Assert(t, res.Complete)
}

func TestASafetyBackupTakesAnEmptySourceAsItIs(t *testing.T) {
	b := newBed(t)
	_, err := b.backup(t)
	assert.NilError(t, err)
	assert.NilError(t, os.RemoveAll(filepath.Join(b.data, "memories")))
	b.req.Reason = store.BeforeRestore
	res, err := b.backup(t)
	assert.NilError(t, err)
	assert.Assert(t, res.Complete)
}

func TestASourceOfLessThanHalfIsNotGood(t *testing.T) {
	for name, c := range map[string]struct {
		files, size int   // at first
		left        int   // files afterwards
		cut         int64 // size of each afterwards, -1: as before
		good        bool
	}{
		"few files may go":                {files: 10, size: 10, left: 2, cut: -1, good: true},
		"less than half of many files":    {files: 60, size: 10, left: 25, cut: -1},
		"more than half of many files":    {files: 60, size: 10, left: 40, cut: -1, good: true},
		"less than half of many bytes":    {files: 3, size: 1 << 20, left: 3, cut: 1 << 18},
		"more than half of many bytes":    {files: 3, size: 1 << 20, left: 3, cut: 6 << 17, good: true},
		"few bytes may go":                {files: 3, size: 1 << 10, left: 3, cut: 1, good: true},
		"growth with fewer files is loss": {files: 60, size: 10, left: 5, cut: 1 << 20},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t)
			file := func(i int) string { return filepath.Join(b.data, fmt.Sprintf("store/%d.bin", i)) }
			for i := range c.files {
				b.write(t, fmt.Sprintf("store/%d.bin", i), strings.Repeat("x", c.size))
			}
			good, err := b.backup(t)
			assert.NilError(t, err)
			for i := range c.files {
				if i >= c.left {
					assert.NilError(t, os.Remove(file(i)))
				} else if c.cut >= 0 {
					assert.NilError(t, os.Truncate(file(i), c.cut))
				}
			}
			b.now = b.now.Add(time.Hour)
			res, err := b.backup(t)
			assert.NilError(t, err)
			assert.Equal(t, res.Complete, c.good, "%v", res.Problems)
			latest, err := b.dir.Find(t.Context(), store.Latest)
			assert.NilError(t, err)
			assert.Equal(t, latest.Name == good.Name, !c.good)
			if c.good {
				return
			}
			assert.Equal(t, res.Problems[0].Kind, problemShrunk)
			assert.Equal(t, len(res.Missing), 0, "what is left is kept")
			b.req.AcceptShrink = true
			res, err = b.backup(t)
			assert.NilError(t, err)
			assert.Assert(t, res.Complete)
		})
	}
}

func TestASafetyBackupTakesAShrunkSourceAsItIs(t *testing.T) {
	b := newBed(t)
	b.write(t, "big", strings.Repeat("x", 4<<20))
	_, err := b.backup(t)
	assert.NilError(t, err)
	assert.NilError(t, os.Truncate(filepath.Join(b.data, "big"), 0))
	b.req.Reason = store.BeforeRestore
	res, err := b.backup(t)
	assert.NilError(t, err)
	assert.Assert(t, res.Complete)
}

// onDisk is a side that says where in its file system a source lies.
type onDisk struct {
	Local
	within string
}

func (d onDisk) Look(ctx context.Context, req LookRequest) (*Looked, error) {
	out, err := d.Local.Look(ctx, req)
	if err == nil {
		out.Sources[0].Within = d.within
	}
	return out, err
}

func TestASourceWhoseDiskIsNotMountedIsMissing(t *testing.T) {
	for _, c := range []struct {
		was, now string
		missing  bool
	}{
		{"/", "/mnt/disk", true},
		{"/data", "/mnt/disk/data", true},
		{"/srv/data", "/srv/data", false},
		{"/srv/data", "/", false},          // it has got a disk of its own
		{"/srv/data", "/new/place", false}, // the project has moved
		{"", "/mnt/disk", false},
		{"/", "", false},
	} {
		b := newBed(t)
		b.req.Side = onDisk{within: c.was}
		_, err := b.backup(t)
		assert.NilError(t, err)
		b.now = b.now.Add(time.Hour)
		b.req.Side = onDisk{within: c.now}
		res, err := b.backup(t)
		assert.NilError(t, err)
		assert.Equal(t, len(res.Missing) == 1, c.missing, "%+v", c)
		assert.Equal(t, res.Complete, !c.missing)
	}
}

// TestAGuardThatCannotCompareSaysSo: the archive of the last good backup has rotted.
func TestAGuardThatCannotCompareSaysSo(t *testing.T) {
	b := newBed(t)
	good, err := b.backup(t)
	assert.NilError(t, err)
	rotten, err := os.ReadFile(good.Path)
	assert.NilError(t, err)
	info, err := os.Stat(good.Path)
	assert.NilError(t, err)
	clear(rotten[len(rotten)/2:])
	assert.NilError(t, os.WriteFile(good.Path, rotten, 0o600))
	assert.NilError(t, os.Chtimes(good.Path, info.ModTime(), info.ModTime()))
	b.now = b.now.Add(time.Hour)
	res, err := b.backup(t)
	assert.NilError(t, err)
	assert.Assert(t, strings.Contains(strings.Join(res.Warnings, "\n"), "whether a source has shrunk is not known"), "%v", res.Warnings)
}

// veiled is a side on which some entries cannot be looked at.
type veiled struct{ Side }

func (v veiled) Look(ctx context.Context, req LookRequest) (*Looked, error) {
	out, err := v.Side.Look(ctx, req)
	if err == nil {
		out.Sources[0].Entries, out.Sources[0].Bytes, out.Sources[0].Unreadable = 1, 0, 1
	}
	return out, err
}

func TestOfASourceThatCannotBeReadNothingIsConcluded(t *testing.T) {
	b := newBed(t)
	_, err := b.backup(t)
	assert.NilError(t, err)
	b.req.Side = veiled{b.req.Side}
	plan, err := Prepare(t.Context(), b.dir, b.req)
	assert.NilError(t, err)
	assert.Equal(t, plan.Sources[0].Missing, "")
	assert.DeepEqual(t, plan.Warnings, []string{"source data cannot be read whole, the backup will be incomplete: " + plan.Sources[0].Root})
}
