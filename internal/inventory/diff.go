package inventory

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"slices"
	"sort"
	"strings"
	"sync"
)

// Change is what became of a record or a file between two sides.
type Change string

// The changes, in the words of the output.
const (
	Came    Change = "came"
	Gone    Change = "gone"
	Changed Change = "changed"
)

// KindFile is the kind under which a comparison takes files as records: their id is their path.
const KindFile = "file"

// Differ compares the records of two sides by id. Each side is told once, whatever its order, and the first is told again where Again says
// so. It keeps 25 bytes for a record of the first side and 16 for one that came; duplicates of an id are taken as one record with all their contents.
// Before, After and Name may be called from several goroutines, each only once the calls of the one before it have ended.
type Differ struct {
	limit int

	mu     sync.Mutex
	parts  map[diffPart]*diffCollection
	sorted bool
}

// diffPart is a collection of a source.
type diffPart struct{ source, kind, name string }

// NewDiffer is a Differ that names up to limit records of each change in each collection; all of them where limit is negative.
func NewDiffer(limit int) *Differ {
	return &Differ{limit: limit, parts: map[diffPart]*diffCollection{}}
}

// Before takes a record of the first side.
func (d *Differ) Before(r Record) {
	m := markOf(r)
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.part(r)
	c.before = append(c.before, m)
}

// After takes a record of the second side.
func (d *Differ) After(r Record) {
	m := markOf(r)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sort()
	d.part(r).after(m, r, d.limit)
}

// Again tells whether the first side must be told again, to Name: something is gone from it, or changed, that has no name yet.
func (d *Differ) Again() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sort()
	for _, c := range d.parts {
		if c.unnamed() && d.limit != 0 {
			return true
		}
	}
	return false
}

// Name takes a record of the first side again.
func (d *Differ) Name(r Record) {
	m := markOf(r)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.part(r).name(m, r, d.limit)
}

// CollectionDiff is what became of the records of one collection.
type CollectionDiff struct {
	Source string `json:"source"`
	Kind   string `json:"kind"`
	Name   string `json:"name"`
	// Before and After are how many records there are on each side, those without id too.
	Before  int64 `json:"before"`
	After   int64 `json:"after"`
	Came    int64 `json:"came"`
	Gone    int64 `json:"gone"`
	Changed int64 `json:"changed"`
	// BeforeDimension and AfterDimension are the lengths of its vectors, where they differ.
	BeforeDimension int `json:"beforeDimension,omitempty"`
	AfterDimension  int `json:"afterDimension,omitempty"`
}

// Same tells whether nothing differs.
func (c CollectionDiff) Same() bool {
	return c.Came+c.Gone+c.Changed == 0 && c.Before == c.After && c.BeforeDimension == c.AfterDimension
}

// RecordDiff is one record, or file, that differs.
type RecordDiff struct {
	Change     Change `json:"change"`
	Source     string `json:"source"`
	Kind       string `json:"kind"`
	Collection string `json:"collection,omitempty"`
	ID         string `json:"id"`
	// File is where it is, or was; empty where that is not known.
	File string `json:"file,omitempty"`
}

// Collections are the collections of which records were told, sorted. Before and After count ids: NewDiff puts in the records of inventories.
func (d *Differ) Collections() []CollectionDiff {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sort()
	out := []CollectionDiff{}
	for p, c := range d.parts {
		out = append(out, c.count(CollectionDiff{Source: p.source, Kind: p.kind, Name: p.name}))
	}
	sortCollections(out)
	return out
}

// Records are the named differences, sorted by source, collection and id.
func (d *Differ) Records() []RecordDiff {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := []RecordDiff{}
	for p, c := range d.parts {
		for _, change := range []Change{Came, Gone, Changed} {
			for _, n := range c.lists[change].list(d.limit) {
				out = append(out, RecordDiff{Change: change, Source: p.source, Kind: p.kind, Collection: p.name, ID: n.id, File: n.file})
			}
		}
	}
	slices.SortStableFunc(out, func(a, b RecordDiff) int {
		return cmp.Or(strings.Compare(a.Source, b.Source), strings.Compare(a.Kind, b.Kind), strings.Compare(a.Collection, b.Collection),
			strings.Compare(a.ID, b.ID))
	})
	return out
}

func (d *Differ) part(r Record) *diffCollection {
	p := diffPart{r.Source, r.Kind, r.Collection}
	c := d.parts[p]
	if c == nil {
		c = &diffCollection{lists: map[Change]*diffNames{Came: {}, Gone: {}, Changed: {}}}
		d.parts[p] = c
	}
	return c
}

// sort readies the first side for lookups, once it is complete.
func (d *Differ) sort() {
	if d.sorted {
		return
	}
	d.sorted = true
	for _, c := range d.parts {
		slices.SortFunc(c.before, diffMark.compare)
		c.before = slices.CompactFunc(c.before, func(a, b diffMark) bool { return a == b })
		c.seen = make([]uint8, len(c.before))
	}
}

