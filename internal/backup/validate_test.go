package backup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/inventory"
	"github.com/memsys/docker-memsys/internal/progress"
	"github.com/memsys/docker-memsys/internal/quiesce"
	"github.com/memsys/docker-memsys/internal/store"
)

// doubtful is a side in whose copies damage is found: in the nth copy in so many files.
type doubtful struct {
	Local
	torn   []int
	copies int
	fails  error
}

func (d *doubtful) Read(ctx context.Context, req ReadRequest, sink progress.Sink) (Reading, error) {
	r, err := d.Local.Read(ctx, req, sink)
	if err != nil {
		return nil, err
	}
	d.copies++
	return doubted{r, d}, nil
}

type doubted struct {
	Reading
	side *doubtful
}

var jsonFiles = inventory.Check{ID: "memories.json", Title: "JSON memory files"}

func (d doubted) Inspect(ctx context.Context, o inventory.Options) ([]inventory.Report, error) {
	reports, err := d.Reading.Inspect(ctx, o)
	if err != nil || d.side.fails != nil {
		return nil, errors.Join(err, d.side.fails)
	}
	n := d.side.torn[min(d.side.copies, len(d.side.torn))-1]
	res := inventory.Result{Check: jsonFiles, Source: "data", Status: inventory.OK, Checked: 2}
	for i := range n {
		res.Status = inventory.Damaged
		res.Findings = append(res.Findings, inventory.Finding{
			Check: jsonFiles.ID, Status: inventory.Damaged, Source: "data", Path: fmt.Sprintf("memories/%d.json", i), Line: 3, Text: "ends in the middle of a string",
		})
	}
	reports[0].Results = []inventory.Result{res}
	return reports, nil
}

// doubt makes a backup in whose copies so much is damaged.
func (b *bed) doubt(t *testing.T, torn ...int) (*Result, *doubtful) {
	t.Helper()
	d := &doubtful{torn: torn}
	b.req.Side, b.req.Inspect = d, &inventory.Options{Depth: inventory.Quick}
	b.containers(t)
	res, err := b.backup(t)
	assert.NilError(t, err)
	return res, d
}

func TestWhatIsTornInTheCopyAloneIsCopiedOnceMore(t *testing.T) {
	for mode, second := range map[quiesce.Mode]string{quiesce.Auto: "stop", quiesce.Pause: "pause", quiesce.Stop: "stop"} {
		t.Run(string(mode), func(t *testing.T) {
			b := newBed(t)
			writer := b.service("app", false)
			b.req.Quiesce = mode
			res, side := b.doubt(t, 1, 0)
			assert.Equal(t, side.copies, 2)
			assert.Equal(t, b.engine.State(writer), engine.Running)
			assert.Equal(t, res.Held[0].Mode, second)
			assert.Equal(t, res.Tries, 2)
			assert.Assert(t, res.Complete && res.Backup.Good())
			assert.Equal(t, res.Validation.Status, inventory.OK)
			assert.Assert(t, strings.Contains(strings.Join(res.Warnings, "\n"), "in the first copy data/memories/0.json: ends in the middle of a string looked damaged; the second one is whole"), "%v", res.Warnings)
			m, err := store.ReadManifest(res.Path)
			assert.NilError(t, err)
			assert.Equal(t, m.Sources[0].Files, int64(2), "the first copy left something in the archive")
			assert.Equal(t, m.Sources[0].Inventory.Files, int64(2))
			assert.Equal(t, len(m.Exclusions), 1)
		})
	}
}

func TestWhatIsDamagedInBothCopiesIsKeptAndNeverLatest(t *testing.T) {
	b := newBed(t)
	b.service("app", false)
	good, _ := b.doubt(t, 0)
	b.now = b.now.Add(time.Hour)
	res, side := b.doubt(t, 2, 2)
	assert.Equal(t, side.copies, 2)
	assert.Assert(t, res.Complete && res.Backup.Damaged() && !res.Backup.Good())
	assert.Equal(t, res.Validation.Status, inventory.Damaged)
	assert.Equal(t, len(res.Validation.Findings), 2)
	assert.Assert(t, res.Known == nil)
	latest, err := b.dir.Find(t.Context(), store.Latest)
	assert.NilError(t, err)
	assert.Equal(t, latest.Name, good.Name)

	t.Run("what was damaged before is not copied twice again, and said", func(t *testing.T) {
		b.now = b.now.Add(time.Hour)
		again, side := b.doubt(t, 2)
		assert.Equal(t, side.copies, 1)
		assert.DeepEqual(t, again.Known, &Known{Backup: res.Name, Findings: 2})
		assert.Assert(t, again.Backup.Damaged())
	})
	t.Run("what is new beside it is", func(t *testing.T) {
		b.now = b.now.Add(2 * time.Hour)
		more, side := b.doubt(t, 3, 2)
		assert.Equal(t, side.copies, 2)
		assert.DeepEqual(t, more.Known.Findings, 2)
	})
}

