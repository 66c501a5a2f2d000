package inventory

import (
	"context"
	"crypto/sha256"
	"database/sql/driver"
	"encoding/binary"
	"math"
	"strconv"
	"strings"
)

// mostRows is how many rows a table may have for its rows to be told apart; of a larger one they are only counted.
const mostRows = 5_000_000

// mostHashed is how long a value in a database larger than that may be for its content to count; of longer ones their length does.
const mostHashed = 1 << 20

// countTables counts the rows of each table, as the collection PATH#TABLE. A full-text table that keeps its texts itself counts by them.
func (d *database) countTables(ctx context.Context, path string, r *Recorder) error {
	for _, t := range d.tables {
		rows, name := t, t.name
		switch {
		case strings.HasPrefix(t.module, "fts"):
			rows = d.find(func(c *table, index string) bool {
				return index == "" && c.shadow && strings.EqualFold(c.name, t.name+"_content")
			})
		case t.module != "" || t.shadow || strings.HasPrefix(t.name, "sqlite_"):
			continue
		}
		if rows == nil || rows.unsound {
			continue
		}
		b := r.Batch(KindSQLite, path+"#"+name)
		b.In(path)
		if err := d.countRows(ctx, rows, b); err != nil {
			if _, _, ok := faulty(err); !ok {
				return err
			}
			continue // what is wrong with it, its checks tell
		}
		b.Done(0)
	}
	return nil
}

// countRows counts the rows of a table, with a digest of each unless there are too many.
func (d *database) countRows(ctx context.Context, t *table, b *Batch) error {
	n, err := d.Value(ctx, "SELECT count(*) FROM "+quote(t.name))
	if err != nil {
		return err
	}
	columns, keys, err := d.columns(ctx, t)
	if err != nil {
		return err
	}
	if n := n.(int64); n > mostRows || len(keys) == 0 {
		b.Count(n)
		return nil
	}
	expressions := make([]string, 0, len(keys)+len(columns))
	for _, k := range keys {
		expressions = append(expressions, "+"+k)
	}
	for _, c := range columns {
		expressions = append(expressions, d.content(c))
	}
	most, seen, row := d.mostRows(), int64(0), rowHash{}
	return d.Query(ctx, "SELECT "+strings.Join(expressions, ", ")+" FROM "+quote(t.name), func(values []driver.Value) error {
		if seen++; seen > most {
			return errPages
		}
		b.Add(key(values[:len(keys)]), row.of(values[len(keys):]))
		return nil
	})
}

// mostRows is how many rows fit into the database, at four bytes each.
func (d *database) mostRows() int64 { return d.pages * d.page / 4 }

// content is the expression for the content of a column. A database that is small cannot hold a value that is too long.
func (d *database) content(column string) string {
	if d.pages*d.page < mostValue {
		return "+" + column
	}
	return "CASE WHEN octet_length(" + column + ") > " + strconv.Itoa(mostHashed) + " THEN octet_length(" + column + ") ELSE " + column + " END"
}

// columns are the columns of a table that are stored, and those by which a row is told from others: its primary key, or the rowid.
func (d *database) columns(ctx context.Context, t *table) (all, keys []string, err error) {
	names := map[string]bool{}
	const stored = 0
	primary := map[int64]string{}
	err = d.Query(ctx, "SELECT name, pk, hidden FROM pragma_table_xinfo(?)", func(row []driver.Value) error {
		name := text(row[0])
		names[strings.ToLower(name)] = true
		if row[2] != int64(stored) {
			return nil
		}
		all = append(all, quote(name))
		if at, _ := row[1].(int64); at > 0 {
			primary[at] = quote(name)
		}
		return nil
	}, t.name)
	if err != nil {
		return nil, nil, err
	}
	for i := range len(primary) {
		keys = append(keys, primary[int64(i+1)])
	}
	for _, rowid := range []string{"rowid", "_rowid_", "oid"} {
		if len(keys) == 0 && !names[rowid] {
			keys = append(keys, rowid)
		}
	}
	return all, keys, nil
}

// key is the id of a row: a lone number or text as it stands, anything else spelled out.
func key(values []driver.Value) string {
	if len(values) == 1 {
		switch v := values[0].(type) {
		case int64:
			return strconv.FormatInt(v, 10)
		case string:
			return v
		}
	}
	var b strings.Builder
	for i, v := range values {
		if i > 0 {
			b.WriteByte(',')
		}
		switch v := v.(type) {
		case int64:
			b.WriteString(strconv.FormatInt(v, 10))
		case float64:
			b.WriteString(strconv.FormatFloat(v, 'g', -1, 64))
		case string:
			b.WriteString(strconv.Quote(v))
		case []byte:
			b.WriteString("x" + strconv.Quote(string(v)))
		default:
			b.WriteString("null")
		}
	}
	return b.String()
}

// rowHash makes digests of rows.
type rowHash struct {
	buf []byte
}

// of is the digest of values: of each its type, its length and what it is.
func (h *rowHash) of(values []driver.Value) (sum [32]byte) {
	h.buf = h.buf[:0]
	for _, v := range values {
		switch v := v.(type) {
		case int64:
			h.buf = binary.BigEndian.AppendUint64(append(h.buf, 'i'), uint64(v))
		case float64:
			h.buf = binary.BigEndian.AppendUint64(append(h.buf, 'f'), math.Float64bits(v))
		case string:
			h.buf = append(binary.BigEndian.AppendUint64(append(h.buf, 't'), uint64(len(v))), v...)
		case []byte:
			h.buf = append(binary.BigEndian.AppendUint64(append(h.buf, 'b'), uint64(len(v))), v...)
		default:
			h.buf = append(h.buf, 'n')
		}
	}
	return sha256.Sum256(h.buf)
}
