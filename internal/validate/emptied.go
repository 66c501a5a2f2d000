package validate

import (
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/inventory"
	"github.com/memsys/docker-memsys/internal/store"
	"github.com/memsys/docker-memsys/internal/tree"
)

const (
	// mostEmptied is how many files that are empty are looked up in backups.
	mostEmptied = 200
	// mostOlder is in how many older backups a file is looked up.
	mostOlder = 5
)

// Emptied is a file that holds nothing, and held records when a backup was made.
type Emptied struct {
	Source, Path string
	// Zeros tells that it has bytes, all of them zero where it begins.
	Zeros   bool
	Backup  string
	Records int64
}

// FindEmptied looks in the last good backup for the files of a report on live data that hold nothing: those that held records there were emptied since.
// What is emptied as a rule is left out: a file of lines that is rotated, that is with a file of its name and a number or date beside it, and a
// file that is empty in one of the older backups too. Of options it takes Scratch.
func FindEmptied(ctx context.Context, report *Report, newest store.Backup, older []store.Backup, o inventory.Options) ([]Emptied, error) {
	wanted := maybeEmptied(report)
	if len(wanted) == 0 {
		return nil, nil
	}
	err := withReader(newest, func(r *archive.Reader, err error) error {
		if err != nil {
			return err
		}
		if err := thoseWithBytes(ctx, r, wanted); err != nil {
			return err
		}
		for key, e := range wanted {
			if e.Backup, e.Records, err = newest.Name, 0, ctx.Err(); err != nil {
				return err
			}
			if e.Records, err = recordsIn(ctx, r, key, o); err != nil {
				return err
			}
			if e.Records == 0 {
				delete(wanted, key)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look for emptied files in %s: %w", newest.Name, err)
	}
	for _, b := range older[:min(len(older), mostOlder)] {
		if err := emptyBefore(ctx, b, wanted); err != nil {
			return nil, err
		}
	}
	var out []Emptied
	for _, e := range wanted {
		out = append(out, *e)
	}
	return out, nil
}

func maybeEmptied(report *Report) map[unitKey]*Emptied {
	wanted := map[unitKey]*Emptied{}
	for _, res := range report.Results {
		for _, f := range res.Findings {
			if may, zeros := inventory.MayBeEmptied(f); may && f.Path != "" && len(wanted) < mostEmptied {
				wanted[unitKey{f.Source, f.Path}] = &Emptied{Source: f.Source, Path: f.Path, Zeros: zeros}
			}
		}
	}
	return wanted
}

// thoseWithBytes leaves what has bytes in an archive and is not rotated.
func thoseWithBytes(ctx context.Context, r *archive.Reader, wanted map[unitKey]*Emptied) error {
	full, rotated := map[unitKey]bool{}, map[unitKey]bool{}
	for m, err := range (&hunt{}).members(ctx, r) {
		if err != nil {
			return err
		}
		if m.entry.Kind != tree.File || m.entry.Size == 0 {
			continue
		}
		full[unitKey{m.source.Name, m.entry.Path}] = wanted[unitKey{m.source.Name, m.entry.Path}] != nil
		if of := rotatedFrom(m.entry.Path); of != "" && wanted[unitKey{m.source.Name, of}] != nil {
			rotated[unitKey{m.source.Name, of}] = true
		}
	}
	for key := range wanted {
		if !full[key] || rotated[key] {
			delete(wanted, key)
		}
	}
	return nil
}

// recordsIn is how many records a file holds in an archive, a database with what lies beside it.
func recordsIn(ctx context.Context, r *archive.Reader, key unitKey, o inventory.Options) (n int64, err error) {
	files := map[string]bool{key.path: true}
	for _, end := range []string{"-journal", "-wal", "-shm"} {
		files[key.path+end] = true
	}
	o = inventory.Options{Depth: inventory.Quick, Checks: []string{string(inventory.Memories), string(inventory.Databases)}, Scratch: o.Scratch}
	report, err := inventory.Inspect(ctx, key.source, limitedTree{inventory.ArchiveTree(r, key.source), files}, o, inventory.Calls{})
	if err != nil {
		return 0, err
	}
	for _, c := range report.Inventory.Collections {
		n += c.Records
	}
	return n, nil
}

// emptyBefore leaves out what was empty in a backup. One that cannot be read tells nothing.
func emptyBefore(ctx context.Context, b store.Backup, wanted map[unitKey]*Emptied) error {
	if len(wanted) == 0 {
		return nil
	}
	return withReader(b, func(r *archive.Reader, err error) error {
		if err != nil {
			return nil //nolint:nilerr // the checks of the backups name it
		}
		for m, err := range (&hunt{}).members(ctx, r) {
			if err != nil {
				return ctx.Err()
			}
			if m.entry.Kind == tree.File && m.entry.Size == 0 {
				delete(wanted, unitKey{m.source.Name, m.entry.Path})
			}
		}
		return nil
	})
}

// rotatedFrom is the file of lines of which another is by its name an older part: x.jsonl of x.jsonl.1, x.jsonl-20260102.gz, x-2026-01-02.jsonl;
// empty for all else.
func rotatedFrom(file string) string {
	dir, name := path.Split(file)
	for _, end := range []string{".gz", ".zst", ".bz2", ".xz"} {
		name = strings.TrimSuffix(name, end)
	}
	for _, ext := range []string{".jsonl", ".ndjson"} {
		stem, tail, found := strings.Cut(name, ext)
		switch {
		case !found || stem == "":
		case tail != "" && numbered(tail):
			return dir + stem + ext
		case tail == "":
			base := strings.TrimRight(stem, "0123456789-_.T:")
			if base != "" && numbered(stem[len(base):]) {
				return dir + base + ext
			}
		}
	}
	return ""
}

// numbered tells whether something is a number or date behind a mark.
func numbered(tail string) bool {
	return len(tail) > 1 && strings.Contains("-_.", tail[:1]) && strings.ContainsAny(tail, "0123456789") && strings.Trim(tail, "0123456789-_.T:") == ""
}

// CheckEmptied puts what was emptied into the results of CheckKept, as damage: --repair brings it back.
func CheckEmptied(results []inventory.Result, emptied []Emptied) []inventory.Result {
	for _, e := range emptied {
		for i := range results {
			res := &results[i]
			if res.Check.ID != kept().ID || res.Source != e.Source {
				continue
			}
			res.Status = inventory.Damaged
			res.Findings = append(res.Findings, inventory.Finding{
				Check: res.Check.ID, Status: inventory.Damaged, Source: e.Source, Path: e.Path,
				Text: fmt.Sprintf("holds nothing, and in %s it holds %d records", e.Backup, e.Records),
			})
		}
	}
	return results
}
