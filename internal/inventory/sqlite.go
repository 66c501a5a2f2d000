package inventory

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
)

// The checks of databases.
var (
	checkHeader      = Check{ID: "databases.header", Title: "SQLite headers and sizes"}
	checkIntegrity   = Check{ID: "databases.integrity", Title: "SQLite tables and indexes"}
	checkForeignKeys = Check{ID: "databases.foreignkeys", Title: "SQLite foreign keys"}
	checkFTS         = Check{ID: "databases.fts", Title: "SQLite full-text indexes"}
	checkJournal     = Check{ID: "databases.journal", Title: "SQLite journals and write-ahead logs"}
)

func databaseChecks() []Check {
	return []Check{checkHeader, checkIntegrity, checkForeignKeys, checkFTS, checkJournal}
}

// sqliteFiles validates SQLite databases, whatever their name, each on a private copy with what lies beside it.
type sqliteFiles struct{}

// Checks implements Validator.
func (sqliteFiles) Checks() []Check { return databaseChecks() }

// Companion implements Companioned.
func (sqliteFiles) Companion(name string) bool {
	_, suffix := companionOf(name)
	return suffix != ""
}

// companionOf splits the name of what SQLite lays beside a database into the name of the database and the suffix; for other names the
// suffix is empty. A common journal has a suffix of its own: -mj and nine hexadecimal digits.
func companionOf(name string) (database, suffix string) {
	for _, s := range []string{journalSuffix, walSuffix, shmSuffix} {
		if base, is := strings.CutSuffix(name, s); is && base != "" {
			return base, s
		}
	}
	if i := strings.LastIndex(name, "-mj"); i > 0 && len(name) == i+12 && strings.Trim(name[i+3:], "0123456789ABCDEF") == "" {
		return name[:i], name[i:]
	}
	return name, ""
}

// Claims implements Validator. A file whose beginning is damaged is claimed where the rest of it, or its name, says that it was a database;
// of the name .db there are others too.
func (sqliteFiles) Claims(s *Subject) bool {
	switch strings.ToLower(path.Ext(s.Entry.Path)) {
	case ".sqlite", ".sqlite3", ".db3":
		return true
	case ".db":
		return begins(s.Head) || began(s.Head)
	}
	return begins(s.Head)
}

// begins tells that this is the beginning of a database, or all of it but its first bytes.
func begins(head []byte) bool {
	return bytes.HasPrefix(head, []byte(sqliteMagic)) || resemblesHeader(head)
}

// began tells that this may be the damaged beginning of a database.
func began(head []byte) bool {
	return bytes.HasPrefix([]byte(sqliteMagic), head) || allZero(head) || nearMagic(head)
}

// resemblesHeader tells that all but the first bytes is the header of a database.
func resemblesHeader(head []byte) bool {
	if len(head) < sqliteHeaderSize {
		return false
	}
	whole := append([]byte(sqliteMagic), head[len(sqliteMagic):sqliteHeaderSize]...)
	h, wrong := readSQLiteHeader(whole)
	return wrong == "" && h.format > 0 && h.encoding > 0
}

// nearMagic tells that most of the first bytes are those of a database.
func nearMagic(head []byte) bool {
	const enough = 12
	same := 0
	for i := range min(len(head), len(sqliteMagic)) {
		if head[i] == sqliteMagic[i] {
			same++
		}
	}
	return same >= enough
}

func allZero(b []byte) bool { return len(bytes.TrimLeft(b, "\x00")) == 0 }

// Validate implements Validator.
func (v sqliteFiles) Validate(ctx context.Context, s *Subject, r *Recorder) error {
	if r.Options.NoStores {
		return nil
	}
	if database, suffix := companionOf(path.Base(s.Entry.Path)); suffix != "" && !v.Claims(s) {
		return orphan(s, database, suffix, r)
	}
	if !begins(s.Head) && !began(s.Head) {
		databaseReport{s.Entry.Path, r}.last(checkHeader, Unchecked, "does not begin as a SQLite database does: it is encrypted, or its beginning is lost")
		return nil
	}
	d, err := checkDatabase(ctx, s, r)
	if _, _, told := faulty(err); told {
		return nil
	}
	if d == nil || err != nil {
		return err
	}
	return errors.Join(d.countTables(ctx, s.Entry.Path, r), d.Close())
}

// orphan looks at a file that lies beside a database, which holds nothing unless the database is there.
func orphan(s *Subject, database, suffix string, r *Recorder) error {
	if s.Sibling == nil || s.Sibling(database) != nil {
		return nil
	}
	f := Finding{Path: s.Entry.Path}
	switch {
	case suffix == walSuffix && logOfPages(s.Head):
		f.Status, f.Text = Damaged, fmt.Sprintf("is the write-ahead log of %s, which is missing", database)
	case suffix == journalSuffix && bytes.HasPrefix(s.Head, []byte(journalMagic)):
		f.Status, f.Text = Warning, fmt.Sprintf("is the journal of a transaction in %s, which is missing", database)
	default:
		return nil
	}
	r.Checked(checkJournal, 1)
	r.Find(checkJournal, f)
	return nil
}

