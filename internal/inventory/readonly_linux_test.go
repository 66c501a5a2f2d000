package inventory

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"gotest.tools/v3/assert"
)

// everyFormat is a source with files of all formats, some of them damaged, and databases in the middle of something.
func everyFormat(t *testing.T) string {
	t.Helper()
	store := goldenStore(t, "chroma-1.5.9")
	root := filepath.Join(t.TempDir(), "source")
	files := map[string][]byte{
		"memories/a.json": []byte(`{"id": "a"}`), "memories/cut.json": []byte(`{"id": "b"`), "memories/all.jsonl": []byte("{\"id\":1}\n{\"id\":1}\n"),
		"vectors/v.npy": npyOf("'<f4'", "(3, 4)", floats32(12)), "vectors/cut.npy": npyOf("'<f4'", "(3, 4)", floats32(11)),
		"vectors/v.npz": npzOf(t, 8, map[string][]byte{"a.npy": npyOf("'<f4'", "(1, 2)", floats32(2))}),
		"ssl/a.pem":     []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
	}
	for name, data := range databases(t) {
		files["databases/"+name] = data
	}
	store.within("UPDATE embedding_metadata SET string_value = 'overwritten ' || string_value", func() {
		assert.NilError(t, os.CopyFS(filepath.Join(root, "chroma"), os.DirFS(store.dir)))
	})
	for name, data := range files {
		at := filepath.Join(root, name)
		assert.NilError(t, os.MkdirAll(filepath.Dir(at), 0o750))
		assert.NilError(t, os.WriteFile(at, data, 0o600))
	}
	return root
}

// contents are the bytes of all files.
func contents(t *testing.T, root string) map[string]string {
	t.Helper()
	out := map[string]string{}
	assert.NilError(t, filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		out[path] = string(data)
		return err
	}))
	return out
}

// onlyToRead is root once more, where nothing can be written.
func onlyToRead(t *testing.T, root string) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("NEEDS ROOT: a mount that cannot be written is not tested")
	}
	at := filepath.Join(t.TempDir(), "source")
	assert.NilError(t, os.Mkdir(at, 0o700))
	if err := unix.Mount(root, at, "", unix.MS_BIND, ""); err != nil {
		t.Skipf("MOUNTS ARE NOT TESTED: %v", err)
	}
	t.Cleanup(func() { assert.NilError(t, unix.Unmount(at, unix.MNT_DETACH)) })
	assert.NilError(t, unix.Mount("", at, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""))
	assert.ErrorIs(t, os.WriteFile(filepath.Join(at, "x"), nil, 0o600), unix.EROFS)
	return at
}

// TestWhatCannotBeWrittenIsJudgedAlike: nothing is changed, and nothing needs to be, also beside databases that SQLite would roll back,
// and stores that Chroma would bring in order.
func TestWhatCannotBeWrittenIsJudgedAlike(t *testing.T) {
	root := everyFormat(t)
	readOnly := onlyToRead(t, root)
	bytesBefore := contents(t, root)
	assert.Assert(t, len(bytesBefore[filepath.Join(root, "chroma", chromaDatabase+"-journal")]) > 0, "%v", slices.Sorted(maps.Keys(bytesBefore)))
	old := time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)
	assert.NilError(t, filepath.WalkDir(root, func(path string, _ os.DirEntry, err error) error {
		if err == nil {
			err = os.Chtimes(path, old, old.Add(time.Hour)) // any reading would move the time of access
		}
		return err
	}))
	_ = states(t, root) // lists the folders
	before := states(t, root)
	look := func(at string, o Options) *Report {
		o.Scratch = t.TempDir()
		report, err := Inspect(t.Context(), "data", LiveTree(at, nil), o, Calls{})
		assert.NilError(t, err)
		left, err := os.ReadDir(o.Scratch)
		assert.NilError(t, err)
		assert.Equal(t, len(left), 0)
		return report
	}
	for _, o := range []Options{{Depth: Quick}, {Depth: Full}, {Depth: Full, Live: true}} {
		there := look(readOnly, o)
		assert.DeepEqual(t, states(t, root), before)
		here := look(root, o)
		assert.DeepEqual(t, there, here)
		assert.DeepEqual(t, states(t, root), before)
		said := said(here)
		for _, name := range []string{"memories/cut.json", "vectors/cut.npy", "databases/cut/m.sqlite3", "ssl/a.pem"} {
			assert.Assert(t, contains(said, "damaged", name), said)
		}
		assert.Assert(t, !contains(said, "damaged", "databases/hot/memory"), said)
		assert.Assert(t, !contains(said, "damaged", "databases/ahead/m.db"), said)
		assert.Assert(t, !contains(said, "damaged", "chroma"), said)
		assert.Equal(t, here.Inventory.Files, int64(len(bytesBefore)))
	}
	assert.DeepEqual(t, contents(t, root), bytesBefore)
}

// contains tells whether a line of findings has all the words.
func contains(text string, words ...string) bool {
	for line := range strings.Lines(text) {
		if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(line, w) }) {
			return true
		}
	}
	return false
}