func TestASafetyBackupOfDamagedDataIsNotCopiedTwice(t *testing.T) {
	b := newBed(t)
	b.service("app", false)
	b.req.Reason = store.BeforeRestore
	res, side := b.doubt(t, 1)
	assert.Equal(t, side.copies, 1)
	assert.Assert(t, res.Backup.Damaged())
}

func TestNobodyIsHeldForASecondCopyWhereNobodyIsToBe(t *testing.T) {
	b := newBed(t)
	writer := b.service("app", false)
	b.req.Quiesce = quiesce.None
	res, side := b.doubt(t, 1, 0)
	assert.Equal(t, side.copies, 2)
	assert.Equal(t, len(res.Held), 0)
	assert.Equal(t, b.engine.State(writer), engine.Running)
}

func TestAnInspectionThatFailsLeavesNothingAndResumes(t *testing.T) {
	b := newBed(t)
	writer := b.service("app", false)
	b.req.Side, b.req.Inspect = &doubtful{fails: errors.New("the disk is gone")}, &inventory.Options{Depth: inventory.Quick}
	_, err := b.backup(t)
	assert.ErrorContains(t, err, "the disk is gone")
	assert.Equal(t, b.engine.State(writer), engine.Running)
	assert.Equal(t, len(names(t, b.dir.Path)), 0)
}

func TestABackupThatNobodyLooksInToHasNoValidation(t *testing.T) {
	b := newBed(t)
	res, err := b.backup(t)
	assert.NilError(t, err)
	assert.Assert(t, res.Validation == nil && res.Backup.Validation == nil && res.Backup.Good())
}

func TestPrivateCopiesOfAKilledBackupAreRemoved(t *testing.T) {
	b := newBed(t)
	assert.NilError(t, b.dir.Ensure())
	path, err := b.dir.TemporaryPath(b.now)
	assert.NilError(t, err)
	plant := func() {
		assert.NilError(t, os.MkdirAll(filepath.Join(store.Scratch(path), "deep"), 0o700))
		assert.NilError(t, os.WriteFile(filepath.Join(store.Scratch(path), "deep", "copy.sqlite3"), []byte("x"), 0o600))
	}
	plant()
	_, err = Recover(journalSteps(t, StepTemporary, path))
	assert.NilError(t, err)
	assert.Equal(t, len(names(t, b.dir.Path)), 0)

	plant()
	assert.NilError(t, b.dir.Sweep(time.Now().Add(time.Hour)))
	assert.Equal(t, len(names(t, b.dir.Path)), 1, "another run may be at work")
	assert.NilError(t, b.dir.Sweep(time.Now().Add(48*time.Hour)))
	assert.Equal(t, len(names(t, b.dir.Path)), 0)
}

func TestManyCollectionsAreCountedAndNotListed(t *testing.T) {
	reports := make([]inventory.Report, 8)
	taken := &taken{manifest: &archive.Manifest{}}
	for i := range reports {
		taken.manifest.Sources = append(taken.manifest.Sources, archive.Source{Name: fmt.Sprint("s", i)})
		reports[i].Source = fmt.Sprint("s", i)
		for n := range 100_000 {
			reports[i].Inventory.Collections = append(reports[i].Inventory.Collections, inventory.Collection{Kind: "sqlite", Name: fmt.Sprint(n), Records: 2})
		}
		reports[i].Inventory = inventory.Shorten(reports[i].Inventory, inventory.ListedOfSource)
	}
	taken.reports = reports
	taken.note(inventory.Options{Depth: inventory.Quick})
	listed := 0
	for _, s := range taken.manifest.Sources {
		listed += len(s.Inventory.Collections)
		assert.Equal(t, int64(len(s.Inventory.Collections))+s.Inventory.More, int64(100_000))
		assert.Equal(t, int64(len(s.Inventory.Collections))*2+s.Inventory.MoreRecords, int64(200_000))
	}
	assert.Equal(t, listed, inventory.ListedOfAll)
}
