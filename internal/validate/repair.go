package validate

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/inventory"
)

// Repairable sorts the damage of a validation of live data: what a file is named for can come back from a backup, the rest takes a person.
// No more than this is mended: nothing is rebuilt, and a permission or an owner is never changed by a guess at what was meant.
func Repairable(r *Report) (files map[string][]string, person []inventory.Finding) {
	files = map[string][]string{}
	for _, res := range r.Results {
		for _, f := range res.Findings {
			path := cmp.Or(f.Path, ".") // the source itself: one file, or a store
			switch {
			case f.Status != inventory.Damaged:
			case f.Source == "" || !Mendable(res.Check):
				person = append(person, f)
			case !slices.Contains(files[f.Source], path):
				files[f.Source] = append(files[f.Source], path)
			}
		}
	}
	return files, person
}

// Mendable tells whether damage that a check finds is in the content of files.
func Mendable(c inventory.Check) bool {
	g := c.Group()
	return g == inventory.Memories || g == inventory.Databases || g == inventory.Vectors
}

// Unlisted is how much damage a report counts and does not name.
func Unlisted(r *Report) (n int64) {
	for _, res := range r.Results {
		if res.Status == inventory.Damaged {
			n += res.More
		}
	}
	return n
}

// Loses are the records that a unit shows now, damaged as it is, beyond those that it has in its backup, by collection: they will be lost. It tells
// nothing of files whose records are not counted apart.
func (u *Unit) Loses(now inventory.Inventory) []string {
	var out []string
	for _, c := range now.Collections {
		name, _, _ := strings.Cut(c.Name, "#")
		if name != archive.Text(u.Path) || c.Kind == inventory.KindJSON {
			continue
		}
		if n := c.Records - u.Records[c.Name]; n > 0 {
			out = append(out, fmt.Sprintf("records of %s that came since then: %d", c.Name, n))
		}
	}
	slices.Sort(out)
	return out
}

// kept is the check for memories that a backup has and the live data has not.
func kept() inventory.Check {
	return inventory.Check{ID: "memories.lost", Title: "memories that the last good backup has"}
}

// Before is what the last good backup says of the project.
type Before struct {
	Backup string
	// Inventories are those of its sources; one that it does not have says nothing.
	Inventories map[string]inventory.Inventory
	// Gone are sources of the project whose folder is not there any more.
	Gone []string
}

// CheckKept compares the counted live data with the last good backup: whatever is fewer now may have been deleted on purpose, so it is a
// warning that names the command which tells more.
func CheckKept(now map[string]inventory.Inventory, b Before, wants func(id string) bool) []inventory.Result {
	check := kept()
	if !wants(check.ID) {
		return nil
	}
	var out []inventory.Result
	for _, source := range b.Gone {
		if n := recordsOf(b.Inventories[source]); n > 0 {
			text := fmt.Sprintf("is gone, and with it %s: %s has them", count(n, "record"), b.Backup)
			out = append(out, inventory.Result{Check: check, Source: source, Status: inventory.Warning, Checked: int64(len(b.Inventories[source].Collections)), Findings: []inventory.Finding{
				{Check: check.ID, Status: inventory.Warning, Source: source, Text: text},
			}})
		}
	}
	for source, inv := range now {
		was, known := b.Inventories[source]
		if !known {
			continue
		}
		res := inventory.Result{Check: check, Source: source, Status: inventory.OK, Checked: int64(len(was.Collections))}
		fewer(looked(was, inv, wants), inv, b.Backup, func(object, text string) {
			res.Findings = append(res.Findings, inventory.Finding{Check: check.ID, Status: inventory.Warning, Source: source, Object: object, Text: text})
		})
		if len(res.Findings) > 0 {
			res.Status = inventory.Warning
			res.Why = "docker memsys diff " + b.Backup + " names what is gone"
		}
		out = append(out, res)
	}
	slices.SortFunc(out, func(a, b inventory.Result) int { return cmp.Compare(a.Source, b.Source) })
	return out
}

func recordsOf(inv inventory.Inventory) int64 {
	n := inv.MoreRecords
	for _, c := range inv.Collections {
		n += c.Records
	}
	return n
}

// looked leaves out the kinds of collections that were not looked at: of which nothing was found, while not all checks that count them were wanted.
func looked(was, now inventory.Inventory, wants func(id string) bool) inventory.Inventory {
	groups := map[string]inventory.Group{
		inventory.KindJSON: inventory.Memories, inventory.KindSQLite: inventory.Databases, inventory.KindChroma: inventory.Databases, inventory.KindVector: inventory.Vectors,
	}
	unwanted := map[inventory.Group]bool{}
	for _, c := range inventory.Checks() {
		unwanted[c.Group()] = unwanted[c.Group()] || !wants(c.ID)
	}
	was.Collections = slices.DeleteFunc(slices.Clone(was.Collections), func(c inventory.Collection) bool {
		found := slices.ContainsFunc(now.Collections, func(n inventory.Collection) bool { return n.Kind == c.Kind })
		return !found && unwanted[groups[c.Kind]]
	})
	return was
}

// fewer finds the collections that have fewer records now.
func fewer(was, now inventory.Inventory, backup string, find func(object, text string)) {
	have := map[[2]string]inventory.Collection{}
	for _, c := range now.Collections {
		have[[2]string{c.Kind, c.Name}] = c
	}
	for _, c := range was.Collections {
		is, ok := have[[2]string{c.Kind, c.Name}]
		switch {
		case !ok && c.Records > 0:
			find(c.Name, fmt.Sprintf("is gone with its %s: %s has it", count(c.Records, "record"), backup))
		case is.Records < c.Records:
			find(c.Name, fmt.Sprintf("has fewer records than %s: %d, not %d", backup, is.Records, c.Records))
		}
	}
}
