package restore

import (
	"errors"
	"os"
	"strings"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/inventory"
	"github.com/memsys/docker-memsys/internal/progress"
	"github.com/memsys/docker-memsys/internal/tree"
)

// counts puts the inventory of a folder into the manifest, as a backup does.
func counts(t *testing.T, root string, v archive.Validation) func(*archive.Manifest) {
	return func(m *archive.Manifest) {
		t.Helper()
		skipLogs := func(e *tree.Entry) string {
			if strings.HasPrefix(e.Path, "logs") {
				return "logs"
			}
			return ""
		}
		r, err := inventory.Inspect(t.Context(), "data", inventory.LiveTree(root, skipLogs), inventory.Options{Depth: v.Depth, Scratch: t.TempDir()}, inventory.Calls{})
		assert.NilError(t, err)
		m.Tool, m.Validation, m.Sources[0].Inventory = "9.9", &v, &r.Inventory
	}
}

var quick = archive.Validation{Depth: inventory.Quick, Status: inventory.OK}

// meddler changes the data once it was compared with the archive.
type meddler func()

func (m meddler) Report(e progress.Event) {
	if e.Step == "check" && e.Status == progress.Done {
		m()
	}
}

func TestRestoredDataIsCountedBeforeItCounts(t *testing.T) {
	b := newBed(t)
	root := b.source("data")
	write(t, root, "memories/a.json", `{"id":"a"}`, "memories/b.json", `{"id":"b"}`, "logs/x.log", "noise")
	path := b.backup(t, counts(t, root, quick))
	write(t, root, "memories/a.json", "{}", "new.json", "{}", "logs/y.log", "more noise")
	res, err := b.restore(t, b.request(t, path))
	assert.NilError(t, err)
	assert.Equal(t, len(res.Counted), 1)
	assert.Assert(t, res.Counted[0].Checked && res.Counted[0].Why == "", "%+v", res.Counted)
	assert.Equal(t, read(t, root, "logs/y.log"), "more noise")
}

func TestDataThatDoesNotHoldWhatTheBackupDoesIsPutBack(t *testing.T) {
	b := newBed(t)
	root := b.source("data")
	id := b.app("app", root)
	write(t, root, "memories/a.json", `{"id":"a"}`, "memories/b.json", `{"id":"b"}`)
	path := b.backup(t, counts(t, root, quick))
	write(t, root, "memories/a.json", "former", "new.json", "{}")
	want := b.path("want")
	clone(t, root, want)

	p, err := prepare(t, b.request(t, path))
	assert.NilError(t, err)
	j := b.openJournal(t)
	assert.NilError(t, j.Begin("restore", nil))
	run := b.runner(j)
	run.Progress = meddler(func() { assert.NilError(t, os.Remove(root+"/memories/b.json")) })
	_, err = run.Run(t.Context(), p)
	var reverted *RevertedError
	var loss *LossError
	assert.Assert(t, errors.As(err, &reverted) && errors.As(err, &loss), "%v", err)
	assert.ErrorContains(t, err, "source data does not hold what the backup does: 1 files with 10 bytes, 2 with 20 in the backup")
	same(t, want, root)
	assert.Equal(t, b.engine.State(id), engine.Running)
}

// TestWhatCouldNotBeLookedAtExcusesNoLoss: a file of a kind that nobody knows does not stand in for a memory that is gone.
func TestWhatCouldNotBeLookedAtExcusesNoLoss(t *testing.T) {
	b := newBed(t)
	root := b.source("data")
	write(t, root, "memories/a.json", `{"id":"a"}`, "memories/b.json", `{"id":"b"}`)
	path := b.backup(t, counts(t, root, quick))
	p, err := prepare(t, b.request(t, path))
	assert.NilError(t, err)
	j := b.openJournal(t)
	assert.NilError(t, j.Begin("restore", nil))
	run := b.runner(j)
	run.Progress = meddler(func() {
		assert.NilError(t, os.Remove(root+"/memories/b.json"))
		write(t, root, "strange.faiss", "IxZZ")
	})
	_, err = run.Run(t.Context(), p)
	var loss *LossError
	assert.Assert(t, errors.As(err, &loss), "%v", err)
}

