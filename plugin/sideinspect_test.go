//go:build unix

package plugin

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/inventory"
	"github.com/memsys/docker-memsys/internal/validate"
)

// array is a file of NumPy that claims so many numbers and has four.
func array(claims int) string {
	header := fmt.Sprintf("{'descr': '<f4', 'fortran_order': False, 'shape': (%d,), }", claims)
	for (10+len(header)+1)%64 != 0 {
		header += " "
	}
	header += "\n"
	return "\x93NUMPY\x01\x00" + string(binary.LittleEndian.AppendUint16(nil, uint16(len(header)))) + header + string(make([]byte, 16))
}

// helped is a session whose helper has a scratch folder, as a container's would be.
func helped(t *testing.T) *sideBed {
	t.Helper()
	b := newSideBed(t)
	b.s.apart = true
	f, err := b.s.reach(t.Context(), reads)
	assert.NilError(t, err)
	f.scratch = t.TempDir()
	t.Cleanup(func() { b.s.leave(context.Background()) })
	return b
}

func TestAHelperTellsWhatItFindsAndLeavesNothing(t *testing.T) {
	b := helped(t)
	b.write("good.npy", array(4))
	b.write("cut.npy", array(8))
	plan, err := b.s.planValidation(t.Context(), inventory.Options{Depth: inventory.Full, Scratch: t.TempDir(), Checks: []string{"vectors"}})
	assert.NilError(t, err)
	assert.Equal(t, plan.Sources[0].Missing, "")
	run := validate.Runner{Clock: b.s.app.world.Now, Progress: b.s.app.sink()}
	report, err := run.Run(t.Context(), plan)
	assert.NilError(t, err)
	assert.Equal(t, report.Status, inventory.Damaged)
	assert.Equal(t, report.Results[0].Findings[0].Path, "cut.npy")
	assert.Equal(t, report.Inventories["data"].Files, int64(4))
	left, err := os.ReadDir(b.s.far.scratch)
	assert.NilError(t, err)
	assert.Equal(t, len(left), 0)
	assert.Assert(t, b.running())
}

func TestAHelperThatCannotReachASourceSaysWhy(t *testing.T) {
	b := helped(t)
	assert.NilError(t, os.Rename(b.data, b.data+"-away"))
	plan, err := b.s.planValidation(t.Context(), inventory.Options{Scratch: t.TempDir()})
	assert.NilError(t, err)
	assert.Equal(t, plan.Sources[0].Missing, b.data+" does not exist")
}

// lineOf is an end of a line whose other end takes records.
type lineOf struct {
	far    *far
	calls  int
	broken error
}

func (l *lineOf) Call(ctx context.Context, method string, params, _ any) error {
	l.calls++
	if l.broken != nil {
		return l.broken
	}
	if method != askRecords {
		return errors.New("no such method")
	}
	return l.far.takeRecords(ctx, params.(recordsCall))
}

func (*lineOf) Notify(string, any) error { return nil }

func TestRecordsCrossTheLineManyAtOnceAndNoneIsLost(t *testing.T) {
	var got []inventory.Record
	line := &lineOf{far: &far{records: func(r inventory.Record) { got = append(got, r) }}}
	out := &recordsLine{line: line, ctx: t.Context()}
	const all = 2*recordBatch + 1
	for i := range all {
		out.add(inventory.Record{Source: "data", ID: strconv.Itoa(i)})
	}
	assert.NilError(t, out.flush())
	assert.Equal(t, len(got), all)
	assert.Equal(t, got[all-1].ID, strconv.Itoa(all-1))
	assert.Equal(t, line.calls, 3)

	line.broken = errors.New("gone")
	out.add(inventory.Record{})
	assert.ErrorContains(t, out.flush(), "gone")
	out.add(inventory.Record{})
	assert.ErrorContains(t, out.flush(), "gone", "what was lost once is lost")
}

// TestDiffSeesLiveDataAndABackupAlike: what is counted live and in an archive is the same.
func TestDiffSeesLiveDataAndABackupAlike(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	b := newSideBed(t)
	b.s.Config.Helper = "never"
	b.write("good.npy", array(4))
	made := b.backup()
	o := inventory.Options{Depth: inventory.Quick}
	live, err := b.s.app.inspectLive(t.Context(), b.s, o, inventory.Calls{})
	assert.NilError(t, err)
	o.Scratch = t.TempDir()
	assert.NilError(t, withArchive(made, func(r *archive.Reader) error {
		stored, err := inventory.Inspect(t.Context(), "data", inventory.ArchiveTree(r, "data"), o, inventory.Calls{})
		if err == nil {
			assert.DeepEqual(t, live["data"].Inventory, stored.Inventory)
		}
		return err
	}))
	assert.Equal(t, live["data"].Inventory.Files, int64(3))
	left, err := filepath.Glob(filepath.Join(os.TempDir(), scratchPrefix+"*"))
	assert.NilError(t, err)
	assert.Equal(t, len(left), 0, "%v", left)
}

// TestADiffThroughAHelperIsTheDirectOne: files without records too, whatever their names, kinds and number are.
func TestADiffThroughAHelperIsTheDirectOne(t *testing.T) {
	results := map[string]diffObject{}
	for _, way := range []string{"never", "always"} {
		t.Setenv("TMPDIR", t.TempDir())
		b := newSideBed(t)
		b.s.Config.Helper, b.s.apart = "never", true
		b.write("m/a.json", `{"id":"a"}`)
		b.write("odd\xff.bin", "1")
		b.write("gone.bin", "1")
		b.write("deep/er/changed.bin", "1")
		for i := range entryBatch {
			b.write(fmt.Sprintf("many/%d", i), "same")
		}
		assert.NilError(t, os.Symlink("a", filepath.Join(b.data, "link")))
		made := b.backup()
		b.write("m/a.json", `{"id":"a","text":"edited"}`)
		b.write("odd\xff.bin", "2")
		b.write("deep/er/changed.bin", "2")
		b.write("came.bin", "1")
		assert.NilError(t, os.Remove(filepath.Join(b.data, "gone.bin")))
		assert.NilError(t, os.Remove(filepath.Join(b.data, "link")))
		assert.NilError(t, os.Symlink("b", filepath.Join(b.data, "link")))
		b.s.Config.Helper, b.s.way = way, nil
		if way == "always" {
			f, err := b.s.reach(t.Context(), reads)
			assert.NilError(t, err)
			f.scratch = t.TempDir()
		}
		c := b.s.app.comparison(diffOptions{limit: -1})
		assert.NilError(t, c.side(0, made))
		out, err := c.live(t.Context(), b.s)
		assert.NilError(t, err)
		assert.Equal(t, len(out.Notes), 0, "%v", out.Notes)
		assert.Equal(t, len(b.specs) > 0, way == "always")
		b.s.leave(context.Background())
		out.Before = diffSide{}
		results[way] = out
	}
	var named []string
	for _, r := range results["always"].Records {
		named = append(named, string(r.Change)+" "+r.ID)
	}
	slices.Sort(named)
	assert.DeepEqual(t, named, []string{"came came.bin", "changed a", "changed deep/er/changed.bin", "changed link", "changed odd\xff.bin", "gone gone.bin"})
	a, err := json.Marshal(results["never"])
	assert.NilError(t, err)
	c, err := json.Marshal(results["always"])
	assert.NilError(t, err)
	assert.Equal(t, string(a), string(c))
}
