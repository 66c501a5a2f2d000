package inventory

import (
	"errors"
	"io"
	"unicode/utf8"
)

// The window through which a file is read: what lies back of the place is kept a little, to tell what went wrong there.
const (
	jsonWindow  = 256 << 10
	jsonHistory = 4 << 10
)

// jsonFault is why a document is none.
type jsonFault struct {
	offset int64
	line   int
	column int
	text   string
	cut    bool // the input ended too early
}

// jsonReader hands out the bytes of a file, and knows line and column.
type jsonReader struct {
	src    io.Reader // nil: buf is all
	buf    []byte
	pos    int
	base   int64 // offset of buf[0] in the file
	failed error // of reading

	line   int
	lineAt int64 // offset of the line's first byte
	lines  bool  // a newline ends the document
}

// newJSONReader reads src; data is what was read already, and all there is where src is nil.
func newJSONReader(src io.Reader, data []byte) *jsonReader {
	return &jsonReader{src: src, buf: data, line: 1}
}

// more reads on; false at the end.
func (r *jsonReader) more() bool {
	if r.src == nil || r.failed != nil {
		return false
	}
	drop := max(0, r.pos-jsonHistory)
	rest := copy(r.buf[:cap(r.buf)], r.buf[drop:])
	r.base += int64(drop)
	r.pos -= drop
	r.buf = r.buf[:rest]
	if rest == cap(r.buf) {
		return false
	}
	for {
		n, err := r.src.Read(r.buf[rest:cap(r.buf)])
		r.buf = r.buf[:rest+n]
		if err != nil {
			r.src = nil
			if !errors.Is(err, io.EOF) {
				r.failed = err
			}
		}
		if n > 0 || r.src == nil {
			return n > 0
		}
	}
}

func (r *jsonReader) offset() int64 { return r.base + int64(r.pos) }

// fault is a fault at the place that was reached.
func (r *jsonReader) fault(text string) *jsonFault {
	return &jsonFault{offset: r.offset(), line: r.line, column: int(r.offset()-r.lineAt) + 1, text: text}
}

// peek is the next byte that is no white space, which is passed over; ok is false at the end.
func (r *jsonReader) peek() (c byte, ok bool) {
	for {
		for ; r.pos < len(r.buf); r.pos++ {
			switch c = r.buf[r.pos]; c {
			case ' ', '\t', '\r':
			case '\n':
				if r.lines {
					return 0, false
				}
				r.newline()
			default:
				return c, true
			}
		}
		if !r.more() {
			return 0, false
		}
	}
}

// newline is told that the byte at pos ends a line.
func (r *jsonReader) newline() {
	r.line++
	r.lineAt = r.offset() + 1
}

// nextLine goes behind the end of the line; false where there is no further one.
func (r *jsonReader) nextLine() bool {
	for {
		for ; r.pos < len(r.buf); r.pos++ {
			if r.buf[r.pos] == '\n' {
				r.newline()
				r.pos++
				return true
			}
		}
		if !r.more() {
			return false
		}
	}
}

// zeros tells whether nothing but zero bytes follow; it reads to the first other one.
func (r *jsonReader) zeros() bool {
	for {
		for ; r.pos < len(r.buf); r.pos++ {
			if r.buf[r.pos] != 0 {
				return false
			}
		}
		if !r.more() {
			return true
		}
	}
}

// rest counts the bytes to the end, without white space behind the last other one.
func (r *jsonReader) rest() int64 {
	from, last := r.offset(), r.offset()
	for {
		for ; r.pos < len(r.buf); r.pos++ {
			if c := r.buf[r.pos]; c != ' ' && c != '\n' && c != '\r' && c != '\t' {
				last = r.offset() + 1
			}
		}
		if !r.more() {
			return last - from
		}
	}
}

// ahead has at least n bytes at hand where the file has as many.
func (r *jsonReader) ahead(n int) []byte {
	for len(r.buf)-r.pos < n && r.more() {
	}
	return r.buf[r.pos:min(len(r.buf), r.pos+n)]
}

// plainRun is how many bytes of b stand for themselves in a string: all but quotes, backslashes, control characters and what is not ASCII.
func plainRun(b []byte) int {
	for i, c := range b {
		if !jsonPlain[c] {
			return i
		}
	}
	return len(b)
}

// textRun is plainRun that also takes well-formed characters beyond ASCII.
func textRun(b []byte) int {
	n := 0
	for {
		n += plainRun(b[n:])
		if n == len(b) || b[n] < utf8.RuneSelf {
			return n
		}
		c, size := utf8.DecodeRune(b[n:])
		if c == utf8.RuneError && size == 1 {
			return n
		}
		n += size
	}
}

// jsonPlain tells which bytes stand for themselves in a string.
var jsonPlain = func() (plain [256]bool) {
	for c := range plain {
		plain[c] = c >= 0x20 && c < utf8.RuneSelf && c != '"' && c != '\\'
	}
	return plain
}()