// diffMark is what is kept of a record: 128 bits of its id's digest, 64 of its content's.
type diffMark struct {
	id      [16]byte
	content [8]byte
}

func markOf(r Record) (m diffMark) {
	sum := sha256.Sum256([]byte(r.ID))
	copy(m.id[:], sum[:])
	copy(m.content[:], r.Content[:])
	return m
}

func (m diffMark) compare(other diffMark) int {
	return cmp.Or(bytes.Compare(m.id[:], other.id[:]), bytes.Compare(m.content[:], other.content[:]))
}

// What was seen of a mark of the first side. Those of the id stand at the first mark of that id.
const (
	seenID      = 1 << iota // the second side has the id
	seenContent             // the second side has the id with this content
	seenOther               // the second side has the id with a content that the first does not have
)

// diffCollection is one collection on both sides.
type diffCollection struct {
	before []diffMark
	seen   []uint8
	fresh  [][16]byte // ids of the second side that the first does not have
	lists  map[Change]*diffNames
}

// run is where the marks of an id begin and end in before.
func (c *diffCollection) run(id [16]byte) (from, to int) {
	from = sort.Search(len(c.before), func(i int) bool { return bytes.Compare(c.before[i].id[:], id[:]) >= 0 })
	return from, c.end(from, id)
}

func (c *diffCollection) end(from int, id [16]byte) int {
	to := from
	for to < len(c.before) && c.before[to].id == id {
		to++
	}
	return to
}

func (c *diffCollection) after(m diffMark, r Record, limit int) {
	from, to := c.run(m.id)
	if from == to {
		c.fresh = append(c.fresh, m.id)
		c.lists[Came].add(r, limit)
		return
	}
	c.seen[from] |= seenID
	for i := from; i < to; i++ {
		if c.before[i].content == m.content {
			c.seen[i] |= seenContent
			return
		}
	}
	c.seen[from] |= seenOther
	c.lists[Changed].add(r, limit)
}

// fate is what became of the id whose marks are these; empty where nothing did.
func (c *diffCollection) fate(from, to int) Change {
	if c.seen[from]&seenID == 0 {
		return Gone
	}
	for i := from; i < to; i++ {
		if c.seen[i]&seenContent == 0 {
			return Changed
		}
	}
	if c.seen[from]&seenOther != 0 {
		return Changed
	}
	return ""
}

// unnamed tells whether something differs that only the first side can name.
func (c *diffCollection) unnamed() bool {
	for from := 0; from < len(c.before); {
		to := c.end(from, c.before[from].id)
		if fate := c.fate(from, to); fate == Gone || fate == Changed && c.seen[from]&seenOther == 0 {
			return true
		}
		from = to
	}
	return false
}

func (c *diffCollection) name(m diffMark, r Record, limit int) {
	from, to := c.run(m.id)
	if from == to {
		return // it was not there when the side was told first
	}
	if fate := c.fate(from, to); fate != "" && c.seen[from]&seenOther == 0 {
		c.lists[fate].add(r, limit)
	}
}

func (c *diffCollection) count(d CollectionDiff) CollectionDiff {
	for from := 0; from < len(c.before); {
		to := c.end(from, c.before[from].id)
		switch c.fate(from, to) {
		case Gone:
			d.Gone++
		case Changed:
			d.Changed++
		}
		d.Before++
		from = to
	}
	slices.SortFunc(c.fresh, func(a, b [16]byte) int { return bytes.Compare(a[:], b[:]) })
	c.fresh = slices.Compact(c.fresh)
	d.Came = int64(len(c.fresh))
	d.After = d.Before - d.Gone + d.Came
	return d
}

func sortCollections(all []CollectionDiff) {
	slices.SortFunc(all, func(a, b CollectionDiff) int {
		return cmp.Or(strings.Compare(a.Source, b.Source), strings.Compare(a.Kind, b.Kind), strings.Compare(a.Name, b.Name))
	})
}

// diffNames are the smallest ids that were added, as many as the limit: which ones they are depends on no order.
type diffNames struct{ all []diffName }

type diffName struct{ id, file string }

func (n *diffNames) add(r Record, limit int) {
	if limit == 0 {
		return
	}
	n.all = append(n.all, diffName{r.ID, r.File})
	if limit > 0 && len(n.all) >= 2*limit+64 {
		n.all = n.list(limit)
	}
}

// list sorts what there is and keeps each id once.
func (n *diffNames) list(limit int) []diffName {
	slices.SortFunc(n.all, func(a, b diffName) int { return cmp.Or(strings.Compare(a.id, b.id), strings.Compare(a.file, b.file)) })
	n.all = slices.CompactFunc(n.all, func(a, b diffName) bool { return a.id == b.id })
	if limit >= 0 && len(n.all) > limit {
		clear(n.all[limit:])
		n.all = n.all[:limit]
	}
	return n.all
}
