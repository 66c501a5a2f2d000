package inventory

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/tree"
)

// TestAFileWhoseWriterIsFrozenForAMomentIsNoDamage: all looks but the last see the same torn bytes, for nobody runs who could finish them.
func TestAFileWhoseWriterIsFrozenForAMomentIsNoDamage(t *testing.T) {
	root := plant(t, map[string]string{"frozen": "word bad"})
	calls := Calls{
		Now: time.Now,
		Wait: func(_ context.Context, attempt int) error {
			if attempt < attempts-1 {
				return nil
			}
			return os.WriteFile(filepath.Join(root, "frozen"), []byte("word is good now"), 0o644)
		},
	}
	report := inspectWith(t, LiveTree(root, nil), Options{Live: true}, calls, newFolders())
	assert.DeepEqual(t, findings(report), []string(nil))
	assert.Equal(t, report.Inventory.Collections[0].Records, int64(1))
}

// TestOldDamageCountsAtTheSecondLook: and fresh damage after the longest wait, though the clock went back.
func TestOldDamageCountsAtTheSecondLook(t *testing.T) {
	for name, c := range map[string]struct {
		now   func() time.Time
		waits int
	}{
		"old":          {func() time.Time { return time.Now().Add(time.Hour) }, 1},
		"fresh":        {func() time.Time { return time.Now().Add(quiet / 2) }, attempts - 1},
		"from later":   {func() time.Time { return time.Now().Add(-time.Hour) }, attempts - 1},
		"nobody knows": {nil, attempts - 1},
	} {
		t.Run(name, func(t *testing.T) {
			root, waits := plant(t, map[string]string{"torn": "word bad"}), 0
			calls := Calls{Now: c.now, Wait: func(context.Context, int) error { waits++; return nil }}
			report := inspectWith(t, LiveTree(root, nil), Options{Live: true}, calls, newFolders())
			assert.DeepEqual(t, findings(report), []string{"damaged torn: is bad"})
			assert.Equal(t, waits, c.waits)
		})
	}
}

// TestManySuspectsWaitTogether: a tree full of damage takes a few waits, not some for each file.
func TestManySuspectsWaitTogether(t *testing.T) {
	const files = maxSuspects + 10
	var waits atomic.Int64
	calls := Calls{Wait: func(context.Context, int) error { waits.Add(1); return nil }}
	report := inspectWith(t, torn(files), Options{Live: true}, calls, newFolders())
	words := report.Results[slices.IndexFunc(report.Results, func(r Result) bool { return r.Check == wordCheck })]
	assert.Equal(t, words.More+int64(len(words.Findings)), int64(files))
	assert.Equal(t, waits.Load(), int64(2*(attempts-1)))
}

// torn is a tree of so many damaged files.
type torn int

// Walk implements Tree.
func (n torn) Walk(_ context.Context, visit func(*tree.Entry, Open) error, _ func(string, error)) error {
	for i := range int(n) {
		open := func(context.Context) (File, error) { return madeFile{strings.NewReader("word bad")}, nil }
		if err := visit(&tree.Entry{Path: fmt.Sprint(i), Kind: tree.File, Size: 8}, open); err != nil {
			return err
		}
	}
	return nil
}

// TestALastLineWithoutAnEndIsDamageOnlyIfNobodyWritesIt: a file that grows at every look ends in the middle of a line at most of them.
func TestALastLineWithoutAnEndIsDamageOnlyIfNobodyWritesIt(t *testing.T) {
	const torn = "{\"id\": 1}\n{\"id\": 2, \"t"
	for name, c := range map[string]struct {
		file, text, more string
		want             []string
	}{
		"it grows":                        {"a.jsonl", torn, "\": 1}\n{\"id\": 3, \"text\": \"\xc3", nil},
		"its first line is being written": {"a.jsonl", `{"id": 1, "text`, ` it`, nil},
		"it keeps still":                  {"a.jsonl", torn, "", []string{"damaged a.jsonl:2:13: ends in the middle of a string"}},
		"it is no file of lines": {"a.json", `{"id": 1, "text`, ` it`, []string{
			"not checked a.json:0:0: changes all the time: what was read of it is torn",
		}},
		"it is torn before too": {"a.jsonl", "{\"id\": 1}\n{\"id\": \n{\"id\": 2, \"t", " and t", []string{
			"not checked a.jsonl:0:0: changes all the time: what was read of it is torn",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			root := plant(t, map[string]string{c.file: c.text})
			o := memoryChecks()
			o.Live = true
			text := c.text
			r, err := Inspect(t.Context(), "s", LiveTree(root, nil), o, Calls{Wait: func(context.Context, int) error {
				if c.more == "" {
					return nil
				}
				text += c.more
				return os.WriteFile(filepath.Join(root, c.file), []byte(text), 0o644)
			}})
			assert.NilError(t, err)
			assert.Equal(t, strings.Join(lined(r), "\n"), strings.Join(c.want, "\n"))
		})
	}
}

func TestPausesGrowAndTheLastIsTheLongest(t *testing.T) {
	var all time.Duration
	for attempt := 1; attempt < attempts; attempt++ {
		assert.Assert(t, Pause(attempt) > all)
		all += Pause(attempt)
	}
	assert.Equal(t, Pause(attempts-1), quiet)
}
