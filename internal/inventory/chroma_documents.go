package inventory

import (
	"context"
	"database/sql/driver"
	"fmt"
)

// textSince is the migration that made the text index as it is today.
const textSince = 3

// documents compares the text index with the documents. SQLite's own check of the index cannot tell an upper from a lower case letter.
func (c *chroma) documents(ctx context.Context) error {
	if c.catalog.versions["metadb"] < textSince {
		return nil
	}
	have, err := c.columns(ctx, "embedding_fulltext_search_content")
	if err != nil || len(have) == 0 {
		return c.fault(chromaDocuments, "", err) // a missing table was told with the others
	}
	for _, one := range c.catalog.collections {
		c.r.Checked(chromaDocuments, 1)
		if err := c.fault(chromaDocuments, one.name, c.indexedTexts(ctx, one)); err != nil {
			return err
		}
	}
	return nil
}

// indexedTexts compares the documents of one collection. A text that stands in the place of another value is of a migration of Chroma 0.4
// that counted the rows of another table: no damage of the data.
func (c *chroma) indexedTexts(ctx context.Context, one *chromaCollection) error {
	const query = "SELECT count(*), min(e.embedding_id), total(f.c0 IS NULL)," +
		" total(f.c0 IS NOT NULL AND f.c0 IS (SELECT o.string_value FROM embedding_metadata o WHERE o.rowid = f.id))" +
		" FROM embeddings e JOIN embedding_metadata m ON m.id = e.id AND m.key = 'chroma:document'" +
		" LEFT JOIN embedding_fulltext_search_content f ON f.id = e.id WHERE e.segment_id = ? AND f.c0 IS NOT m.string_value"
	return c.db.Query(ctx, query, func(row []driver.Value) error {
		all, missing, shifted := sqlNumber(row[0]), sqlNumber(row[2]), sqlNumber(row[3])
		if shifted > 0 {
			c.find(chromaDocuments, Warning, chromaDatabase, one.name, fmt.Sprintf(
				"an update of Chroma 0.4 filed %d texts under other records: full text search misses them until the text index is built anew", shifted))
		}
		if all > shifted {
			c.find(chromaDocuments, Damaged, chromaDatabase, one.name, fmt.Sprintf(
				"the texts of %d documents differ from the text index, which has none for %d of them (the first is %q): full text search answers wrongly",
				all-shifted, missing, sqlText(row[1])))
		}
		return nil
	}, one.metadata.id)
}
