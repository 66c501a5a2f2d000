package inventory

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// integrity checks the pages, rows and indexes: at Full the whole database, at Quick table by table, which leaves out full-text indexes and
// the pages that no table has.
func (at databaseReport) integrity(ctx context.Context, d *database) error {
	at.r.Checked(checkIntegrity, 1)
	var fault error
	if at.r.Options.Depth == Full {
		if fault = at.integrityOf(ctx, d, nil); fault == nil {
			return nil
		}
		if _, _, ok := faulty(fault); !ok || errors.Is(fault, errEndless) {
			return fault
		}
	}
	// Where the check of the whole breaks off, the tables tell which it is about.
	all := append([]*table{{name: "sqlite_schema", root: 1}}, d.tables...)
	for _, t := range all {
		if t.module != "" && fault == nil {
			continue
		}
		if err := at.integrityOf(ctx, d, t); err != nil {
			return err
		}
	}
	if slices.ContainsFunc(all, func(t *table) bool { return t.named }) {
		return nil
	}
	return fault
}

// integrityOf checks one table, or all where t is nil. Where SQLite breaks off, what it has said first is asked for once more.
func (at databaseReport) integrityOf(ctx context.Context, d *database, t *table) error {
	said, err := d.check(ctx, t, "")
	if status, text, ok := faulty(err); ok {
		first, again := d.check(ctx, t, " LIMIT 1")
		switch {
		case again == nil && len(messages(first)) > 0:
			said = first
		case t == nil:
			return err
		default:
			t.named, t.unsound = true, t.unsound || status == Damaged
			at.find(checkOf(t, text), status, t.name, text)
			return nil
		}
	} else if err != nil {
		return err
	}
	for _, m := range messages(said) {
		owner := t
		if owner == nil {
			owner = d.owner(m)
		}
		name := ""
		if owner != nil {
			name, owner.unsound, owner.named = owner.name, true, true
		}
		at.find(checkOf(owner, m), Damaged, name, m)
	}
	return nil
}

// check asks SQLite to check a table, or all where t is nil. All messages come as one row, so that the context ends it at any time.
func (d *database) check(ctx context.Context, t *table, limit string) (string, error) {
	of, args := "", []any{}
	if t != nil {
		of, args = "(?)", append(args, t.name)
	}
	const query = "SELECT group_concat(integrity_check, char(10)) FROM (SELECT integrity_check FROM pragma_integrity_check%s%s)"
	v, err := d.Value(ctx, fmt.Sprintf(query, of, limit), args...)
	return text(v), err
}

// checkOf is the check that a message belongs to.
func checkOf(t *table, message string) Check {
	if t != nil && strings.HasPrefix(t.module, "fts") || strings.Contains(strings.ToLower(message), "fts5") {
		return checkFTS
	}
	return checkIntegrity
}

// messages are the lines of what SQLite's check says. Those that differ in the number of a row alone become one.
func messages(said string) []string {
	var out []string
	more := map[string]int{}
	first := map[string]int{}
	for line := range strings.SplitSeq(said, "\n") {
		if line == "" || line == "ok" || strings.HasPrefix(line, "*** in database") {
			continue
		}
		var row int64
		rest := ""
		if n, _ := fmt.Sscanf(line, "row %d", &row); n == 1 {
			rest = strings.TrimPrefix(line, fmt.Sprintf("row %d", row))
			if _, again := first[rest]; again {
				more[rest]++
				continue
			}
			first[rest] = len(out)
		}
		out = append(out, line)
	}
	for rest, n := range more {
		out[first[rest]] += fmt.Sprintf(", and %d rows more", n)
	}
	return out
}

