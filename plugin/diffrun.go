package plugin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/inventory"
	"github.com/memsys/docker-memsys/internal/progress"
	"github.com/memsys/docker-memsys/internal/store"
)

// comparison is one run of diff. The first side is a backup, the second a backup or the live data.
type comparison struct {
	app       *app
	opts      diffOptions
	sources   []string
	alike     map[string]bool // sources whose inventories are equal: their records are not read
	backups   [2]store.Backup // the second is the zero value for the live data
	manifests [2]*archive.Manifest
	counted   [2]map[string]inventory.Inventory
	unsound   [2]bool
	records   *inventory.Differ
	files     *inventory.Differ
	counts    map[string][2]int64 // files that were compared of a source
	liveFiles []inventory.RecordDiff
	notes     []string
	left      map[string]bool // sources that could not be read

	mu      sync.Mutex
	holders map[string]holders // files with records, by source
}

func (a *app) comparison(opts diffOptions) *comparison {
	c := &comparison{
		app: a, opts: opts, alike: map[string]bool{}, left: map[string]bool{}, holders: map[string]holders{}, counts: map[string][2]int64{},
		records: inventory.NewDiffer(opts.limit), files: inventory.NewDiffer(opts.limit),
	}
	for i := range c.counted {
		c.counted[i] = map[string]inventory.Inventory{}
	}
	return c
}

// names are the sources that a backup has.
func (c *comparison) names(i int) []string {
	var out []string
	for _, s := range c.manifests[i].Sources {
		if s.Missing == "" {
			out = append(out, s.Name)
		}
	}
	return out
}

// chosen settles which of the known sources are compared.
func (c *comparison) chosen(known []string) error {
	slices.Sort(known)
	known = slices.Compact(known)
	for _, name := range c.opts.sources {
		if !slices.Contains(known, name) {
			text := fmt.Sprintf("neither side has a source %q; there are: %s", name, strings.Join(known, ", "))
			if near := compose.Nearest(name, known); near != "" {
				text += fmt.Sprintf("; did you mean %q?", near)
			}
			return usagef("%s", text)
		}
	}
	c.sources = known
	if len(c.opts.sources) > 0 {
		c.sources = c.opts.sources
	}
	return nil
}

// skipAlike finds the sources of two backups whose inventories say that their records are the same: there is nothing to read. One with
// damage is read: what is damaged has no records, and that is said.
func (c *comparison) skipAlike() {
	for _, name := range c.sources {
		before, after := inventoryOf(c.manifests[0], name), inventoryOf(c.manifests[1], name)
		if before == nil || after == nil || !inventory.Alike(*before, *after) || unsoundIn(c.manifests[0], name) || unsoundIn(c.manifests[1], name) {
			continue
		}
		c.alike[name] = true
		c.counted[0][name], c.counted[1][name] = *before, *after
	}
}

// unsoundIn tells that something of a source was damaged, or not looked at, when its backup was made.
func unsoundIn(m *archive.Manifest, source string) bool {
	v := m.Validation
	return v == nil || v.More > 0 || slices.ContainsFunc(v.Findings, func(f inventory.Finding) bool {
		return f.Source == source && (f.Status == inventory.Damaged || f.Status == inventory.Unchecked)
	})
}

// inventoryOf is what a manifest says of a source; nil where it says nothing.
func inventoryOf(m *archive.Manifest, source string) *inventory.Inventory {
	for _, s := range m.Sources {
		if s.Name == source && s.Missing == "" {
			return s.Inventory
		}
	}
	return nil
}

func (c *comparison) before(r inventory.Record) {
	c.hold(r)
	c.records.Before(r)
}

func (c *comparison) after(r inventory.Record) {
	c.hold(r)
	c.records.After(r)
}

