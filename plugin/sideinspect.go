package plugin

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/memsys/docker-memsys/internal/backup"
	"github.com/memsys/docker-memsys/internal/inventory"
	"github.com/memsys/docker-memsys/internal/progress"
	"github.com/memsys/docker-memsys/internal/tree"
	"github.com/memsys/docker-memsys/internal/validate"
)

// recordBatch is how many records cross the line to a helper at once.
const recordBatch = 2000

type (
	// surveyCall asks what can be read of the sources, and which stores are in them.
	surveyCall struct {
		Places     []backup.Place    `json:"places"`
		Exclusions backup.Exclusions `json:"exclusions"`
	}
	surveyed struct {
		Missing string         `json:"missing,omitempty"`
		Stores  []tree.RawPath `json:"stores,omitempty"`
	}
	// inspectCall asks for an inspection of one of the places.
	inspectCall struct {
		surveyCall
		Source  string            `json:"source"`
		Options inventory.Options `json:"options"`
		Records bool              `json:"records,omitempty"` // they are wanted
	}
	// recordsCall are records of an inspection.
	recordsCall struct {
		Records []inventory.Record `json:"records"`
	}
)

// survey looks at the places in this process.
func survey(ctx context.Context, c surveyCall) ([]surveyed, error) {
	out := make([]surveyed, len(c.Places))
	for i, p := range c.Places {
		out[i].Missing = p.Missing
		if p.Missing != "" {
			continue
		}
		root, err := backup.Reach(p.Path)
		if err != nil {
			out[i].Missing = err.Error()
		}
		c.Places[i].Path, c.Places[i].Missing = root, out[i].Missing
	}
	for i, p := range c.Places {
		if p.Missing != "" {
			continue
		}
		t, err := c.tree(p)
		if err != nil {
			return nil, err
		}
		if out[i].Stores, err = inventory.FindStores(ctx, t); err != nil {
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			out[i].Missing = err.Error()
		}
	}
	return out, nil
}

// tree is a place without what backups leave out.
func (c surveyCall) tree(p backup.Place) (inventory.Tree, error) {
	rules, err := c.Exclusions.Rules(c.Places)
	if err != nil {
		return nil, err
	}
	return inventory.LiveTree(p.Path, c.Exclusions.Skip(rules, p)), nil
}

// inspectPlace reads a place in this process.
func inspectPlace(ctx context.Context, c inspectCall, calls inventory.Calls) (*inventory.Report, error) {
	for i, p := range c.Places {
		if p.Missing == "" {
			if root, err := backup.Reach(p.Path); err == nil {
				c.Places[i].Path = root
			}
		}
	}
	for _, p := range c.Places {
		if p.Name != c.Source {
			continue
		}
		t, err := c.tree(p)
		if err != nil {
			return nil, err
		}
		calls.Wait = looksAgain
		return inventory.Inspect(ctx, c.Source, t, c.Options, calls)
	}
	return nil, fmt.Errorf("inspect source %s: it has no place", c.Source)
}

// looksAgain waits before live files are looked at again: ever longer, for most are whole after a moment.
func looksAgain(ctx context.Context, attempt int) error {
	t := time.NewTimer(inventory.Pause(attempt))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}

// dataSide reads the data of a session's sources, through its helper where it has one.
type dataSide struct {
	s      *session
	call   surveyCall
	helper *far
}

var _ validate.Side = &dataSide{}

// Survey implements validate.Side.
func (d *dataSide) Survey(ctx context.Context, sources []validate.Source) ([]validate.Source, error) {
	d.call.Places = nil
	for _, s := range sources {
		d.call.Places = append(d.call.Places, backup.Place{Name: s.Name, Path: s.Where, Missing: s.Missing})
	}
	var found []surveyed
	var err error
	if d.helper != nil {
		err = d.helper.Call(ctx, callSurvey, d.call, &found)
	} else {
		found, err = survey(ctx, d.call)
	}
	if err != nil {
		return nil, err
	}
	for i := range sources {
		sources[i].Missing, sources[i].Stores = found[i].Missing, found[i].Stores
		d.call.Places[i].Missing = found[i].Missing
	}
	return sources, nil
}

// Inspect implements validate.Side.
func (d *dataSide) Inspect(ctx context.Context, source string, o inventory.Options, calls inventory.Calls) (*inventory.Report, error) {
	c := inspectCall{surveyCall: d.call, Source: source, Options: o, Records: calls.Record != nil}
	if d.helper == nil {
		calls.Now = d.s.app.world.Now
		return inspectPlace(ctx, c, calls)
	}
	c.Options.Scratch = d.helper.scratch
	d.helper.mu.Lock()
	d.helper.records, d.helper.sink = calls.Record, d.s.app.sink()
	d.helper.mu.Unlock()
	out := &inventory.Report{}
	return out, d.helper.Call(ctx, callInspect, c, out)
}

// takeRecords hands the records of a helper on.
func (f *far) takeRecords(_ context.Context, c recordsCall) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range c.Records {
		if f.records != nil {
			f.records(r)
		}
	}
	return nil
}

// inspect reads a place where the files are; private copies lie in the scratch volume for as long as it takes.
func (f *fileServer) inspect(ctx context.Context, c inspectCall) (*inventory.Report, error) {
	dir, err := os.MkdirTemp(c.Options.Scratch, scratchPrefix)
	if err != nil {
		return nil, fmt.Errorf("make a folder for private copies: %w", err)
	}
	defer func() { _ = removeScratch(dir) }() // the volume goes with the helper
	c.Options.Scratch = dir
	calls := inventory.Calls{Bytes: progress.Counter(f.sink, progress.Event{Step: "read", Object: c.Source}), Now: f.now}
	batch := &recordsLine{line: f.line, ctx: ctx}
	if c.Records {
		calls.Record = batch.add
	}
	report, err := inspectPlace(ctx, c, calls)
	if err != nil {
		return nil, err
	}
	return report, batch.flush()
}

// recordsLine sends records to the other end, many at once.
type recordsLine struct {
	line caller
	ctx  context.Context //nolint:containedctx // of the one call that it serves

	mu     sync.Mutex
	batch  []inventory.Record
	failed error
}

func (l *recordsLine) add(r inventory.Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.batch = append(l.batch, r); len(l.batch) >= recordBatch {
		l.send()
	}
}

// send sends what there is; l.mu is held.
func (l *recordsLine) send() {
	if l.failed == nil && len(l.batch) > 0 {
		l.failed = l.line.Call(l.ctx, askRecords, recordsCall{l.batch}, nil)
	}
	l.batch = l.batch[:0]
}

func (l *recordsLine) flush() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.send()
	return l.failed
}
