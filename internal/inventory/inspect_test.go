package inventory

import (
	"context"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"gotest.tools/v3/assert"
)

var (
	wordCheck   = Check{ID: "memories.words", Title: "words"}
	folderCheck = Check{ID: "databases.folders", Title: "folders"}
)

// words is a validator of a format made for tests: a file of it begins with "word", and is damaged where it holds "bad".
type words struct{}

func (words) Checks() []Check { return []Check{wordCheck} }

func (words) Claims(s *Subject) bool { return strings.HasPrefix(string(s.Head), "word") }

func (words) Validate(ctx context.Context, s *Subject, r *Recorder) (err error) {
	f, err := s.Open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	text, err := io.ReadAll(f)
	if err != nil {
		return err
	}
	if strings.Contains(string(text), "panic") {
		panic("as planted")
	}
	r.Checked(wordCheck, 1)
	if strings.Contains(string(text), "bad") {
		r.Find(wordCheck, Finding{Status: Damaged, Path: s.Entry.Path, Text: "is bad"})
	}
	b := r.Batch(KindJSON, ".")
	b.In(s.Entry.Path)
	b.Add(string(text), [32]byte{})
	b.Done(1)
	return nil
}

// pairs is a validator of files made for tests that begin with "pair" and have a companion.
type pairs struct{ words }

func (pairs) Claims(s *Subject) bool { return strings.HasPrefix(string(s.Head), "pair") }

func (pairs) Companion(name string) bool { return strings.HasSuffix(name, "-wal") }

func (pairs) Validate(ctx context.Context, s *Subject, r *Recorder) error {
	if s.Sibling("none") != nil {
		r.Find(wordCheck, Finding{Status: Damaged, Text: "has what is not there"})
	}
	text := "stands alone"
	if other := s.Sibling(s.Name() + "-wal"); other != nil {
		text = "has " + other.Name()
	}
	r.Find(wordCheck, Finding{Status: Warning, Path: s.Entry.Path, Text: text})
	return nil
}

// folders is a store made for tests: what lies below its folder store belongs to it.
type folders struct {
	mu   sync.Mutex
	seen map[string][]string
}

func (*folders) Checks() []Check { return []Check{folderCheck} }

func (*folders) Belongs(path string) (string, bool) {
	dir, _, ok := strings.Cut(path, "/store/")
	return dir, ok
}

func (f *folders) Validate(_ context.Context, dir string, files map[string]*Subject, r *Recorder) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen[dir] = slices.Sorted(maps.Keys(files))
	r.Checked(folderCheck, 1)
	return nil
}

// inspectWith inspects with the validators of these tests alone.
func inspectWith(t *testing.T, tree Tree, o Options, calls Calls, store *folders) *Report {
	t.Helper()
	in := &inspection{
		o: o, calls: calls, recorder: NewRecorder("s", o, calls),
		validators: []Validator{words{}, pairs{}}, stores: []Store{store}, owners: owners{}, later: later{files: map[string]*late{}}, tree: tree,
	}
	assert.NilError(t, in.run(t.Context()))
	in.counted.Collections = in.recorder.Collections()
	return &Report{Source: "s", Inventory: in.counted, Results: in.recorder.Results()}
}

func newFolders() *folders { return &folders{seen: map[string][]string{}} }

// plant writes files below a new folder.
func plant(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, filepath.FromSlash(name))
		assert.NilError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		assert.NilError(t, os.WriteFile(path, []byte(text), 0o644))
	}
	return root
}

// still is a tree that cannot be asked for a file, as an archive.
type still struct{ Tree }

// findings are those of a report, one a line.
func findings(r *Report) []string {
	var out []string
	for _, res := range r.Results {
		for _, f := range res.Findings {
			out = append(out, string(f.Status)+" "+f.Path+": "+f.Text)
		}
	}
	return out
}

func TestFilesGoToValidatorsAndStoresToTheirOwn(t *testing.T) {
	root := plant(t, map[string]string{
		"a/store/data": "word bad", "a/store/z": "", "a/beside": "word mine", "b/store/x/file": "bad",
		"word": "word bad", "other": "bad", "empty": "", "db": "pair", "db-wal": "w", "db-a": "word between", "db-journal": "j", "x-wal": "word",
	})
	for name, tree := range map[string]Tree{"live": LiveTree(root, nil), "still": still{LiveTree(root, nil)}} {
		t.Run(name, func(t *testing.T) {
			store := newFolders()
			report := inspectWith(t, tree, Options{}, Calls{}, store)
			assert.DeepEqual(t, store.seen, map[string][]string{"a": {"store/data", "store/z"}, "b": {"store/x/file"}})
			assert.DeepEqual(t, findings(report), []string{
				"warning db: has db-wal", "warning db-wal: stands alone", "damaged word: is bad", "warning x-wal: stands alone",
			})
			assert.Equal(t, report.Inventory.Files, int64(12))
			assert.Equal(t, report.Inventory.Collections[0].Records, int64(3))
		})
	}
}

