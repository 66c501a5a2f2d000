package inventory

import (
	"bytes"
	"fmt"
	"hash"
	"slices"
)

const (
	// maxJSONDepth is how deep arrays and objects may be nested: no reader that is common goes deeper.
	maxJSONDepth = 10000
	// maxCanonical is up to which size a record is brought in canonical form.
	maxCanonical = 1 << 20
)

// closed stands for a container that has ended.
const closed = 0

// jsonParser reads documents one by one, without recursion. buf is the canonical form of the one that is being read: no white space, members of
// objects sorted by key, escapes only where they must be. What is longer than maxCanonical is hashed as it comes, and its open objects are
// not sorted.
type jsonParser struct {
	r       *jsonReader
	buf     []byte
	stack   []jsonFrame
	members []jsonMember
	scratch []byte
	hash    hash.Hash // of what was spilled of the document

	stringAt int64 // where the last string began

	warn      func(what, text string)
	duplicate func(m jsonMember, key []byte)
	// begin and end are told of the document, of what is in it, and of what is in that, with the depth: 0, 1, 2.
	begin   func(depth int, kind byte)
	end     func(depth int, kind byte)
	spilled func(kept int) int
}

// jsonFrame is an open array or object.
type jsonFrame struct {
	kind    byte
	spilled bool
	start   int // in buf
	members int // the first of its own in members
	count   int64
	line    int
	column  int

	// Of the depths that end is told of: the key of the member that is being read, and the id so far.
	key  []byte
	at   int // where the key or value that is being read begins in buf; negative where that was given up
	rank int
	id   []byte
}

// jsonMember is a member of an open object: where it lies in buf, and where in the file.
type jsonMember struct {
	start, keyEnd, end int
	line, column       int
}

func (p *jsonParser) put(c byte) { p.buf = append(p.buf, c) }

// cut is the fault of an input that ended in the middle of something.
func (p *jsonParser) cut(what string) *jsonFault {
	f := p.r.fault("ends in the middle of " + what)
	f.cut = true
	return f
}

// broken is cut where the input has ended, else another fault.
func (p *jsonParser) broken(what, text string) *jsonFault {
	if b := p.r.ahead(1); len(b) == 0 || b[0] == '\n' && p.r.lines {
		return p.cut(what)
	}
	return p.r.fault(text)
}

// document reads one value. The next byte is its first one.
func (p *jsonParser) document() *jsonFault {
	p.buf, p.stack, p.members = p.buf[:0], p.stack[:0], p.members[:0]
	if p.hash != nil {
		p.hash.Reset()
	}
	for {
		kind, f := p.value()
		if f != nil {
			return f
		}
		for {
			if kind != '{' && kind != '[' && kind != closed {
				p.done(kind)
			}
			if len(p.stack) == 0 {
				return nil
			}
			again, f := p.next(kind == '{' || kind == '[')
			if f != nil {
				return f
			}
			if again {
				break
			}
			kind = closed
		}
	}
}

// value reads a value as far as it has nothing in it; kind is '{' or '[' where it has been opened only.
func (p *jsonParser) value() (kind byte, f *jsonFault) {
	c, ok := p.r.peek()
	if !ok {
		return 0, p.cut(p.within())
	}
	kind = c
	depth := len(p.stack)
	if c == '-' || c-'0' <= 9 {
		kind = '0'
	}
	if depth <= 2 {
		p.begin(depth, kind)
	}
	switch kind {
	case '{', '[':
		if depth == maxJSONDepth {
			return 0, p.r.fault(fmt.Sprintf("is nested deeper than %d", maxJSONDepth))
		}
		p.push(c)
		p.r.pos++
		p.put(c)
	case '"':
		f = p.text()
	case '0':
		f = p.number()
	default:
		f = p.word()
	}
	return kind, f
}

func (p *jsonParser) push(kind byte) {
	f := jsonFrame{
		kind: kind, start: len(p.buf), members: len(p.members), rank: noRank, line: p.r.line, column: int(p.r.offset()-p.r.lineAt) + 1,
	}
	if n := len(p.stack); n < cap(p.stack) && n < 4 {
		old := &p.stack[:n+1][n]
		f.key, f.id = old.key[:0], old.id[:0]
	}
	p.stack = append(p.stack, f)
}

// done is told that a value has ended.
func (p *jsonParser) done(kind byte) {
	depth := len(p.stack)
	if depth > 0 {
		top := &p.stack[depth-1]
		top.count++
		if top.kind == '{' && !top.spilled {
			p.members[len(p.members)-1].end = len(p.buf)
		}
		if top.kind == '{' && depth <= 3 && (kind == '"' || kind == '0') {
			p.named(top)
		}
	}
	if depth <= 2 {
		p.end(depth, kind)
	}
	if len(p.buf) > maxCanonical {
		p.spill()
	}
}

