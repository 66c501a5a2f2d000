package backup

import (
	"context"
	"errors"
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
	"github.com/memsys/docker-memsys/internal/progress"
	"github.com/memsys/docker-memsys/internal/quiesce"
	"github.com/memsys/docker-memsys/internal/store"
)

// steps is a journal in memory.
type steps []string

func (s *steps) Step(name string, _ any) error {
	*s = append(*s, name)
	return nil
}

// noGuard stands for the guardian process where the test's own process cannot die.
type noGuard struct{}

func (noGuard) Watch(context.Context, []quiesce.Item, time.Duration) (quiesce.Watch, error) {
	return noGuard{}, nil
}
func (noGuard) Done()    {}
func (noGuard) Abandon() {}

// bed is a project of one source on disk, a backups directory and a fake engine.
type bed struct {
	data   string
	dir    *store.Dir
	engine *enginetest.Engine
	steps  steps
	req    Request
	now    time.Time
}

func newBed(t *testing.T) *bed {
	t.Helper()
	root := t.TempDir()
	b := &bed{
		data: filepath.Join(root, "data"), dir: store.Open(filepath.Join(root, "backups")),
		now: time.Date(2026, 11, 20, 2, 0, 0, 0, time.UTC),
	}
	b.engine = enginetest.New(func() time.Time { return b.now })
	b.dir.Location = time.UTC
	b.write(t, "memories/a.json", `{"id":"a"}`)
	b.write(t, "memories/b.json", `{"id":"b"}`)
	b.write(t, "server.log", "noise")
	b.req = Request{
		Side:    crossing{},
		Project: archive.Project{Name: "notes", WorkingDir: root},
		Sources: []compose.Source{{Name: "data", Kind: compose.Bind, Path: b.data, Mounts: []compose.Mount{{Service: "app", Target: "/app/data"}}}},
		Locate:  func(_ context.Context, s compose.Source) (string, error) { return s.Path, nil },
		Quiesce: quiesce.Pause, HoldLimit: time.Minute, Reason: "manual", Tool: "test",
	}
	return b
}

func (b *bed) write(t *testing.T, name, content string) {
	t.Helper()
	path := filepath.Join(b.data, name)
	assert.NilError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	assert.NilError(t, os.WriteFile(path, []byte(content), 0o644))
}

// service adds a running container that mounts the data, and returns its id.
func (b *bed) service(name string, readOnly bool) string {
	return b.engine.Add(engine.Container{
		Name: name + "-1", Service: name, State: engine.Running,
		Mounts: []engine.Mount{{Type: "bind", Source: b.data, Destination: "/app/data", ReadOnly: readOnly}},
	})
}

func (b *bed) runner() Runner {
	clock := func() time.Time { return b.now }
	q := &quiesce.Quiescer{Engine: b.engine, Journal: &b.steps, Guard: noGuard{}, Now: clock, Limit: time.Minute, Sink: progress.Discard}
	id := 0
	return Runner{Clock: clock, Journal: &b.steps, Quiescer: q, Progress: progress.Discard, NewID: func() (string, error) {
		id++
		return strings.Repeat("0", 31) + string(rune('0'+id)), nil
	}}
}

