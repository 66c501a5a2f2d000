package quiet

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
)

// verdict is what a scan of a file has come to.
type verdict struct {
	whole bool   // one JSON value, or one after the other, each on a line of its own or more
	keyed bool   // it begins as JSON does and as no other text: with a key in an object
	why   string // where it is not whole
}

// scanner reads JSON piece by piece and keeps only its nesting. It takes NaN and Infinity, which Python writes, for numbers.
type scanner struct {
	state   state
	nesting []byte // '{' or '['
	text    []byte // of the literal under way
	escaped bool
	keyed   bool
	values  int  // whole ones at the top
	line    bool // a line ended since the last value at the top
	read    int64
	why     string
}

type state int

// What the scanner is in, or comes next. They are never written anywhere.
const (
	atTop state = iota // a value at the top, or the end
	atValue
	atFirstValue // or the end of the array
	atKey
	atFirstKey // or the end of the object
	inKey
	atColon
	inString
	inLiteral
	atNext // a comma, or the end of object or array
)

const (
	bom        = "\xef\xbb\xbf"
	maxLiteral = 4096
)

// feed takes the next bytes; false: it is no JSON, and more bytes change nothing.
func (s *scanner) feed(data []byte) bool {
	for _, b := range data {
		if s.why != "" {
			return false
		}
		s.read++
		if s.read <= int64(len(bom)) && s.values == 0 && len(s.nesting) == 0 && b == bom[s.read-1] {
			continue
		}
		s.next(b)
	}
	return s.why == ""
}

func (s *scanner) next(b byte) {
	switch s.state {
	case inString, inKey:
		s.inText(b)
		return
	case inLiteral:
		if !slices.Contains([]byte(",]} \t\r\n"), b) {
			s.literal(b)
			return
		}
		if s.endLiteral(); s.why != "" {
			return
		}
	}
	if b == ' ' || b == '\t' || b == '\r' || b == '\n' {
		s.line = s.line || b == '\n'
		return
	}
	s.token(b)
}

func (s *scanner) inText(b byte) {
	switch {
	case b < ' ':
		s.broken()
	case s.escaped:
		s.escaped = false
	case b == '\\':
		s.escaped = true
	case b == '"' && s.state == inKey:
		s.state = atColon
	case b == '"':
		s.endValue()
	}
}

// token takes the first byte of what comes next.
func (s *scanner) token(b byte) {
	switch s.state {
	case atTop:
		s.top(b)
	case atValue:
		s.value(b)
	case atFirstValue:
		if b == ']' {
			s.closeNesting()
			return
		}
		s.value(b)
	case atKey, atFirstKey:
		s.key(b)
	case atColon:
		if b != ':' {
			s.broken()
			return
		}
		s.keyed, s.state = true, atValue
	case atNext:
		s.separator(b)
	}
}

// top takes the first byte of a value that is in no other: objects and arrays, from the second on each on a line of its own.
func (s *scanner) top(b byte) {
	if s.values > 0 && (!s.line || b != '{' && b != '[') {
		s.why = fmt.Sprintf("it goes on behind its end, at byte %d", s.read)
		return
	}
	s.value(b)
}

func (s *scanner) value(b byte) {
	switch {
	case b == '{':
		s.nesting, s.state = append(s.nesting, b), atFirstKey
	case b == '[':
		s.nesting, s.state = append(s.nesting, b), atFirstValue
	case b == '"':
		s.state = inString
	case b == '-' || b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b == 'N' || b == 'I':
		s.text, s.state = append(s.text[:0], b), inLiteral
	default:
		s.broken()
	}
}

func (s *scanner) key(b byte) {
	switch {
	case b == '"':
		s.state = inKey
	case b == '}' && s.state == atFirstKey:
		s.closeNesting()
	default:
		s.broken()
	}
}

func (s *scanner) separator(b byte) {
	inObject := s.nesting[len(s.nesting)-1] == '{'
	switch {
	case b == ',' && inObject:
		s.state = atKey
	case b == ',':
		s.state = atValue
	case b == '}' && inObject, b == ']' && !inObject:
		s.closeNesting()
	default:
		s.broken()
	}
}

func (s *scanner) closeNesting() {
	s.nesting = s.nesting[:len(s.nesting)-1]
	s.endValue()
}

func (s *scanner) endValue() {
	if len(s.nesting) > 0 {
		s.state = atNext
		return
	}
	s.values++
	s.state, s.line = atTop, false
}

func (s *scanner) literal(b byte) {
	if len(s.text) == maxLiteral {
		s.broken()
		return
	}
	s.text = append(s.text, b)
}

func (s *scanner) endLiteral() {
	switch word := string(s.text); word {
	case "true", "false", "null", "NaN", "Infinity", "-Infinity":
	default:
		if _, err := strconv.ParseFloat(word, 64); err != nil && !errors.Is(err, strconv.ErrRange) {
			s.broken()
			return
		}
	}
	s.endValue()
}

func (s *scanner) broken() { s.why = fmt.Sprintf("it makes no sense as JSON at byte %d", s.read) }

// verdict judges what was read as the whole file. In a file of lines a scalar is a line as well.
func (s *scanner) verdict(lines bool) verdict {
	if s.why == "" && s.state == inLiteral {
		s.endLiteral()
	}
	v := verdict{keyed: s.keyed, why: s.why}
	switch {
	case v.why != "":
	case len(s.nesting) > 0 || s.state != atTop:
		v.why = "it ends in the middle of a value"
	case s.values == 0 && !lines:
		v.why = "it is empty: it is being written"
	default:
		v.whole = true
	}
	return v
}
