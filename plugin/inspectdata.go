package plugin

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/store"
)

// mostCollections is how many collections of a source a person is shown; JSON has all that the manifest lists.
const mostCollections = 20

// dataWords says what the last look at the data of a backup came to.
func dataWords(v *store.Validation) string {
	if v == nil {
		return "never looked at"
	}
	text := fmt.Sprintf("%s (%s, %s", v.Status, v.Depth, v.Time.Format(time.RFC3339))
	if len(v.Checks) > 0 {
		text += ": " + strings.Join(v.Checks, ", ")
	}
	return text + ")"
}

// printInventory prints what was counted in each source.
func (a *app) printInventory(m *archive.Manifest) error {
	rows := [][]string{}
	for _, s := range m.Sources {
		if s.Inventory == nil {
			continue
		}
		shown := s.Inventory.Collections[:min(len(s.Inventory.Collections), mostCollections)]
		for _, c := range shown {
			dimension := "-"
			if c.Dimension > 0 {
				dimension = strconv.Itoa(c.Dimension)
			}
			rows = append(rows, []string{s.Name, c.Kind, c.Name, strconv.FormatInt(c.Records, 10), dimension})
		}
		rows = append(rows, restOf(s, shown)...)
	}
	return a.printSection([]string{"HOLDS IN", "KIND", "COLLECTION", "RECORDS", "DIMENSION"}, rows)
}

// restOf is the row for the collections of a source that are not shown.
func restOf(s archive.Source, shown []archive.Collection) [][]string {
	more, records := s.Inventory.More, s.Inventory.MoreRecords
	for _, c := range s.Inventory.Collections[len(shown):] {
		more++
		records += c.Records
	}
	if more == 0 {
		return nil
	}
	return [][]string{{s.Name, "-", fmt.Sprintf("and %d more", more), strconv.FormatInt(records, 10), "-"}}
}

// printFindings prints what the last look at the data has found.
func (a *app) printFindings(v *store.Validation) error {
	if v == nil {
		return nil
	}
	rows := [][]string{}
	for _, f := range v.Findings {
		rows = append(rows, []string{string(f.Status), f.Check, findingText(f)})
	}
	if v.More > 0 {
		rows = append(rows, []string{"-", "-", fmt.Sprintf("and %d more", v.More)})
	}
	return a.printSection([]string{"FOUND", "CHECK", "WHERE AND WHAT"}, rows)
}
