package inventory

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"hash"
)

// maxPending is how many records wait for what the document turns out to be; further ones decide it.
const maxPending = 4096

// noRank is that of a key that is no name of an id.
const noRank = 6

// idRank is the place of a key among the names of ids: the first of them is the id.
func idRank(key []byte) int {
	switch string(key) {
	case "id":
		return 0
	case "_id":
		return 1
	case "uuid":
		return 2
	case "memory_id":
		return 3
	case "memoryId":
		return 4
	case "key":
		return 5
	}
	return noRank
}

// idText is an id as text: that of a string, or a number as it stands.
func idText(canonical []byte) string {
	if len(canonical) == 0 || canonical[0] != '"' {
		return string(canonical)
	}
	inner := canonical[1 : len(canonical)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return string(inner)
	}
	var text string
	if json.Unmarshal(canonical, &text) != nil {
		return string(inner)
	}
	return text
}

// jsonRecord is one record of a file.
type jsonRecord struct {
	id           string // empty: it has none
	keyed        bool   // the id is the key of the member
	whole        bool   // it is the whole document
	sum          [32]byte
	line, column int
	canonical    []byte // while it is handed on; nil where it was too long
}

// jsonRecords tells which parts of a document are records (docs/inventory.md).
type jsonRecords struct {
	p       *jsonParser
	whole   bool // each document is one record, as in JSONL
	record  func(jsonRecord)
	keep    bool // canonical forms are wanted
	pending []jsonRecord

	top      byte // what the document is
	line     int
	column   int
	listed   bool // records are elements of arrays
	settled  bool // pending was given up: records are handed on at once
	keyed    bool // all members so far are objects
	members  int64
	empty    int64 // members that are empty arrays
	elements bool  // of the array that is being read, each is a record

	open   bool // a record is being read
	depth  int
	start  int // in the parser's buf
	at     jsonRecord
	long   bool      // it is hashed as it comes
	hash   hash.Hash // of it
	hashed bool      // the document is hashed as it comes
}

// reset begins a document.
func (c *jsonRecords) reset() {
	c.pending = c.pending[:0]
	c.top, c.listed, c.settled, c.keyed, c.members, c.empty, c.elements = 0, false, false, true, 0, 0, false
	c.open, c.long, c.hashed = false, false, false
}

// begin is told that a value begins.
func (c *jsonRecords) begin(depth int, kind byte) {
	if depth == 0 {
		c.top, c.line, c.column = kind, c.p.r.line, int(c.p.r.offset()-c.p.r.lineAt)+1
		return
	}
	if c.whole || c.top != '[' && c.named() {
		return
	}
	parent := &c.p.stack[depth-1]
	switch {
	case depth == 1 && c.top == '[', depth == 2 && parent.kind == '[' && c.top == '{':
		if parent.count == 0 {
			c.elements = kind == '{'
			c.listed = c.listed || c.elements
		}
		if c.elements {
			c.enter(depth)
		}
	case depth == 1 && c.keyed && kind == '{':
		c.enter(depth)
	}
}

// named tells whether the document has an id of its own, so that it is one record.
func (c *jsonRecords) named() bool { return c.p.stack[0].rank < noRank }

func (c *jsonRecords) enter(depth int) {
	r := c.p.r
	c.open, c.depth, c.start, c.long = true, depth, len(c.p.buf), false
	c.at = jsonRecord{line: r.line, column: int(r.offset()-r.lineAt) + 1}
}

// end is told that a value has ended.
func (c *jsonRecords) end(depth int, kind byte) {
	if c.open && depth == c.depth {
		c.leave(kind)
	}
	switch {
	case depth == 0:
		c.finish(kind)
	case depth == 1 && c.top == '{':
		c.members++
		c.keyed = c.keyed && kind == '{'
		if kind == '[' && c.p.left(1).count == 0 {
			c.empty++
		}
	}
}

// leave ends a record inside the document.
func (c *jsonRecords) leave(kind byte) {
	c.open = false
	c.at.sum = digestOf(c.p.buf[c.start:], c.long, c.hash)
	c.at.canonical = nil
	if c.keep && !c.long {
		c.at.canonical = c.p.buf[c.start:]
	}
	c.at.id = ""
	if c.depth == 1 && c.top == '{' {
		c.at.id, c.at.keyed = idText(append(append([]byte{'"'}, c.p.stack[0].key...), '"')), true
	} else if kind == '{' {
		if f := c.p.left(c.depth); f.rank < noRank {
			c.at.id = idText(f.id)
		}
	}
	c.hand()
	if c.top == '[' {
		c.p.buf = c.p.buf[:c.start] // the document is no record
	}
}

// digestOf is the SHA-256 of buf, or where that is only the end of something long, of all of it.
func digestOf(buf []byte, long bool, h hash.Hash) (sum [32]byte) {
	if !long {
		return sha256.Sum256(buf)
	}
	h.Write(buf)
	h.Sum(sum[:0])
	return sum
}

// spilled is told that the canonical form is too long to be kept, and says how much of it is given up.
func (c *jsonRecords) spilled(n int) int {
	keep := n
	switch {
	case !c.open:
	case n-c.start > maxCanonical && !c.long:
		c.long = true
		c.hash.Reset()
		c.hash.Write(c.p.buf[c.start:])
	case c.long:
		c.hash.Write(c.p.buf)
	default:
		keep = c.start
	}
	c.start = 0
	c.hashed = true
	return keep
}

// hand hands a record on, or keeps it until it is known that it is one.
func (c *jsonRecords) hand() {
	if c.top == '[' || c.settled {
		c.record(c.at)
		return
	}
	one := c.at
	one.canonical = bytes.Clone(one.canonical)
	c.pending = append(c.pending, one)
	if len(c.pending) == maxPending {
		c.settled = true
		c.flush()
	}
}

// flush hands on what waits: elements of arrays where there are any, else members.
func (c *jsonRecords) flush() {
	for _, one := range c.pending {
		if one.keyed != c.listed {
			c.record(one)
		}
	}
	c.pending = c.pending[:0]
}

// finish ends a document: now it is known what its records are.
func (c *jsonRecords) finish(kind byte) {
	switch {
	case c.whole || kind != '{' && kind != '[':
		c.document(kind)
	case kind == '[' && (c.listed || c.p.left(0).count == 0), c.settled:
	case kind == '[' || c.p.left(0).rank < noRank:
		c.document(kind)
	case c.listed, c.keyed && c.members > 1:
		c.flush()
	case c.empty < c.members:
		c.document(kind)
	}
}

// broke ends a document that is damaged: elements that were whole are records all the same.
func (c *jsonRecords) broke() {
	if c.listed && !c.whole && !c.settled {
		c.flush()
	}
}

// document hands the whole document on.
func (c *jsonRecords) document(kind byte) {
	one := jsonRecord{sum: digestOf(c.p.buf, c.hashed, c.p.hash), line: c.line, column: c.column, whole: true}
	if kind == '{' {
		if f := c.p.left(0); f.rank < noRank {
			one.id = idText(f.id)
		}
	}
	if c.keep && !c.hashed {
		one.canonical = c.p.buf
	}
	c.record(one)
}
