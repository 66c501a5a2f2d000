package inventory

import (
	"context"
	"database/sql/driver"
	"slices"
	"strings"
)

// table is a table of a database.
type table struct {
	name string
	root int64
	// module is what a virtual table uses, in lower case; empty for others.
	module string
	// shadow tells that a virtual table keeps its data in it.
	shadow bool
	// indexes are the names and root pages of its indexes.
	indexes map[string]int64
	// unsound tells that it was found damaged: nothing is counted in it.
	unsound bool
	// named tells that a finding names it.
	named bool
}

// shadows are the tables in which modules keep their data, by what follows the name of the virtual table.
func shadows(module string) (suffixes []string, known bool) {
	switch module {
	case "fts5":
		return []string{"data", "idx", "content", "docsize", "config"}, true
	case "fts3", "fts4":
		return []string{"content", "segments", "segdir", "docsize", "stat"}, true
	case "rtree", "rtree_i32", "geopoly":
		return []string{"node", "rowid", "parent"}, true
	}
	return nil, false
}

// schema reads the tables of a database, from its schema alone: to ask SQLite for them would make it look into views.
func (d *database) schema(ctx context.Context) ([]*table, error) {
	var tables []*table
	byName := map[string]*table{}
	const query = "SELECT type, name, tbl_name, rootpage, sql FROM sqlite_schema WHERE type IN ('table', 'index') ORDER BY type DESC, rowid"
	err := d.Query(ctx, query, func(row []driver.Value) error {
		kind, name, of := text(row[0]), text(row[1]), text(row[2])
		root, _ := row[3].(int64)
		if kind == "index" {
			if t := byName[strings.ToLower(of)]; t != nil {
				t.indexes[name] = root
			}
			return nil
		}
		t := &table{name: name, root: root, indexes: map[string]int64{}}
		if root == 0 {
			t.module = module(text(row[4]))
		}
		tables = append(tables, t)
		byName[strings.ToLower(name)] = t
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, t := range tables {
		t.shadow = t.module == "" && slices.ContainsFunc(tables, t.holds)
	}
	return tables, nil
}

// holds tells whether a virtual table keeps its data in t. Of a module that is not known here, all whose name begins with its own are its.
func (t *table) holds(virtual *table) bool {
	if virtual.module == "" || len(t.name) <= len(virtual.name) || !strings.EqualFold(t.name[:len(virtual.name)], virtual.name) {
		return false
	}
	rest, under := strings.CutPrefix(t.name[len(virtual.name):], "_")
	suffixes, known := shadows(virtual.module)
	return under && (!known || slices.Contains(suffixes, strings.ToLower(rest)))
}

// module is the name of the module in the statement that made a virtual table.
func module(statement string) string {
	words := strings.Fields(statement)
	for i, w := range words[:max(len(words)-1, 0)] {
		if strings.EqualFold(w, "using") {
			name, _, _ := strings.Cut(words[i+1], "(")
			return strings.ToLower(strings.Trim(name, "\"'`[];"))
		}
	}
	return "?"
}

func text(v driver.Value) string {
	s, _ := v.(string)
	return s
}
