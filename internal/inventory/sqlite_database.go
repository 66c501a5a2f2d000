package inventory

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"
)

// What a database may cost, whatever it says about itself.
const (
	mostValue = 32 << 20 // of one value or row
	mostSQL   = 16 << 20 // of one statement of its schema
	cacheKiB  = 4096
	// A statement may take patience, and more for each MiB of the database: a tree of pages that lead to each other again and again
	// takes for ever.
	patience       = 5 * time.Minute
	patiencePerMiB = 2 * time.Second
)

// errEndless tells that a statement has taken longer than any does on a database of this size.
var errEndless = errors.New("took far longer than a database of this size can take")

// errPages tells that a database claims more pages than it can have.
var errPages = errors.New("claims to be far larger than its files are")

// database is a private copy of a database that SQLite has opened; what lay beside it is taken in. It is used by one goroutine at a time.
type database struct {
	*databaseCopy

	// page is the size of a page, pages how many there are.
	page, pages int64
	// tables are those of its schema, once that was read.
	tables []*table

	pool     *sql.DB
	conn     *sql.Conn
	patience time.Duration
}

// open opens a copy. The copy is removed when that fails.
func (c *databaseCopy) open(ctx context.Context) (*database, error) {
	d := &database{databaseCopy: c, patience: patience + patiencePerMiB*time.Duration((c.size+c.journal+c.wal)>>20)}
	if err := d.connect(ctx); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

func (d *database) connect(ctx context.Context) error {
	connector, err := sqlite.NewConnector(dataSource(d.path()))
	if err != nil {
		return err
	}
	d.pool = sql.OpenDB(connector)
	if d.conn, err = d.pool.Conn(ctx); err != nil {
		return err
	}
	if err := d.limit(); err != nil {
		return err
	}
	// The first of them that reads the database rolls its journal back.
	for _, pragma := range []string{
		"trusted_schema=OFF", "cell_size_check=ON", "mmap_size=0", "temp_store=FILE", "locking_mode=EXCLUSIVE",
		"synchronous=OFF", fmt.Sprintf("cache_size=-%d", cacheKiB), "query_only=ON",
	} {
		if _, err := d.conn.ExecContext(ctx, "PRAGMA "+pragma); err != nil {
			return err
		}
	}
	return d.measure(ctx)
}

// dataSource names a file to the driver.
func dataSource(path string) string {
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path // C:/…
	}
	return (&url.URL{Scheme: "file", Path: path, RawQuery: "mode=rw&_defensive=1"}).String()
}

// limit bounds what the connection takes, and denies it everything that a schema could bring in: other files, views.
func (d *database) limit() error {
	for id, most := range map[int]int{
		lib.SQLITE_LIMIT_LENGTH: mostValue, lib.SQLITE_LIMIT_SQL_LENGTH: mostSQL,
		lib.SQLITE_LIMIT_ATTACHED: 0, lib.SQLITE_LIMIT_WORKER_THREADS: 0,
	} {
		if _, err := sqlite.Limit(d.conn, id, most); err != nil {
			return err
		}
	}
	return d.conn.Raw(func(c any) error {
		return c.(sqlite.AuthorizerRegisterer).RegisterAuthorizer(authorize)
	})
}

func authorize(action sqlite.AuthorizerActionCode, _, _, _, within string) sqlite.AuthorizerReturnCode {
	switch {
	case action == sqlite.AuthAttach, action == sqlite.AuthDetach, action == sqlite.AuthRead && within != "":
		return sqlite.AuthorizerDeny
	}
	return sqlite.AuthorizerOK
}

// measure learns the sizes; a number of pages that the files cannot hold is refused, since SQLite's check would ask memory for each.
func (d *database) measure(ctx context.Context) error {
	for pragma, value := range map[string]*int64{"page_size": &d.page, "page_count": &d.pages} {
		if err := d.conn.QueryRowContext(ctx, "PRAGMA "+pragma).Scan(value); err != nil {
			return err
		}
	}
	const slack = 64 << 20 // rolling a transaction back may bring pages back that were free
	if d.pages > (slack+4*(d.size+d.journal+d.wal))/d.page {
		return errPages
	}
	return nil
}

// Query runs a statement and calls row with each row of its result, whose values may be kept: nil, int64, float64, string, []byte. Of a
// column that is declared a date, ask as +"column", or a text becomes a time. ctx ends it between two rows, and within the first; let a
// statement that looks long for its rows aggregate them.
func (d *database) Query(ctx context.Context, query string, row func([]driver.Value) error, args ...any) error {
	ctx, cancel := context.WithTimeoutCause(ctx, d.patience, errEndless)
	defer cancel()
	err := d.conn.Raw(func(c any) error { return queryRows(ctx, c.(driver.QueryerContext), query, row, args) })
	if ctx.Err() != nil && err != nil {
		return context.Cause(ctx)
	}
	return err
}

func queryRows(ctx context.Context, c driver.QueryerContext, query string, row func([]driver.Value) error, args []any) (err error) {
	named := make([]driver.NamedValue, len(args))
	for i, a := range args {
		named[i] = driver.NamedValue{Ordinal: i + 1, Value: a}
	}
	rows, err := c.QueryContext(ctx, query, named)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	values := make([]driver.Value, len(rows.Columns()))
	for {
		err := rows.Next(values)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err := errors.Join(err, ctx.Err()); err != nil {
			return err
		}
		if err := row(values); err != nil {
			return err
		}
	}
}

// Value is the first value of the first row; nil where there is no row.
func (d *database) Value(ctx context.Context, query string, args ...any) (value driver.Value, err error) {
	first := true
	err = d.Query(ctx, query, func(row []driver.Value) error {
		if first {
			value, first = row[0], false
		}
		return nil
	}, args...)
	return value, err
}

// Close closes the database and removes the copy.
func (d *database) Close() error {
	if d.conn != nil {
		_ = d.conn.Close() // what goes wrong with a copy that goes away does not matter
	}
	if d.pool != nil {
		_ = d.pool.Close()
	}
	if err := os.RemoveAll(d.dir); err != nil {
		return fmt.Errorf("remove a copy of a database: %w", err)
	}
	return nil
}

// quote makes an identifier of a name.
func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
