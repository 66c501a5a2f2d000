package plugin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/backup"
	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/helper"
	"github.com/memsys/docker-memsys/internal/inventory"
	"github.com/memsys/docker-memsys/internal/journal"
	"github.com/memsys/docker-memsys/internal/progress"
	"github.com/memsys/docker-memsys/internal/restore"
	"github.com/memsys/docker-memsys/internal/tree"
)

// process is a helper at work, as helper.Process is.
type process interface {
	Call(ctx context.Context, method string, params, result any) error
	Fetch(ctx context.Context, path string, w io.Writer, onBytes func(int64)) error
	Send(ctx context.Context, path string, r io.Reader, size int64, onBytes func(int64)) error
	Close(ctx context.Context) error
}

// far is the helper of a session.
type far struct {
	process
	session *session
	access  access
	// scratch is the folder for archives in the helper where it does not see the backups directory; empty where it does.
	scratch string
	// backups is the backups directory as the helper sees it, empty where it does not.
	backups string

	// answering is held while the helper is answered: what it has asked for is done before anything is put in order after its end.
	answering sync.RWMutex
	ended     bool
	left      leaving

	mu   sync.Mutex
	sink progress.Sink
	// records takes the records of the inspection that runs.
	records func(inventory.Record)
	// expected tells the entries of the backup that the comparison that runs is with.
	expected func() (tree.Expected, error, bool)
	// safety makes the safety backup of the restore that runs.
	safety func(ctx context.Context) (restore.Saved, error)
	// saved is the safety backup in the scratch volume: the restore looks into it once more.
	saved string
	// made are volumes made for the restore that runs: to it they do not exist yet. A helper that has one mounted cannot have it
	// removed, so that is done when it is gone, and only then nothing is left to do.
	made map[string]engine.Volume
	// sent are archives that the helper sees, with the paths that they have there.
	sent map[string]string
	// remove are volumes to be removed when the helper is gone.
	remove []string
}

// startHelper starts a helper that sees the sources and, where it can, the backups directory.
func (s *session) startHelper(ctx context.Context, a access, extra ...helper.Mount) (*far, error) {
	f := &far{session: s, access: a, sink: s.app.sink(), made: map[string]engine.Volume{}, sent: map[string]string{}}
	mounts := tidy(append(s.mounts(ctx), extra...), a == reads)
	if !s.ours() || s.apart {
		f.scratch = helper.Scratch
	}
	if info, err := os.Stat(s.Store.Path); s.ours() && err == nil && info.IsDir() {
		f.backups = tree.Resolve(s.Store.Path)
		if f.scratch == "" {
			mounts = tidy(append(mounts, helper.Mount{Path: f.backups, Target: f.backups}), false)
		}
	}
	for _, archive := range s.restoring {
		dir := filepath.Dir(tree.Resolve(archive))
		if f.scratch == "" && dir != f.backups {
			mounts = tidy(append(mounts, helper.Mount{Path: dir, Target: dir, ReadOnly: true}), false)
		}
	}
	start := s.app.world.Helper
	if start == nil {
		start = startContainer
	}
	for {
		var err error
		f.process, err = start(ctx, s.Engine.Client, s.helperSpec(f, mounts), f.handlers())
		if err == nil {
			f.left.begin(ctx, f)
			return f, nil
		}
		at := absentBind(err)
		if at == "" || path.Dir(at) == at || !slices.ContainsFunc(mounts, func(m helper.Mount) bool { return m.Path == at }) {
			return nil, err
		}
		mounts = tidy(instead(mounts, at, a), false)
	}
}

// startContainer starts a real helper.
func startContainer(ctx context.Context, e *engine.Client, spec helper.Spec, h map[string]helper.Handler) (process, error) {
	p, err := helper.Start(ctx, e, spec, h)
	if err != nil {
		return nil, err
	}
	return p, nil
}

func (s *session) helperSpec(f *far, mounts []helper.Mount) helper.Spec {
	return helper.Spec{
		Key: s.key(), Project: s.Name, Reader: s.reader(), Version: buildVersion().Version, Mounts: mounts, Scratch: f.scratch != "",
		Writes: f.access == writes, Devices: f.access == writes && s.devices, Codecs: codecs(),
		Executable: helper.Finder{Named: s.app.env(helper.BinaryVariable)}.Find,
	}
}

// key names the project in labels.
func (s *session) key() string { return journal.Key(s.identity()) }

