package plugin

import (
	"fmt"
	"time"

	"github.com/memsys/docker-memsys/internal/display"
	"github.com/memsys/docker-memsys/internal/inventory"
)

// diffObject is the result of diff in JSON output.
type diffObject struct {
	Before      diffSide                   `json:"before"`
	After       diffSide                   `json:"after"`
	Same        bool                       `json:"same"`
	Collections []inventory.CollectionDiff `json:"collections"`
	Records     []inventory.RecordDiff     `json:"records,omitempty"`
	More        int64                      `json:"more,omitempty"`
	Notes       []string                   `json:"notes,omitempty"`
}

// diffSide is one of the two sides of diff.
type diffSide struct {
	Backup  string    `json:"backup,omitempty"`
	Created time.Time `json:"created,omitzero"`
	Live    bool      `json:"live,omitempty"`

	unsound bool // something in it could not be read
}

func (s diffSide) words() string {
	if s.Live {
		return "the live data"
	}
	return s.Backup + " of " + s.Created.Local().Format(time.DateTime)
}

// printDiff prints a comparison.
func (a *app) printDiff(d diffObject, format string) error {
	if format != "" {
		return a.printFormatted(format, d)
	}
	for _, note := range d.Notes {
		if err := a.printf("not compared: %s\n", display.Clean(note)); err != nil {
			return err
		}
	}
	if d.Same {
		what := "no difference"
		if len(d.Notes) > 0 {
			what = "no difference in the rest"
		}
		return a.printf("%s between %s and %s\n", what, display.Clean(d.Before.words()), display.Clean(d.After.words()))
	}
	if err := a.printf("from %s to %s\n\n", display.Clean(d.Before.words()), display.Clean(d.After.words())); err != nil {
		return err
	}
	var rows [][]string
	for _, c := range d.Collections {
		if c.Same() {
			continue
		}
		rows = append(rows, []string{
			c.Source, collectionWords(c), fmt.Sprint(c.Before), fmt.Sprint(c.After), fmt.Sprint(c.Came), fmt.Sprint(c.Gone), fmt.Sprint(c.Changed),
		})
	}
	if err := a.printTable([]string{"SOURCE", "COLLECTION", "BEFORE", "AFTER", "CAME", "GONE", "CHANGED"}, rows); err != nil {
		return err
	}
	rows = nil
	for _, r := range d.Records {
		rows = append(rows, []string{string(r.Change), r.Source, recordWords(r)})
	}
	if err := a.printSection([]string{"CHANGE", "SOURCE", "RECORD"}, rows); err != nil {
		return err
	}
	if d.More > 0 {
		return a.printf("and %s: --all names them\n", plural(d.More, "more", "more"))
	}
	return nil
}

// collectionWords names a collection for a person.
func collectionWords(c inventory.CollectionDiff) string {
	name := c.Name
	switch {
	case c.Kind == inventory.KindFile:
		return "files without records"
	case c.Kind == inventory.KindJSON && name == ".":
		return "JSON"
	case c.Kind == inventory.KindJSON:
		return "JSON " + name
	}
	if c.BeforeDimension != c.AfterDimension {
		name += fmt.Sprintf(" (dimension %d, was %d)", c.AfterDimension, c.BeforeDimension)
	}
	return c.Kind + " " + name
}

// recordWords names a record with where it is.
func recordWords(r inventory.RecordDiff) string {
	switch {
	case r.Kind == inventory.KindFile:
		return r.ID
	case r.Kind != inventory.KindJSON:
		return r.ID + " in " + r.Collection
	case r.File != "":
		return r.ID + " in " + r.File
	}
	return r.ID
}
