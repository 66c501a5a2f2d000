package inventory

import (
	"fmt"
	"slices"
	"strings"
)

// Delta is a collection that is not the same in two inventories of one source.
type Delta struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
	// Before and After are its records; 0 where it is not there.
	Before int64 `json:"before"`
	After  int64 `json:"after"`
	// Lost and New are how many records went and came: at the least where ids tell that they are not the same, and not which.
	Lost int64 `json:"lost"`
	New  int64 `json:"new"`
	// Changed tells that the ids are the same and contents are not.
	Changed bool `json:"changed,omitempty"`
}

// String says the difference: "sqlite memory.sqlite3#notes: 12 records, 10 before".
func (d Delta) String() string {
	at := strings.TrimSpace(d.Kind + " " + d.Name)
	switch {
	case d.Before != d.After:
		return fmt.Sprintf("%s: %d records, %d before", at, d.After, d.Before)
	case d.Changed:
		return fmt.Sprintf("%s: %d records with the same ids and other contents", at, d.After)
	}
	return fmt.Sprintf("%s: %d records, not those of before", at, d.After)
}

// Compare tells in which collections two inventories of one source differ, sorted by kind and name. Collections that an inventory does not
// list are compared all together, under an empty kind and name. Which records went is told by a Differ.
func Compare(before, after Inventory) []Delta {
	was := map[[2]string]Collection{}
	for _, c := range before.Collections {
		was[[2]string{c.Kind, c.Name}] = c
	}
	var out []Delta
	add := func(b, a Collection) {
		if d, differs := delta(b, a); differs {
			out = append(out, d)
		}
	}
	for _, c := range after.Collections {
		key := [2]string{c.Kind, c.Name}
		b := was[key]
		b.Kind, b.Name = c.Kind, c.Name
		add(b, c)
		delete(was, key)
	}
	for _, c := range was {
		add(c, Collection{Kind: c.Kind, Name: c.Name})
	}
	add(Collection{Records: before.MoreRecords}, Collection{Records: after.MoreRecords})
	slices.SortFunc(out, func(a, b Delta) int {
		return strings.Compare(a.Kind+"\x00"+a.Name, b.Kind+"\x00"+b.Name)
	})
	return out
}

func delta(b, a Collection) (Delta, bool) {
	d := Delta{Kind: a.Kind, Name: a.Name, Before: b.Records, After: a.Records, Lost: max(0, b.Records-a.Records), New: max(0, a.Records-b.Records)}
	switch {
	case b.IDs != a.IDs && b.IDs != "":
		d.Lost = max(d.Lost, 1)
		d.New = max(d.New, min(1, a.Records))
		return d, true
	case b.Records != a.Records || b.IDs != a.IDs:
		return d, true
	}
	d.Changed = b.Content != a.Content
	return d, d.Changed || b.Dimension != a.Dimension
}
