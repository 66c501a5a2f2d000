package foreign

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/progress"
	"github.com/memsys/docker-memsys/internal/store"
	"github.com/memsys/docker-memsys/internal/tree"
)

// bed is a folder with a canary beside the place that archives are unpacked to.
type bed struct {
	t      testing.TB
	dir    string
	limits Limits
	maps   []string
	target Target
	// contents, mapping and manifest are those of the last attempt, as far as it came.
	contents *Contents
	mapping  *Mapping
	manifest *archive.Manifest
	// unseen is the owner of the place.
	unseen bool
}

func newBed(t testing.TB) *bed {
	t.Helper()
	b := &bed{t: t, dir: t.TempDir(), limits: Limits{Bytes: 8 << 20, Entries: 1000, Memory: 64 << 20}}
	for name, body := range map[string]string{"canary": "sings", "outside/secret": "kept", "place/canary": "sings too"} {
		assert.NilError(t, os.MkdirAll(filepath.Dir(b.path(name)), 0o755))
		assert.NilError(t, os.WriteFile(b.path(name), []byte(body), 0o600))
	}
	b.target = newTarget()
	return b
}

func (b *bed) path(name string) string { return filepath.Join(b.dir, name) }

// snapshot is everything in the bed but the place that archives are unpacked to, and the archives.
func (b *bed) snapshot() map[string]string {
	b.t.Helper()
	seen := map[string]string{}
	assert.NilError(b.t, filepath.Walk(b.dir, func(path string, info os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		if rel, _ := filepath.Rel(b.dir, path); strings.HasPrefix(rel, "place/out") || rel == "backups" || rel == "archive" {
			if info.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		body := ""
		if info.Mode().IsRegular() {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			body = string(data)
		}
		seen[path] = info.Mode().String() + " " + body
		return nil
	}))
	return seen
}

// attempt takes an archive over and unpacks the result into place/out, as a restore does.
func (b *bed) attempt(data []byte) error {
	b.t.Helper()
	assert.NilError(b.t, os.RemoveAll(b.path("place/out")))
	assert.NilError(b.t, os.RemoveAll(b.path("backups")))
	assert.NilError(b.t, os.Mkdir(b.path("backups"), 0o700))
	assert.NilError(b.t, os.WriteFile(b.path("archive"), data, 0o600))
	before := b.snapshot()
	err := b.takeOver()
	assert.DeepEqual(b.t, b.snapshot(), before)
	return err
}

func (b *bed) takeOver() error {
	f, err := os.Open(b.path("archive"))
	assert.NilError(b.t, err)
	defer f.Close()
	ctx := b.t.Context()
	b.contents, b.mapping, b.manifest = nil, nil, nil
	if b.contents, err = Scan(ctx, f, b.limits, nil); err != nil {
		return err
	}
	b.target.Assigned = nil
	for _, text := range b.maps {
		a, err := ParseAssignment(text)
		if err != nil {
			return err
		}
		b.target.Assigned = append(b.target.Assigned, a)
	}
	if b.mapping, err = b.contents.Map(b.target); err != nil {
		return err
	}
	run := b.runner()
	c, err := run.Convert(ctx, store.Open(b.path("backups")), Job{Name: "archive", Contents: b.contents, Mapping: b.mapping, Tool: "test"})
	if err != nil {
		left, _ := os.ReadDir(b.path("backups"))
		assert.Equal(b.t, len(left), 0, "a conversion that failed left files")
		return err
	}
	b.manifest = c.Manifest
	if _, err := run.Publish(ctx, c); err != nil {
		return err
	}
	return b.unpack()
}

func (b *bed) runner() *Runner {
	return &Runner{
		Clock: func() time.Time { return someTime }, Progress: progress.Discard, Free: func(string) (int64, error) { return 1 << 40, nil },
		Temporary: func(string) error { return nil }, Publishing: func(string) error { return nil },
		NewID: func() (string, error) { return "id", nil }, Owner: func(string) (int, int, bool) { return os.Getuid(), os.Getgid(), !b.unseen },
	}
}

// unpack writes the sources of the published archive to place/out.
func (b *bed) unpack() error {
	all, err := store.Open(b.path("backups")).List(b.t.Context())
	assert.NilError(b.t, err)
	assert.Equal(b.t, len(all), 1)
	f, err := os.Open(all[0].Path)
	assert.NilError(b.t, err)
	defer f.Close()
	r, err := archive.Open(f, all[0].Size)
	assert.NilError(b.t, err)
	w, err := tree.NewWriter(b.path("place/out"), tree.WriteOptions{SkipOwners: os.Getuid() != 0})
	assert.NilError(b.t, err)
	err = r.Extract(b.t.Context(), func(e *archive.Entry) *tree.Entry { return &e.Entry }, w, archive.ExtractOptions{})
	_, finished := w.Finish(context.WithoutCancel(b.t.Context()))
	if err != nil {
		return err
	}
	return finished
}

// read is the content of a file of source data that was unpacked.
func (b *bed) read(name string) string {
	b.t.Helper()
	data, err := os.ReadFile(b.path("place/out/data/data/" + name))
	assert.NilError(b.t, err)
	return string(data)
}

func newTarget() Target {
	return Target{Sources: []compose.Source{{Name: "data", Kind: compose.Bind, Path: "/srv/memory-system/data"}}}
}
