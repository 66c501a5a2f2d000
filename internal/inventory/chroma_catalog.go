package inventory

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"strings"
)

// The kinds of segments: each collection has one of either scope.
const (
	scopeVector   = "VECTOR"
	scopeMetadata = "METADATA"
	hnswSegment   = "urn:chroma:segment/vector/hnsw-local-persisted"
)

// What stands for nothing in the name of a collection.
const (
	defaultTenant   = "default_tenant"
	defaultDatabase = "default_database"
)

// chromaCatalog is what the database says of its collections.
type chromaCatalog struct {
	versions    map[string]int64 // the last migration of each kind
	collections []*chromaCollection
	byID        map[string]*chromaCollection
	strays      []string // segments that belong to no collection
	// blind tells that the queue cannot be read.
	blind bool
}

// chromaSegment is one half of a collection. sequence is the last operation of the queue that is in it; known tells whether it says.
type chromaSegment struct {
	id, kind string
	sequence int64
	known    bool
}

// chromaCollection is one collection.
type chromaCollection struct {
	id, name         string
	dimension        int64 // 0: nothing was ever added
	cosine           bool
	vector, metadata chromaSegment
	// indexed and recorded are what the queue adds to and takes from the index and the records, where they are behind it.
	indexed, recorded map[string]bool
	backlog           int64
}

// load reads the collections with their segments.
func (c *chroma) load(ctx context.Context) error {
	c.catalog.byID = map[string]*chromaCollection{}
	if err := c.loadCollections(ctx); err != nil {
		return err
	}
	if err := c.loadSegments(ctx); err != nil {
		return err
	}
	if err := c.loadSequences(ctx); err != nil {
		return err
	}
	for _, one := range c.catalog.collections {
		c.r.Checked(chromaIndex, 1)
		for _, half := range []struct {
			scope string
			id    string
		}{{scopeVector, one.vector.id}, {scopeMetadata, one.metadata.id}} {
			if half.id == "" {
				c.find(chromaSchema, Damaged, chromaDatabase, one.name, "has no segment "+half.scope+": Chroma refuses all requests to the collection")
			}
		}
	}
	return nil
}

func (c *chroma) loadCollections(ctx context.Context) error {
	sysdb := c.catalog.versions["sysdb"]
	column := func(since int64, name string) string {
		if sysdb < since {
			return "NULL"
		}
		return name
	}
	from := " FROM collections c"
	if sysdb >= 4 {
		from += " LEFT JOIN databases d ON d.id = c.database_id LEFT JOIN tenants t ON t.id = d.tenant_id"
	}
	query := "SELECT c.id, c.name, c.dimension, " + column(4, "d.name") + ", " + column(4, "d.tenant_id") + ", " + column(4, "t.id") + ", " +
		column(7, "c.config_json_str") + ", " + column(10, "c.schema_str") +
		", (SELECT str_value FROM collection_metadata m WHERE m.collection_id = c.id AND m.key = 'hnsw:space')" + from + " ORDER BY c.id"
	return c.db.Query(ctx, query, func(row []driver.Value) error {
		one := &chromaCollection{id: sqlText(row[0]), dimension: sqlNumber(row[2]), indexed: map[string]bool{}, recorded: map[string]bool{}}
		one.name = fullName(sqlText(row[1]), row[3], row[4])
		one.cosine = chromaSpace(sqlText(row[7]), sqlText(row[6]), sqlText(row[8])) == "cosine"
		if sysdb >= 4 && (row[3] == nil || row[5] == nil) {
			c.find(chromaSchema, Damaged, chromaDatabase, one.name, "its database or tenant does not exist: no request finds the collection")
		}
		c.catalog.collections = append(c.catalog.collections, one)
		c.catalog.byID[one.id] = one
		return nil
	})
}

// fullName is the name of a collection, with tenant and database where they are not the usual ones.
func fullName(name string, database, tenant driver.Value) string {
	if tenant == nil || database == nil || sqlText(tenant) == defaultTenant && sqlText(database) == defaultDatabase {
		return name
	}
	return sqlText(tenant) + "/" + sqlText(database) + "/" + name
}

// chromaSpace is how distances are measured in a collection, wherever its version of Chroma keeps that.
func chromaSpace(schema, config, metadata string) string {
	type index struct {
		Config struct {
			Space string `json:"space"`
		} `json:"config"`
	}
	var s struct {
		Keys map[string]struct {
			FloatList struct {
				VectorIndex index `json:"vector_index"`
			} `json:"float_list"`
		} `json:"keys"`
	}
	var k struct {
		VectorIndex struct {
			HNSW struct {
				Space string `json:"space"`
			} `json:"hnsw"`
		} `json:"vector_index"`
		Former struct {
			Space string `json:"space"`
		} `json:"hnsw_configuration"`
	}
	_ = json.Unmarshal([]byte(schema), &s) // what cannot be read says nothing
	_ = json.Unmarshal([]byte(config), &k)
	for _, one := range []string{s.Keys["#embedding"].FloatList.VectorIndex.Config.Space, k.VectorIndex.HNSW.Space, metadata, k.Former.Space} {
		if one != "" {
			return strings.ToLower(one)
		}
	}
	return "l2"
}

func (c *chroma) loadSegments(ctx context.Context) error {
	return c.db.Query(ctx, "SELECT id, type, scope, collection FROM segments ORDER BY id", func(row []driver.Value) error {
		s := chromaSegment{id: sqlText(row[0]), kind: sqlText(row[1])}
		one := c.catalog.byID[sqlText(row[3])]
		if one == nil {
			c.catalog.strays = append(c.catalog.strays, s.id)
			c.find(chromaSchema, Warning, chromaDatabase, s.id, "the segment belongs to no collection")
			return nil
		}
		half := &one.metadata
		if sqlText(row[2]) == scopeVector {
			half = &one.vector
		} else if sqlText(row[2]) != scopeMetadata {
			return nil
		}
		if half.id != "" {
			c.find(chromaSchema, Damaged, chromaDatabase, one.name, fmt.Sprintf("has two segments %s: %s and %s", sqlText(row[2]), half.id, s.id))
			return nil
		}
		*half = s
		return nil
	})
}

// loadSequences reads how far the segments are.
func (c *chroma) loadSequences(ctx context.Context) error {
	sequences := map[string]int64{}
	err := c.db.Query(ctx, "SELECT segment_id, seq_id FROM max_seq_id", func(row []driver.Value) error {
		if row[1] != nil {
			sequences[sqlText(row[0])] = sqlNumber(row[1])
		}
		return nil
	})
	for _, one := range c.catalog.collections {
		for _, half := range []*chromaSegment{&one.vector, &one.metadata} {
			half.sequence, half.known = sequences[half.id]
		}
	}
	return err
}