func TestStoresAreLeftOutWhereTheyAreLookedAtElsewhere(t *testing.T) {
	root := plant(t, map[string]string{"a/store/data": "word bad", "word": "word"})
	store := newFolders()
	report := inspectWith(t, LiveTree(root, nil), Options{NoStores: true}, Calls{}, store)
	assert.Equal(t, len(store.seen), 0)
	assert.Equal(t, len(findings(report)), 0)
	assert.Equal(t, report.Inventory.Files, int64(2))
}

func TestWhatCannotBeReadIsAFinding(t *testing.T) {
	root := plant(t, map[string]string{"good": "word", "broken": "word panic"})
	report := inspectWith(t, LiveTree(root, nil), Options{}, Calls{}, newFolders())
	assert.DeepEqual(t, findings(report), []string{"not checked broken: cannot be read: the check of it broke down: as planted"})
}

func TestDamageOfALiveFileCountsOnlyOnStableContent(t *testing.T) {
	root := plant(t, map[string]string{"mended": "word bad", "stays": "word bad", "restless": "word bad", "gone": "word bad", "good": "word"})
	write := func(name, text string) {
		assert.NilError(t, os.WriteFile(filepath.Join(root, name), []byte(text), 0o644))
	}
	waits := 0
	var told []string
	var mu sync.Mutex
	calls := Calls{
		Wait: func(_ context.Context, attempt int) error {
			if waits++; attempt != waits {
				t.Errorf("attempt %d is the wait %d", attempt, waits)
			}
			if attempt == 1 {
				write("mended", "word is good again")
				assert.NilError(t, os.Remove(filepath.Join(root, "gone")))
			}
			write("restless", "word bad"+strings.Repeat(" bad", attempt))
			return nil
		},
		Record: func(r Record) {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, r.File)
		},
	}
	report := inspectWith(t, LiveTree(root, nil), Options{Live: true}, calls, newFolders())
	assert.DeepEqual(t, findings(report), []string{
		"not checked restless: changes all the time: what was read of it is torn", "damaged stays: is bad",
	})
	slices.Sort(told)
	assert.DeepEqual(t, told, []string{"good", "mended", "stays"})
	assert.Equal(t, waits, attempts-1)
}

// TestWhatALaterLookKnowsToHaveACompanionIsLookedAt: the time for files that wait for others is over by then.
func TestWhatALaterLookKnowsToHaveACompanionIsLookedAt(t *testing.T) {
	root := plant(t, map[string]string{"d/changes": "word bad", "d/changes-wal": "log"})
	calls := Calls{Wait: func(_ context.Context, attempt int) error {
		if attempt == 1 {
			assert.NilError(t, os.WriteFile(filepath.Join(root, "d/changes"), []byte("pair"), 0o644))
		}
		return nil
	}}
	report := inspectWith(t, LiveTree(root, nil), Options{Live: true}, calls, newFolders())
	found := findings(report)
	assert.Assert(t, slices.Contains(found, "warning d/changes: has changes-wal"), "%v", found)
}

func TestMergeCarriesWhatWasNotListed(t *testing.T) {
	r := NewRecorder("s", Options{}, Calls{})
	fork := r.Fork()
	for range most + 5 {
		fork.Find(wordCheck, Finding{Status: Damaged, Text: "x"})
	}
	r.Find(wordCheck, Finding{Status: Warning, Text: "mine"})
	fork.Checked(folderCheck, 0)
	assert.NilError(t, r.Merge(fork))
	got := r.Results()
	assert.Equal(t, len(got), 2)
	assert.Equal(t, got[0].Status, OK)
	assert.Equal(t, got[1].Status, Damaged)
	assert.Equal(t, len(got[1].Findings), most)
	assert.Equal(t, got[1].More, int64(6))
}

// TestDamageIsListedHoweverManyWarningsCameBefore: who goes by the findings must not take a damaged file for a good one.
func TestDamageIsListedHoweverManyWarningsCameBefore(t *testing.T) {
	r := NewRecorder("s", Options{}, Calls{})
	for range most + 5 {
		r.Find(wordCheck, Finding{Status: Warning, Path: "odd", Text: "x"})
	}
	r.Find(wordCheck, Finding{Status: Damaged, Path: "b", Text: "y"})
	fork := r.Fork()
	fork.Find(wordCheck, Finding{Status: Damaged, Path: "a", Text: "y"})
	r.Merge(fork)
	got := r.Results()[0]
	assert.Equal(t, len(got.Findings), most)
	assert.Equal(t, got.More, int64(7))
	assert.Equal(t, got.Findings[0].Path+got.Findings[1].Path+got.Findings[2].Path, "abodd")
	for range 2 * most {
		r.Find(wordCheck, Finding{Status: Damaged, Path: "c", Text: "y"})
	}
	got = r.Results()[0]
	assert.Equal(t, len(got.Findings), most)
	assert.Equal(t, got.More, int64(2*most+7))
	assert.Equal(t, got.Findings[most-1].Path, "c")
}
