package validate

import (
	"context"
	"strconv"
	"testing"
	"time"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/inventory"
	"github.com/memsys/docker-memsys/internal/tree"
)

// damage is a report with damage at some paths.
func damage(paths ...string) *inventory.Report {
	res := inventory.Result{Check: inventory.Check{ID: "databases.integrity"}, Source: "data", Status: inventory.OK}
	for _, p := range paths {
		res.Status = inventory.Damaged
		res.Findings = append(res.Findings, inventory.Finding{Check: res.Check.ID, Source: "data", Path: p, Status: inventory.Damaged, Text: "torn"})
	}
	return &inventory.Report{Source: "data", Results: []inventory.Result{res}}
}

func seen(doubt, content string, r *inventory.Report) *look {
	l := newLook(doubt)
	l.reports["data"] = r
	for f := range damaged(r) {
		l.prints[findingAt(f)] = content
	}
	return l
}

func TestDamageCountsOnlyIfTwoCopiesShowIt(t *testing.T) {
	for name, c := range map[string]struct {
		first, second *look
		want          inventory.Status
	}{
		"both":                        {seen("", "1", damage("a.db")), seen("", "2", damage("a.db")), inventory.Damaged},
		"the second alone":            {seen("", "1", damage("a.db")), seen("", "1", damage("b.db")), inventory.Unchecked},
		"the first alone":             {seen("", "1", damage("a.db")), seen("", "1", damage()), inventory.OK},
		"both, though somebody wrote": {seen("x writes", "1", damage("a.db")), seen("", "2", damage("a.db")), inventory.Unchecked},
		"both, somebody could write":  {seen("x writes", "1", damage("a.db")), seen("", "1", damage("a.db")), inventory.Damaged},
	} {
		t.Run(name, func(t *testing.T) {
			report := c.second.reports["data"]
			copies{}.confirm(report, c.first, c.second)
			assert.Equal(t, inventory.Worst(report.Results), c.want)
		})
	}
}

func TestTheStoreOfAPathIsAllThatBelongsToIt(t *testing.T) {
	stores := []tree.RawPath{"chroma", "x.db", "x.db-journal", "x.db-wal", "x.db-shm", "x.db2"}
	assert.DeepEqual(t, storeOf(stores, "chroma/chroma.sqlite3"), []tree.RawPath{"chroma"})
	assert.DeepEqual(t, storeOf(stores, "x.db-wal"), []tree.RawPath{"x.db", "x.db-journal", "x.db-wal", "x.db-shm"})
	assert.DeepEqual(t, storeOf(stores, "elsewhere"), stores)
	assert.DeepEqual(t, storeOf([]tree.RawPath{"."}, "x.db"), []tree.RawPath{"."})
}

// fixed is a side of sources that are what they say.
type fixed map[string]*inventory.Report

func (f fixed) Survey(_ context.Context, sources []Source) ([]Source, error) { return sources, nil }

func (f fixed) Inspect(_ context.Context, source string, o inventory.Options, _ inventory.Calls) (*inventory.Report, error) {
	report := *f[source]
	report.Inventory.Files = 1
	if o.Live {
		report.Inventory.Files = 2
	}
	return &report, nil
}

func runner(t *testing.T) *Runner {
	t.Helper()
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	return &Runner{Clock: func() time.Time { now = now.Add(time.Second); return now }, Progress: discard{}}
}

func TestASourceThatCannotBeReadIsToldWhateverWasAskedFor(t *testing.T) {
	req := Request{
		Sources: []Source{{Name: "data"}, {Name: "gone", Missing: "it does not exist"}}, Side: fixed{"data": damage()},
		Options: inventory.Options{Depth: inventory.Quick, Checks: []string{"backups"}},
	}
	p, err := Prepare(t.Context(), req)
	assert.NilError(t, err)
	assert.DeepEqual(t, p.Checks, []string{"backups.newest", "backups.state"})
	r, err := runner(t).Run(t.Context(), p)
	assert.NilError(t, err)
	assert.Equal(t, r.Unread(), int64(1))
	assert.Equal(t, r.Results[0].Source, "gone")
	assert.Equal(t, r.Status, inventory.Unchecked)
	assert.Equal(t, r.Inventories["data"].Files, int64(2), "live")
	assert.Equal(t, r.Seconds, 1.0)
}

func TestOfABackupItsBytesAreCheckedAndOfLiveDataTheBackups(t *testing.T) {
	p, err := Prepare(t.Context(), Request{Backup: "b", Side: fixed{}, Options: inventory.Options{Checks: []string{"backups"}}})
	assert.NilError(t, err)
	assert.DeepEqual(t, p.Checks, []string{"backups.bytes"})
}

func TestCopiedResultsJoinThoseOfTheLiveFiles(t *testing.T) {
	into, from := damage(), damage("a.db")
	from.Results = append(from.Results, inventory.Result{Check: inventory.Check{ID: "vectors.numbers"}, Checked: 3})
	for i := range 2 {
		from.Inventory.Collections = append(from.Inventory.Collections, inventory.Collection{Kind: inventory.KindSQLite, Name: "a.db#" + strconv.Itoa(1-i)})
	}
	join(into, from)
	assert.Equal(t, len(into.Results), 2)
	assert.Equal(t, into.Results[0].Status, inventory.Damaged)
	assert.Equal(t, into.Inventory.Collections[0].Name, "a.db#0")
}

func TestUnknownChecksAreRefusedWithTheNearest(t *testing.T) {
	near := func(string, []string) string { return "memories" }
	assert.Error(t, Known([]string{"backups", "memorys"}, near), `no check and no group of checks is named "memorys", did you mean "memories"?`)
	assert.NilError(t, Known([]string{"backups", "backups.newest"}, near))
}
