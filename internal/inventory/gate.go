package inventory

import (
	"cmp"
	"fmt"
	"slices"
)

// The two rules by which an operation that replaces data is judged: after a restore, Unequal must find nothing; after an upgrade, what LossOf
// finds must be Within what was allowed.

// Unequal says in what the content of a source is not what it should be, a text for each difference; nil where it is the same in number
// of files, bytes, and the ids, contents and dimension of every collection. Owners, modes and the order of records do not count.
func Unequal(want, have Inventory) []string {
	var out []string
	if want.Files != have.Files || want.Bytes != have.Bytes {
		out = append(out, fmt.Sprintf("%d files with %d bytes, %d with %d before", have.Files, have.Bytes, want.Files, want.Bytes))
	}
	for _, d := range Compare(want, have) {
		out = append(out, d.String())
	}
	return out
}

// Loss is what of the records of before is not there afterwards.
type Loss struct {
	// Records is how many are gone.
	Records int64 `json:"records"`
	// Collections are those that lost any, with what else became of them.
	Collections []CollectionDiff `json:"collections,omitempty"`
	// Gone names records, as many as the Differ was asked to name.
	Gone []RecordDiff `json:"gone,omitempty"`
	// Unsure are reasons why nobody knows whether more is gone.
	Unsure []string `json:"unsure,omitempty"`
}

// LossOf says which records of before are not there afterwards. A record is there where its collection, of the same source, kind and name, has its id: what came, and what
// says something else now, is no loss. Records without ids count by their number.
//
// d was told all records of both sides, by Before, After and, where Again said so, Name; before and after are the inventories of the same
// inspections by source, not those of a manifest, which may be shortened. The records of sources and collections whose digests of ids are equal need
// not be told. A source that is not there afterwards has lost all. Damaged data has no records, so damage shows as a loss.
func LossOf(d *Differ, before, after map[string]Inventory) Loss {
	out := Loss{}
	told := d.told()
	pairs := diffPairs(before, after)
	for _, c := range NewDiff(d, before, after).Collections {
		p := diffPart{c.Source, c.Kind, c.Name}
		c.Gone = max(c.Gone, c.Before-c.After+c.Came)
		if was, is := pairs[p][0], pairs[p][1]; was.IDs != is.IDs && was.IDs != "" && told[p] < min(was.Records, 1) {
			out.Unsure = append(out.Unsure, fmt.Sprintf("%s %s of source %s has other ids than before, and nobody was told which", c.Kind, c.Name, c.Source))
		}
		if c.Gone > 0 {
			out.Records += c.Gone
			out.Collections = append(out.Collections, c)
		}
	}
	for source, inv := range before {
		if inv.More > 0 || after[source].More > 0 {
			out.Unsure = append(out.Unsure, fmt.Sprintf("not all collections of source %s are listed", source))
		}
	}
	for _, r := range d.Records() {
		if r.Change == Gone {
			out.Gone = append(out.Gone, r)
		}
	}
	slices.SortFunc(out.Unsure, cmp.Compare[string])
	return out
}

// Within tells whether no more than so many records are gone. What nobody knows is never within anything.
func (l Loss) Within(allowed int64) bool { return len(l.Unsure) == 0 && l.Records <= max(allowed, 0) }

// told is how many ids of the first side there are in each collection.
func (d *Differ) told() map[diffPart]int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := map[diffPart]int64{}
	for p, c := range d.parts {
		out[p] = int64(len(c.before))
	}
	return out
}
