package plugin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/backup"
	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/helper"
	"github.com/memsys/docker-memsys/internal/journal"
	"github.com/memsys/docker-memsys/internal/progress"
	"github.com/memsys/docker-memsys/internal/tree"
)

// The words for where the sources' files are read and written, as plans show them.
const (
	throughDirect = "direct"
	throughHelper = "helper"
)

// access is what a command does with the sources' files.
type access string

const (
	reads  access = "read"
	writes access = "write"
)

// way is where the sources' files are read and written: by this process, or through a helper container, and why.
type way struct {
	helper bool
	why    string
}

// word is the way as plans show it.
func (w way) word() string {
	if w.helper {
		return throughHelper
	}
	return throughDirect
}

// throughText is the line of a plan about a helper; empty where this process does it itself.
func throughText(through, why string) string {
	if through != throughHelper {
		return ""
	}
	return "work through a helper container: " + why + "\n"
}

// choose decides how the sources' files are reached, once for a command. Files of an engine elsewhere take a helper, and those that
// this user does not own.
func (s *session) choose(ctx context.Context, a access) (way, error) {
	if s.way != nil {
		return *s.way, nil
	}
	w, err := s.chosen(ctx, a)
	if err != nil {
		return w, err
	}
	s.way = &w
	return w, nil
}

func (s *session) chosen(ctx context.Context, a access) (way, error) {
	switch {
	case !s.reachable():
		return way{why: "no engine answers"}, nil
	case s.Config.Helper == "never":
		return way{why: "as configured"}, nil
	case s.Config.Helper == "always":
		return way{helper: true, why: "as configured"}, nil
	case !s.Info.Local:
		return way{helper: true, why: fmt.Sprintf("the data lies with the engine %s", s.Info.Name)}, nil
	case s.app.world.UID == 0:
		return way{why: "root reaches everything on this machine"}, nil
	}
	for _, src := range s.Sources {
		if src.Excluded != "" {
			continue
		}
		why, err := s.outOfReach(ctx, src, a)
		if err != nil {
			return way{}, err
		}
		if why != "" {
			return way{helper: true, why: fmt.Sprintf("source %s: %s", src.Name, why)}, nil
		}
	}
	return way{why: "this user owns all of the data"}, nil
}

// outOfReach says why this user cannot read, or write, a source with everything in it; empty where it can.
func (s *session) outOfReach(ctx context.Context, src compose.Source, a access) (string, error) {
	if src.Path == "" && src.Volume.Name != "" {
		_, err := s.Engine.Volume(ctx, src.Volume.Name)
		if errors.Is(err, engine.ErrNotFound) && a == reads {
			return "", nil // there is nothing to reach
		}
	}
	place, err := s.locate(ctx, src)
	if err != nil {
		return err.Error(), nil //nolint:nilerr // it is the reason
	}
	return s.notOurs(ctx, place, a)
}

// errNotOurs ends a walk at the first entry that decides.
var errNotOurs = errors.New("not ours")

// notOurs looks for what at place this user does not own, or may not use.
func (s *session) notOurs(ctx context.Context, place string, a access) (why string, err error) {
	o := tree.WalkOptions{LazyXattrs: true, OnProblem: func(p tree.Problem) {
		if why == "" {
			why = p.Err.Error()
		}
	}}
	err = tree.Walk(ctx, place, o, func(_ context.Context, e *tree.Entry, _ tree.Opener) error {
		if why == "" {
			why = s.entryNotOurs(e, a)
		}
		if why != "" {
			return errNotOurs
		}
		return nil
	})
	switch {
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case why == "" && err != nil && !errors.Is(err, errNotOurs):
		if _, missing := os.Lstat(place); errors.Is(missing, fs.ErrNotExist) {
			return "", nil // what is not there is told when it is read
		}
		why = err.Error()
	}
	return why, nil
}

func (s *session) entryNotOurs(e *tree.Entry, a access) string {
	need := uint32(0o400)
	switch {
	case e.Kind == tree.Dir && a == writes:
		need = 0o700
	case e.Kind == tree.Dir:
		need = 0o500
	case e.Kind != tree.File:
		need = 0
	}
	switch {
	case e.UID != s.app.world.UID:
		return fmt.Sprintf("%s belongs to user %d", e.Path, e.UID)
	case e.Mode&need != need:
		return fmt.Sprintf("%s may not be used by its own user", e.Path)
	}
	return ""
}

// side is where backups of this session read the sources' files.
func (s *session) side(ctx context.Context, a access) (backup.Side, error) {
	f, err := s.reach(ctx, a)
	if err != nil || f == nil {
		return backup.Local{}, err
	}
	return farSide{f}, nil
}

// reach is the helper of this session, started with the first call; nil where this process reaches the files itself. Where no helper
// was asked for and none can be had, this process does what it can.
func (s *session) reach(ctx context.Context, a access) (*far, error) {
	w, err := s.choose(ctx, a)
	if err != nil || !w.helper || s.far != nil {
		return s.far, err
	}
	f, err := s.helperFor(ctx, a)
	switch {
	case err == nil:
		s.far = f
		return f, nil
	case s.Config.Helper == "always" || ctx.Err() != nil:
		return nil, err
	}
	s.warn("helper", fmt.Sprintf("no helper container can be had, only what this user reaches is read and written: %v", err))
	s.way = &way{why: "no helper container can be had"}
	return nil, nil
}

// leave ends the helper, if there is one.
func (s *session) leave(ctx context.Context) {
	if s.far == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	if err := s.far.close(ctx); err != nil {
		s.unswept = err
		s.app.sink().Report(progress.Event{Step: "helper", Status: progress.Warning, Text: "the helper container could not be removed, the next command does it: " + err.Error()})
	}
	s.far = nil
}

// readerTime is for how long the helper of a command of another machine that only reads is left alone.
const readerTime = time.Hour

// reader names this command on its helper while it has no lock: a run that has it leaves that helper alone.
func (s *session) reader() string {
	if s.lock != nil {
		return ""
	}
	self, err := json.Marshal(journal.Self("docker memsys", s.app.world.Now()))
	if err != nil {
		return ""
	}
	return string(self)
}

// readerIsThere tells whether a command that only reads and that has a helper of its own still runs.
func (s *session) readerIsThere(reader string) bool {
	var holder journal.Holder
	return json.Unmarshal([]byte(reader), &holder) == nil && holder.AtWork(s.app.world.Now(), readerTime)
}

// sweep removes what helpers of this project that died have left. The lock is held, so none is at work but those of commands that only
// read: one of a killed run may still move files, and nothing is recovered until it is gone.
func (s *session) sweep(ctx context.Context) {
	if !s.reachable() {
		return
	}
	_, err := helper.Sweep(ctx, s.Engine.Client, s.key(), s.readerIsThere)
	s.unswept = nil
	if errors.Is(err, helper.ErrAtWork) {
		s.unswept = err
	}
	if err != nil && ctx.Err() == nil {
		s.app.sink().Report(progress.Event{Step: "helper", Status: progress.Warning, Text: "what a helper container left could not be removed: " + err.Error()})
	}
}
