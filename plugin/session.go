package plugin

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/backup"
	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/helper"
	"github.com/memsys/docker-memsys/internal/journal"
	"github.com/memsys/docker-memsys/internal/progress"
	"github.com/memsys/docker-memsys/internal/quiesce"
)

// askingTime is how long a command waits for an engine to say what it is before it goes on without.
const askingTime = 10 * time.Second

// session is a project with the world around it, looked at once: the engine, its containers, the sources. A command that
// changes something locks it first.
type session struct {
	*project
	app     *app
	Sources []compose.Source
	// Containers are all of the engine; nil where no engine answers.
	Containers []engine.Container
	// Engine is the zero connection where no engine answers.
	Engine connection
	Info   engine.Info
	// Elsewhere is where an engine that does not answer is said to be, if not on this machine.
	Elsewhere string
	Warnings  []string
	// ahead is how far our clock is ahead of the engine's, where it is another one.
	ahead time.Duration

	// way is how the sources' files are reached, far the helper that it takes; nil until it is known.
	way *way
	far *far
	// restoring are the archives that a restore reads, single the sources that are a single file in the one that is restored; devices
	// tells that device nodes are made.
	restoring []string
	single    map[string]bool
	devices   bool
	// apart: the helper cannot use the backups directory, though its path is the same to the engine.
	apart bool

	state   *journal.State
	lock    *journal.Lock
	journal *journal.Journal
	audited audited
	// made is the last backup that this run has made; nil before.
	made *backup.Result
	// unswept is why a helper of a run that has ended, or died, may still be at work.
	unswept error
}

// openSession loads the project and looks at the engine. An engine that does not answer is a warning: what needs it says so.
func (a *app) openSession(ctx context.Context, overrides compose.Overrides) (*session, error) {
	p, err := a.loadProject(ctx, overrides)
	if err != nil {
		return nil, err
	}
	s := &session{project: p, app: a}
	if err := s.lookAtEngine(ctx); err != nil {
		return nil, err
	}
	s.Sources = p.Sources(s.live(), p.Config)
	for _, drift := range p.Drift(s.live()) {
		s.warn("mounts", drift)
	}
	state, err := a.stateDir()
	if err != nil {
		return nil, err
	}
	s.state = journal.View(state, s.identity())
	return s, nil
}

// identity names the project on this machine: two checkouts of one name are two projects.
func (p *project) identity() string { return p.Name + " in " + p.WorkingDir }

func (a *app) stateDir() (string, error) {
	return journal.StateDir(a.env, a.world.UID, a.env("HOME"))
}

func (s *session) lookAtEngine(ctx context.Context) error {
	c, err := s.app.engine()
	if err != nil {
		return err // a context that does not exist is no engine that is down
	}
	soon, cancel := context.WithTimeout(ctx, askingTime)
	defer cancel()
	if s.Info, err = c.Info(soon); err == nil {
		if !s.Info.Local && !s.Info.Time.IsZero() {
			s.ahead = s.app.world.Now().Sub(s.Info.Time)
		}
		s.Containers, err = s.others(c.Containers(ctx, engine.Filter{}))
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		s.Containers = nil
		if host := c.Endpoint.Host; strings.HasPrefix(host, "tcp://") || strings.HasPrefix(host, "ssh://") {
			s.Elsewhere = host
		}
		s.warn("engine", withoutEngine(err))
		return nil
	}
	s.Engine = c
	if s.Containers == nil {
		s.Containers = []engine.Container{}
	}
	return nil
}

// withoutEngine says what a run without engine cannot know.
func withoutEngine(err error) string {
	why := err.Error()
	if unreachable := (*engine.UnreachableError)(nil); errors.As(err, &unreachable) {
		why = "no engine answers at " + unreachable.Endpoint
	}
	return why + ": what runs cannot be seen, and where volumes lie is not known"
}

// warn keeps a warning for the manifest and reports it.
func (s *session) warn(step, text string) {
	s.Warnings = append(s.Warnings, text)
	s.app.sink().Report(progress.Event{Step: step, Status: progress.Warning, Text: text})
}

// lookAgain sees what runs now: it is not what ran before a lock was waited for, or before a recovery started it.
func (s *session) lookAgain(ctx context.Context) (err error) {
	if !s.reachable() {
		return nil
	}
	if s.Containers, err = s.containers(ctx); err != nil {
		return err
	}
	s.Sources = s.Project.Sources(s.live(), s.Config)
	return nil
}

// containers are all of the engine, as they are now.
func (s *session) containers(ctx context.Context) ([]engine.Container, error) {
	return s.others(s.Engine.Containers(ctx, engine.Filter{}))
}

// others leaves out the helpers of this project: they use the sources for us.
func (s *session) others(all []engine.Container, err error) ([]engine.Container, error) {
	return slices.DeleteFunc(all, func(c engine.Container) bool { return c.Labels[helper.Label] == s.key() }), err
}

// reachable tells whether an engine answers.
func (s *session) reachable() bool { return s.Engine.Client != nil }

// live is what the engine has mounted into the project's containers; nil where no engine answers.
func (s *session) live() []compose.Live {
	if s.Containers == nil {
		return nil
	}
	return live(slices.DeleteFunc(slices.Clone(s.Containers), func(c engine.Container) bool { return c.Project != s.Name }))
}

