package inventory

import (
	"context"
	"fmt"
	"slices"

	"github.com/memsys/docker-memsys/internal/tree"
)

// validators are those of files, in the order in which they are asked. Each inspection has its own.
func validators(o Options) []Validator {
	return []Validator{
		sqliteFiles{},
		npyFiles{},
		npzFiles{},
		safetensorsFiles{},
		faissFiles{},
		newRawFloats(o),
		newCertificates(),
		newJSONFiles(o),
	}
}

// stores are those of folders.
func stores() []Store { return []Store{newChromaStore()} }

// readable is what Inspect itself looks at.
var readable = Check{ID: "structure.readable", Title: "readable files"}

// Inspect reads a source and tells what is in it and what is wrong with it. Its error is one of the walk or of the context: a file that
// cannot be read is a finding. A check that found nothing to look at has no result. Empty files and those of formats that no validator
// knows are counted, and no more.
//
// With Options.Live, what looks damaged or changed while it was read is looked at again, after Calls.Wait: damage counts only if two looks
// at the same bytes show it, and nobody can be in the middle of writing them: they were not changed lately, or not for the longest of all waits.
func Inspect(ctx context.Context, source string, t Tree, o Options, calls Calls) (*Report, error) {
	if len(o.Schema) > 0 {
		if err := CheckSchema(o.Schema); err != nil {
			return nil, err
		}
	}
	in := &inspection{
		o: o, calls: calls, recorder: NewRecorder(source, o, calls), watching: observers(o),
		validators: validators(o), stores: stores(), owners: owners{}, later: later{files: map[string]*late{}}, tree: t,
	}
	if err := in.run(ctx); err != nil {
		return nil, fmt.Errorf("inspect source %s: %w", source, err)
	}
	finish(in.validators, in.watching, in.recorder)
	in.counted.Collections = in.recorder.Collections()
	slices.SortFunc(in.looks.torn, func(a, b tree.RawPath) int { return tree.ComparePaths(string(a), string(b)) })
	return &Report{Source: source, Inventory: in.counted, Results: in.recorder.Results(), Restless: in.looks.torn}, nil
}

// inspection is one run of Inspect.
type inspection struct {
	o          Options
	calls      Calls
	recorder   *Recorder
	validators []Validator
	stores     []Store
	watching   []Observer

	tree    Tree
	owners  owners // the stores with their files
	later   later
	counted Inventory
	looks   *looks
}

func (in *inspection) run(ctx context.Context) error {
	in.looks = newLooks(ctx, in)
	ctx = in.looks.ctx
	err := in.tree.Walk(ctx, func(e *tree.Entry, open Open) error { return in.visit(ctx, e, open) }, in.unreadable)
	if err == nil {
		err = in.rest(ctx)
	}
	if failed := in.looks.finish(); failed != nil {
		return failed
	}
	return err
}

func (in *inspection) visit(ctx context.Context, e *tree.Entry, open Open) error {
	for _, w := range in.watching {
		w.Observe(e)
	}
	if open == nil {
		return ctx.Err()
	}
	if e.Kind == tree.File {
		in.counted.Files++
		in.counted.Bytes += e.Size
	}
	s := &Subject{Entry: e, Open: open}
	if in.owners.take(s, in.stores) || e.Kind != tree.File {
		return ctx.Err()
	}
	if v := in.companion(s.Name()); v != nil {
		in.later.add(s, v)
		return ctx.Err()
	}
	return in.looks.file(s, nil)
}

// companion is the validator that knows a file by its name as one beside another; nil for most.
func (in *inspection) companion(name string) Validator {
	for _, v := range in.validators {
		if c, ok := v.(Companioned); ok && c.Companion(name) {
			return v
		}
	}
	return nil
}

// rest is what can be looked at only once all files are known.
func (in *inspection) rest(ctx context.Context) error {
	in.looks.wait()
	in.later.close()
	for _, l := range in.later.sorted() {
		l.subject.Sibling = sibling(ctx, in.tree, l.subject, in.later.kept)
	}
	for _, l := range in.later.sorted() {
		if in.left(l.validator) {
			continue
		}
		if err := in.looks.file(l.subject, l.validator); err != nil {
			return err
		}
	}
	for _, o := range in.owners.sorted() {
		if in.o.NoStores || !in.wanted(o.store.Checks()) {
			continue
		}
		for _, s := range o.files {
			s.Sibling = sibling(ctx, in.tree, s, func(path string) *Subject { return o.files[below(o.dir, path)] })
		}
		if err := in.looks.store(o); err != nil {
			return err
		}
	}
	return nil
}

func (in *inspection) unreadable(path string, err error) {
	if in.o.Live && vanished(err) {
		return
	}
	in.recorder.Find(readable, Finding{Status: Unchecked, Path: path, Text: "cannot be read: " + reason(err)})
}

// wanted tells whether any of the checks is.
func (in *inspection) wanted(checks []Check) bool {
	return slices.ContainsFunc(checks, func(c Check) bool { return in.recorder.Wants(c.ID) })
}

// left tells whether a validator's files are not to be looked at here.
func (in *inspection) left(v Validator) bool {
	checks := v.Checks()
	if !in.wanted(checks) {
		return true
	}
	return in.o.NoStores && !slices.ContainsFunc(checks, func(c Check) bool { return c.Group() != Databases })
}
