package restore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/engine/enginetest"
	"github.com/memsys/docker-memsys/internal/inventory"
	"github.com/memsys/docker-memsys/internal/journal"
	"github.com/memsys/docker-memsys/internal/progress"
	"github.com/memsys/docker-memsys/internal/quiesce"
	"github.com/memsys/docker-memsys/internal/tree"
	"github.com/memsys/docker-memsys/internal/tree/treetest"
)

// bed is a project with sources on this machine, a fake engine and a journal.
type bed struct {
	t       *testing.T
	dir     string // all of the test's files
	state   string
	sources []compose.Source
	exclude []string
	engine  *enginetest.Engine
	saved   Saved
	saves   int
	undos   int
	// backupsIn is the backups directory where it is not beside the sources.
	backupsIn string
}

func now() time.Time { return time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC) }

func newBed(t *testing.T) *bed {
	t.Helper()
	dir := t.TempDir()
	b := &bed{t: t, dir: dir, state: filepath.Join(dir, "state"), engine: enginetest.New(now), saved: Saved{Name: "safety", Complete: true}}
	assert.NilError(t, os.MkdirAll(b.backups(), 0o700))
	return b
}

func (b *bed) backups() string {
	if b.backupsIn != "" {
		return b.backupsIn
	}
	return filepath.Join(b.dir, "backups")
}

func (b *bed) path(parts ...string) string {
	return filepath.Join(append([]string{b.dir}, parts...)...)
}

// source adds a bind source; its folder is named like it unless path is given.
func (b *bed) source(name string) string {
	path := b.path(name)
	b.sources = append(b.sources, compose.Source{
		Name: name, Kind: compose.Bind, Path: path, Mounts: []compose.Mount{{Service: "app", Target: "/" + name}},
	})
	return path
}

// app adds a running container that mounts the given paths.
func (b *bed) app(service string, paths ...string) string {
	c := engine.Container{Project: "notes", Service: service, Number: "1", Name: "notes-" + service + "-1"}
	for _, p := range paths {
		c.Mounts = append(c.Mounts, engine.Mount{Type: "bind", Source: p, Destination: "/data"})
	}
	return b.engine.Add(c)
}

func (b *bed) identity() archive.Project {
	return archive.Project{Name: "notes", WorkingDir: b.dir, EngineID: "fake-engine"}
}

// write makes files: name, content, name, content ...; a name that ends in a slash is a folder.
func write(t *testing.T, root string, files ...string) {
	t.Helper()
	for i := 0; i < len(files); i += 2 {
		path := filepath.Join(root, files[i])
		if strings.HasSuffix(files[i], "/") {
			assert.NilError(t, os.MkdirAll(path, 0o755))
			continue
		}
		assert.NilError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		assert.NilError(t, os.WriteFile(path, []byte(files[i+1]), 0o644))
	}
}

func read(t *testing.T, parts ...string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(parts...))
	assert.NilError(t, err)
	return string(data)
}

func gone(t *testing.T, parts ...string) {
	t.Helper()
	_, err := os.Lstat(filepath.Join(parts...))
	assert.Assert(t, errors.Is(err, os.ErrNotExist), "%s: %v", filepath.Join(parts...), err)
}

// backup writes an archive of all sources, as the backup operation does.
func (b *bed) backup(t *testing.T, change ...func(*archive.Manifest)) string {
	t.Helper()
	path := filepath.Join(b.backups(), "memory_backup_20261122_100000.tar.gz")
	b.backupAs(t, path, "0123456789abcdef0123456789abcdef", change...)
	return path
}

// backupAs is backup with the path and the id of the archive. What does not exist is missing in it.
func (b *bed) backupAs(t *testing.T, path, id string, change ...func(*archive.Manifest)) {
	t.Helper()
	assert.NilError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	f, err := os.Create(path)
	assert.NilError(t, err)
	defer f.Close()
	w := archive.NewWriter(f, archive.WriterOptions{})
	m := &archive.Manifest{Format: archive.FormatVersion, ID: id, Created: now(), Reason: "manual", Complete: true, Project: b.identity()}
	for _, s := range b.sources {
		if root, err := b.locate(t.Context(), s); err != nil || !exists(root) {
			m.Sources = append(m.Sources, archive.Source{Name: s.Name, Prefix: "data/" + s.Name, Kind: string(s.Kind), Missing: "it is not there"})
			continue
		}
		m.Sources = append(m.Sources, b.store(t, w, m, s))
	}
	for _, c := range change {
		c(m)
	}
	assert.NilError(t, w.AddBytes(t.Context(), "project/compose.yaml", 0o600, now(), []byte("services: {}\n")))
	_, err = w.Close(t.Context(), m)
	assert.NilError(t, err)
}

