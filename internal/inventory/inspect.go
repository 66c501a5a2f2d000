package inventory

import (
	"context"
	"fmt"

	"github.com/memsys/docker-memsys/internal/tree"
)

// validators are those of files, in the order in which they are asked. Each inspection has its own.
func validators() []Validator { return nil }

// stores are those of folders.
func stores() []Store { return nil }

// Inspect reads a source and tells what is in it and what is wrong with it. Its error is one of the walk or of the context: a file that
// cannot be read is a finding.
func Inspect(ctx context.Context, source string, t Tree, o Options, calls Calls) (*Report, error) {
	r := NewRecorder(source, o, calls)
	watching := observers()
	report := &Report{Source: source}
	err := t.Walk(ctx, func(e *tree.Entry, _ Open) error {
		for _, w := range watching {
			w.Observe(e)
		}
		if e.Kind == tree.File {
			report.Inventory.Files++
			report.Inventory.Bytes += e.Size
		}
		return nil
	}, func(string, error) {})
	if err != nil {
		return nil, fmt.Errorf("inspect source %s: %w", source, err)
	}
	finish(nil, watching, r)
	report.Inventory.Collections = r.Collections()
	report.Results = r.Results()
	return report, nil
}
