package backup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/store"
)

// write holds the services still, reads all sources, lets the services go, looks at what was copied, and completes the archive on the disk.
func (r *Runner) write(ctx context.Context, p *Plan, pending *store.Pending, res *Result) (*archive.Manifest, error) {
	start := r.Clock()
	log := &heldLog{}
	t, err := r.take(ctx, p, pending, start, log)
	if err != nil {
		return nil, err
	}
	m := t.manifest
	res.Seconds.Inspect = log.inspected
	res.Validation, res.Known = m.Validation, p.stillThere(m.Validation)
	res.Seconds.Held, res.Seconds.Longest, res.Tries, res.Held = m.Quiesce.Seconds, m.Quiesce.Longest, m.Quiesce.Tries, m.Quiesce.Held
	files := projectFiles(p.req.Files, m)
	m.Complete = complete(m)
	if m, err = t.Complete(ctx, Completion{Files: files, Manifest: m}); err != nil {
		return nil, err
	}
	res.Seconds.Write = r.since(start)
	return m, nil
}

// complete tells whether all that belongs into the backup is in it. A file that vanished before it was read was no
// longer there to be kept; it is recorded, yet nothing is missing.
func complete(m *archive.Manifest) bool {
	for _, s := range m.Sources {
		if s.Missing != "" {
			return false
		}
	}
	return !slices.ContainsFunc(m.Problems, func(p archive.Problem) bool { return p.Kind != problemVanished })
}

// copySources reads every source while the services that write are held still. They are let go on every way out.
func (r *Runner) copySources(ctx context.Context, p *Plan, path string, m *archive.Manifest, log *heldLog) (Reading, error) {
	still, err := r.settle(ctx, p, log)
	if err != nil {
		return nil, err
	}
	reading, err := r.read(ctx, p, path, m)
	var restless []archive.Problem
	if err == nil {
		restless = r.restless(ctx, p)
	}
	if err = errors.Join(err, r.letGo(ctx, still.held, log)); err != nil {
		if reading != nil {
			err = errors.Join(err, reading.Abort())
		}
		return nil, err
	}
	m.Quiesce = log.quiesce(still.plan)
	still.judge(p, m)
	if still.held.Expired() {
		m.Problems = append(m.Problems, archive.Problem{
			Kind: problemHold, Error: fmt.Sprintf("the services were let go after %s, before all was read: raise quiesce-limit", p.req.HoldLimit),
		})
		return reading, nil
	}
	m.Problems = append(m.Problems, restless...)
	for _, it := range still.held.Stopped() {
		m.Problems = append(m.Problems, archive.Problem{Kind: problemHold, Error: "service " + it.Label() + " was stopped or removed while it was paused: it may have written on its way"})
	}
	return reading, nil
}

// read copies the sources into the archive and notes in the manifest what was found.
func (r *Runner) read(ctx context.Context, p *Plan, path string, m *archive.Manifest) (Reading, error) {
	reading, err := p.side.Read(ctx, ReadRequest{Archive: path, Places: p.places(), Exclusions: p.exclusions(), Bytes: p.Bytes}, r.Progress)
	if err != nil {
		return nil, err
	}
	copied := reading.Copied()
	for i, root := range copied.Roots {
		s := &m.Sources[i]
		s.Mode, s.UID, s.GID, s.SingleFile = root.Mode, root.UID, root.GID, root.SingleFile
	}
	m.Exclusions = append(m.Exclusions, copied.Exclusions...)
	m.Problems = append(m.Problems, copied.Problems...)
	return reading, nil
}

// projectFiles reads the project's own files. A missing optional one is not a problem: it was not there.
func projectFiles(files []compose.File, m *archive.Manifest) []File {
	var out []File
	for _, f := range files {
		name := projectName(m.Project.WorkingDir, f.Path)
		data, mod, err := readWhole(f.Path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			m.Problems = append(m.Problems, archive.Problem{Source: "project", Path: f.Path, Kind: problemUnreadable, Error: err.Error()})
			continue
		}
		out = append(out, File{Name: name, Modified: mod, Data: data})
		m.Project.Files = append(m.Project.Files, archive.ProjectFile{Name: name, Path: f.Path, Secret: f.Kind == compose.SecretFile})
	}
	return out
}

func readWhole(path string) ([]byte, time.Time, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, time.Time{}, err
	}
	data, err := os.ReadFile(path)
	return data, info.ModTime(), err
}