// safety makes a safety backup of the present state.
func (b *bed) safety() Saved {
	b.t.Helper()
	saved := b.saved
	if saved.Path == "" {
		b.saves++
		saved.Name = fmt.Sprintf("safety-%d.tar.gz", b.saves)
		saved.Path = b.path("safety", saved.Name)
		b.backupAs(b.t, saved.Path, fmt.Sprintf("%032d", b.saves))
	}
	return saved
}

func (b *bed) store(t *testing.T, w *archive.Writer, m *archive.Manifest, s compose.Source) archive.Source {
	t.Helper()
	out := archive.Source{Name: s.Name, Prefix: "data/" + s.Name, Kind: string(s.Kind), Path: s.Path}
	if s.Volume != nil {
		out.Volume = &archive.Volume{Key: s.Volume.Key, Name: s.Volume.Name, Driver: s.Volume.Driver, Options: s.Volume.Options, Labels: s.Volume.Labels}
	}
	for _, mount := range s.Mounts {
		out.Mounts = append(out.Mounts, archive.Mount(mount))
	}
	root := s.Path
	if root == "" {
		v, err := b.engine.Volume(t.Context(), s.Volume.Name)
		assert.NilError(t, err)
		root = v.Mountpoint
	}
	root = tree.Resolve(root)
	others := map[tree.Identity]string{}
	for _, path := range append([]string{b.backups()}, paths(b.sources)...) {
		if id, err := tree.Identify(path); err == nil && path != s.Path {
			others[id] = "elsewhere"
		}
	}
	rules, err := tree.NewRules(tree.RuleOptions{Patterns: b.exclude, Defaults: true, Exclude: others})
	assert.NilError(t, err)
	name := func(p string) string {
		if p == "." {
			return out.Prefix
		}
		return out.Prefix + "/" + p
	}
	o := tree.WalkOptions{Skip: rules.Skip(root), OnSkip: func(e *tree.Entry, rule string) {
		x := archive.Exclusion{Source: s.Name, Rule: rule, Count: 1}
		if rule == "elsewhere" {
			x.Paths = []string{e.Path}
		}
		m.Exclusions = append(m.Exclusions, x)
	}}
	err = tree.Walk(t.Context(), root, o, func(ctx context.Context, e *tree.Entry, open tree.Opener) error {
		if e.Path == "." {
			out.Mode, out.UID, out.GID, out.SingleFile = e.Mode, e.UID, e.GID, e.Kind == tree.File
		}
		c := *e
		if e.Kind == tree.Hardlink {
			c.Link = name(e.Link)
		}
		_, err := w.Add(ctx, name(e.Path), &c, open)
		return err
	})
	assert.NilError(t, err)
	return out
}

func paths(sources []compose.Source) []string {
	var out []string
	for _, s := range sources {
		if s.Path != "" {
			out = append(out, s.Path)
		}
	}
	return out
}

// request asks for a restore of everything.
func (b *bed) request(t *testing.T, path string) Request {
	t.Helper()
	containers, err := b.engine.Containers(t.Context(), engine.Filter{})
	assert.NilError(t, err)
	return Request{
		Backup: Backup{Name: filepath.Base(path), Path: path}, Project: b.identity(), Sources: b.sources, Containers: containers,
		Volumes: b.engine, Local: true, Backups: b.backups(), Exclude: b.exclude, Safety: true, ID: "test1",
		Locate: b.locate, Devices: true, Inspect: &inventory.Options{},
		Free: func(string) (int64, error) { return 1 << 40, nil },
	}
}

// locate is where a source lies, as the command tells it.
func (b *bed) locate(ctx context.Context, s compose.Source) (string, error) {
	if s.Path != "" {
		return s.Path, nil
	}
	v, err := b.engine.Volume(ctx, s.Volume.Name)
	if err != nil {
		return "", err
	}
	return v.Place()
}