// close ends the helper, and removes the volumes that could not be removed while it had them mounted.
func (f *far) close(ctx context.Context) error {
	if err := f.left.end(ctx); err != nil {
		return err
	}
	f.answering.Lock()
	f.ended = true
	f.answering.Unlock()
	f.mu.Lock()
	names := f.remove
	f.remove = nil
	f.mu.Unlock()
	var errs []error
	for _, name := range names {
		if err := f.session.Engine.RemoveVolume(ctx, name); err != nil && !errors.Is(err, engine.ErrNotFound) {
			errs = append(errs, fmt.Errorf("remove volume %s, which the restore has made: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

// handlers answer what the helper asks.
func (f *far) handlers() map[string]helper.Handler {
	e := f.session.Engine
	all := map[string]helper.Handler{
		askStep:     acts(f.step),
		askSafety:   on(func(ctx context.Context, _ nothing) (restore.Saved, error) { return f.safety(ctx) }),
		askSafetyAt: on(f.safetyAt),
		askKeep:     acts(f.keep),
		askForget:   acts(f.forget),
		askContainers: on(func(ctx context.Context, c engine.Filter) ([]engine.Container, error) {
			return f.session.others(e.Containers(ctx, c))
		}),
		askContainer: on(func(ctx context.Context, c nameCall) (engine.Container, error) { return e.Container(ctx, c.Name) }),
		askPause:     acts(func(ctx context.Context, c nameCall) error { return e.Pause(ctx, c.Name) }),
		askUnpause:   acts(func(ctx context.Context, c nameCall) error { return e.Unpause(ctx, c.Name) }),
		askStop: acts(func(ctx context.Context, c nameCall) error {
			return e.Stop(ctx, c.Name, time.Duration(c.Seconds*float64(time.Second)))
		}),
		askStart:        acts(func(ctx context.Context, c nameCall) error { return e.Start(ctx, c.Name) }),
		askPreStop:      acts(f.session.lifecycle().PreStop),
		askPostStart:    acts(f.session.lifecycle().PostStart),
		askVolume:       on(f.volume),
		askMakeVolume:   on(f.makeVolume),
		askRemoveVolume: acts(f.removeVolume),
		askRecords:      acts(f.takeRecords),
		askExpected:     on(f.nextExpected),
	}
	for method, h := range all {
		all[method] = f.answer(h)
	}
	all[tellProgress] = acts(f.report)
	return all
}

// answer answers nothing after the helper's end.
func (f *far) answer(h helper.Handler) helper.Handler {
	return func(ctx context.Context, raw json.RawMessage) (any, error) {
		f.left.heard()
		f.answering.RLock()
		defer f.answering.RUnlock()
		if f.ended {
			return nil, helper.ErrGone
		}
		return h(ctx, raw)
	}
}

func (f *far) report(_ context.Context, e progress.Event) error {
	f.left.heard()
	f.mu.Lock()
	sink := f.sink
	f.mu.Unlock()
	sink.Report(e)
	return nil
}

// safetyAt tells where the helper sees the safety backup.
func (f *far) safetyAt(_ context.Context, c pathCall) (pathCall, error) {
	if f.scratch == "" {
		return pathCall{f.session.bind(c.Path).Path}, nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return pathCall{f.saved}, nil
}

// keep keeps how the restore that runs is undone. The helper knows the archive by another path.
func (f *far) keep(_ context.Context, rec restore.Record) error {
	keep := f.session.restorer().Keep
	if keep == nil {
		return nil
	}
	f.mu.Lock()
	for here, there := range f.sent {
		if rec.Backup.Path == there {
			rec.Backup.Path = here
		}
	}
	f.mu.Unlock()
	return keep(rec)
}

func (f *far) forget(_ context.Context, c nameCall) error {
	if forget := f.session.restorer().Forget; forget != nil {
		return forget(c.Name)
	}
	return nil
}

// step puts a step of the helper's on record. That nothing is left to do it cannot know where volumes may have to be removed.
func (f *far) step(_ context.Context, c stepCall) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if restore.IsDone(c.Name) && len(f.made) > 0 {
		return nil
	}
	return f.session.journal.Step(c.Name, c.Data)
}

func (f *far) volume(ctx context.Context, c nameCall) (engine.Volume, error) {
	f.mu.Lock()
	_, made := f.made[c.Name]
	f.mu.Unlock()
	if made {
		return engine.Volume{}, fmt.Errorf("volume %s: %w", c.Name, engine.ErrNotFound)
	}
	return f.session.Engine.Volume(ctx, c.Name)
}

func (f *far) makeVolume(_ context.Context, v engine.Volume) (engine.Volume, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	made, ok := f.made[v.Name]
	if !ok {
		return v, fmt.Errorf("volume %s was there when the restore began, and is gone", v.Name)
	}
	return made, nil
}

func (f *far) removeVolume(_ context.Context, c nameCall) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.remove = append(f.remove, c.Name)
	return nil
}

// farSide reads the sources' files through a helper.
type farSide struct{ *far }

var _ backup.Side = farSide{}

// Look implements backup.Side.
func (f farSide) Look(ctx context.Context, req backup.LookRequest) (*backup.Looked, error) {
	req.Scratch, req.Exclusions.Backups = f.scratch, f.backups
	out := &backup.Looked{}
	return out, f.Call(ctx, callLook, req, out)
}

// Restless implements backup.Side.
func (f farSide) Restless(ctx context.Context, req backup.RestlessRequest) (out []archive.Problem, err error) {
	req.Exclusions.Backups = f.backups
	return out, f.Call(ctx, callRestless, req, &out)
}

// Read implements backup.Side.
func (f farSide) Read(ctx context.Context, req backup.ReadRequest, sink progress.Sink) (backup.Reading, error) {
	r := &farReading{far: f.far, archive: req.Archive}
	c := readCall{ReadRequest: req, Make: f.scratch != ""}
	c.Exclusions.Backups = f.backups
	dir := f.backups
	if f.scratch != "" {
		dir = f.scratch
	}
	c.Archive = path.Join(dir, filepath.Base(req.Archive))
	r.there = c.Archive
	f.mu.Lock()
	f.sink = sink
	f.mu.Unlock()
	return r, f.Call(ctx, callRead, c, &r.reply)
}

// farReading is an archive that a helper writes.
type farReading struct {
	*far
	archive string // on this machine
	there   string // where the helper writes it
	reply   readReply
}

// Copied implements backup.Reading.
func (r *farReading) Copied() backup.Copied { return r.reply.Copied }

// Inspect implements backup.Reading.
func (r *farReading) Inspect(ctx context.Context, o inventory.Options) (out []inventory.Report, err error) {
	return out, r.Call(ctx, callProve, proveCall{r.reply.ID, o}, &out)
}

// Complete implements backup.Reading. From a scratch volume the archive is fetched.
func (r *farReading) Complete(ctx context.Context, c backup.Completion) (*archive.Manifest, error) {
	var reply completeReply
	if err := r.Call(ctx, callComplete, completeCall{r.reply.ID, c}, &reply); err != nil {
		return nil, err
	}
	if r.scratch == "" {
		return reply.Manifest, nil
	}
	if err := r.fetch(ctx); err != nil {
		return nil, err
	}
	if r.keeps() {
		return reply.Manifest, nil
	}
	return reply.Manifest, r.Call(ctx, callRemove, pathCall{r.there}, nil)
}

// keeps leaves the safety backup of a restore where the helper sees it.
func (r *farReading) keeps() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.safety == nil {
		return false
	}
	r.saved = r.there
	return true
}

func (r *farReading) fetch(ctx context.Context) error {
	out, err := os.OpenFile(r.archive, os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("fetch archive: %w", err)
	}
	count := func(n int64) {
		r.sink.Report(progress.Event{Step: "fetch", Status: progress.Working, Done: n, Unit: progress.Bytes})
	}
	if err := r.Fetch(ctx, r.there, out, count); err != nil {
		return errors.Join(err, out.Close())
	}
	if err := out.Close(); err != nil {
		return fmt.Errorf("fetch archive: %w", err)
	}
	r.sink.Report(progress.Event{Step: "fetch", Status: progress.Done})
	return nil
}

// Abort implements backup.Reading.
func (r *farReading) Abort() error {
	err := r.Call(context.Background(), callAbort, idCall{r.reply.ID}, nil)
	if err == nil && r.scratch != "" { // a copy that is taken once more makes it again
		err = r.Call(context.Background(), callRemove, pathCall{r.there}, nil)
	}
	if errors.Is(err, helper.ErrGone) {
		return nil // it has gone with the helper
	}
	return err
}