// hold notes that a file has records, so that it is not compared as a file.
func (c *comparison) hold(r inventory.Record) {
	if r.File == "" || r.Kind != inventory.KindJSON && r.Kind != inventory.KindSQLite {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.holders[r.Source] == nil {
		c.holders[r.Source] = holders{}
	}
	c.holders[r.Source][pathKey(r.File)] = true
}

// inspection is how closely the data is looked at for its records.
func (c *comparison) inspection(scratch string) inventory.Options {
	return inventory.Options{
		Depth: inventory.Quick, Checks: []string{string(inventory.Memories), string(inventory.Databases), string(inventory.Vectors)}, Scratch: scratch,
	}
}

// read tells the records of a backup, but for sources that need not be read.
func (c *comparison) read(ctx context.Context, side int, take func(inventory.Record)) (err error) {
	a, b := c.app, c.backups[side]
	names := slices.DeleteFunc(c.names(side), func(name string) bool { return c.alike[name] || !slices.Contains(c.sources, name) })
	if len(names) == 0 {
		return nil
	}
	scratch, err := a.makeScratch()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, removeScratch(scratch)) }()
	return withArchive(b, func(r *archive.Reader) error {
		for _, name := range names {
			calls := inventory.Calls{Record: take, Bytes: progress.Counter(a.sink(), progress.Event{Step: "read", Object: b.Name})}
			report, err := inventory.Inspect(ctx, name, inventory.ArchiveTree(r, name), c.inspection(scratch), calls)
			if err != nil {
				return err
			}
			c.took(side, name, report)
		}
		a.sink().Report(progress.Event{Step: "read", Object: b.Name, Status: progress.Done})
		return nil
	})
}

// readLive tells the records of the live data.
func (c *comparison) readLive(ctx context.Context, s *session) error {
	reports, err := c.app.inspectLive(ctx, s, c.inspection(""), inventory.Calls{Record: c.after})
	if err != nil {
		return err
	}
	for _, src := range s.Sources {
		if src.Excluded != "" {
			continue
		}
		if reports[src.Name] == nil {
			c.left[src.Name] = true
			c.notes = append(c.notes, "source "+src.Name+" cannot be read, so it is not compared")
			continue
		}
		c.took(1, src.Name, reports[src.Name])
	}
	return nil
}

// took keeps what was counted, and notes what has no records because it is damaged. A side is read once or twice: the second time says nothing new.
func (c *comparison) took(side int, source string, report *inventory.Report) {
	if _, again := c.counted[side][source]; again {
		return
	}
	c.counted[side][source] = report.Inventory
	where := c.backups[side].Name
	if where == "" {
		where = "the live data"
	}
	for _, res := range report.Results {
		for _, f := range res.Findings {
			if f.Status != inventory.Damaged && f.Status != inventory.Unchecked {
				continue
			}
			c.unsound[side] = true
			c.notes = append(c.notes, fmt.Sprintf("%s/%s of %s: %s", source, f.Path, where, f.Text))
		}
	}
}

// name reads the first side again where only that can name what differs.
func (c *comparison) name(ctx context.Context) error {
	if !c.records.Again() {
		return nil
	}
	return c.read(ctx, 0, c.records.Name)
}

// result puts together what was found.
func (c *comparison) result() diffObject {
	for name := range c.left {
		delete(c.counted[0], name)
	}
	d := inventory.NewDiff(c.records, c.counted[0], c.counted[1])
	files := inventory.NewDiff(c.files, nil, nil)
	for i := range files.Collections {
		n := c.counts[files.Collections[i].Source]
		files.Collections[i].Before, files.Collections[i].After = n[0], n[1]
	}
	out := diffObject{Before: c.sideObject(0), After: c.sideObject(1), Collections: []inventory.CollectionDiff{}, Notes: c.notes, More: d.More + files.More}
	for _, one := range append(d.Collections, files.Collections...) {
		if !c.left[one.Source] {
			out.Collections = append(out.Collections, one)
		}
	}
	for _, one := range append(d.Records, files.Records...) {
		if !c.left[one.Source] {
			out.Records = append(out.Records, one)
		}
	}
	out.Same = !slices.ContainsFunc(out.Collections, func(one inventory.CollectionDiff) bool { return !one.Same() })
	return out
}

func (c *comparison) sideObject(i int) diffSide {
	b := c.backups[i]
	if b.Name == "" {
		return diffSide{Live: true, unsound: c.unsound[i]}
	}
	return diffSide{Backup: b.Name, Created: b.Created, unsound: c.unsound[i]}
}
