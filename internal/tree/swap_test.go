package tree_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/memsys/docker-memsys/internal/tree"
	"github.com/memsys/docker-memsys/internal/tree/treetest"
	"gotest.tools/v3/assert"
)

// The old state, the staged one, and what has to stand in the end: kept entries (logs, *.log, the folder backups) stay.
var (
	oldState = map[string]string{
		"same": "s", "changed": "old", "gone": "g", "gone-dir/x": "x", "gone-dir/y/z": "z",
		"file-to-dir": "f", "dir-to-file/in": "i", "to-link": "l", "link-to-file": "->same",
		"logs/today": "log", "app/app.log": "log", "app/state": "old", "app/old-only": "o", "app/deep/er/x.log": "log", "app/deep/er/data": "old",
		"only-log/very/deep/x.log": "log", "only-log/data": "d", "store/backups/archive": "tar", "store/data": "old",
		"not-utf8-\xff": "raw", "base64:name": "b",
	}
	newState = map[string]string{
		"same": "s", "changed": "new", "added": "a", "added-dir/x": "x",
		"file-to-dir/in": "i", "dir-to-file": "f", "to-link": "->changed", "link-to-file": "l",
		"app/state": "new", "app/new-only": "n", "app/deep/er/data": "new", "app/deep/more/x": "m",
		"store/data": "new", "not-utf8-\xff": "new raw", "not-utf8-\xfe": "added", "base64:name": "c",
	}
	keptPaths = []string{
		"logs/today", "app/app.log", "app/deep/er/x.log", "only-log/very/deep/x.log", "store/backups/archive",
	}
)

func keepRule(e *tree.Entry) string {
	switch {
	case e.Path == "logs", e.Path == "store/backups":
		return "folder"
	case strings.HasSuffix(e.Path, ".log"):
		return "*.log"
	}
	return ""
}

// plant makes a tree with a time for each entry that depends on path, content and state; dirs names the state of each folder.
func plant(t *testing.T, root string, files map[string]string, dirs func(path string) string) {
	t.Helper()
	assert.NilError(t, os.MkdirAll(root, 0o755))
	folders := map[string]bool{".": true}
	for path, content := range files {
		full := filepath.Join(root, path)
		assert.NilError(t, os.MkdirAll(filepath.Dir(full), 0o755))
		for dir := filepath.Dir(path); dir != "."; dir = filepath.Dir(dir) {
			folders[dir] = true
		}
		if target, ok := strings.CutPrefix(content, "->"); ok {
			assert.NilError(t, os.Symlink(target, full))
		} else {
			assert.NilError(t, os.WriteFile(full, []byte(content), 0o644))
			assert.NilError(t, os.Chtimes(full, time.Time{}, stamp(path+content)))
		}
	}
	for _, dir := range slices.Backward(slices.Sorted(keys(folders))) {
		if state := dirs(dir); state != "" {
			assert.NilError(t, os.Chmod(filepath.Join(root, dir), modeOf(dir, state)))
			assert.NilError(t, os.Chtimes(filepath.Join(root, dir), time.Time{}, stamp(dir+state)))
		}
	}
}

func keys(m map[string]bool) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// modeOf makes some folders read-only, which their owner cannot move.
func modeOf(dir, state string) os.FileMode {
	if strings.HasPrefix(dir, "gone-dir") || strings.HasPrefix(dir, "added-dir") {
		return 0o555
	}
	if state == "new" {
		return 0o751
	}
	return 0o755
}

func stamp(text string) time.Time {
	h := fnv.New32a()
	_, _ = h.Write([]byte(text))
	return time.Unix(1_000_000_000+int64(h.Sum32()%500_000_000), int64(h.Sum32()%1_000_000_000))
}

// wantState is the new state with the kept entries, whose folders keep their attributes where the new state has none.
func plantWanted(t *testing.T, root string) {
	files := map[string]string{}
	for path, content := range newState {
		files[path] = content
	}
	for _, path := range keptPaths {
		files[path] = oldState[path]
	}
	plant(t, root, files, func(dir string) string {
		for path := range newState {
			if dir == "." || strings.HasPrefix(path, dir+"/") {
				return "new"
			}
		}
		return "old"
	})
}

// reference has the states that a scene can end in.
type reference struct{ old, wanted string }

func newReference(t *testing.T) reference {
	base := tempDir(t)
	r := reference{filepath.Join(base, "old"), filepath.Join(base, "wanted")}
	plant(t, r.old, oldState, func(string) string { return "old" })
	plantWanted(t, r.wanted)
	stampLinks(t, r.old)
	stampLinks(t, r.wanted)
	return r
}

// scene is one source with its staged replacement.
type scene struct {
	reference
	live string
	swap *tree.Swap
}

func newScene(t *testing.T, r reference) *scene {
	t.Helper()
	s := &scene{reference: r, live: filepath.Join(tempDir(t), "live")}
	plant(t, s.live, oldState, func(string) string { return "old" })
	stampLinks(t, s.live)
	staged, err := tree.Stage(s.live, "0123")
	assert.NilError(t, err)
	plant(t, staged, newState, func(string) string { return "new" })
	stampLinks(t, staged)
	plan, err := tree.PlanSwap(t.Context(), s.live, "0123", keepRule)
	assert.NilError(t, err)
	s.swap = throughJSON(t, plan)
	return s
}

func throughJSON(t *testing.T, swap *tree.Swap) *tree.Swap {
	t.Helper()
	text, err := json.Marshal(swap)
	assert.NilError(t, err)
	var again tree.Swap
	assert.NilError(t, json.Unmarshal(text, &again))
	assert.DeepEqual(t, *swap, again)
	return &again
}

