package backup

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/memsys/docker-memsys/internal/inventory"
	"github.com/memsys/docker-memsys/internal/progress"
	"github.com/memsys/docker-memsys/internal/store"
)

// Inspect implements Reading. Private copies lie beside the archive, where the journal has them with it.
func (r *reading) Inspect(ctx context.Context, o inventory.Options) (reports []inventory.Report, err error) {
	written, err := r.writer.Written(ctx)
	if err != nil {
		return nil, fmt.Errorf("look at what was copied: %w", err)
	}
	o.Scratch, o.Live = store.Scratch(r.file.Name()), false
	if err := os.Mkdir(o.Scratch, 0o700); err != nil {
		return nil, fmt.Errorf("make a folder for private copies: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(o.Scratch)) }()
	calls := inventory.Calls{Bytes: progress.Counter(r.sink, progress.Event{Step: "inspect", Total: r.bytes})}
	for _, p := range r.places {
		if p.Missing != "" {
			continue
		}
		report, err := inventory.Inspect(ctx, p.Name, inventory.ArchiveTree(written, p.Name), o, calls)
		if err != nil {
			return nil, fmt.Errorf("look at what was copied: %w", err)
		}
		report.Inventory = inventory.Shorten(report.Inventory, inventory.ListedOfSource)
		reports = append(reports, *report)
	}
	r.sink.Report(progress.Event{Step: "inspect", Status: progress.Done, Done: r.bytes, Unit: progress.Bytes})
	return reports, nil
}
