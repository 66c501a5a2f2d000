package inventory

import (
	"crypto/sha256"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
)

// kept are one side of an operation: what the memories of a source are, by id and text.
type kept map[string]string

func (m kept) inventory(t *testing.T, take func(Record)) map[string]Inventory {
	t.Helper()
	r := NewRecorder("data", Options{}, Calls{Record: take})
	b := r.Batch(KindJSON, "memories")
	for id, text := range m {
		b.Add(id, sha256.Sum256([]byte(text)))
	}
	b.Done(1)
	return map[string]Inventory{"data": {Collections: r.Collections()}}
}

// judged is what a gate says of two sides.
func judged(t *testing.T, before, after kept) Loss {
	t.Helper()
	d := NewDiffer(20)
	was := before.inventory(t, d.Before)
	is := after.inventory(t, d.After)
	if d.Again() {
		before.inventory(t, d.Name)
	}
	return LossOf(d, was, is)
}

func TestAfterAnUpgradeEveryIDOfBeforeIsThere(t *testing.T) {
	before := kept{"a": "1", "b": "2", "c": "3"}
	for _, c := range []struct {
		name  string
		after kept
		lost  int64
		gone  string
	}{
		{"the same", before, 0, ""},
		{"new ones", kept{"a": "1", "b": "2", "c": "3", "d": "4"}, 0, ""},
		{"others say something else", kept{"a": "9", "b": "2", "c": "3"}, 0, ""},
		{"one is gone", kept{"a": "1", "b": "2"}, 1, "c"},
		{"one is gone, and as many came", kept{"a": "1", "b": "2", "x": "3"}, 1, "c"},
		{"two are gone, and more came", kept{"b": "2", "x": "3", "y": "4", "z": "5"}, 2, "a c"},
		{"all", kept{}, 3, "a b c"},
	} {
		t.Run(c.name, func(t *testing.T) {
			loss := judged(t, before, c.after)
			var gone []string
			for _, r := range loss.Gone {
				gone = append(gone, r.ID)
			}
			assert.Equal(t, loss.Records, c.lost)
			assert.Equal(t, strings.Join(gone, " "), c.gone)
			assert.Equal(t, len(loss.Unsure), 0, "%v", loss.Unsure)
			assert.Equal(t, loss.Within(0), c.lost == 0)
			assert.Assert(t, loss.Within(c.lost))
			assert.Assert(t, c.lost == 0 || !loss.Within(c.lost-1))
			assert.Equal(t, loss.Within(-1), c.lost == 0)
		})
	}
}

func TestASourceThatIsGoneHasLostAll(t *testing.T) {
	d := NewDiffer(0)
	before := kept{"a": "1", "b": "2"}.inventory(t, d.Before)
	loss := LossOf(d, before, nil)
	assert.Equal(t, loss.Records, int64(2))
	assert.Equal(t, loss.Collections[0].Source, "data")
}

func TestRecordsWithoutIDsCountByTheirNumber(t *testing.T) {
	of := func(n int64) map[string]Inventory {
		return map[string]Inventory{"data": {Collections: []Collection{{Kind: KindVector, Name: "v.npy", Records: n}}}}
	}
	assert.Equal(t, LossOf(NewDiffer(0), of(5), of(3)).Records, int64(2))
	assert.Equal(t, LossOf(NewDiffer(0), of(5), of(9)).Records, int64(0))
}

// TestWhatNobodyWasToldOfIsNoSuccess: equal digests need no records, other ones do.
func TestWhatNobodyWasToldOfIsNoSuccess(t *testing.T) {
	none := func(Record) {}
	before, same := kept{"a": "1", "b": "2"}.inventory(t, none), kept{"b": "2", "a": "1"}.inventory(t, none)
	assert.Assert(t, LossOf(NewDiffer(0), before, same).Within(0))
	loss := LossOf(NewDiffer(0), before, kept{"a": "1", "x": "2"}.inventory(t, none))
	assert.Equal(t, len(loss.Unsure), 1)
	assert.Assert(t, !loss.Within(1000))

	shortened := map[string]Inventory{"data": {More: 2, MoreRecords: 9}}
	assert.Assert(t, !LossOf(NewDiffer(0), shortened, shortened).Within(1000))
}

func TestAfterARestoreEverythingIsAsItWas(t *testing.T) {
	none := func(Record) {}
	want := kept{"a": "1", "b": "2"}.inventory(t, none)["data"]
	want.Files, want.Bytes = 2, 20
	assert.Equal(t, len(Unequal(want, want)), 0)
	for name, change := range map[string]func(*Inventory){
		"1 files with 20 bytes, 2 with 20 before": func(v *Inventory) { v.Files = 1 },
		"2 files with 21 bytes, 2 with 20 before": func(v *Inventory) { v.Bytes = 21 },
		"json memories: 3 records, 2 before": func(v *Inventory) {
			v.Collections = kept{"a": "1", "b": "2", "c": "3"}.inventory(t, none)["data"].Collections
		},
		"json memories: 2 records with the same ids and other contents": func(v *Inventory) {
			v.Collections = kept{"a": "1", "b": "9"}.inventory(t, none)["data"].Collections
		},
		"json memories: 0 records, 2 before": func(v *Inventory) { v.Collections = nil },
	} {
		have := want
		change(&have)
		assert.DeepEqual(t, Unequal(want, have), []string{name})
	}
}
