package backup

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/progress"
	"github.com/memsys/docker-memsys/internal/quiesce"
	"github.com/memsys/docker-memsys/internal/store"
	"github.com/memsys/docker-memsys/internal/tree"
)

func TestBytesThatChangeOnTheDiskMakeNoBackup(t *testing.T) {
	b := newBed(t)
	plan, err := Prepare(t.Context(), b.dir, b.req)
	assert.NilError(t, err)
	run := b.runner()
	run.Progress = progress.Func(func(e progress.Event) {
		if e.Step != "write" || e.Status != progress.Done {
			return
		}
		entries, err := os.ReadDir(b.dir.Path)
		assert.NilError(t, err)
		assert.Equal(t, len(entries), 1)
		path := filepath.Join(b.dir.Path, entries[0].Name())
		data, err := os.ReadFile(path)
		assert.NilError(t, err)
		data[len(data)/2] ^= 1
		assert.NilError(t, os.WriteFile(path, data, 0o600))
	})
	_, err = run.Run(t.Context(), plan)
	var damaged *DamagedError
	assert.Assert(t, errors.As(err, &damaged), "%v", err)
	assert.Equal(t, len(names(t, b.dir.Path)), 0)
}

// slow holds services, and then time passes.
type slow struct {
	Quiescer
	pass func()
}

func (s slow) Hold(ctx context.Context, p quiesce.Plan) (*quiesce.Held, error) {
	held, err := s.Quiescer.Hold(ctx, p)
	s.pass()
	return held, err
}

func TestAHoldThatEndedByItsLimitMakesTheBackupIncomplete(t *testing.T) {
	b := newBed(t)
	b.service("app", false)
	b.containers(t)
	plan, err := Prepare(t.Context(), b.dir, b.req)
	assert.NilError(t, err)
	run := b.runner()
	run.Quiescer = slow{run.Quiescer, func() { b.now = b.now.Add(2 * time.Minute) }}
	res, err := run.Run(t.Context(), plan)
	assert.NilError(t, err)
	assert.Equal(t, res.Backup.State, store.Incomplete)
	assert.Equal(t, res.Problems[0].Kind, problemHold)
}

// unreleased is a journal that cannot say that services were let go.
type unreleased struct{ steps }

func (u *unreleased) Step(name string, data any) error {
	if name == "quiesce.released" {
		return errors.New("disk error")
	}
	return u.steps.Step(name, data)
}

func TestServicesThatMayNotRunMakeNoBackup(t *testing.T) {
	b := newBed(t)
	b.service("app", false)
	b.containers(t)
	plan, err := Prepare(t.Context(), b.dir, b.req)
	assert.NilError(t, err)
	run := b.runner()
	q := *run.Quiescer.(*quiesce.Quiescer)
	q.Journal = &unreleased{}
	run.Quiescer = &q
	_, err = run.Run(t.Context(), plan)
	assert.ErrorContains(t, err, "let services go")
	assert.Equal(t, len(names(t, b.dir.Path)), 0)
}

// restlessFile is a file whose state changes whenever it is looked at.
type restlessFile struct{ *strings.Reader }

func (restlessFile) Changed() (bool, error) { return true, nil }
func (restlessFile) Close() error           { return nil }

// TestWhatIsNotAsItWasMakesTheBackupIncomplete: torn or unread files are on record, those that vanished leave it complete.
func TestWhatIsNotAsItWasMakesTheBackupIncomplete(t *testing.T) {
	file := &tree.Entry{Path: "f", Kind: tree.File, Mode: 0o644, Links: 2}
	failing := func(err error) tree.Opener {
		return func(context.Context) (*tree.Entry, tree.Reader, error) { return nil, nil, err }
	}
	for kind, open := range map[string]tree.Opener{
		problemChanged: func(context.Context) (*tree.Entry, tree.Reader, error) {
			e := *file
			e.Size = 1
			return &e, restlessFile{strings.NewReader("x")}, nil
		},
		problemUnreadable: failing(syscall.EIO),
		problemVanished:   failing(os.ErrNotExist),
	} {
		t.Run(kind, func(t *testing.T) {
			m := &archive.Manifest{Format: archive.FormatVersion, ID: strings.Repeat("0", 32), Sources: []archive.Source{{Name: "data", Prefix: "data/data"}}}
			out, err := os.Create(filepath.Join(t.TempDir(), "archive"))
			assert.NilError(t, err)
			defer out.Close()
			r := &reading{file: out, writer: archive.NewWriter(out, archive.WriterOptions{}), sink: progress.Discard}
			c := &copier{reading: r, place: Place{Name: "data"}, lost: map[string]bool{}}
			assert.NilError(t, c.add(t.Context(), &tree.Entry{Path: ".", Kind: tree.Dir, Mode: 0o755}, nil))
			assert.NilError(t, c.add(t.Context(), file, open))
			m.Problems = r.copied.Problems
			assert.Equal(t, m.Problems[0].Kind, kind)
			assert.Equal(t, complete(m), kind == problemVanished)
			// A second name whose content is not in the archive is no link to nothing, which no read-back would let pass.
			assert.NilError(t, c.add(t.Context(), &tree.Entry{Path: "g", Kind: tree.Hardlink, Link: "f"}, nil))
			m.Problems = r.copied.Problems
			assert.Assert(t, !complete(m))
			_, err = r.writer.Close(t.Context(), m)
			assert.NilError(t, err)
			info, err := out.Stat()
			assert.NilError(t, err)
			report, err := archive.Verify(t.Context(), out, info.Size(), archive.VerifyOptions{})
			assert.NilError(t, err)
			assert.Equal(t, len(report.Damage), 0, "%v", report.Damage)
		})
	}
}

func TestAnArchiveThatIsNotOnRecordIsNotBegun(t *testing.T) {
	b := newBed(t)
	assert.NilError(t, b.dir.Ensure())
	plan, err := Prepare(t.Context(), b.dir, b.req)
	assert.NilError(t, err)
	run := b.runner()
	run.Journal = watchful(func(name string) error {
		if name == StepTemporary {
			assert.Equal(t, len(names(t, b.dir.Path)), 0)
			return errors.New("disk error")
		}
		return nil
	})
	_, err = run.Run(t.Context(), plan)
	assert.ErrorContains(t, err, "disk error")
	assert.Equal(t, len(names(t, b.dir.Path)), 0)
}

// watchful is a journal that looks at every step.
type watchful func(name string) error

func (w watchful) Step(name string, _ any) error { return w(name) }

func TestAFileThatTookTheArchivesPlaceIsNotWritten(t *testing.T) {
	dir := t.TempDir()
	other, archive := filepath.Join(dir, "other"), filepath.Join(dir, "archive")
	assert.NilError(t, os.WriteFile(other, []byte("mine"), 0o600))
	assert.NilError(t, os.Symlink(other, archive))
	_, err := Local{}.Read(t.Context(), ReadRequest{Archive: archive}, progress.Discard)
	assert.ErrorContains(t, err, "is not the file that was made there")
	data, err := os.ReadFile(other)
	assert.NilError(t, err)
	assert.Equal(t, string(data), "mine")
}
