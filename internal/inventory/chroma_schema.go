package inventory

import (
	"context"
	"crypto/md5" //nolint:gosec // the digest that Chroma keeps of its migrations
	"crypto/sha256"
	"database/sql/driver"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// chromaTable is a table that Chroma has since a migration: version of dir; 0 stands for always.
type chromaTable struct {
	name    string
	columns string
	dir     string
	version int64
}

// chromaTables are what Chroma cannot do without.
func chromaTables() []chromaTable {
	return []chromaTable{
		{"collections", "id name dimension", "", 0},
		{"segments", "id type scope collection", "", 0},
		{"embeddings", "id segment_id embedding_id seq_id", "", 0},
		{"embedding_metadata", "id key string_value int_value float_value", "", 0},
		{"embeddings_queue", "seq_id operation topic id vector encoding metadata", "", 0},
		{"max_seq_id", "segment_id seq_id", "", 0},
		{"collection_metadata", "collection_id key str_value", "", 0},
		{"tenants", "id", "sysdb", 4},
		{"databases", "id name tenant_id", "sysdb", 4},
		{"collections", "database_id", "sysdb", 4},
		{"collections", "config_json_str", "sysdb", 7},
		{"collections", "schema_str", "sysdb", 10},
		{"embedding_metadata", "bool_value", "metadb", 2},
		{"embedding_fulltext_search", "string_value", "metadb", 3},
		{"embedding_fulltext_search_content", "id c0", "metadb", 3},
		{"embedding_metadata_array", "id key string_value int_value float_value bool_value", "metadb", 6},
		{"embeddings_queue_config", "id config_json_str", "embeddings_queue", 2},
	}
}

// schema checks tables and migrations. sound tells whether the rest can be asked.
func (c *chroma) schema(ctx context.Context) (sound bool, err error) {
	have, err := c.columns(ctx, "migrations")
	if err != nil {
		return false, err
	}
	if len(have) == 0 {
		c.find(chromaSchema, Damaged, chromaDatabase, "migrations", "the table is missing: this is no database of Chroma, or nothing is left of it")
		return false, nil
	}
	if err := c.migrations(ctx); err != nil {
		return false, err
	}
	sound = true
	for _, t := range chromaTables() {
		if t.version > c.catalog.versions[t.dir] {
			continue
		}
		have, err := c.columns(ctx, t.name)
		if err != nil {
			return false, err
		}
		for _, column := range strings.Fields(t.columns) {
			if slices.Contains(have, column) {
				continue
			}
			text := "the column " + column + " is missing"
			if len(have) == 0 {
				text = "the table is missing"
			}
			c.find(chromaSchema, Damaged, chromaDatabase, t.name, text+": Chroma fails on each request that needs it")
			sound = sound && strings.HasPrefix(t.name, "embedding_fulltext")
			break
		}
	}
	return sound, nil
}

// columns are those of a table; none where it is missing.
func (c *chroma) columns(ctx context.Context, table string) (columns []string, err error) {
	err = c.db.Query(ctx, "PRAGMA table_info("+quote(table)+")", func(row []driver.Value) error {
		columns = append(columns, sqlText(row[1]))
		return nil
	})
	return columns, err
}

// migrations reads which version the database has, and checks that Chroma will accept it: it ends at the start where a migration is
// missing or is not the one that it knows.
func (c *chroma) migrations(ctx context.Context) error {
	c.catalog.versions = map[string]int64{}
	return c.db.Query(ctx, "SELECT dir, version, filename, sql, hash FROM migrations ORDER BY dir, version", func(row []driver.Value) error {
		dir, version, name := sqlText(row[0]), sqlNumber(row[1]), sqlText(row[2])
		if version != c.catalog.versions[dir]+1 {
			c.find(chromaSchema, Damaged, chromaDatabase, "migrations", fmt.Sprintf("%s has migration %d behind %d: Chroma will not start", dir, version, c.catalog.versions[dir]))
		}
		c.catalog.versions[dir] = version
		if !hashes(sqlText(row[3]), sqlText(row[4])) {
			c.find(chromaSchema, Damaged, chromaDatabase, "migrations", fmt.Sprintf("%s %s does not have the hash that stands beside it: Chroma will not start", dir, name))
		}
		return nil
	})
}

// hashes tells whether hash is a digest of sql: an MD5 or a SHA-256.
func hashes(sql, hash string) bool {
	short, long := md5.Sum([]byte(sql)), sha256.Sum256([]byte(sql)) //nolint:gosec // see above
	return hash == hex.EncodeToString(short[:]) || hash == hex.EncodeToString(long[:])
}

// relations checks that metadata belongs to records. Foreign keys as a whole cannot be asked: segments refer to a table that never existed.
func (c *chroma) relations(ctx context.Context) error {
	for _, table := range []string{"embedding_metadata", "embedding_metadata_array"} {
		if table == "embedding_metadata_array" && c.catalog.versions["metadb"] < 6 {
			continue
		}
		n := 0
		err := c.db.Query(ctx, "PRAGMA foreign_key_check("+quote(table)+")", func([]driver.Value) error {
			n++
			return nil
		})
		if err != nil {
			return err
		}
		if n > 0 {
			c.find(chromaSchema, Damaged, chromaDatabase, table, fmt.Sprintf("%d values belong to records that are not there: rows of the table embeddings were lost", n))
		}
	}
	return nil
}

// sqlText is a value as a string.
func sqlText(v driver.Value) string {
	switch v := v.(type) {
	case string:
		return v
	case []byte:
		return string(v)
	case nil:
		return ""
	}
	return fmt.Sprint(v)
}

// sqlNumber is a value as a number. Numbers of the queue may be blobs, big endian, in versions before 1.0.
func sqlNumber(v driver.Value) int64 {
	switch v := v.(type) {
	case int64:
		return v
	case float64:
		return int64(v)
	case string:
		return sqlNumber([]byte(v))
	case []byte:
		n := uint64(0)
		for _, b := range v {
			n = n<<8 | uint64(b)
		}
		return int64(n)
	}
	return 0
}
