package memory_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/examples/memory-system/corpus"
	"github.com/memsys/docker-memsys/examples/memory-system/memory"
)

func TestRestartKeepsTheData(t *testing.T) {
	dir := t.TempDir()
	s := filled(t, dir, 40)
	m, err := s.Add(memory.Content{Text: "Grace prefers the window seat", Tags: []string{"travel"}})
	assert.NilError(t, err)
	m, err = s.Update(m.ID, memory.Content{Text: "Grace prefers the aisle seat", Metadata: map[string]string{"k": "v"}})
	assert.NilError(t, err)
	assert.NilError(t, s.Delete(corpusID(t, 3)))
	before, total, err := s.List(0, 100)
	assert.NilError(t, err)
	assert.Equal(t, total, 40)
	assert.NilError(t, s.Close())

	again := open(t, dir)
	after, _, err := again.List(0, 100)
	assert.NilError(t, err)
	assert.DeepEqual(t, after, before)
	found, err := again.Search("aisle seat", memory.ModeHybrid, 1)
	assert.NilError(t, err)
	assert.Equal(t, found[0].ID, m.ID)
	sound(t, again, 40)
}

func TestWhatACrashLeftOutIsMadeAgain(t *testing.T) {
	dir := t.TempDir()
	s := filled(t, dir, 10)
	assert.NilError(t, s.Close())
	assert.NilError(t, os.RemoveAll(filepath.Join(dir, "embeddings")))
	assert.NilError(t, os.RemoveAll(filepath.Join(dir, "indexes")))
	leftover := filepath.Join(dir, "memories", "mem_x.json.123.tmp")
	assert.NilError(t, os.WriteFile(leftover, []byte(`{"id":`), 0o600))

	again := open(t, dir)
	st := sound(t, again, 10)
	assert.Equal(t, st.Vectors, 10)
	_, err := os.Stat(leftover)
	assert.Assert(t, os.IsNotExist(err))
}

func TestDamageIsSeenWhileRunningAndARepairToo(t *testing.T) {
	cases := map[string]string{
		"memory":  "memories/" + corpusID(t, 4) + ".json",
		"shard":   "embeddings/shard-00000.npy",
		"rows":    "embeddings/ids.jsonl",
		"segment": "indexes/segment-000001.json",
	}
	for name, file := range cases {
		for how, damage := range map[string]func(string) error{"cut": cut, "gone": os.Remove} {
			if file == "embeddings/ids.jsonl" && how == "gone" {
				continue // Nothing else tells which vectors there were; they are made again.
			}
			t.Run(name+" "+how, func(t *testing.T) {
				dir := t.TempDir()
				s := filled(t, dir, 10)
				assert.NilError(t, s.Flush())
				path := filepath.Join(dir, filepath.FromSlash(file))
				good, err := os.ReadFile(path)
				assert.NilError(t, err)
				assert.NilError(t, damage(path))

				st, err := s.Check()
				assert.NilError(t, err)
				assert.Assert(t, len(st.Damage) > 0)
				assert.Equal(t, st.Damage[0].File, file)
				_, err = s.Add(memory.Content{Text: "not now"})
				assert.Assert(t, errors.Is(err, memory.ErrDamaged), "%v", err)

				assert.NilError(t, os.WriteFile(path, good, 0o640))
				sound(t, s, 10)
				_, err = s.Add(memory.Content{Text: "now"})
				assert.NilError(t, err)
			})
		}
	}
}

func TestDeepCheckSeesDamageThatKeepsSizeAndTime(t *testing.T) {
	dir := t.TempDir()
	s := filled(t, dir, 10)
	path := filepath.Join(dir, "embeddings", "shard-00000.npy")
	info, err := os.Stat(path)
	assert.NilError(t, err)
	data, err := os.ReadFile(path)
	assert.NilError(t, err)
	copy(data[200:], "\xff\xff\xff\xff")
	assert.NilError(t, os.WriteFile(path, data, 0o640))
	assert.NilError(t, os.Chtimes(path, info.ModTime(), info.ModTime()))
	st, err := s.Recheck()
	assert.NilError(t, err)
	assert.Equal(t, len(st.Damage), 1)
}

func TestWrongContentIsRefused(t *testing.T) {
	s := open(t, t.TempDir())
	for _, c := range []memory.Content{{Text: " \n"}, {Text: "x", Tags: make([]string, 65)}, {Text: string(make([]byte, 300<<10))}} {
		_, err := s.Add(c)
		assert.Assert(t, errors.Is(err, memory.ErrInvalid), "%v", err)
	}
	_, err := s.Get("../../etc/passwd")
	assert.Assert(t, errors.Is(err, memory.ErrNotFound), "%v", err)
}

func TestManyMayUseTheStoreAtOnce(t *testing.T) {
	dir := t.TempDir()
	s := filled(t, dir, 5)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for j := range 25 {
				m, err := s.Add(memory.Content{Text: fmt.Sprintf("memory %d of writer %d", j, i)})
				assert.Check(t, err == nil, "%v", err)
				if j%5 == 0 {
					assert.Check(t, s.Delete(m.ID) == nil)
				}
				_, err = s.Search("memory", memory.ModeHybrid, 3)
				assert.Check(t, err == nil, "%v", err)
				_, err = s.Check()
				assert.Check(t, err == nil, "%v", err)
			}
		})
	}
	wg.Wait()
	sound(t, s, 5+4*20)
	assert.NilError(t, s.Close())
	sound(t, open(t, dir), 5+4*20)
}

func TestSameSeedMakesTheSameFiles(t *testing.T) {
	one, two := t.TempDir(), t.TempDir()
	assert.NilError(t, filled(t, one, 30).Close())
	assert.NilError(t, filled(t, two, 30).Close())
	files, err := filepath.Glob(filepath.Join(one, "*", "*"))
	assert.NilError(t, err)
	assert.Equal(t, len(files), 30+2+2)
	for _, f := range files {
		a, err := os.ReadFile(f)
		assert.NilError(t, err)
		rel, err := filepath.Rel(one, f)
		assert.NilError(t, err)
		b, err := os.ReadFile(filepath.Join(two, rel))
		assert.NilError(t, err)
		assert.Equal(t, string(a), string(b), rel)
	}
}

func filled(t *testing.T, dir string, n int) *memory.Store {
	t.Helper()
	s := open(t, dir)
	notes := corpus.New(1)
	for range n {
		note := notes.Next()
		_, err := s.AddAt(note.ID, note.At, memory.Content{Text: note.Text, Tags: note.Tags, Metadata: note.Metadata})
		assert.NilError(t, err)
	}
	return s
}

func open(t *testing.T, dir string) *memory.Store {
	t.Helper()
	clock := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	s, err := memory.Open(dir, memory.Options{Now: func() time.Time { return clock }, Fast: true})
	assert.NilError(t, err)
	return s
}

func sound(t *testing.T, s *memory.Store, memories int) memory.Status {
	t.Helper()
	st, err := s.Check()
	assert.NilError(t, err)
	assert.DeepEqual(t, st.Damage, []memory.Damage{})
	assert.Equal(t, st.Memories, memories)
	assert.Equal(t, st.Vectors, memories)
	return st
}

// corpusID is the id of the n-th memory that filled adds.
func corpusID(t *testing.T, n int) string {
	t.Helper()
	notes := corpus.New(1)
	for range n - 1 {
		notes.Next()
	}
	return notes.Next().ID
}

// cut halves a file and leaves nothing sound of it.
func cut(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	return os.WriteFile(path, bytes.Repeat([]byte("\n"), int(info.Size()/2)), 0o640)
}
