package inventory

import (
	"bytes"
	"crypto/sha256"
)

// beginning is how a document begins, up to its first key: what a second copy of it would begin with too. It is empty where there is no key.
func beginning(head []byte) []byte {
	at := bytes.IndexByte(head, '"')
	if at < 0 || len(bytes.Trim(head[:at], " \t\r\n[{")) > 0 || bytes.IndexByte(head[:at], '{') < 0 {
		return nil
	}
	end := at + 1 + plainRun(head[at+1:])
	if end == at+1 || end >= len(head) || head[end] != '"' {
		return nil
	}
	return bytes.Clone(head[:end+1])
}

// explain says more of a fault where it can be told what happened.
func (f *jsonFile) explain(fault *jsonFault) *jsonFault {
	if fault.cut {
		if b := f.read.ahead(1); len(b) == 0 || b[0] == '\n' {
			return fault
		}
	}
	if b := f.read.ahead(1); len(b) > 0 && b[0] == 0 {
		return f.zero(fault)
	}
	if f.inside(fault) {
		fault.text = "a new document begins inside another one"
	}
	return fault
}

// zero is the fault of zero bytes, the first of which is next.
func (f *jsonFile) zero(fault *jsonFault) *jsonFault {
	line := f.read.line
	switch all := f.read.zeros(); {
	case all && fault.offset == 0:
		fault.text = "holds nothing but zero bytes"
	case all:
		fault.text = "is filled with zero bytes from here on"
	default:
		fault.text = "has zero bytes where text should be"
	}
	f.read.line = line
	return fault
}

// inside looks for the beginning of a second document: at the fault, or in the string before it, which it would have closed.
func (f *jsonFile) inside(fault *jsonFault) bool {
	if len(f.start) == 0 {
		return false
	}
	r := f.read
	r.ahead(len(f.start) + 1)
	at := int(fault.offset - r.base)
	from := max(0, min(at, int(f.t.parser.stringAt+1-r.base)))
	to := min(len(r.buf), at+len(f.start)+1)
	if at < 0 || from > to {
		return false
	}
	i := bytes.Index(r.buf[from:to], f.start)
	return i >= 0 && r.base+int64(from+i) > 0
}

// areLines tells by the first lines whether each is a document of its own. Where they do not fit in the window, the name does.
func (f *jsonFile) areLines() bool {
	b := bytes.TrimLeft(f.read.buf[f.read.pos:], " \t\r\n")
	first, rest, ok := bytes.Cut(b, []byte("\n"))
	byName := f.named(".jsonl", ".ndjson")
	if !ok {
		return byName && (f.read.src != nil || wholeLine(first))
	}
	second, _, _ := bytes.Cut(bytes.TrimLeft(rest, " \t\r\n"), []byte("\n"))
	if len(second) == 0 || !byName && second[0] != '{' && second[0] != '[' {
		return byName && wholeLine(first)
	}
	if wholeLine(first) {
		return true
	}
	opening := bytes.TrimRight(first, " \t\r")
	return len(opening) > 1 && (byName || opening[0] == '{') && wholeLine(second)
}

// wholeLine tells whether a line is a whole object or array.
func wholeLine(line []byte) bool {
	line = bytes.TrimRight(line, " \t\r")
	if len(line) < 2 || (line[0] != '{' || line[len(line)-1] != '}') && (line[0] != '[' || line[len(line)-1] != ']') {
		return false
	}
	p := jsonParser{
		r: newJSONReader(nil, line), warn: func(string, string) {}, duplicate: func(jsonMember, []byte) {},
		begin: func(int, byte) {}, end: func(int, byte) {}, spilled: func(n int) int { return n }, hash: sha256.New(),
	}
	if p.document() != nil {
		return false
	}
	_, more := p.r.peek()
	return !more
}
