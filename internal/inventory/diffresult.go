package inventory

// Diff is what differs between two sides.
type Diff struct {
	// Collections are all of both sides, those in which nothing differs too; files stand last of each source, as kind file.
	Collections []CollectionDiff `json:"collections"`
	// Records are those that differ, as many as were asked for; More is how many are not listed.
	Records []RecordDiff `json:"records,omitempty"`
	More    int64        `json:"more,omitempty"`
}

// NewDiff puts together what a Differ was told with the inventories of both sides, by source, which also count records without ids.
func NewDiff(d *Differ, before, after map[string]Inventory) Diff {
	all := map[diffPart]CollectionDiff{}
	for _, c := range d.Collections() {
		all[diffPart{c.Source, c.Kind, c.Name}] = c
	}
	for p, pair := range diffPairs(before, after) {
		c, told := all[p]
		c.Source, c.Kind, c.Name = p.source, p.kind, p.name
		c.Before, c.After = pair[0].Records, pair[1].Records
		if pair[0].Dimension != pair[1].Dimension && pair[0].Records > 0 && pair[1].Records > 0 {
			c.BeforeDimension, c.AfterDimension = pair[0].Dimension, pair[1].Dimension
		}
		if !told {
			c.countable(pair[0], pair[1])
		}
		all[p] = c
	}
	out := Diff{Collections: []CollectionDiff{}, Records: d.Records()}
	total := int64(0)
	for _, c := range all {
		out.Collections = append(out.Collections, c)
		total += c.Came + c.Gone + c.Changed
	}
	sortCollections(out.Collections)
	out.More = max(total-int64(len(out.Records)), 0)
	return out
}

// countable fills in what the numbers alone tell of a collection whose records have no ids.
func (c *CollectionDiff) countable(before, after Collection) {
	if before.IDs != "" || after.IDs != "" {
		return // nothing of it was told because its digests are equal
	}
	c.Came, c.Gone = max(after.Records-before.Records, 0), max(before.Records-after.Records, 0)
}

// diffPairs are the collections of both sides.
func diffPairs(before, after map[string]Inventory) map[diffPart][2]Collection {
	out := map[diffPart][2]Collection{}
	for i, side := range []map[string]Inventory{before, after} {
		for source, inv := range side {
			for _, c := range inv.Collections {
				p := diffPart{source, c.Kind, c.Name}
				pair := out[p]
				pair[i] = c
				out[p] = pair
			}
		}
	}
	return out
}

// Same tells whether nothing differs.
func (d Diff) Same() bool {
	for _, c := range d.Collections {
		if !c.Same() {
			return false
		}
	}
	return true
}

// Alike tells whether two inventories say that the same records are in a source: reading them would show no difference.
// Records without ids, and collections that are not listed, have no digest: then nothing is said.
func Alike(a, b Inventory) bool {
	if len(a.Collections) != len(b.Collections) || a.More > 0 || b.More > 0 {
		return false
	}
	for i, c := range a.Collections {
		other := b.Collections[i]
		files := c.Files
		c.Files = other.Files // records may have moved
		if c != other || c.Content == "" && (c.Records > 0 || files != other.Files) {
			return false
		}
	}
	return true
}