// checkDatabase makes the checks of databases on a private copy of one, and returns it open, for more; nil where it is empty. Its error is
// one of reading or of the context, or one that faulty understands: that is then recorded.
func checkDatabase(ctx context.Context, s *Subject, r *Recorder) (_ *database, err error) {
	at := databaseReport{path: s.Entry.Path, r: r}
	if s.Entry.Size == 0 {
		return nil, at.empty(s)
	}
	c, err := copyDatabase(ctx, s, r.Options)
	if err != nil {
		return nil, at.unusable(err)
	}
	r.Checked(checkHeader, 1)
	_, wrong, err := c.header()
	status := Damaged
	if err == nil && wrong == zeroHeader && strings.EqualFold(path.Ext(at.path), ".db") {
		status, err = c.doubt()
	}
	if err == nil {
		err = at.journals(c)
	}
	if err == nil && c.journal == 0 && c.wal == 0 && wrong == "" {
		err = at.size(c)
	}
	if err != nil {
		return nil, errors.Join(err, c.remove())
	}
	d, err := c.open(ctx)
	if err != nil && wrong != "" {
		return nil, at.lost(ctx, status, wrong, err)
	}
	if err != nil {
		return nil, at.unusable(err)
	}
	if err := at.whole(ctx, d, wrong); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// databaseReport records what is found in one database.
type databaseReport struct {
	path string
	r    *Recorder
}

func (at databaseReport) find(c Check, status Status, object, text string) {
	at.r.Find(c, Finding{Status: status, Path: at.path, Object: object, Text: text})
}

// fault records an error that says something about the database, and returns any other.
func (at databaseReport) fault(err error, record func(status Status, text string)) error {
	status, text, ok := faulty(err)
	if !ok {
		return fmt.Errorf("look at database %s: %w", at.path, err)
	}
	record(status, text)
	return nil
}

// closed records why SQLite cannot open the database.
func (at databaseReport) closed(status Status, text string) {
	at.r.Checked(checkIntegrity, 1)
	at.last(checkIntegrity, status, text)
}

// last records a finding behind which nothing more can be looked at: where nobody wants c, it is why the checks that are wanted were not made.
func (at databaseReport) last(c Check, status Status, text string) {
	if at.r.Wants(c.ID) {
		at.find(c, status, "", text)
		return
	}
	for _, other := range databaseChecks() {
		at.find(other, Unchecked, "", text)
	}
}

// unusable records an error of opening the database, and returns it.
func (at databaseReport) unusable(err error) error {
	if other := at.fault(err, at.closed); other != nil {
		return other
	}
	return err
}

// empty reports a file without a byte: to SQLite it is a database without a table, unless a log says that there was more.
func (at databaseReport) empty(s *Subject) error {
	at.r.Checked(checkHeader, 1)
	if s.Sibling != nil {
		if log := s.Sibling(path.Base(at.path) + walSuffix); log != nil && log.Entry.Size > walHeaderSize {
			at.find(checkHeader, Damaged, "", fmt.Sprintf("is empty, while its write-ahead log holds %d bytes", log.Entry.Size))
			return nil
		}
	}
	at.find(checkHeader, Warning, "", emptyDatabase)
	return nil
}

// lost reports a database that cannot be opened because its header is damaged, and returns the error.
func (at databaseReport) lost(ctx context.Context, status Status, wrong string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if _, _, ok := faulty(err); !ok {
		return fmt.Errorf("look at database %s: %w", at.path, err)
	}
	at.last(checkHeader, status, wrong)
	return err
}

// whole makes the checks that need the open database; wrong is what was wrong with its header before SQLite took a journal in.
func (at databaseReport) whole(ctx context.Context, d *database, wrong string) error {
	if d.wal == 0 && (d.journal > 0 || wrong != "") {
		if err := at.size(d.databaseCopy); err != nil {
			return err
		}
	}
	schema, err := d.schema(ctx)
	if err != nil {
		return at.fault(err, at.closed)
	}
	d.tables = schema
	for _, check := range []struct {
		c    Check
		make func(context.Context, *database) error
	}{{checkIntegrity, at.integrity}, {checkForeignKeys, at.foreignKeys}, {checkFTS, at.fullText}} {
		if !at.r.Wants(check.c.ID) {
			continue
		}
		if err := check.make(ctx, d); err != nil {
			err = at.fault(err, func(status Status, text string) { at.find(check.c, status, "", text) })
			if err != nil {
				return err
			}
		}
	}
	return nil
}