// next reads what stands between values, up to where one begins; false where the innermost container has ended instead.
func (p *jsonParser) next(fresh bool) (again bool, f *jsonFault) {
	top := &p.stack[len(p.stack)-1]
	closing := top.kind + 2 // as it happens: [ \ ] and { | }
	c, ok := p.r.peek()
	switch {
	case !ok:
		return false, p.cut(p.within())
	case c == closing && (fresh || top.count > 0):
		p.r.pos++
		p.pop()
		return false, nil
	case fresh:
	case c == ',':
		p.r.pos++
		p.put(',')
	default:
		return false, p.r.fault(fmt.Sprintf("has %s where ',' or '%c' should be", shown(p.r.ahead(4)), closing))
	}
	if top.kind == '[' {
		return true, nil
	}
	return true, p.key()
}

// key reads a key and the colon behind it.
func (p *jsonParser) key() *jsonFault {
	c, ok := p.r.peek()
	if !ok {
		return p.cut("an object")
	}
	if c != '"' {
		return p.r.fault("has " + shown(p.r.ahead(4)) + " where a key should be")
	}
	m := jsonMember{start: len(p.buf), line: p.r.line, column: int(p.r.offset()-p.r.lineAt) + 1}
	top := &p.stack[len(p.stack)-1]
	if top.at = m.start; !top.spilled {
		p.members = append(p.members, m)
	}
	if f := p.text(); f != nil {
		return f
	}
	if !top.spilled { // not even by this key
		p.members[len(p.members)-1].keyEnd = len(p.buf)
	}
	if top.key = top.key[:0]; len(p.stack) <= 3 && top.at >= 0 {
		top.key = append(top.key, p.buf[top.at+1:len(p.buf)-1]...)
	}
	if len(p.buf) > maxCanonical {
		p.spill()
	}
	if c, ok = p.r.peek(); !ok {
		return p.cut("an object")
	}
	if c != ':' {
		return p.r.fault("has " + shown(p.r.ahead(4)) + " where ':' should be")
	}
	p.r.pos++
	p.put(':')
	top.at = len(p.buf)
	return nil
}

// pop closes the innermost container.
func (p *jsonParser) pop() {
	top := &p.stack[len(p.stack)-1]
	kind := top.kind
	if kind == '{' && !top.spilled {
		p.sort(top)
	}
	p.members = p.members[:top.members]
	p.put(kind + 2)
	p.stack = p.stack[:len(p.stack)-1]
	p.done(kind)
}

// named notes a member that may be the id of its object.
func (p *jsonParser) named(top *jsonFrame) {
	if rank := idRank(top.key); rank < top.rank && top.at >= 0 {
		top.rank = rank
		top.id = append(top.id[:0], p.buf[top.at:]...)
	}
}

// left is the frame of the container at a depth that has just ended.
func (p *jsonParser) left(depth int) *jsonFrame { return &p.stack[:depth+1][depth] }

// sort brings the members of an object in the order of their keys.
func (p *jsonParser) sort(top *jsonFrame) {
	own := p.members[top.members:]
	key := func(m jsonMember) []byte { return p.buf[m.start+1 : m.keyEnd-1] }
	sorted := true
	for i := 1; i < len(own) && sorted; i++ {
		sorted = bytes.Compare(key(own[i-1]), key(own[i])) < 0
	}
	if sorted {
		return
	}
	slices.SortStableFunc(own, func(a, b jsonMember) int { return bytes.Compare(key(a), key(b)) })
	p.scratch = p.scratch[:0]
	for i, m := range own {
		if i > 0 {
			p.scratch = append(p.scratch, ',')
			if bytes.Equal(key(own[i-1]), key(m)) {
				p.duplicate(m, key(m))
			}
		}
		p.scratch = append(p.scratch, p.buf[m.start:m.end]...)
	}
	copy(p.buf[top.start+1:], p.scratch)
}

// within says what the innermost container is.
func (p *jsonParser) within() string {
	switch {
	case len(p.stack) == 0:
		return "nothing"
	case p.stack[len(p.stack)-1].kind == '{':
		return "an object"
	}
	return "an array"
}

// spill hashes what is in buf and gives it up, but for the record that is being read.
func (p *jsonParser) spill() {
	keep := p.spilled(len(p.buf))
	p.hash.Write(p.buf[:keep])
	p.buf = p.buf[:copy(p.buf, p.buf[keep:])]
	for i := range p.stack {
		f := &p.stack[i]
		f.spilled = f.spilled || f.start < keep
		f.start -= keep
		f.at -= keep
	}
	for i := range p.members {
		m := &p.members[i]
		m.start, m.keyEnd, m.end = m.start-keep, m.keyEnd-keep, m.end-keep
	}
}
