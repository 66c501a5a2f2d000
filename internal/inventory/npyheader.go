package inventory

import (
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"
)

// errLiteral is a header that is no literal of Python, or none of those that the format allows.
var errLiteral = errors.New("its header cannot be read")

// literalDepth is how deeply literals may be nested.
const literalDepth = 32

// A literal of Python is a string, an int64 (overflow for one that is larger), a bool, nil, a tuple, a list or a dict.
type (
	tuple    []any
	list     []any
	dict     map[string]any
	overflow struct{}
)

// literals reads a literal of Python, and evaluates nothing.
type literals struct {
	text  string
	depth int
}

// npyHeader is what the header of an array says.
type npyHeader struct {
	descr any
	shape []int64
	huge  bool // a number of the shape fits no integer
}

// parseNpyHeader reads the dictionary in the header of an .npy file.
func parseNpyHeader(text string) (*npyHeader, error) {
	p := &literals{text: text}
	value, err := p.value()
	d, ok := value.(dict)
	if err != nil || !ok || strings.TrimLeft(p.text, " \t\r\n\x00") != "" || len(d) != 3 {
		return nil, errLiteral
	}
	_, ok = d["fortran_order"].(bool) // in either order there are as many vectors
	shape, okShape := d["shape"].(tuple)
	if !ok || !okShape || d["descr"] == nil {
		return nil, errLiteral
	}
	h := &npyHeader{descr: d["descr"]}
	h.shape, h.huge, err = lengths(shape)
	return h, err
}

// lengths are the numbers of a shape.
func lengths(shape tuple) (out []int64, huge bool, err error) {
	for _, v := range shape {
		switch n := v.(type) {
		case int64:
			if n < 0 {
				return nil, false, errLiteral
			}
			out = append(out, n)
		case overflow:
			huge = true
		default:
			return nil, false, errLiteral
		}
	}
	return out, huge, nil
}

func (p *literals) space() { p.text = strings.TrimLeft(p.text, " \t\r\n") }

func (p *literals) take(s string) bool {
	p.space()
	rest, ok := strings.CutPrefix(p.text, s)
	if ok {
		p.text = rest
	}
	return ok
}

// value reads one literal.
func (p *literals) value() (any, error) {
	p.depth++
	defer func() { p.depth-- }()
	if p.depth > literalDepth {
		return nil, errLiteral
	}
	switch {
	case p.take("True"):
		return true, nil
	case p.take("False"):
		return false, nil
	case p.take("None"):
		return nil, nil //nolint:nilnil // None is a value
	case p.take("("):
		return p.tuple()
	case p.take("["):
		items, _, err := p.items("]")
		return list(items), err
	case p.take("{"):
		return p.dict()
	}
	if p.text != "" && strings.ContainsRune("-0123456789", rune(p.text[0])) {
		return p.number()
	}
	return p.string()
}

// tuple reads a tuple, or a value in brackets.
func (p *literals) tuple() (any, error) {
	items, comma, err := p.items(")")
	if err == nil && len(items) == 1 && !comma {
		return items[0], nil
	}
	return tuple(items), err
}

// items reads values up to the end; comma tells that one stood behind the last.
func (p *literals) items(end string) (items []any, comma bool, err error) {
	for !p.take(end) {
		if len(items) > 0 && !comma {
			return nil, false, errLiteral
		}
		v, err := p.value()
		if err != nil {
			return nil, false, err
		}
		items = append(items, v)
		comma = p.take(",")
	}
	return items, comma, nil
}

func (p *literals) dict() (any, error) {
	d, comma := dict{}, true
	for !p.take("}") {
		if !comma {
			return nil, errLiteral
		}
		p.space()
		key, err := p.string()
		if err != nil || !p.take(":") {
			return nil, errLiteral
		}
		v, err := p.value()
		if err != nil {
			return nil, err
		}
		d[key] = v
		comma = p.take(",")
	}
	return d, nil
}

// number reads an integer; those of Python 2 may end in L.
func (p *literals) number() (any, error) {
	n := 1
	for n < len(p.text) && p.text[n] >= '0' && p.text[n] <= '9' {
		n++
	}
	digits := p.text[:n]
	p.text = strings.TrimPrefix(p.text[n:], "L")
	v, err := strconv.ParseInt(digits, 10, 64)
	if errors.Is(err, strconv.ErrRange) {
		return overflow{}, nil
	}
	if err != nil {
		return nil, errLiteral
	}
	return v, nil
}

// string reads a string in either kind of quotes, which Python 2 may mark with u or b.
func (p *literals) string() (string, error) {
	if p.text != "" && (p.text[0] == 'u' || p.text[0] == 'b') {
		p.text = p.text[1:]
	}
	if p.text == "" || p.text[0] != '\'' && p.text[0] != '"' {
		return "", errLiteral
	}
	quote, out := p.text[0], []byte{}
	p.text = p.text[1:]
	for p.text != "" {
		c, size := utf8.DecodeRuneInString(p.text)
		switch {
		case p.text[0] == quote:
			p.text = p.text[1:]
			return string(out), nil
		case c == '\\':
			r, _, rest, err := strconv.UnquoteChar(p.text, quote)
			if err != nil {
				return "", errLiteral
			}
			out, p.text = utf8.AppendRune(out, r), rest
			continue
		case c == '\n' || c == '\r':
			return "", errLiteral
		}
		out = append(out, p.text[:size]...)
		p.text = p.text[size:]
	}
	return "", errLiteral
}
