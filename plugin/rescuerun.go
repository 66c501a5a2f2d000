package plugin

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/memsys/docker-memsys/internal/backup"
	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/progress"
	"github.com/memsys/docker-memsys/internal/quiesce"
	"github.com/memsys/docker-memsys/internal/restore"
	"github.com/memsys/docker-memsys/internal/store"
)

// rescueLocked copies what is found, within the operation that has begun.
func (s *session) rescueLocked(ctx context.Context, named []string, opts rescueOptions) (res rescueResult, err error) {
	if res.Found, err = s.misplacedData(ctx, named, opts.to); err != nil {
		return res, err
	}
	work := slices.DeleteFunc(slices.Clone(res.Found), func(f finding) bool { return f.Why != "" || f.There })
	if err := unfit(res.Found, work, len(named) > 0); err != nil || len(work) == 0 {
		return res, err
	}
	s.app.pauseDisplay()
	if err := writeClean(s.app.err, res.text()); err != nil {
		return res, err
	}
	if err := s.app.confirm(ctx, "Stop these services and copy their data?", opts.yes); err != nil {
		return res, err
	}
	held, err := s.stopForRescue(ctx, work)
	if err != nil {
		return res, err
	}
	for i, f := range work {
		if err := s.carry(ctx, f, &res); err != nil {
			return res, errors.Join(fmt.Errorf("rescue %s: %w", f.name(), err), stays(work[:i]), held.Release(ctx))
		}
		res.Stopped = addOnce(res.Stopped, f.Service)
	}
	if err := errors.Join(held.HandOver(ctx), held.Leave()); err != nil { // else they stay stopped
		return res, errors.Join(err, stays(work), held.Release(ctx))
	}
	return res, nil
}

// stays says what was copied although something failed.
func stays(done []finding) error {
	var all []string
	for _, f := range done {
		all = append(all, f.name()+" into source "+f.Source)
	}
	if len(all) == 0 {
		return nil
	}
	return errors.New("copied, and there still: " + strings.Join(all, ", "))
}

// unfit says why nothing can be copied, or not all that was named.
func unfit(found, work []finding, named bool) error {
	goal := map[string]string{}
	for _, f := range work {
		into := f.Source + "/" + f.Path
		if other := goal[into]; other != "" {
			return &outcome{
				code: exitFailed, message: fmt.Sprintf("%s and %s of %s would both go into source %s; nothing was changed", other, f.Container, f.name(), f.Source),
				hint: "docker memsys rescue --to SOURCE/FOLDER " + f.Container + ":" + f.Folder + " puts one of them beside the other",
			}
		}
		goal[into] = f.Container
	}
	for _, f := range found {
		if f.Why != "" && (named || len(work) == 0) {
			return &outcome{code: exitFailed, message: fmt.Sprintf("%s cannot be rescued: %s; nothing was changed", f.name(), f.Why), hint: "docker memsys sources"}
		}
	}
	return nil
}

// stopForRescue stops the containers that the data is in: what they write later would be left behind.
func (s *session) stopForRescue(ctx context.Context, work []finding) (*quiesce.Held, error) {
	var ids []string
	for _, f := range work {
		ids = append(ids, f.container.ID)
	}
	q := s.quiescer()
	q.Guard, q.Limit = quiesce.Unguarded{}, 0
	return q.Hold(ctx, quiesce.NewPlan(quiesce.Stop, s.Containers, func(c engine.Container) bool { return slices.Contains(ids, c.ID) }))
}

// carry brings data into its source: out of the container as an archive, which becomes one of ours and is restored into the empty place.
func (s *session) carry(ctx context.Context, f finding, res *rescueResult) (err error) {
	dir, record := s.scratch(false)
	name, err := dir.TemporaryPath(s.app.world.Now())
	if err == nil {
		err = record(backup.StepTemporary, name)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, removeIfThere(name)) }()
	s.app.sink().Report(progress.Event{Step: "rescue", Object: f.name(), Status: progress.Working, Text: "copied out of container " + f.Container})
	if err := s.takeOut(ctx, f, name); err != nil {
		return err
	}
	from := foreignOptions{maps: []string{rescueFolder + "=" + f.Source}, noLimits: true}
	return s.readForeign(ctx, name, from, func(p *foreignPlan) (err error) {
		if err := p.refused(); err != nil {
			return err
		}
		c, err := s.importer(ctx, record).Convert(ctx, dir, s.foreignJob(ctx, p, ""))
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, c.Discard()) }()
		return s.putIn(ctx, f, c.Path, res)
	})
}