func (b *bed) backup(t *testing.T) (*Result, error) {
	t.Helper()
	plan, err := Prepare(t.Context(), b.dir, b.req)
	if err != nil {
		return nil, err
	}
	run := b.runner()
	return run.Run(t.Context(), plan)
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	assert.NilError(t, err)
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func TestABackupCountsWithItsSums(t *testing.T) {
	b := newBed(t)
	res, err := b.backup(t)
	assert.NilError(t, err)
	assert.Assert(t, res.Complete)
	assert.Equal(t, res.Files, int64(2))
	const name = "memory_backup_20261120_020000.tar.gz"
	assert.DeepEqual(t, names(t, b.dir.Path), []string{"latest_backup.txt", name, name + ".json", name + ".md5", name + ".sha256"})
	latest, err := b.dir.Find(t.Context(), store.Latest)
	assert.NilError(t, err)
	assert.Equal(t, latest.State, store.Verified)
	m, err := store.ReadManifest(latest.Path)
	assert.NilError(t, err)
	assert.Equal(t, m.Exclusions[0].Rule, "*.log")
	assert.Equal(t, m.Exclusions[0].Count, int64(1))
}

func TestTwoBackupsOfOneSecondHaveTwoNames(t *testing.T) {
	b := newBed(t)
	first, err := b.backup(t)
	assert.NilError(t, err)
	second, err := b.backup(t)
	assert.NilError(t, err)
	assert.Equal(t, second.Name, "memory_backup_20261120_020000_2.tar.gz")
	assert.Equal(t, second.Backup.Sequence, first.Backup.Sequence+1)
}

func TestWritersArePausedAndLetGo(t *testing.T) {
	b := newBed(t)
	writer := b.service("app", false)
	b.service("reader", true)
	var err error
	b.req.Containers, err = b.engine.Containers(t.Context(), engine.Filter{})
	assert.NilError(t, err)
	res, err := b.backup(t)
	assert.NilError(t, err)
	m, err := store.ReadManifest(res.Path)
	assert.NilError(t, err)
	assert.DeepEqual(t, m.Quiesce.Services, []string{"app"})
	assert.Equal(t, b.engine.State(writer), engine.Running)
}

func TestAFailedBackupLeavesNothingAndResumes(t *testing.T) {
	b := newBed(t)
	writer := b.service("app", false)
	var err error
	b.req.Containers, err = b.engine.Containers(t.Context(), engine.Filter{})
	assert.NilError(t, err)
	plan, err := Prepare(t.Context(), b.dir, b.req)
	assert.NilError(t, err)
	run := b.runner()
	ctx, cancel := context.WithCancel(t.Context())
	run.Progress = progress.Func(func(e progress.Event) {
		if e.Step == "write" {
			cancel()
		}
	})
	_, err = run.Run(ctx, plan)
	assert.Assert(t, errors.Is(err, context.Canceled), "%v", err)
	assert.Equal(t, len(names(t, b.dir.Path)), 0)
	assert.Equal(t, b.engine.State(writer), engine.Running)
}

func TestAMissingSourceMakesTheBackupIncomplete(t *testing.T) {
	b := newBed(t)
	good, err := b.backup(t)
	assert.NilError(t, err)
	b.now = b.now.Add(time.Hour)
	b.req.Sources = append(b.req.Sources, compose.Source{Name: "gone", Kind: compose.Bind, Path: b.data + "-gone"})
	res, err := b.backup(t)
	assert.NilError(t, err)
	assert.Assert(t, !res.Complete)
	assert.Equal(t, res.Missing[0].Name, "gone")
	assert.Equal(t, res.Backup.State, store.Incomplete)
	latest, err := b.dir.Find(t.Context(), store.Latest)
	assert.NilError(t, err)
	assert.Equal(t, latest.Name, good.Name)
}

func TestNothingToReadIsAnErrorAndNoArchive(t *testing.T) {
	b := newBed(t)
	b.req.Sources[0].Path += "-gone"
	_, err := b.backup(t)
	assert.Assert(t, errors.Is(err, ErrNothing))
	_, err = os.Stat(b.dir.Path)
	assert.Assert(t, errors.Is(err, os.ErrNotExist))
}

func TestTheBackupsDirectoryInsideASourceIsLeftOut(t *testing.T) {
	b := newBed(t)
	b.dir.Path = filepath.Join(b.data, "deep", "backups")
	_, err := b.backup(t)
	assert.NilError(t, err)
	b.now = b.now.Add(time.Hour)
	res, err := b.backup(t)
	assert.NilError(t, err)
	assert.Equal(t, res.Files, int64(2))
	m, err := store.ReadManifest(res.Path)
	assert.NilError(t, err)
	var paths []string
	for _, x := range m.Exclusions {
		paths = append(paths, x.Paths...)
	}
	assert.DeepEqual(t, paths, []string{"deep/backups"})
}

func TestASourceInsideAnotherIsStoredOnce(t *testing.T) {
	b := newBed(t)
	b.req.Sources = append(b.req.Sources, compose.Source{Name: "memories", Kind: compose.Bind, Path: filepath.Join(b.data, "memories")})
	b.write(t, "top.json", "{}")
	res, err := b.backup(t)
	assert.NilError(t, err)
	assert.Equal(t, res.Files, int64(3))
}

func TestABackupOfSomeServicesIsNotLatest(t *testing.T) {
	b := newBed(t)
	b.req.Only = []string{"app"}
	_, err := b.backup(t)
	assert.NilError(t, err)
	_, err = b.dir.Find(t.Context(), store.Latest)
	var none *store.NotFoundError
	assert.Assert(t, errors.As(err, &none), "%v", err)
}

func TestAnInterruptedBackupIsCleanedUpFromItsJournal(t *testing.T) {
	b := newBed(t)
	path, err := b.dir.TemporaryPath(b.now)
	assert.NilError(t, err)
	assert.NilError(t, b.dir.Ensure())
	assert.NilError(t, os.WriteFile(path, []byte("half"), 0o600))
	unfinished, err := Unfinished(journalSteps(t, StepTemporary, path))
	assert.NilError(t, err)
	assert.DeepEqual(t, unfinished, []string{path})
	removed, err := Recover(journalSteps(t, StepTemporary, path))
	assert.NilError(t, err)
	assert.DeepEqual(t, removed, []string{path})
	unfinished, err = Unfinished(journalSteps(t, StepTemporary, path))
	assert.NilError(t, err)
	assert.Equal(t, len(unfinished), 0)
	half := filepath.Join(filepath.Dir(path), ".latest_backup.txt.tmp-1")
	assert.NilError(t, os.WriteFile(half, nil, 0o600))
	removed, err = Recover(journalSteps(t, StepPublish, path))
	assert.NilError(t, err)
	assert.Equal(t, len(removed), 0)
	_, err = os.Lstat(half)
	assert.ErrorIs(t, err, os.ErrNotExist)
	_, err = Recover(journalSteps(t, StepTemporary, filepath.Join(b.data, "memories/a.json")))
	assert.ErrorContains(t, err, "which it is not")
}
