package inventory

import (
	"context"
	"database/sql/driver"
	"fmt"
	"strings"
)

// The operations of the queue.
const (
	queueAdd    = 0
	queueUpsert = 2
	queueDelete = 3
)

// mostBacklog is how many operations may wait for an index before it is worth a word: Chroma's threshold is 1,000.
const mostBacklog = 20_000

// progress learns from the id maps how far indexes are whose version (up to 0.5.6) keeps that there, and that an index which has none begins anew.
func (c *chroma) progress(ctx context.Context) error {
	for _, one := range c.catalog.collections {
		s := c.folders[one.vector.id][idMapFile]
		if s == nil {
			one.vector.sequence = 0
			continue
		}
		if one.vector.known || s.Entry.Size == 0 {
			continue
		}
		file, err := s.Open(ctx)
		if err != nil {
			return err
		}
		sequence, ok, _ := readSequence(file, file.Size()) // what is wrong with the map is told when it is read
		if err := file.Close(); err != nil {
			return err
		}
		one.vector.sequence, one.vector.known = sequence, ok
	}
	return nil
}

// queue reads the queue once: what it still has for each segment, and that it goes on where they are.
func (c *chroma) queue(ctx context.Context) error {
	c.r.Checked(chromaQueue, 1)
	last := int64(0)
	wrong := map[string]int64{}
	const query = "SELECT seq_id, operation, topic, id, length(vector), encoding FROM embeddings_queue ORDER BY seq_id"
	err := c.db.Query(ctx, query, func(row []driver.Value) error {
		last = sqlNumber(row[0])
		topic := sqlText(row[2])
		one := c.catalog.byID[topic[strings.LastIndexByte(topic, '/')+1:]]
		if one == nil {
			return nil
		}
		if row[4] != nil && sqlText(row[5]) == "FLOAT32" && one.dimension > 0 && sqlNumber(row[4]) != 4*one.dimension {
			wrong[one.id]++
		}
		one.queued(last, sqlNumber(row[1]), sqlText(row[3]))
		return nil
	})
	if err != nil {
		return err
	}
	for _, one := range c.catalog.collections {
		if n := wrong[one.id]; n > 0 {
			c.find(chromaQueue, Damaged, chromaDatabase, one.name, fmt.Sprintf("%d vectors in the queue are not of dimension %d, which the collection has", n, one.dimension))
		}
		if one.backlog > mostBacklog {
			c.find(chromaQueue, Warning, chromaDatabase, one.name, fmt.Sprintf("%d operations wait in the queue: each start of Chroma does them again", one.backlog))
		}
		c.ahead(one, last)
	}
	return nil
}

// queued takes over what one operation does to the ids of index and records that are behind it.
func (one *chromaCollection) queued(sequence, operation int64, id string) {
	if sequence > one.vector.sequence {
		one.backlog++
	}
	if operation != queueAdd && operation != queueUpsert && operation != queueDelete {
		return
	}
	if sequence > one.vector.sequence {
		one.indexed[id] = operation != queueDelete
	}
	if sequence > one.metadata.sequence {
		one.recorded[id] = operation != queueDelete
	}
}

// ahead tells where a segment is ahead of the queue, whose numbers begin behind its last row: what is then added has a number that the
// segment believes to have seen.
func (c *chroma) ahead(one *chromaCollection, last int64) {
	if furthest := max(one.vector.sequence, one.metadata.sequence); furthest > last {
		c.find(chromaQueue, Damaged, chromaDatabase, one.name, fmt.Sprintf(
			"the queue ends at %d, but the collection has come to %d: Chroma will accept the next %d operations and drop those of the collection",
			last, furthest, furthest-last))
	}
}
