package inventory

import (
	"context"
	"crypto/sha256"
	"database/sql/driver"
	"encoding/binary"
	"fmt"
	"hash"
	"math"
)

// comparison compares the ids of the records of a collection with those of its index, each after what the queue still has for it.
type comparison struct {
	one   *chromaCollection
	ids   map[string]uint64 // of the index as it is on disk; nil where there is none
	total int64
	lost  tallied // have a record and no vector
	left  tallied // have a vector and no record
}

// tallied counts ids and keeps the first.
type tallied struct {
	n     int64
	first string
}

func (t *tallied) add(id string) {
	if t.n == 0 || id < t.first {
		t.first = id
	}
	t.n++
}

// record takes an id that the metadata segment has.
func (m *comparison) record(id string) {
	label, known := m.ids[id]
	if known {
		m.ids[id] = label | seenLabel
	}
	m.verdict(id, true, known)
}

// rest takes the ids that the metadata segment does not have.
func (m *comparison) rest(has func(id string) bool) {
	for id, label := range m.ids {
		if label&seenLabel == 0 {
			m.verdict(id, false, true)
		}
	}
	for _, queued := range []map[string]bool{m.one.indexed, m.one.recorded} {
		for id := range queued {
			if _, known := m.ids[id]; !known && !has(id) {
				m.verdict(id, false, false)
			}
		}
	}
}

// verdict compares the two sides for one id.
func (m *comparison) verdict(id string, recorded, indexed bool) {
	if now, queued := m.one.recorded[id]; queued {
		recorded = now
	}
	if now, queued := m.one.indexed[id]; queued {
		indexed = now
	}
	if recorded {
		m.total++
	}
	switch {
	case recorded && !indexed:
		m.lost.add(id)
	case indexed && !recorded:
		m.left.add(id)
	}
}

// records counts the records of a collection and compares their ids with those of the index.
func (c *chroma) records(ctx context.Context, one *chromaCollection, state indexState) error {
	m := &comparison{one: one}
	if state.ids != nil {
		m.ids = state.ids.labels
		state.ids.unmark()
	}
	met := map[string]bool{} // of what the queue has, what the metadata segment has too
	err := c.contents(ctx, one, func(id string) {
		m.record(id)
		if _, queued := one.indexed[id]; queued {
			met[id] = true
		} else if _, queued := one.recorded[id]; queued {
			met[id] = true
		}
	})
	if err != nil {
		return c.fault(chromaIDs, one.name, err)
	}
	m.twice(met)
	c.compared(m, state)
	return nil
}

// twice takes the rest; an id that only the queue has, once.
func (m *comparison) twice(met map[string]bool) {
	m.rest(func(id string) bool {
		had := met[id]
		met[id] = true
		return had
	})
}

// compared records what the comparison of a collection came to.
func (c *chroma) compared(m *comparison, state indexState) {
	one := m.one
	c.r.Checked(chromaIDs, 1)
	switch {
	case one.vector.id == "" || one.metadata.id == "":
		return // told already
	case c.catalog.blind:
		c.find(chromaIDs, Unchecked, one.vector.id, one.name, "the queue cannot be read")
		return
	case !state.gone && state.ids == nil:
		c.find(chromaIDs, Unchecked, one.vector.id, one.name, "the id map of the index cannot be read")
		return
	}
	switch {
	case m.lost.n > 0 && state.missing != "":
		c.find(chromaIDs, Damaged, one.vector.id, one.name, fmt.Sprintf("%s: the vectors of %d of %d records are lost (the first is %q); Chroma answers as if nothing had happened",
			state.missing, m.lost.n, m.total, m.lost.first))
	case m.lost.n > 0:
		c.find(chromaIDs, Damaged, one.vector.id, one.name, fmt.Sprintf("the vectors of %d of %d records are lost (the first is %q); Chroma answers as if nothing had happened",
			m.lost.n, m.total, m.lost.first))
	case state.missing != "" && m.total > 0:
		c.find(chromaIndex, Warning, one.vector.id, one.name, fmt.Sprintf("%s; the queue still has all %d records, and Chroma builds it anew from there",
			state.missing, m.total))
	}
	if m.left.n > 0 {
		c.find(chromaIDs, Damaged, one.vector.id, one.name, fmt.Sprintf("the index has %d records that the database does not have (the first is %q): it is of another moment or of another collection",
			m.left.n, m.left.first))
	}
}

// contents counts the records of a collection in the order of their ids, with a digest of document and metadata of each.
func (c *chroma) contents(ctx context.Context, one *chromaCollection, id func(string)) error {
	batch := c.r.Batch(KindChroma, c.dir+"#"+one.name)
	batch.In(c.dir)
	batch.Dimension(int(one.dimension))
	lists, err := c.lists(ctx, one)
	if err != nil {
		return err
	}
	boolean := "NULL"
	if c.catalog.versions["metadb"] >= 2 {
		boolean = "m.bool_value"
	}
	current, key := "", int64(-1)
	sum := sha256.New()
	add := func() {
		if key < 0 {
			return
		}
		if list, ok := lists[key]; ok {
			sum.Write(list[:])
		}
		batch.Add(current, [32]byte(sum.Sum(nil)))
		id(current)
		sum.Reset()
	}
	query := "SELECT e.id, e.embedding_id, m.key, m.string_value, m.int_value, m.float_value, " + boolean +
		" FROM embeddings e LEFT JOIN embedding_metadata m ON m.id = e.id WHERE e.segment_id = ? ORDER BY e.embedding_id, m.key"
	err = c.db.Query(ctx, query, func(row []driver.Value) error {
		if n := sqlNumber(row[0]); n != key {
			add()
			current, key = sqlText(row[1]), n
		}
		for _, v := range row[2:] {
			digestValue(sum, v)
		}
		return nil
	}, one.metadata.id)
	if err != nil {
		return err
	}
	add()
	batch.Done(0)
	return nil
}

// lists are digests of the metadata that are lists, by the number of the record.
func (c *chroma) lists(ctx context.Context, one *chromaCollection) (map[int64]Digest, error) {
	lists := map[int64]Digest{}
	if c.catalog.versions["metadb"] < 6 {
		return lists, nil
	}
	const query = "SELECT a.id, a.key, a.string_value, a.int_value, a.float_value, a.bool_value" +
		" FROM embedding_metadata_array a JOIN embeddings e ON e.id = a.id WHERE e.segment_id = ?"
	return lists, c.db.Query(ctx, query, func(row []driver.Value) error {
		sum := sha256.New()
		for _, v := range row[1:] {
			digestValue(sum, v)
		}
		list := lists[sqlNumber(row[0])]
		list.Add([32]byte(sum.Sum(nil)))
		lists[sqlNumber(row[0])] = list
		return nil
	}, one.metadata.id)
}

// digestValue adds a value, its kind and its length to a digest.
func digestValue(h hash.Hash, v driver.Value) {
	b := make([]byte, 0, 16)
	switch v := v.(type) {
	case nil:
		b = append(b, 'n')
	case int64:
		b = binary.BigEndian.AppendUint64(append(b, 'i'), uint64(v))
	case float64:
		b = binary.BigEndian.AppendUint64(append(b, 'f'), math.Float64bits(v))
	default:
		s := sqlText(v)
		b = append(binary.BigEndian.AppendUint64(append(b, 's'), uint64(len(s))), s...)
	}
	h.Write(b)
}