func open(t *testing.T, path string) (*os.File, *archive.Reader) {
	t.Helper()
	f, r, err := openFile(path)
	assert.NilError(t, err)
	return f, r
}

// prepare plans with the archive at path open until the test ends.
func prepare(t *testing.T, req Request) (*Plan, error) {
	t.Helper()
	f, r := open(t, req.Backup.Path)
	t.Cleanup(func() { _ = f.Close() })
	return Prepare(t.Context(), r, crossed(t, req))
}

// openJournal opens the project's journal.
func (b *bed) openJournal(t *testing.T) *journal.Journal {
	t.Helper()
	s, err := journal.Open(b.state, "notes")
	assert.NilError(t, err)
	j, err := s.Journal(now)
	assert.NilError(t, err)
	t.Cleanup(func() { _ = j.Close() })
	return j
}

func (b *bed) runner(j Journal) *Runner {
	return &Runner{
		Clock: now, Journal: j, Progress: progress.Discard, Volumes: b.engine,
		Quiescer: &quiesce.Quiescer{Engine: b.engine, Journal: j, Guard: quiesce.Unguarded{}, Now: now, Sink: progress.Discard},
		Containers: func(ctx context.Context) ([]engine.Container, error) {
			return b.engine.Containers(ctx, engine.Filter{})
		},
		Safety: func(context.Context) (Saved, error) { return b.safety(), nil },
	}
}

// restore plans and runs.
func (b *bed) restore(t *testing.T, req Request) (*Result, error) {
	t.Helper()
	p, err := prepare(t, req)
	assert.NilError(t, err)
	j := b.openJournal(t)
	assert.NilError(t, j.Begin("restore", nil))
	return b.runner(j).Run(t.Context(), p)
}

// same fails the test where two trees differ.
func same(t *testing.T, want, got string) {
	t.Helper()
	assert.DeepEqual(t, treetest.Diff(want, got), []string(nil))
}

// clone copies a tree, for a later comparison, with our own walker and writer: both are proven by package tree.
func clone(t *testing.T, from, to string) {
	t.Helper()
	w, err := tree.NewWriter(to, tree.WriteOptions{Devices: true})
	assert.NilError(t, err)
	err = tree.Walk(t.Context(), from, tree.WalkOptions{}, func(ctx context.Context, e *tree.Entry, open tree.Opener) error {
		if e.Kind != tree.File {
			return w.Create(ctx, e)
		}
		full, r, err := open(ctx)
		if err != nil {
			return err
		}
		defer r.Close()
		out, err := w.File(full)
		if err != nil {
			return err
		}
		if err := copyTo(out, r, full.Size); err != nil {
			return err
		}
		return out.Close()
	})
	assert.NilError(t, err)
	problems, err := w.Finish(t.Context())
	assert.NilError(t, err)
	assert.Equal(t, len(problems), 0, fmt.Sprint(problems))
}

func copyTo(out tree.Content, r tree.Reader, size int64) error {
	buf := make([]byte, 1<<20)
	for at := int64(0); at < size; {
		n, err := r.Read(buf)
		if n > 0 {
			if _, err := out.WriteAt(buf[:n], at); err != nil {
				return err
			}
			at += int64(n)
		}
		if err != nil {
			return nil //nolint:nilerr // the end
		}
	}
	return nil
}

func openFile(path string) (*os.File, *archive.Reader, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	r, err := archive.Open(f, info.Size())
	return f, r, err
}

// byPathOnly locates no volumes, as without an engine.
func byPathOnly(_ context.Context, s compose.Source) (string, error) {
	if s.Path == "" {
		return "", errors.New("only the engine knows")
	}
	return s.Path, nil
}

// crossed is a request as it is once it went over a line to another process: JSON, and that one's own functions.
func crossed(t *testing.T, req Request) Request {
	t.Helper()
	raw, err := json.Marshal(req)
	assert.NilError(t, err)
	var out Request
	assert.NilError(t, json.Unmarshal(raw, &out))
	out.Volumes, out.Locate, out.Free = req.Volumes, req.Locate, req.Free
	return out
}