var errKilled = errors.New("killed")

func killAt(step int) func(int) error {
	return func(now int) error {
		if now == step {
			return errKilled
		}
		return nil
	}
}

func (s *scene) check(t *testing.T, want string) {
	t.Helper()
	assert.NilError(t, tree.Discard(t.Context(), s.swap))
	assert.NilError(t, tree.Discard(t.Context(), s.swap), "a second time")
	for _, d := range treetest.Diff(want, s.live) {
		t.Error(d)
	}
	for _, again := range []func(context.Context, *tree.Swap) ([]tree.Problem, error){tree.Finish, tree.Revert} {
		_, err := again(t.Context(), s.swap)
		assert.NilError(t, err)
	}
	assert.Equal(t, len(treetest.Diff(want, s.live)), 0, "nothing happens once the staging is gone")
}

func (s *scene) to(t *testing.T, words string) {
	t.Helper()
	for word := range strings.FieldsSeq(words) {
		run := map[string]func(context.Context, *tree.Swap) ([]tree.Problem, error){"finish": tree.Finish, "revert": tree.Revert}[word]
		problems, err := run(t.Context(), s.swap)
		assert.NilError(t, err, word)
		assert.Equal(t, len(problems), 0, "%s: %v", word, problems)
	}
}

func TestSwapKilledAtAnyStepEndsInOldOrNewState(t *testing.T) {
	steps, ref := 0, newReference(t)
	whole := newScene(t, ref)
	_, err := tree.Apply(t.Context(), whole.swap, func(step int) error { steps = step; return nil })
	assert.NilError(t, err)
	whole.check(t, whole.wanted)
	assert.Assert(t, steps > 20, "%d steps", steps)
	for step := 1; step <= steps; step++ {
		for _, words := range [][]string{
			{"finish", "revert"}, {"finish finish", "revert revert"}, {"finish revert", "revert finish"},
		}[step%3] {
			t.Run(fmt.Sprint(step, " ", words), func(t *testing.T) {
				s := newScene(t, ref)
				_, err := tree.Apply(t.Context(), s.swap, killAt(step))
				assert.ErrorIs(t, err, errKilled)
				s.to(t, words)
				s.check(t, ref.after(words))
			})
		}
	}
}

// after is the state that the last word leads to.
func (r reference) after(words string) string {
	if strings.HasSuffix(words, "finish") {
		return r.wanted
	}
	return r.old
}

func TestRevertKilledAtAnyStepEndsInOldOrNewState(t *testing.T) {
	ref := newReference(t)
	for step := 1; ; step += 2 {
		s := newScene(t, ref)
		s.to(t, "finish")
		_, err := tree.RevertUntil(t.Context(), s.swap, killAt(step))
		if err == nil {
			assert.Assert(t, step > 20, "%d steps", step)
			return
		}
		words := []string{"revert", "finish"}[step/2%2]
		s.to(t, words)
		s.check(t, ref.after(words))
	}
}

func TestSwapOfASingleFileKeepsItsInodeAndCanGoBothWays(t *testing.T) {
	const steps = 4
	for step := 1; step <= steps+1; step++ {
		for _, words := range []string{"finish", "revert", "finish revert finish", "revert finish revert"} {
			t.Run(fmt.Sprint(step, " ", words), func(t *testing.T) {
				singleFile(t, step, steps, words)
			})
		}
	}
}

func singleFile(t *testing.T, step, steps int, words string) {
	base := tempDir(t)
	live, fresh := filepath.Join(base, "in", "memory.json"), filepath.Join(base, "fresh.json")
	assert.NilError(t, os.MkdirAll(filepath.Dir(live), 0o755))
	for path, content := range map[string]string{live: strings.Repeat("old", 1000), fresh: "new"} {
		assert.NilError(t, os.WriteFile(path, []byte(content), 0o444))
		assert.NilError(t, os.Chtimes(path, time.Time{}, stamp(content)))
	}
	assert.NilError(t, os.Link(live, filepath.Join(base, "in", "second-name")))
	copyTree(t, live, filepath.Join(base, "old.json"), tree.WalkOptions{}, tree.WriteOptions{})
	assert.NilError(t, os.Link(filepath.Join(base, "old.json"), filepath.Join(base, "old2.json")))
	assert.NilError(t, os.Link(fresh, filepath.Join(base, "fresh2.json")))
	before, err := os.Stat(live)
	assert.NilError(t, err)
	folder, err := os.Stat(filepath.Dir(live))
	assert.NilError(t, err)
	staged, err := tree.Stage(live, "77")
	assert.NilError(t, err)
	copyTree(t, fresh, staged, tree.WalkOptions{}, tree.WriteOptions{})
	plan, err := tree.PlanSwap(t.Context(), live, "77", nil)
	assert.NilError(t, err)
	s := &scene{live: live, swap: throughJSON(t, plan)}
	_, err = tree.Apply(t.Context(), s.swap, killAt(step))
	assert.Equal(t, errors.Is(err, errKilled), step <= steps, "%v", err)
	s.to(t, words)
	want := filepath.Join(base, "old.json")
	if strings.HasSuffix(words, "finish") {
		want = fresh
	}
	s.check(t, want)
	after, err := os.Stat(live)
	assert.NilError(t, err)
	assert.Assert(t, os.SameFile(before, after), "the inode stays")
	now, err := os.Stat(filepath.Dir(live))
	assert.NilError(t, err)
	assert.Equal(t, now.ModTime(), folder.ModTime(), "time of the folder around it")
	names, err := os.ReadDir(filepath.Dir(live))
	assert.NilError(t, err)
	assert.Equal(t, len(names), 2)
}
