package restore

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/memsys/docker-memsys/internal/durable"
	"github.com/memsys/docker-memsys/internal/tree"
)

// recordsKept is how many records of restores a project keeps; an undo uses the newest.
const recordsKept = 5

// Record is what an undo of a restore has to know. It is written before the restore counts. It is plain data.
type Record struct {
	Version int `json:"version"` // 1
	// Number orders the records, whatever the clock says.
	Number int64     `json:"number"`
	ID     string    `json:"id"` // of the restore
	Time   time.Time `json:"time"`
	// Backup is what was restored, Undoes the restore that this one has undone.
	Backup Backup `json:"backup"`
	Undoes string `json:"undoes,omitempty"`
	// Safety is the backup of the state before; nil where there is none.
	Safety  *Saved          `json:"safety,omitempty"`
	Targets []RestoredState `json:"targets"`
}

// Origin is what has the state of a source from before a restore. The values are written to disk and shown in JSON.
type Origin string

// The origins of a source's content.
const (
	FromBackup  Origin = "backup"    // an archive
	FromAside   Origin = "set-aside" // entries that a restore has set aside
	FromNothing Origin = "nothing"   // there was none: what came is taken away again
	FromNowhere Origin = "none"      // it was not kept, as asked for
)

// RestoredState is a source that was restored, and what has its former state.
type RestoredState struct {
	Name string `json:"name"`
	// Was is its name in the backup that was restored, where that is another.
	Was  string `json:"was,omitempty"`
	Kind string `json:"kind"`
	Root string `json:"root"`
	// Single tells that the source is a single file.
	Single bool   `json:"singleFile,omitempty"`
	From   Origin `json:"from"`
	// Aside is the folder of the entries set aside.
	Aside string `json:"aside,omitempty"`
	// Whole tells that all of the source was restored; else Paths are what was.
	Whole bool           `json:"whole"`
	Paths []tree.RawPath `json:"paths,omitempty"`
	// Kept stayed in place although nothing that is in force now says so.
	Kept []tree.RawPath `json:"kept,omitempty"`
}

// Records are the records of a project's restores, a file for each. Removing one needs no space.
type Records struct {
	// Dir is the folder that holds them; it need not exist.
	Dir string
}

// Save writes a record, durable, and forgets the oldest. It sets Version and Number.
func (r Records) Save(rec Record) error {
	all, err := r.List()
	if err != nil {
		return err
	}
	rec.Version, rec.Number = 1, 1
	if len(all) > 0 {
		rec.Number = all[0].Number + 1
	}
	data, err := json.MarshalIndent(rec, "", "  ")
	if err != nil {
		return fmt.Errorf("record the restore: %w", err)
	}
	if err := os.MkdirAll(r.Dir, 0o700); err != nil {
		return fmt.Errorf("record the restore: %w", err)
	}
	if err := errors.Join(durable.SyncDir(filepath.Dir(r.Dir)), durable.WriteFile(r.path(rec.ID), append(data, '\n'), 0o600)); err != nil {
		return fmt.Errorf("record the restore: %w", err)
	}
	for _, old := range all[min(len(all), recordsKept-1):] {
		if err := r.Drop(old.ID); err != nil {
			return err
		}
	}
	return nil
}

// Drop forgets a record; one that is gone is fine.
func (r Records) Drop(id string) error {
	err := os.Remove(r.path(id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = durable.SyncDir(r.Dir)
	}
	if err != nil {
		return fmt.Errorf("forget the record of a restore: %w", err)
	}
	return nil
}

func (r Records) path(id string) string { return filepath.Join(r.Dir, filepath.Base(id)+".json") }

// List returns the records, the newest first. What cannot be read as one is left out: Damaged names it.
func (r Records) List() ([]Record, error) {
	all, _, err := r.read()
	return all, err
}

// Damaged are the files of records that cannot be read as such.
func (r Records) Damaged() ([]string, error) {
	_, damaged, err := r.read()
	return damaged, err
}

func (r Records) read() (all []Record, damaged []string, err error) {
	entries, err := os.ReadDir(r.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read records of restores: %w", err)
	}
	for _, e := range entries {
		id, ok := strings.CutSuffix(e.Name(), ".json")
		if !ok {
			continue
		}
		data, err := os.ReadFile(r.path(id))
		if err != nil {
			return nil, nil, fmt.Errorf("read records of restores: %w", err)
		}
		if rec, err := ParseRecord(data); err == nil && rec.ID == id {
			all = append(all, rec)
		} else {
			damaged = append(damaged, r.path(id))
		}
	}
	slices.SortFunc(all, func(a, b Record) int { return cmp.Compare(b.Number, a.Number) })
	return all, damaged, nil
}

// ParseRecord reads a record.
func ParseRecord(data []byte) (Record, error) {
	var rec Record
	if err := json.Unmarshal(data, &rec); err != nil {
		return rec, fmt.Errorf("read the record of a restore: %w", err)
	}
	if rec.Version != 1 || rec.ID == "" {
		return rec, fmt.Errorf("read the record of a restore: version %d is not known", rec.Version)
	}
	return rec, nil
}

// scope is what of a target a restore changes: paths below its root, with the folders that it makes on the way; nil for all of it.
func (t *Target) scope() []tree.RawPath {
	if t.view.choice == nil || t.view.scope != nil {
		return t.paths
	}
	added := setOf(t.Changes.Added)
	roots := map[string]bool{}
	for path := range t.view.archived {
		top := path
		for up := parentOf(path); up != "." && (t.view.archived[up] || added[up]); up = parentOf(up) {
			top = up
		}
		if t.view.archived["."] {
			top = "."
		}
		roots[top] = true
	}
	for _, path := range t.Changes.Removed {
		if t.view.besideDatabase(path) && !added[path] {
			roots[path] = true
		}
	}
	out := []tree.RawPath{}
	for path := range roots {
		out = append(out, tree.RawPath(path))
	}
	slices.Sort(out)
	return out
}

// record is that of this run.
func (x *execution) record() Record {
	p := x.plan
	rec := Record{Version: 1, ID: p.ID, Time: x.Clock().UTC(), Backup: p.Backup, Safety: x.result.Safety}
	if p.req.Undo != nil {
		rec.Undoes = p.req.Undo.ID
	}
	for _, w := range x.work {
		t := w.target
		s := RestoredState{Name: t.Name, Was: t.Was, Kind: t.Kind, Root: t.Root, Single: t.Single, From: FromNowhere, Whole: t.view.choice == nil}
		if !s.Whole {
			s.Paths = t.scope()
		}
		switch {
		case t.Missing:
			s.From = FromNothing
		case t.Aside != "" && w.replaced():
			s.From, s.Aside = FromAside, string(w.swap.Staging)
		case t.Aside != "":
			s.From, s.Kept = FromNothing, w.stayed
		case x.result.Safety != nil:
			s.From = FromBackup
		}
		rec.Targets = append(rec.Targets, s)
	}
	return rec
}

// keepRecord writes what an undo needs, before the restore counts.
func (x *execution) keepRecord(context.Context) error {
	if x.Keep == nil {
		return nil
	}
	if err := x.Journal.Step(stepRecord, x.plan.ID); err != nil {
		return err
	}
	x.recorded = x.plan.ID
	return x.Keep(x.record())
}
