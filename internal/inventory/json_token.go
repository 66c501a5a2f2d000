package inventory

import (
	"bytes"
	"strconv"
	"unicode/utf8"
)

// text reads a string whose quote is next, and appends its canonical form, which stands in buf as a whole if it is no longer than maxCanonical.
func (p *jsonParser) text() *jsonFault {
	p.stringAt = p.r.offset()
	from, long := len(p.buf), false
	p.r.pos++
	p.put('"')
	for {
		run := textRun(p.r.buf[p.r.pos:])
		p.buf = append(p.buf, p.r.buf[p.r.pos:p.r.pos+run]...)
		p.r.pos += run
		if len(p.buf)-from > maxCanonical {
			p.spill()
			from, long = len(p.buf), true
		}
		b := p.r.ahead(utf8.UTFMax)
		if len(b) == 0 {
			return p.cut("a string")
		}
		switch c := b[0]; {
		case c == '"':
			p.r.pos++
			p.put('"')
			if long { // how much of it is in buf is chance
				p.spill()
			}
			return nil
		case c == '\\':
			if f := p.escape(); f != nil {
				return f
			}
		case c == '\n' && p.r.lines:
			return p.cut("a string")
		case c < 0x20:
			return p.r.fault("a string has the control character " + strconv.QuoteRune(rune(c)))
		case c >= utf8.RuneSelf && !utf8.FullRune(b):
			return p.cut("a character")
		case c >= utf8.RuneSelf:
			if char, size := utf8.DecodeRune(b); char == utf8.RuneError && size == 1 {
				return p.r.fault("is not UTF-8")
			}
		}
	}
}

// escape reads a backslash and what it escapes.
func (p *jsonParser) escape() *jsonFault {
	b := p.r.ahead(2)
	if len(b) < 2 {
		return p.cut("a string")
	}
	const names, chars = `"\/bfnrt`, "\"\\/\b\f\n\r\t"
	if i := bytes.IndexByte([]byte(names), b[1]); i >= 0 {
		p.r.pos += 2
		p.buf = appendCanonicalRune(p.buf, rune(chars[i]))
		return nil
	}
	if b[1] != 'u' {
		return p.r.fault("a string has an escape that JSON does not know: \\" + string(rune(b[1])))
	}
	char, f := p.unit()
	if f != nil {
		return f
	}
	if char >= 0xd800 && char < 0xdc00 {
		if next := p.r.ahead(6); len(next) == 6 && next[0] == '\\' && next[1] == 'u' {
			if low, ok := hexUnit(next[2:]); ok && low >= 0xdc00 && low < 0xe000 {
				p.r.pos += 6
				p.buf = utf8.AppendRune(p.buf, (char-0xd800)<<10|(low-0xdc00)+0x10000)
				return nil
			}
		}
	}
	if char >= 0xd800 && char < 0xe000 {
		p.warn("half a surrogate pair", "a string has one half of a surrogate pair")
		p.buf = append(p.buf, `\u`...)
		p.buf = strconv.AppendInt(p.buf, int64(char), 16)
		return nil
	}
	p.buf = appendCanonicalRune(p.buf, char)
	return nil
}

// unit reads an escape of four digits.
func (p *jsonParser) unit() (rune, *jsonFault) {
	b := p.r.ahead(6)
	if len(b) == 6 {
		if char, ok := hexUnit(b[2:]); ok {
			p.r.pos += 6
			return char, nil
		}
	}
	if len(b) < 6 && len(bytes.Trim(b[2:], "0123456789abcdefABCDEF")) == 0 {
		p.r.pos += len(b)
		return 0, p.cut("a string")
	}
	return 0, p.r.fault("a string has an escape \\u without four hexadecimal digits")
}

func hexUnit(b []byte) (rune, bool) {
	n := rune(0)
	for _, c := range b[:4] {
		switch {
		case c >= '0' && c <= '9':
			n = n<<4 | rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			n = n<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return n, true
}

// appendCanonicalRune appends a character as canonical strings have it: only quotes, backslashes and control characters are escaped.
func appendCanonicalRune(b []byte, c rune) []byte {
	const digits = "0123456789abcdef"
	switch {
	case c == '"' || c == '\\':
		return append(b, '\\', byte(c))
	case c < 0x20:
		return append(b, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
	}
	return utf8.AppendRune(b, c)
}

// number reads a number, which begins with a digit or a minus.
func (p *jsonParser) number() *jsonFault {
	if p.take('-') {
		if b := p.r.ahead(1); len(b) > 0 && b[0] == 'I' {
			return p.word()
		}
	}
	if !p.take('0') && p.digits() == 0 {
		return p.broken("a number", "a number has no digits")
	}
	if p.take('.') && p.digits() == 0 {
		return p.broken("a number", "a number has no digits behind its point")
	}
	if p.take('e') || p.take('E') {
		if !p.take('+') {
			p.take('-')
		}
		if p.digits() == 0 {
			return p.broken("a number", "a number has no digits in its exponent")
		}
	}
	return nil
}

// take takes a byte if it is the next.
func (p *jsonParser) take(c byte) bool {
	if p.r.pos == len(p.r.buf) && !p.r.more() || p.r.buf[p.r.pos] != c {
		return false
	}
	p.r.pos++
	p.put(c)
	return true
}

// digits takes digits and tells how many.
func (p *jsonParser) digits() int {
	total, kept := 0, 0
	for {
		from := p.r.pos
		for p.r.pos < len(p.r.buf) && p.r.buf[p.r.pos]-'0' <= 9 {
			p.r.pos++
		}
		p.buf = append(p.buf, p.r.buf[from:p.r.pos]...)
		total, kept = total+p.r.pos-from, kept+p.r.pos-from
		if kept > maxCanonical {
			p.spill()
			kept = 0
		}
		if p.r.pos < len(p.r.buf) || !p.r.more() {
			return total
		}
	}
}

// word reads true, false, null, and what Python writes for numbers that are none.
func (p *jsonParser) word() *jsonFault {
	b := p.r.ahead(len("Infinity"))
	for _, word := range []string{"true", "false", "null", "NaN", "Infinity"} {
		if bytes.HasPrefix(b, []byte(word)) {
			if word == "NaN" || word == "Infinity" {
				p.warn(word, "holds "+word+", which JSON does not know")
			}
			p.r.pos += len(word)
			p.buf = append(p.buf, word...)
			return nil
		}
		if len(b) > 0 && len(b) < len(word) && word[:len(b)] == string(b) {
			p.r.pos += len(b)
			return p.cut("a word")
		}
	}
	return p.r.fault("has " + shown(b) + " where a value should be")
}

// shown is the first character of b for a message.
func shown(b []byte) string {
	c, size := utf8.DecodeRune(b)
	if c == utf8.RuneError && size <= 1 {
		return "bytes"
	}
	return strconv.QuoteRune(c)
}
