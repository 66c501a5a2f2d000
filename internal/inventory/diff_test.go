package inventory

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"

	"gotest.tools/v3/assert"
)

// diffRecord is a record of collection notes.
func diffRecord(id, content string) Record {
	return Record{Source: "data", Kind: KindJSON, Collection: "notes", File: "notes/" + id + ".json", ID: id, Content: sha256.Sum256([]byte(content))}
}

// differed tells both sides, and the first again where that is asked for.
func differed(limit int, before, after []Record) *Differ {
	d := NewDiffer(limit)
	for _, r := range before {
		d.Before(r)
	}
	for _, r := range after {
		d.After(r)
	}
	if d.Again() {
		for _, r := range before {
			d.Name(r)
		}
	}
	return d
}

func TestRecordsThatCameWentAndChangedAreNamed(t *testing.T) {
	d := differed(-1, []Record{diffRecord("same", "1"), diffRecord("old", "1"), diffRecord("edited", "1")}, []Record{diffRecord("new", "1"), diffRecord("edited", "2"), diffRecord("same", "1")})
	assert.DeepEqual(t, d.Collections(), []CollectionDiff{{Source: "data", Kind: "json", Name: "notes", Before: 3, After: 3, Came: 1, Gone: 1, Changed: 1}})
	var got []string
	for _, r := range d.Records() {
		got = append(got, string(r.Change)+" "+r.File)
	}
	assert.DeepEqual(t, got, []string{"changed notes/edited.json", "came notes/new.json", "gone notes/old.json"})
}

func TestSidesThatAreEqualNeedNoSecondLook(t *testing.T) {
	d := differed(-1, []Record{diffRecord("a", "1"), diffRecord("b", "2")}, []Record{diffRecord("b", "2"), diffRecord("a", "1")})
	assert.Check(t, !d.Again())
	assert.Check(t, NewDiff(d, nil, nil).Same())
}

func TestNoMoreIsNamedThanAskedForAndTheRestIsCounted(t *testing.T) {
	var after []Record
	for i := range 1000 {
		after = append(after, diffRecord(fmt.Sprintf("%04d", 999-i), "1"))
	}
	diff := NewDiff(differed(3, nil, after), nil, nil)
	assert.Equal(t, diff.More, int64(997))
	assert.Equal(t, len(diff.Records), 3)
	assert.Equal(t, diff.Records[2].ID, "0002")
}

func TestCollectionsWithoutIdsDifferByNumberAndDimension(t *testing.T) {
	of := func(n int64, dim int) map[string]Inventory {
		return map[string]Inventory{"data": {Collections: []Collection{{Kind: KindVector, Name: "v.npy", Records: n, Dimension: dim}}}}
	}
	diff := NewDiff(NewDiffer(0), of(5, 8), of(3, 8))
	assert.DeepEqual(t, diff.Collections, []CollectionDiff{{Source: "data", Kind: "vector", Name: "v.npy", Before: 5, After: 3, Gone: 2}})
	assert.Check(t, !NewDiff(NewDiffer(0), of(5, 8), of(5, 9)).Same())
	assert.Check(t, NewDiff(NewDiffer(0), of(5, 8), of(5, 8)).Same())
}

func TestOnlyEqualDigestsSayThatNothingDiffers(t *testing.T) {
	of := func(c Collection) Inventory { return Inventory{Collections: []Collection{c}} }
	base := Collection{Kind: KindJSON, Name: "notes", Files: 2, Records: 2, IDs: "a", Content: "b"}
	moved, other, nameless := base, base, Collection{Kind: KindVector, Name: "v.npy", Records: 2}
	moved.Files, other.Content = 1, "c"
	assert.Check(t, Alike(of(base), of(moved)))
	assert.Check(t, !Alike(of(base), of(other)))
	assert.Check(t, !Alike(of(nameless), of(nameless)))
	assert.Check(t, !Alike(of(base), Inventory{}))
	short := of(base)
	short.More, short.MoreRecords = 1, 5
	assert.Check(t, !Alike(short, short), "nothing is known of what is not listed")
}

