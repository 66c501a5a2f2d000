package vector_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/examples/memory-system/atomicfile"
	"github.com/memsys/docker-memsys/examples/memory-system/vector"
)

func TestEmbeddingsHaveLengthOneAndFollowMeaning(t *testing.T) {
	for _, text := range []string{"Grace prefers the window seat", "é", "...", "日本語のメモ"} {
		v := vector.Embed(text)
		assert.Equal(t, len(v), vector.Dim)
		assert.Assert(t, math.Abs(vector.Cosine(v, v)-1) < 1e-5, text)
	}
	q := vector.Embed("window seats")
	near := vector.Cosine(q, vector.Embed("Grace prefers the window seat"))
	far := vector.Cosine(q, vector.Embed("The boiler was repaired in May"))
	assert.Assert(t, near > far+0.1, "%f %f", near, far)
}

func TestVectorsComeBackAfterReopening(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	for i := range vector.RowsPerShard + 3 {
		put(t, s, fmt.Sprintf("m%d", i))
	}
	_, err := s.Delete("m1")
	assert.NilError(t, err)
	put(t, s, "again")

	s = open(t, dir)
	assert.Equal(t, len(s.IDs()), vector.RowsPerShard+3)
	count := 0
	s.Each(func(id string, v []float32) {
		count++
		assert.DeepEqual(t, v, vector.Embed(id))
	})
	assert.Equal(t, count, vector.RowsPerShard+3)
	e, ok := s.Entry("again")
	assert.Assert(t, ok)
	assert.Equal(t, e.Row, 1, "the free row is used again")
	info, err := os.Stat(filepath.Join(dir, vector.ShardName(1)))
	assert.NilError(t, err)
	assert.Equal(t, info.Size(), int64(128+3*vector.Dim*4))
}

func TestShardHasTheHeaderThatNumPyReads(t *testing.T) {
	dir := t.TempDir()
	put(t, open(t, dir), "a")
	data, err := os.ReadFile(filepath.Join(dir, vector.ShardName(0)))
	assert.NilError(t, err)
	assert.Equal(t, string(data[:8]), "\x93NUMPY\x01\x00")
	assert.Equal(t, 10+int(binary.LittleEndian.Uint16(data[8:])), 128)
	assert.Equal(t, string(data[10:71]), "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 256), }")
	assert.Equal(t, data[127], byte('\n'))
}

func TestUnfinishedLastLineIsDropped(t *testing.T) {
	dir := t.TempDir()
	put(t, open(t, dir), "a")
	path := filepath.Join(dir, vector.IDsName)
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	assert.NilError(t, err)
	_, err = f.WriteString(`{"id":"b","ro`)
	assert.NilError(t, err)
	assert.NilError(t, f.Close())

	s := open(t, dir)
	put(t, s, "c")
	assert.DeepEqual(t, open(t, dir).IDs(), []string{"a", "c"})
}

func TestListOfRowsIsRewrittenWhenMostOfItIsOld(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	for range vector.RowsPerShard + 20 {
		put(t, s, "same")
	}
	open(t, dir)
	data, err := os.ReadFile(filepath.Join(dir, vector.IDsName))
	assert.NilError(t, err)
	assert.Assert(t, len(data) < 100, "%d", len(data))
	assert.DeepEqual(t, open(t, dir).IDs(), []string{"same"})
}

func TestDamageIsNamed(t *testing.T) {
	cases := map[string]struct {
		file   string
		damage func(t *testing.T, path string)
	}{
		"shard cut short":    {vector.ShardName(0), func(t *testing.T, p string) { assert.NilError(t, os.Truncate(p, 500)) }},
		"shard missing":      {vector.ShardName(0), func(t *testing.T, p string) { assert.NilError(t, os.Remove(p)) }},
		"header overwritten": {vector.ShardName(0), func(t *testing.T, p string) { overwrite(t, p, 20, 4) }},
		"vector overwritten": {vector.ShardName(0), func(t *testing.T, p string) { overwrite(t, p, 128, 64) }},
		"list overwritten":   {vector.IDsName, func(t *testing.T, p string) { overwrite(t, p, 0, 8) }},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, dir)
			put(t, s, "a")
			put(t, s, "b")
			c.damage(t, filepath.Join(dir, c.file))
			_, damage, err := vector.Open(dir, atomicfile.Writer{})
			assert.NilError(t, err)
			assert.Equal(t, len(damage), 1)
			assert.Equal(t, damage[0].File, c.file)
		})
	}
}

func open(t *testing.T, dir string) *vector.Shards {
	t.Helper()
	s, damage, err := vector.Open(dir, atomicfile.Writer{})
	assert.NilError(t, err)
	assert.Equal(t, len(damage), 0)
	return s
}

func put(t *testing.T, s *vector.Shards, id string) {
	t.Helper()
	_, err := s.Put(id, "sum", vector.Embed(id))
	assert.NilError(t, err)
}

func overwrite(t *testing.T, path string, at, n int) {
	t.Helper()
	data, err := os.ReadFile(path)
	assert.NilError(t, err)
	for i := range n {
		data[at+i] = 0xff
	}
	assert.NilError(t, os.WriteFile(path, data, 0o640))
}
