package inventory

import (
	"context"

	"github.com/memsys/docker-memsys/internal/tree"
)

// rawFloats validates files that are nothing but float32 numbers, little-endian, one vector after the other. Nothing in them says so: only
// those that Options.Raw names are looked at, with the length of their vectors in Options.Dimension.
type rawFloats struct {
	rules     *tree.Rules
	err       error
	dimension int64
}

func newRawFloats(o Options) *rawFloats {
	rules, err := tree.NewRules(tree.RuleOptions{Patterns: o.Raw})
	return &rawFloats{rules: rules, err: err, dimension: int64(o.Dimension)}
}

func (*rawFloats) check() Check { return Check{ID: "vectors.raw", Title: "raw float32 vectors"} }

// Checks tells what it looks at.
func (f *rawFloats) Checks() []Check { return []Check{f.check()} }

// Claims takes the files that the options name.
func (f *rawFloats) Claims(s *Subject) bool {
	return f.err == nil && f.dimension > 0 && f.rules.Names(s.Entry)
}

// Validate compares the size with the dimension, and in a full look reads all numbers.
func (f *rawFloats) Validate(ctx context.Context, s *Subject, r *Recorder) error {
	v, file, err := openVectors(ctx, s)
	if err != nil {
		return err
	}
	defer file.Close()
	r.Checked(f.check(), 1)
	l, a := newNotes(f.check(), s, r), &arrays{}
	l.vectors = true
	err = l.settle(f.read(v, l, a))
	a.done(s.Entry.Path, r)
	return err
}

func (f *rawFloats) read(v *vectorReader, l notes, a *arrays) error {
	width := 4 * f.dimension
	rows := v.size / width
	a.matrix(rows, f.dimension)
	if v.size%width != 0 {
		return damage("cut: %d of %d bytes, the last of its vectors of %d numbers has %d", v.size, (rows+1)*width, f.dimension, v.size%width)
	}
	return v.numbers(l, float{width: 4}, rows*f.dimension)
}

// After tells patterns that cannot be understood.
func (f *rawFloats) After(r *Recorder) {
	if f.err != nil {
		r.Find(f.check(), Finding{Status: Unchecked, Text: f.err.Error()})
	}
}
