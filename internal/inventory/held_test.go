package inventory

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"gotest.tools/v3/assert"
)

// numbered are so many records, told to a fork.
func numbered(f *Recorder, n int) {
	b := f.Batch(KindJSON, ".")
	b.In("big.jsonl")
	for i := range n {
		b.Add(fmt.Sprint(i), [32]byte{byte(i), byte(i >> 8)})
	}
	b.Done(1)
}

func entriesOf(t *testing.T, dir string) int {
	t.Helper()
	all, err := os.ReadDir(dir)
	assert.NilError(t, err)
	return len(all)
}

func TestOfALookThatMayNotCountFewRecordsAreInMemoryAndAllAreTold(t *testing.T) {
	const all = 50*maxHeld + 7
	var told []Record
	o := Options{Live: true, Scratch: t.TempDir()}
	r := NewRecorder("data", o, Calls{Record: func(one Record) { told = append(told, one) }})
	fork := r.Fork()
	numbered(fork, all)
	assert.Equal(t, len(fork.held.first), maxHeld)
	assert.Equal(t, fork.held.more, int64(all-maxHeld))
	assert.Equal(t, entriesOf(t, o.Scratch), 1)
	assert.Equal(t, len(told), 0)
	assert.NilError(t, r.Merge(fork))
	assert.Equal(t, len(told), all)
	for i, one := range told {
		want := Record{Source: "data", Kind: KindJSON, Collection: ".", File: "big.jsonl", ID: fmt.Sprint(i), Content: [32]byte{byte(i), byte(i >> 8)}}
		assert.Assert(t, one == want, "%d: %+v", i, one)
	}
	assert.Equal(t, len(fork.held.first), 0)
	assert.Equal(t, entriesOf(t, o.Scratch), 0)
}

func TestALookThatDoesNotCountLeavesNothing(t *testing.T) {
	o := Options{Live: true, Scratch: t.TempDir()}
	r := NewRecorder("data", o, Calls{Record: func(Record) { t.Error("told") }})
	fork := r.Fork()
	fork.Then(func(*Recorder) { t.Error("called") })
	numbered(fork, 2*maxHeld)
	fork.Find(wordCheck, Finding{Status: Damaged})
	fork.Drop()
	assert.Equal(t, entriesOf(t, o.Scratch), 0)
	assert.Assert(t, fork.held.first == nil && fork.then == nil)
	assert.Assert(t, fork.Damaged(), "what it found is known")
}

// TestALargeLiveFileThatIsLookedAtTwiceIsToldOnce: its last line is torn, so a second look must confirm it.
func TestALargeLiveFileThatIsLookedAtTwiceIsToldOnce(t *testing.T) {
	root, scratch := t.TempDir(), t.TempDir()
	var text strings.Builder
	for i := range 3 * maxHeld {
		fmt.Fprintf(&text, "{\"id\":%d}\n", i)
	}
	text.WriteString(`{"id":`)
	assert.NilError(t, os.WriteFile(filepath.Join(root, "big.jsonl"), []byte(text.String()), 0o600))
	var mu sync.Mutex
	told, spilled := map[string]int{}, 0
	calls := Calls{Record: func(one Record) {
		mu.Lock()
		defer mu.Unlock()
		told[one.ID]++
		spilled = max(spilled, entriesOf(t, scratch))
	}}
	report, err := Inspect(t.Context(), "data", LiveTree(root, nil), Options{Live: true, Scratch: scratch}, calls)
	assert.NilError(t, err)
	assert.Equal(t, Worst(report.Results), Damaged)
	assert.Equal(t, len(told), 3*maxHeld)
	for id, n := range told {
		assert.Equal(t, n, 1, id)
	}
	assert.Equal(t, spilled, 1)
	assert.Equal(t, entriesOf(t, scratch), 0)
}

// TestRecordsThatCannotBeKeptEndTheInspection: a comparison that is told too few would say that the others are gone.
func TestRecordsThatCannotBeKeptEndTheInspection(t *testing.T) {
	root := t.TempDir()
	text := strings.Repeat("{\"id\":1}\n", maxHeld+1)
	assert.NilError(t, os.WriteFile(filepath.Join(root, "big.jsonl"), []byte(text), 0o600))
	o := Options{Live: true, Scratch: filepath.Join(root, "missing")}
	_, err := Inspect(t.Context(), "data", LiveTree(root, nil), o, Calls{Record: func(Record) {}})
	assert.ErrorContains(t, err, "keep records until they count")
}
