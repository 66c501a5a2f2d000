package layout

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/progress"
	"github.com/memsys/docker-memsys/internal/tree"
)

// made is an archive of a small folder and more entries.
func made(t *testing.T, entries ...*tree.Entry) *archive.Reader {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a.tar.gz")
	f, err := os.Create(path)
	assert.NilError(t, err)
	t.Cleanup(func() { f.Close() })
	w := archive.NewWriter(f, archive.WriterOptions{})
	when := time.Unix(1_700_000_000, 0)
	_, err = w.Add(t.Context(), "data/d", &tree.Entry{Kind: tree.Dir, Mode: 0o750, UID: os.Getuid(), GID: os.Getgid(), ModTime: when}, nil)
	assert.NilError(t, err)
	for _, name := range []string{"data/d/a b", "data/d/back\\slash", "data/d/new\nline"} {
		assert.NilError(t, w.AddBytes(t.Context(), name, 0o600, when, []byte("content of "+name)))
	}
	for _, e := range entries {
		e.UID, e.GID, e.ModTime = os.Getuid(), os.Getgid(), when
		_, err := w.Add(t.Context(), e.Path, e, nil)
		assert.NilError(t, err)
	}
	_, err = w.Close(t.Context(), &archive.Manifest{Format: archive.FormatVersion, Sources: []archive.Source{{Name: "d", Prefix: "data/d", Kind: "bind"}}})
	assert.NilError(t, err)
	info, err := f.Stat()
	assert.NilError(t, err)
	r, err := archive.Open(f, info.Size())
	assert.NilError(t, err)
	return r
}

func request(r *archive.Reader, dir string) Request {
	return Request{
		Archive: r, Dir: dir, ID: "testid", SkipOwners: os.Getuid() != 0, Progress: progress.Discard,
		Free: func(string) (int64, error) { return 1 << 40, nil },
	}
}

func names(t *testing.T, dir string) (out []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	assert.NilError(t, err)
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func TestABackupIsLaidOut(t *testing.T) {
	r := made(t, &tree.Entry{Path: "data/d/second", Kind: tree.Hardlink, Link: "data/d/a b"}, &tree.Entry{Path: "data/d/link", Kind: tree.Symlink, Link: "data/d/a b"})
	dir := filepath.Join(t.TempDir(), "new", "folder")
	res, err := Lay(t.Context(), request(r, dir))
	assert.NilError(t, err)
	assert.Equal(t, res.Files, int64(4)) // and memsys.json
	assert.DeepEqual(t, names(t, dir), []string{Sums, "data", "memsys.json"})
	body, err := os.ReadFile(filepath.Join(dir, "data/d/second"))
	assert.NilError(t, err)
	assert.Equal(t, string(body), "content of data/d/a b")
	sums, err := os.ReadFile(filepath.Join(dir, Sums))
	assert.NilError(t, err)
	for _, want := range []string{"  data/d/a b\n", "  data/d/second\n", "  data/d/back\\\\slash\n", "  data/d/new\\nline\n", "  memsys.json\n"} {
		assert.Assert(t, strings.Contains(string(sums), want), "%q is not in %s", want, sums)
	}
	assert.Assert(t, !strings.Contains(string(sums), "link\n"))
}

func TestAFolderThatIsNotEmptyIsLeftAlone(t *testing.T) {
	dir := t.TempDir()
	assert.NilError(t, os.WriteFile(filepath.Join(dir, "mine"), []byte("x"), 0o600))
	_, err := Lay(t.Context(), request(made(t), dir))
	assert.Assert(t, errors.As(err, new(*NotEmptyError)), "%v", err)
	assert.DeepEqual(t, names(t, dir), []string{"mine"})
}

// What a killed export left is no hindrance.
func TestAStagingFolderOfAKilledExportGoes(t *testing.T) {
	dir := t.TempDir()
	assert.NilError(t, os.MkdirAll(filepath.Join(dir, stagingName("old"), "data"), 0o700))
	_, err := Lay(t.Context(), request(made(t), dir))
	assert.NilError(t, err)
	assert.DeepEqual(t, names(t, dir), []string{Sums, "data", "memsys.json"})
}

// What a restore has set aside there is the last copy of it; so is the staging of one that was killed.
func TestWhatARestoreLeftInTheFolderStays(t *testing.T) {
	dir := t.TempDir()
	kept := filepath.Join(dir, tree.StagingName("abc123"), "old", "a.json")
	assert.NilError(t, os.MkdirAll(filepath.Dir(kept), 0o700))
	assert.NilError(t, os.WriteFile(kept, []byte("last copy"), 0o600))
	_, err := Lay(t.Context(), request(made(t), dir))
	assert.Assert(t, errors.As(err, new(*NotEmptyError)), "%v", err)
	body, err := os.ReadFile(kept)
	assert.NilError(t, err)
	assert.Equal(t, string(body), "last copy")
}

// After a power loss the sums are there only where all else is; so the names are brought to the disk before and after they come.
func TestNamesAreOnTheDiskBeforeTheSumsCome(t *testing.T) {
	dir := t.TempDir()
	staging := filepath.Join(dir, "staging")
	for _, name := range []string{Sums, "data", "project"} {
		assert.NilError(t, os.MkdirAll(filepath.Join(staging, name), 0o700))
	}
	var synced [][]string
	sync := func(path string) error {
		assert.Equal(t, path, dir)
		synced = append(synced, names(t, path))
		return nil
	}
	assert.NilError(t, publish(staging, dir, sync))
	assert.DeepEqual(t, synced, [][]string{{"data", "project", "staging"}, {Sums, "data", "project", "staging"}})
}

// A disk that keeps no names takes nothing over: all goes back.
func TestWhatCannotBeMadeDurableIsTakenBack(t *testing.T) {
	for fail := range 2 {
		dir := t.TempDir()
		staging := filepath.Join(dir, "staging")
		assert.NilError(t, os.MkdirAll(filepath.Join(staging, Sums), 0o700))
		assert.NilError(t, os.MkdirAll(filepath.Join(staging, "data"), 0o700))
		broken := errors.New("input/output error")
		err := publish(staging, dir, func(string) error {
			if fail--; fail < 0 {
				return broken
			}
			return nil
		})
		assert.ErrorIs(t, err, broken)
		assert.DeepEqual(t, names(t, dir), []string{"staging"})
		assert.DeepEqual(t, names(t, staging), []string{Sums, "data"})
	}
}

func TestNothingIsLeftOfAnExportThatFails(t *testing.T) {
	above := t.TempDir()
	dir := filepath.Join(above, "a", "b")
	ended, cancel := context.WithCancel(t.Context())
	req := request(made(t), dir)
	req.Progress = progress.Func(func(progress.Event) { cancel() })
	_, err := Lay(ended, req)
	assert.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, len(names(t, above)), 0)

	req = request(made(t), dir)
	req.Free = func(string) (int64, error) { return 10, nil }
	_, err = Lay(t.Context(), req)
	assert.Assert(t, errors.As(err, new(*NoSpaceError)), "%v", err)

	req = request(made(t, &tree.Entry{Path: "data/d/sda", Kind: tree.BlockDevice, Major: 8}), dir)
	_, err = Lay(t.Context(), req)
	assert.Assert(t, errors.As(err, new(*DevicesError)), "%v", err)
	assert.Equal(t, len(names(t, above)), 0)
}
