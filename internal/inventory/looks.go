package inventory

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/memsys/docker-memsys/internal/tree"
)

const (
	// attempts is how often something that does not keep still is looked at.
	attempts = 5
	// quiet is how long ago a file was changed that nobody is in the middle of writing.
	quiet = 3 * time.Second
	// maxSuspects is how many files wait for another look until the end: so many are looked at again together.
	maxSuspects = 4096
)

// Pause is how long to wait before an attempt to look at live files again: three and a half seconds for all together.
func Pause(attempt int) time.Duration {
	if attempt >= attempts-1 {
		return quiet
	}
	return 20 * time.Millisecond << (2 * (attempt - 1)) // 20, 80, 320
}

// look is one look at a file or store.
type look struct {
	path string
	run  func(ctx context.Context, w *watch, r *Recorder, buf []byte) error
}

// suspect is what was found damaged, or changed while it was looked at.
type suspect struct {
	look
	stamps map[string]stamp
	looked bool
	found  *Recorder // by the last look
	failed error     // of the last look
}

// looks runs looks on a bounded number of goroutines.
type looks struct {
	in   *inspection
	ctx  context.Context
	stop context.CancelCauseFunc

	todo    chan look
	workers sync.WaitGroup
	pending sync.WaitGroup // first looks

	mu       sync.Mutex
	suspects []*suspect
	torn     []tree.RawPath // what never kept still
}

func newLooks(ctx context.Context, in *inspection) *looks {
	l := &looks{in: in}
	l.ctx, l.stop = context.WithCancelCause(ctx)
	n := in.o.Workers
	if n <= 0 {
		n = runtime.GOMAXPROCS(0)
	}
	l.todo = make(chan look, 16*n)
	for range n {
		l.workers.Go(func() {
			buf := make([]byte, wholeSize)
			for one := range l.todo {
				l.first(one, buf)
				l.pending.Done()
			}
		})
	}
	return l
}

// file hands a file on: to v, or where that is nil to the first validator that claims it.
func (l *looks) file(s *Subject, v Validator) error {
	return l.send(look{s.Entry.Path, func(ctx context.Context, w *watch, r *Recorder, buf []byte) error {
		return l.in.validate(ctx, s, v, w, r, buf)
	}})
}

// store hands a store on.
func (l *looks) store(o *owner) error {
	return l.send(look{o.dir, func(ctx context.Context, w *watch, r *Recorder, _ []byte) error {
		files := make(map[string]*Subject, len(o.files))
		for name, s := range o.files {
			files[name] = w.subject(s)
		}
		return o.store.Validate(ctx, o.dir, files, r)
	}})
}

func (l *looks) send(one look) error {
	l.pending.Add(1)
	select {
	case l.todo <- one:
		return nil
	case <-l.ctx.Done():
		l.pending.Done()
		return context.Cause(l.ctx)
	}
}

// wait waits for all first looks so far.
func (l *looks) wait() { l.pending.Wait() }

// finish waits for all looks, and has what is suspect looked at again.
func (l *looks) finish() error {
	close(l.todo)
	l.workers.Wait()
	if l.ctx.Err() == nil {
		l.again(l.suspects)
	}
	err := context.Cause(l.ctx)
	l.stop(nil)
	return err
}

// first is the first look at something.
func (l *looks) first(one look, buf []byte) {
	if l.ctx.Err() != nil {
		return
	}
	if !l.in.o.Live {
		l.problem(one.path, l.take(one, newWatch(l.in.calls), l.in.recorder, buf))
		return
	}
	s := &suspect{look: one}
	if l.settled(s, buf, 0) {
		return
	}
	s.found.Drop() // another look follows
	l.mu.Lock()
	l.suspects = append(l.suspects, s)
	var full []*suspect
	if len(l.suspects) == maxSuspects {
		full, l.suspects = l.suspects, nil
	}
	l.mu.Unlock()
	l.again(full)
}

// take looks; a panic of a parser is an error of this file alone.
func (l *looks) take(one look, w *watch, r *Recorder, buf []byte) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the check of it broke down: %v", p)
		}
	}()
	return one.run(l.ctx, w, r, buf)
}