// locate is where on this machine a source lies. Paths of an engine elsewhere are never taken for ours.
func (s *session) locate(ctx context.Context, src compose.Source) (string, error) {
	if s.reachable() && !s.Info.Local && (src.Path == "" || !s.Info.SharesFiles) {
		return "", fmt.Errorf("it lies on the engine's host %s, whose files this process cannot reach", s.Info.Name)
	}
	if s.Elsewhere != "" {
		return "", fmt.Errorf("it lies where the engine at %s runs, which does not answer", s.Elsewhere)
	}
	if src.Path != "" {
		return src.Path, nil
	}
	if src.Volume == nil {
		return "", errors.New(src.Excluded)
	}
	if !s.reachable() && src.Volume.Name == "" {
		return "", errors.New("only the engine knows which anonymous volume it is, and it does not answer")
	}
	if !s.reachable() {
		return "", fmt.Errorf("only the engine knows where volume %s lies, and it does not answer", src.Volume.Name)
	}
	v, err := s.Engine.Volume(ctx, src.Volume.Name)
	if errors.Is(err, engine.ErrNotFound) {
		return "", fmt.Errorf("volume %s does not exist yet", src.Volume.Name)
	}
	if err != nil {
		return "", err
	}
	return v.Place()
}

// services are the project's services as the engine has them.
func (s *session) services(ctx context.Context) []archive.Service {
	var all []archive.Service
	for _, svc := range s.Project.Services() {
		if svc.Provider != nil {
			continue // it is no container
		}
		out := archive.Service{Name: svc.Name, Image: svc.Image}
		for _, c := range s.Containers {
			if c.Project == s.Name && c.Service == svc.Name && !c.OneOff {
				out.State, out.ImageID = string(c.State), c.ImageID
				break
			}
		}
		if out.ImageID != "" {
			if image, err := s.Engine.Image(ctx, out.ImageID); err == nil { // it may be gone while its container runs
				out.RepoDigests = image.RepoDigests
			}
		}
		all = append(all, out)
	}
	return all
}

// archiveProject is the project's identity for a manifest.
func (s *session) archiveProject() archive.Project {
	host, _ := os.Hostname() // what is not known is left out
	return archive.Project{
		Name: s.Name, WorkingDir: s.WorkingDir, ConfigFiles: s.ConfigFiles, EngineID: s.Info.ID, Host: host,
		OS: s.Info.OS, Architecture: s.Info.Architecture,
	}
}

// lockOptions are the flags of commands that take the project's lock.
type lockOptions struct {
	wait time.Duration
}

// begin takes the lock, resolves what an interrupted run left, and puts the operation on record. The returned context
// ends when the lock is lost. The caller ends it with s.end.
func (s *session) begin(ctx context.Context, op string, o lockOptions, details any) (context.Context, error) {
	if o.wait < 0 {
		return nil, usagef("--wait: must not be negative, got %s", o.wait)
	}
	a := s.app
	dir, err := a.stateDir()
	if err != nil {
		return nil, err
	}
	if s.state, err = journal.Open(dir, s.identity()); err != nil {
		return nil, err
	}
	if ctx, err = s.takeLock(ctx, op, o); err != nil {
		return nil, err
	}
	s.audited = audited{operation: op, began: a.world.Now()}
	if s.journal, err = s.state.Journal(a.world.Now); err != nil {
		return nil, errors.Join(err, s.lock.Release(ctx))
	}
	s.sweep(ctx)
	err = s.recover(ctx)
	if err == nil {
		err = s.lookAgain(ctx)
	}
	if err == nil {
		err = s.journal.Begin(op, details)
	}
	if err != nil {
		return nil, errors.Join(err, s.journal.Close(), s.lock.Release(ctx))
	}
	return ctx, nil
}

func (s *session) takeLock(ctx context.Context, op string, o lockOptions) (context.Context, error) {
	a := s.app
	holder := journal.Self("docker memsys "+op, a.world.Now())
	holder.Identity = s.identity()
	holder.State, _ = a.stateDir() // known: the state is open
	opts := journal.LockOptions{
		Wait: o.wait, Now: a.world.Now, Holder: holder, Project: s.Name, Heir: s.heir,
		OnWait: func(h journal.Holder) {
			a.sink().Report(progress.Event{Step: "lock", Object: s.Name, Status: progress.Working, Text: "waiting for " + h.String()})
		},
	}
	if info, err := os.Stat(s.Store.Path); err == nil && info.IsDir() {
		opts.BackupsDir = s.Store.Path
	}
	if s.reachable() {
		opts.Engine = s.Engine.Client
	}
	ctx, lock, err := s.state.Lock(ctx, opts)
	if err != nil {
		return nil, err
	}
	for _, limit := range lock.Limits() {
		a.sink().Report(progress.Event{Step: "lock", Status: progress.Warning, Text: limit})
	}
	s.lock = lock
	return ctx, nil
}

// end closes the operation's record and gives the lock back. What still stands paused or stopped, or half-done data,
// stays on record for the next command.
func (s *session) end(ctx context.Context, result error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	s.writeAudit(ctx, result)
	s.leave(ctx)
	err := s.closeRecord(result)
	return errors.Join(err, s.journal.Close(), s.lock.Release(ctx))
}

func (s *session) closeRecord(result error) error {
	pending, err := s.journal.Pending()
	if err != nil || pending == nil {
		return err
	}
	left, err := s.unresolved(pending)
	if err != nil || left {
		return err
	}
	word := "done"
	if result != nil {
		word = "failed: " + result.Error()
	}
	return s.journal.End(word)
}

// quiescer holds services of the project still.
func (s *session) quiescer() *quiesce.Quiescer {
	return &quiesce.Quiescer{
		Engine: s.Engine.Client, Journal: s.journal, Guard: quiesce.Guardian{Endpoint: s.Engine.Endpoint, Project: s.Name},
		Now: s.app.world.Now, Limit: s.Config.HoldLimit, Sink: s.app.sink(), Hooks: s.lifecycle(),
	}
}