// owner is the table that a message of SQLite's check is about; nil where it names none.
func (d *database) owner(line string) *table {
	var tree int64
	if _, err := fmt.Sscanf(line, "Tree %d", &tree); err == nil {
		return d.find(func(t *table, index string) bool {
			return index == "" && t.root == tree || index != "" && t.indexes[index] == tree
		})
	}
	for _, before := range []string{"from index ", "in index ", "table main.", `table "`} {
		if _, name, ok := strings.Cut(line, before); ok {
			name, _, _ = strings.Cut(name, ", and ")
			name = strings.TrimSuffix(name, `"`)
			return d.find(func(t *table, index string) bool { return t.name == name || index != "" && index == name })
		}
	}
	for _, before := range []string{" value in ", "CHECK constraint failed in ", "RTree main."} {
		if _, name, ok := strings.Cut(line, before); ok {
			return d.find(func(t *table, _ string) bool {
				return strings.HasPrefix(name+".", t.name+".") || strings.HasPrefix(name, t.name+":")
			})
		}
	}
	return nil
}

// find is the first table that is, or has an index that is, the one wanted; index is empty for the table itself.
func (d *database) find(wanted func(t *table, index string) bool) *table {
	for _, t := range d.tables {
		if wanted(t, "") {
			return t
		}
		for name := range t.indexes {
			if wanted(t, name) {
				return t
			}
		}
	}
	return nil
}

// tableError is a fault that SQLite met in a table.
type tableError struct {
	table string
	err   error
}

func (e *tableError) Error() string { return "table " + e.table + ": " + e.err.Error() }

func (e *tableError) Unwrap() error { return e.err }

// foreignKeys looks for rows that refer to rows that do not exist. SQLite does not hold a program to its keys unless it asks for that, so
// it is a warning; a table that does not exist at all is no reference to check, but how Chroma's schema is.
func (at databaseReport) foreignKeys(ctx context.Context, d *database) error {
	at.r.Checked(checkForeignKeys, 1)
	for _, t := range d.tables {
		if t.module != "" || t.unsound {
			continue
		}
		refers, err := d.refers(ctx, t)
		if err != nil {
			return &tableError{t.name, err}
		}
		if !refers {
			continue
		}
		const query = `SELECT parent, count(*), min("rowid") FROM pragma_foreign_key_check(?) GROUP BY parent, fkid`
		err = d.Query(ctx, query, func(row []driver.Value) error {
			if parent := text(row[0]); d.has(parent) {
				text := fmt.Sprintf("%v rows refer to rows of %s that do not exist", row[1], parent)
				if row[2] != nil {
					text += fmt.Sprintf(", first that with rowid %v", row[2])
				}
				at.find(checkForeignKeys, Warning, t.name, text)
			}
			return nil
		}, t.name)
		if status, text, ok := faulty(err); ok && status == Unchecked && strings.Contains(text, "foreign key mismatch") {
			at.find(checkForeignKeys, Warning, t.name, text)
			continue
		}
		if err != nil {
			return &tableError{t.name, err}
		}
	}
	return nil
}

// refers tells whether a table has a foreign key to a table that exists.
func (d *database) refers(ctx context.Context, t *table) (refers bool, err error) {
	err = d.Query(ctx, `SELECT DISTINCT "table" FROM pragma_foreign_key_list(?)`, func(row []driver.Value) error {
		refers = refers || d.has(text(row[0]))
		return nil
	}, t.name)
	return refers, err
}

func (d *database) has(name string) bool {
	return d.find(func(t *table, index string) bool { return index == "" && strings.EqualFold(t.name, name) }) != nil
}

// fullText checks full-text indexes against what they index, where the check of the whole database has not.
func (at databaseReport) fullText(ctx context.Context, d *database) error {
	if at.r.Options.Depth != Full {
		return nil
	}
	for _, t := range d.tables {
		switch {
		case t.module == "fts3" || t.module == "fts4":
			at.r.Checked(checkFTS, 1)
			at.find(checkFTS, Unchecked, t.name, "its index is of the kind "+t.module+", which cannot be checked here")
		case t.module == "fts5":
			at.r.Checked(checkFTS, 1)
			if at.r.Wants(checkIntegrity.ID) {
				continue
			}
			if err := at.integrityOf(ctx, d, t); err != nil {
				return err
			}
		}
	}
	return nil
}