// naiveDiff is a Differ that keeps everything.
func naiveDiff(before, after []Record) (came, gone, changed []string) {
	sides := [2]map[string]map[[32]byte]bool{{}, {}}
	for i, side := range [][]Record{before, after} {
		for _, r := range side {
			if sides[i][r.ID] == nil {
				sides[i][r.ID] = map[[32]byte]bool{}
			}
			sides[i][r.ID][r.Content] = true
		}
	}
	for id, contents := range sides[1] {
		switch was := sides[0][id]; {
		case was == nil:
			came = append(came, id)
		case fmt.Sprint(was) != fmt.Sprint(contents):
			changed = append(changed, id)
		}
	}
	for id := range sides[0] {
		if sides[1][id] == nil {
			gone = append(gone, id)
		}
	}
	slices.Sort(came)
	slices.Sort(gone)
	slices.Sort(changed)
	return came, gone, changed
}

// agreeWithNaive compares a Differ with the naive one.
func agreeWithNaive(t *testing.T, before, after []Record) {
	t.Helper()
	came, gone, changed := naiveDiff(before, after)
	d := differed(-1, before, after)
	got := map[Change][]string{}
	for _, r := range d.Records() {
		got[r.Change] = append(got[r.Change], r.ID)
	}
	assert.DeepEqual(t, got[Came], came)
	assert.DeepEqual(t, got[Gone], gone)
	assert.DeepEqual(t, got[Changed], changed)
	for _, c := range d.Collections() {
		assert.DeepEqual(t, [3]int64{c.Came, c.Gone, c.Changed}, [3]int64{int64(len(came)), int64(len(gone)), int64(len(changed))})
	}
}

func TestAnyTwoSidesDifferAsANaiveComparisonSays(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		side := func() (out []Record) {
			for range random.IntN(30) {
				out = append(out, diffRecord(strconv.Itoa(random.IntN(20)), strconv.Itoa(random.IntN(3))))
			}
			return out
		}
		agreeWithNaive(t, side(), side())
	}
}

func FuzzDiffer(f *testing.F) {
	f.Add([]byte("abAB"), []byte("abAC"))
	f.Add([]byte{0, 0, 0, 1}, []byte{0, 1})
	f.Add([]byte{}, []byte{1})
	f.Fuzz(func(t *testing.T, a, b []byte) {
		side := func(data []byte) (out []Record) {
			for _, c := range data {
				out = append(out, diffRecord(strconv.Itoa(int(c>>2)), strconv.Itoa(int(c&3))))
			}
			return out
		}
		agreeWithNaive(t, side(a), side(b))
	})
}

func TestRecordsMayBeToldFromSeveralGoroutines(t *testing.T) {
	d := NewDiffer(5)
	each := func(f func(Record)) {
		var wg sync.WaitGroup
		for w := range 8 {
			wg.Go(func() {
				for i := w; i < 4000; i += 8 {
					f(diffRecord(strconv.Itoa(i), "1"))
				}
			})
		}
		wg.Wait()
	}
	each(d.Before)
	each(func(r Record) {
		if r.ID != "17" {
			d.After(r)
		}
	})
	each(d.Name)
	assert.Equal(t, len(d.Records()), 1)
	assert.Equal(t, d.Records()[0].ID, "17")
}

func TestARecordTakesFewBytes(t *testing.T) {
	const n = 400_000
	d := NewDiffer(10)
	one := func(i int) Record {
		return Record{Source: "data", Kind: KindJSON, Collection: "notes", ID: strconv.Itoa(i), Content: [32]byte{byte(i)}}
	}
	for i := range n {
		d.Before(one(i))
	}
	for i := n - 1; i >= 1; i-- {
		d.After(one(i))
	}
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	assert.Check(t, stats.HeapAlloc < 32<<20, "%d MiB", stats.HeapAlloc>>20)
	assert.Equal(t, d.Collections()[0].Gone, int64(1))
	runtime.KeepAlive(d)
}