// settled takes a look and tells whether no further one is needed.
func (l *looks) settled(s *suspect, buf []byte, attempt int) bool {
	w, found := newWatch(l.in.calls), l.in.recorder.Fork()
	err := l.take(s.look, w, found, buf)
	same, written := s.looked && w.still(s.stamps), w.changed || s.looked && w.resized(s.stamps)
	s.stamps, s.found, s.failed, s.looked = w.stamps, found, err, true
	switch {
	case err != nil && (vanished(err) || l.ctx.Err() != nil || same):
		found.Drop()
		l.problem(s.path, err)
		return true
	case err != nil:
		return false
	case written && found.onlyUnended():
		found.forgive()
	case w.changed || found.Damaged() && !(same && l.counts(w, attempt)):
		return false
	}
	l.merge(found)
	return true
}

// counts tells whether damage that two looks at the same bytes have shown is no change that is under way. Its writer may have been frozen
// between the two: it must be a while ago that the file was changed, or the looks that far apart.
func (l *looks) counts(w *watch, attempt int) bool {
	if attempt == attempts-1 {
		return true
	}
	now := l.in.calls.Now
	return now != nil && w.unchangedSince(now().Add(-quiet))
}

// merge makes what a look has found count.
func (l *looks) merge(found *Recorder) {
	if err := l.in.recorder.Merge(found); err != nil {
		l.stop(err)
	}
}

// again looks at suspects until each kept still, or the attempts are used up.
func (l *looks) again(suspects []*suspect) {
	if len(suspects) == 0 {
		return
	}
	buf := make([]byte, wholeSize)
	for attempt := 1; attempt < attempts && len(suspects) > 0; attempt++ {
		if wait := l.in.calls.Wait; wait != nil {
			if err := wait(l.ctx, attempt); err != nil {
				l.stop(err)
			}
		}
		var rest []*suspect
		for _, s := range suspects {
			switch {
			case l.ctx.Err() != nil:
				return
			case l.settled(s, buf, attempt):
			case attempt == attempts-1:
				l.restless(s)
			default:
				s.found.Drop()
				rest = append(rest, s)
			}
		}
		suspects = rest
	}
}

// restless ends with what never kept still: what was in order when it was read counts, damage does not.
func (l *looks) restless(s *suspect) {
	defer s.found.Drop()
	if s.failed != nil {
		l.problem(s.path, s.failed)
		return
	}
	if s.found.onlyUnended() {
		s.found.forgive() // it is being written to
	}
	if !s.found.Damaged() {
		l.merge(s.found)
		return
	}
	torn := s.found.damaged()
	if !slices.ContainsFunc(torn, func(c Check) bool { return c.Group() == Databases }) { // those are looked at in a copy anyway
		l.mu.Lock()
		l.torn = append(l.torn, tree.RawPath(s.path))
		l.mu.Unlock()
	}
	for _, c := range torn {
		l.in.recorder.Find(c, Finding{Status: Unchecked, Path: s.path, Text: "changes all the time: what was read of it is torn"})
	}
}

func (l *looks) problem(path string, err error) {
	switch {
	case err == nil:
	case l.ctx.Err() != nil || errors.Is(err, context.Canceled):
		l.stop(err)
	default:
		l.in.unreadable(path, err)
	}
}

// validate reads the beginning of a file and hands it to a validator.
func (in *inspection) validate(ctx context.Context, of *Subject, v Validator, w *watch, r *Recorder, buf []byte) (err error) {
	s := w.subject(of)
	o, err := readHead(ctx, s.Open, buf)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, o.close()) }()
	s.Head, s.Open = o.start(), o.open
	entry := *s.Entry
	entry.Size = max(o.file.Size(), int64(len(o.whole)))
	s.Entry = &entry
	if v == nil {
		if v = in.claim(s); v == nil {
			r.Checked(readable, 1)
			return nil
		}
		if _, ok := v.(Companioned); ok {
			if in.later.add(of, v) {
				return nil
			}
			s.Sibling = sibling(ctx, in.tree, of, in.later.kept) // an earlier look did not know it for what it is
		}
	}
	r.Checked(readable, 1)
	if in.left(v) {
		return nil
	}
	return v.Validate(ctx, s, r)
}

func (in *inspection) claim(s *Subject) Validator {
	for _, v := range in.validators {
		if v.Claims(s) {
			return v
		}
	}
	return nil
}