func TestWhatAnotherVersionHasCountedOtherwiseIsCountedAnew(t *testing.T) {
	b := newBed(t)
	root := b.source("data")
	write(t, root, "a.json", "{}")
	path := b.backup(t, counts(t, root, quick), func(m *archive.Manifest) {
		m.Sources[0].Inventory.Collections = []archive.Collection{{Kind: "json", Name: "of another version", Records: 5}}
	})
	write(t, root, "a.json", "former")
	res, err := b.restore(t, b.request(t, path))
	assert.NilError(t, err)
	assert.DeepEqual(t, res.Counted, []Counted{{
		Source: "data", Checked: true, Why: "it is counted otherwise than when the backup was made, with 9.9",
		Collections: res.Counted[0].Collections, Records: res.Counted[0].Records,
	}})
}

func TestWhatIsNotCountedIsSaid(t *testing.T) {
	b := newBed(t)
	root := b.source("data")
	write(t, root, "a.json", "{}", "b.txt", "b")
	none := b.backup(t)
	res := b.do(t, b.request(t, none))
	assert.DeepEqual(t, res.Counted, []Counted{{Source: "data", Why: "the backup has no inventory"}})

	unseen := b.request(t, b.backup(t, counts(t, root, quick)))
	unseen.Inspect, unseen.ID = nil, "test3"
	assert.DeepEqual(t, b.do(t, unseen).Counted, []Counted{{Source: "data", Why: "nobody is to look (validate: none)"}})

	part := b.request(t, b.backup(t, counts(t, root, quick)))
	part.Paths, part.ID = []string{"*.json"}, "test2"
	write(t, root, "a.json", "former")
	res = b.do(t, part)
	assert.DeepEqual(t, res.Counted, []Counted{{Source: "data", Why: "only a part of it is restored"}})
}

func TestABackupWithDamagedDataIsRestoredByConsentAlone(t *testing.T) {
	torn := archive.Validation{Depth: inventory.Quick, Status: inventory.Damaged, Findings: []archive.Finding{
		{Check: "memories.json", Status: inventory.Damaged, Source: "data", Path: "a.json", Text: "ends in the middle of a string"},
	}}
	elsewhere := torn
	elsewhere.Findings = []archive.Finding{torn.Findings[0]}
	elsewhere.Findings[0].Source = "other"
	const why = "a validation found damage in the data of memory_backup_20261122_100000.tar.gz, 1 findings, first: data/a.json: ends in the middle of a string"
	for _, c := range []struct {
		name    string
		change  func(*Request)
		refused bool
		warned  bool
	}{
		{"whole", func(*Request) {}, true, false},
		{"accepted", func(r *Request) { r.AcceptDamage = true }, false, true},
		{"a part", func(r *Request) { r.Paths = []string{"b.json"} }, false, true},
		{"damage elsewhere", func(r *Request) { r.Damage = &elsewhere }, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBed(t)
			root := b.source("data")
			write(t, root, "a.json", `{"id":"a`, "b.json", "{}")
			req := b.request(t, b.backup(t, counts(t, root, torn)))
			write(t, root, "b.json", "former")
			req.Damage = &torn
			c.change(&req)
			p, err := prepare(t, req)
			assert.NilError(t, err)
			assert.Equal(t, len(p.Refusals) > 0, c.refused)
			if c.refused {
				assert.DeepEqual(t, p.Refusals, []Refusal{{Reason: DamagedData, Object: p.Backup.Name, Text: why}})
				return
			}
			assert.Equal(t, strings.Contains(strings.Join(p.Warnings, "\n"), why), c.warned, "%v", p.Warnings)
			_, err = b.restore(t, req)
			assert.NilError(t, err)
			assert.Equal(t, read(t, root, "b.json"), "{}")
		})
	}
}
