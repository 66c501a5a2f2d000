package foreign

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/progress"
	"github.com/memsys/docker-memsys/internal/store"
)

// Runner makes archives of ours from foreign ones. Every file that it writes is on record before it exists.
type Runner struct {
	Clock func() time.Time
	// Temporary puts a path on record that is removed after a crash, Publishing one that is being given its name.
	Temporary, Publishing func(path string) error
	Progress              progress.Sink
	NewID                 func() (string, error)
	// Free is what is free on the file system of a path.
	Free func(path string) (int64, error)
	// Owner is who gets what the format does not say the owner of, in a source; seen is false where whose that is cannot be told.
	Owner func(source string) (uid, gid int, seen bool)
}

// Job is one archive to take over.
type Job struct {
	Name     string // of the foreign file
	Contents *Contents
	Mapping  *Mapping
	Project  archive.Project
	Services []archive.Service
	Sequence int64
	Note     string
	Tool     string
}

// NoSpaceError says that a folder has not the room that taking over an archive needs.
type NoSpaceError struct {
	Dir        string
	Need, Free int64
}

func (e *NoSpaceError) Error() string {
	return fmt.Sprintf("no space in %s: taking the archive over needs about %s, %s is free", e.Dir, progress.Size(e.Need), progress.Size(e.Free))
}

// spare is what is left free beside the files that are written.
const spare = 16 << 20

// room checks that spool and archive have room. Both are no larger than the contents, and a little for each entry.
func (r *Runner) room(dir string, c *Contents) error {
	need := 2*c.Unpacked + 1024*c.Entries + spare
	free, err := r.Free(dir)
	if err != nil {
		return fmt.Errorf("free space of %s: %w", dir, err)
	}
	if free < need {
		return &NoSpaceError{Dir: dir, Need: need, Free: free}
	}
	return nil
}

// Converted is an archive of ours that was made in a temporary file: verified, and without a name.
type Converted struct {
	Path     string
	Manifest *archive.Manifest
	Report   *archive.Report

	pending *store.Pending
	start   time.Time
}

// Convert makes a verified archive in a temporary file of dir. The caller ends it with Publish or Discard.
func (r *Runner) Convert(ctx context.Context, dir *store.Dir, j Job) (*Converted, error) {
	if err := r.room(dir.Path, j.Contents); err != nil {
		return nil, err
	}
	sum, err := j.Contents.sum(ctx)
	if err != nil {
		return nil, err
	}
	out := &Converted{start: r.Clock()}
	if out.Manifest, err = r.manifest(j, sum, out.start); err != nil {
		return nil, err
	}
	if out.pending, err = r.create(dir, out.start); err != nil {
		return nil, err
	}
	out.Path = out.pending.File.Name()
	if err := r.write(ctx, dir, j, out); err != nil {
		return nil, errors.Join(err, out.Discard())
	}
	if out.Report, err = r.prove(ctx, out.pending); err != nil {
		return nil, errors.Join(err, out.Discard())
	}
	return out, nil
}

// Publish gives the archive its name in its folder.
func (r *Runner) Publish(ctx context.Context, c *Converted) (store.Backup, error) {
	if err := r.Publishing(c.Path); err != nil {
		return store.Backup{}, err
	}
	return c.pending.Publish(ctx, c.start, c.Manifest, c.Report)
}

// Discard removes the archive, unless it was published.
func (c *Converted) Discard() error {
	if err := c.pending.Abort(); err != nil {
		return fmt.Errorf("remove temporary archive: %w", err)
	}
	return nil
}

// create makes a temporary file that is on record.
func (r *Runner) create(dir *store.Dir, now time.Time) (*store.Pending, error) {
	path, err := dir.TemporaryPath(now)
	if err != nil {
		return nil, err
	}
	if err := r.Temporary(path); err != nil {
		return nil, err
	}
	return dir.Create(path)
}

func (r *Runner) manifest(j Job, sum string, now time.Time) (*archive.Manifest, error) {
	id, err := r.NewID()
	if err != nil {
		return nil, fmt.Errorf("draw id: %w", err)
	}
	c := j.Contents
	return &archive.Manifest{
		Format: archive.FormatVersion, Tool: j.Tool, ID: id, Sequence: j.Sequence, Created: now, Reason: store.Import, Note: j.Note,
		Project: j.Project, Services: j.Services, Quiesce: archive.Quiesce{Mode: "none"},
		Origin: &archive.Origin{File: j.Name, Format: c.Format, Size: c.Size, SHA256: sum, Modified: c.Modified.UTC().Truncate(time.Second)},
	}, nil
}

// write writes the archive, by way of a spool beside it that is removed again.
func (r *Runner) write(ctx context.Context, dir *store.Dir, j Job, out *Converted) (err error) {
	spool, err := r.create(dir, out.start)
	if err != nil {
		return err
	}
	defer func() {
		if aborted := spool.Abort(); aborted != nil {
			err = errors.Join(err, fmt.Errorf("remove spool: %w", aborted))
		}
	}()
	w := archive.NewWriter(out.pending.File, archive.WriterOptions{OnBytes: r.count("write", j.Contents.Unpacked)})
	x := Conversion{Manifest: out.Manifest, Spool: spool.File, Owner: r.Owner}
	if err := j.Contents.Convert(ctx, j.Mapping, w, x); err != nil {
		return errors.Join(err, w.Abort())
	}
	if _, err := w.Close(ctx, out.Manifest); err != nil {
		return fmt.Errorf("complete archive: %w", err)
	}
	r.Progress.Report(progress.Event{Step: "write", Status: progress.Done, Done: j.Contents.Unpacked, Unit: progress.Bytes})
	return nil
}

// prove reads the archive back from the disk and checks every byte.
func (r *Runner) prove(ctx context.Context, p *store.Pending) (*archive.Report, error) {
	size, err := p.Flush()
	if err != nil {
		return nil, err
	}
	report, err := archive.Verify(ctx, p.File, size, archive.VerifyOptions{OnBytes: r.count("verify", size)})
	if err != nil {
		return nil, fmt.Errorf("read back archive: %w", err)
	}
	if len(report.Damage) > 0 {
		d := report.Damage[0]
		return nil, fmt.Errorf("the archive read back from the disk is damaged in %d places, first at byte %d (%s): %s", len(report.Damage), d.Offset, d.Path, d.Reason)
	}
	r.Progress.Report(progress.Event{Step: "verify", Status: progress.Done, Done: size, Unit: progress.Bytes})
	return report, nil
}

// count returns a function that reports bytes done of a step.
func (r *Runner) count(step string, total int64) func(int64) {
	return progress.Counter(r.Progress, progress.Event{Step: step, Total: total})
}

// sum is the SHA-256 of the foreign archive's file.
func (c *Contents) sum(ctx context.Context) (string, error) {
	h := sha256.New()
	m := &meter{ctx: ctx, limit: 1 << 62}
	if _, err := io.Copy(h, metered{io.NewSectionReader(c.source.file, 0, c.Size), m}); err != nil {
		return "", fmt.Errorf("read archive: %w", err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// Ours tells whether a file is an archive of docker memsys: there is nothing to take over then.
func Ours(f *os.File) (bool, error) {
	info, err := f.Stat()
	if err != nil {
		return false, err
	}
	_, err = archive.Open(f, info.Size())
	return !errors.Is(err, archive.ErrNotOurs), nil
}