func removeIfThere(name string) error {
	if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// putIn restores the archive of the data into its source, whose place must be empty.
func (s *session) putIn(ctx context.Context, f finding, archive string, res *rescueResult) error {
	opts := restoreOptions{sources: []string{f.Source}, noSafetyBackup: true}
	if f.Path != "" {
		opts.paths = []string{f.Path, f.Path + "/**"}
	}
	own := store.Backup{Name: "the copy", Path: archive, Created: s.app.world.Now()}
	return s.planned(ctx, own, opts, func(p *planned) error {
		for _, t := range p.Targets {
			if taken := slices.Concat(t.Changes.Changed, t.Changes.Removed); len(taken) > 0 {
				return &outcome{
					code: exitFailed, message: fmt.Sprintf("source %s is not empty, it has %s; nothing was changed", f.Source, taken[0]),
					hint: "name a folder for it with --to " + f.Source + "/FOLDER, or empty the source",
				}
			}
		}
		if len(p.Refusals) > 0 {
			return &restore.RefusedError{Refusals: p.Refusals}
		}
		done, err := p.run(ctx)
		if err != nil {
			return err
		}
		res.Files, res.Bytes = res.Files+done.Entries, res.Bytes+done.Bytes
		if !done.Complete {
			res.Lacking = append(res.Lacking, lacking(done)...)
			return nil
		}
		s.noteRescued(ctx, f)
		return nil
	})
}

// rescueFolder is the folder of the archive in which all data stands.
const rescueFolder = "rescued"

// takeOut writes the data of a container into an archive.
func (s *session) takeOut(ctx context.Context, f finding, name string) error {
	in, err := s.Engine.CopyFrom(ctx, f.container.ID, f.Folder)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(filepath.Clean(name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	w := tar.NewWriter(out)
	err = f.filter(tar.NewReader(in), w)
	return errors.Join(err, w.Close(), out.Sync(), out.Close())
}

// filter copies the entries that are the data: not what the image has beside it, nor what is mounted below.
func (f finding) filter(in *tar.Reader, out *tar.Writer) error {
	top, wants := path.Base(f.Folder), f.wanted()
	for {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		rel, below := inFolder(top, h.Name)
		if !below || !wants(path.Join(f.Folder, rel)) {
			continue
		}
		h.Name = path.Join(rescueFolder, f.Path, rel)
		if h.Typeflag == tar.TypeDir {
			h.Name += "/"
		}
		if h.Typeflag == tar.TypeLink {
			target, below := inFolder(top, h.Linkname)
			if !below || !wants(path.Join(f.Folder, target)) {
				return fmt.Errorf("%s is a second name of %s, which is not part of the data", rel, h.Linkname)
			}
			h.Linkname = path.Join(rescueFolder, f.Path, target)
		}
		if err := out.WriteHeader(h); err != nil {
			return err
		}
		if _, err := io.Copy(out, in); err != nil {
			return err
		}
	}
}

// inFolder is a name of an archive below its top folder.
func inFolder(top, name string) (string, bool) {
	name = strings.TrimPrefix(path.Clean("/"+name), "/")
	if name == top {
		return ".", true
	}
	return strings.CutPrefix(name, top+"/")
}

// wanted tells the paths of the container that are part of the data, with the folders above them.
func (f finding) wanted() func(name string) bool {
	files := map[string]bool{}
	for _, name := range f.files {
		for ; shows(f.Folder, name) && !files[name]; name = path.Dir(name) {
			files[name] = true
		}
	}
	return func(name string) bool {
		for _, m := range f.container.Mounts {
			if at := path.Clean(m.Destination); at != f.Folder && shows(f.Folder, at) && shows(at, name) {
				return false
			}
		}
		return f.From == fromVolume || files[name]
	}
}
