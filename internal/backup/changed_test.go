package backup

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/compose"
)

// TestWhatABackupWouldAddIsTold: each thing that a new backup would keep and the last one does not have is a reason for one; what no
// backup keeps is none.
func TestWhatABackupWouldAddIsTold(t *testing.T) {
	b := newBed(t)
	b.req.Side = nil
	why := func() string {
		t.Helper()
		plan, err := Prepare(t.Context(), b.dir, b.req)
		assert.NilError(t, err)
		text, err := plan.Changed(t.Context())
		assert.NilError(t, err)
		return text
	}
	path := func(name string) string { return filepath.Join(b.data, name) }
	backup := func() {
		t.Helper()
		b.now = time.Now().Add(time.Second) // no change time is as young as this
		_, err := b.backup(t)
		assert.NilError(t, err)
		assert.Equal(t, why(), "")
	}
	assert.NilError(t, os.Link(path("memories/a.json"), path("memories/again.json")))
	assert.NilError(t, os.Symlink("a.json", path("memories/link.json")))
	assert.Equal(t, why(), "there is no good backup yet")
	backup()
	b.write(t, "server.log", "more noise")
	b.write(t, "other.log", "noise that is new in its folder")
	assert.Equal(t, why(), "")
	for _, c := range []struct {
		name   string
		change func() error
	}{
		{"a new file", func() error { return os.WriteFile(path("memories/c.json"), []byte("{}"), 0o600) }},
		{"a file that is gone", func() error { return os.Remove(path("memories/c.json")) }},
		{"a file that has grown", func() error { return os.WriteFile(path("memories/b.json"), []byte(`{"id":"bb"}`), 0o600) }},
		{"a mode", func() error { return os.Chmod(path("memories/b.json"), 0o640) }},
		{"a link that leads elsewhere", func() error {
			return os.Rename(path("memories/link.json"), path("memories/link2.json"))
		}},
		{"an empty folder", func() error { return os.Mkdir(path("memories/empty"), 0o700) }},
		{"a time of modification", func() error { return os.Chtimes(path("memories/a.json"), time.Time{}, time.Unix(1e9, 5)) }},
	} {
		assert.NilError(t, c.change(), c.name)
		assert.Assert(t, why() != "", c.name)
		backup()
	}
}

// TestAChangeTimeThatIsNotOlderThanTheBackupIsAChange: size and times can be put back, the change time cannot.
func TestAChangeTimeThatIsNotOlderThanTheBackupIsAChange(t *testing.T) {
	b := newBed(t)
	b.req.Side = nil
	b.now = time.Now().Add(-time.Hour) // every change time is younger
	_, err := b.backup(t)
	assert.NilError(t, err)
	plan, err := Prepare(t.Context(), b.dir, b.req)
	assert.NilError(t, err)
	why, err := plan.Changed(t.Context())
	assert.NilError(t, err)
	assert.Assert(t, why != "")
}

// TestSourcesThatComeAndGoAreAChange: also one that cannot be read.
func TestSourcesThatComeAndGoAreAChange(t *testing.T) {
	b := newBed(t)
	b.req.Side = nil
	b.now = time.Now().Add(time.Second)
	res, err := b.backup(t)
	assert.NilError(t, err)
	other := b.req.Sources[0]
	other.Name, other.Path = "more", t.TempDir()
	both := append(b.req.Sources[:1:1], other)
	gone := b.req.Sources[0]
	gone.Path = filepath.Join(b.data, "nowhere")
	for _, c := range []struct {
		want    string
		sources []compose.Source
	}{
		{"source more is not in " + filepath.Base(res.Path), both},
		{"source data: " + gone.Path + " does not exist", []compose.Source{gone, other}},
	} {
		req := b.req
		req.Sources = c.sources
		plan, err := Prepare(t.Context(), b.dir, req)
		assert.NilError(t, err)
		why, err := plan.Changed(t.Context())
		assert.NilError(t, err)
		assert.Equal(t, why, c.want)
	}
	first := b.req.Sources
	b.req.Sources, b.now = both, b.now.Add(time.Second)
	_, err = b.backup(t)
	assert.NilError(t, err)
	b.req.Sources = first
	plan, err := Prepare(t.Context(), b.dir, b.req)
	assert.NilError(t, err)
	why, err := plan.Changed(t.Context())
	assert.NilError(t, err)
	assert.Equal(t, why, "source more is no longer there")
}
