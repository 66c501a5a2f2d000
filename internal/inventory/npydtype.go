package inventory

import (
	"strconv"
	"strings"
)

// npyType is the type of an array's elements.
type npyType struct {
	width   int64
	objects bool // some part is a Python object: the data is a pickle
	unknown string
	// number is how its floating-point numbers are stored, parts of them to an element: 2 for complex ones. parts is 0 for all other types,
	// and for records with several fields.
	number float
	parts  int64
}

// typeOf understands a descr: a string, a list of fields, or a type with a shape.
func typeOf(descr any) (npyType, error) {
	switch d := descr.(type) {
	case string:
		return scalarType(d)
	case list:
		return recordType(d)
	case tuple:
		if len(d) != 2 {
			return npyType{}, errLiteral
		}
		return shapedType(d[0], d[1])
	}
	return npyType{}, errLiteral
}

// recordType is a record of fields: (name, type) or (name, type, shape).
func recordType(fields list) (npyType, error) {
	var all npyType
	for _, field := range fields {
		f, ok := field.(tuple)
		if !ok || len(f) != 2 && len(f) != 3 {
			return npyType{}, errLiteral
		}
		shape := any(tuple{})
		if len(f) == 3 {
			shape = f[2]
		}
		one, err := shapedType(f[1], shape)
		if err != nil {
			return npyType{}, err
		}
		if all.width+one.width < all.width {
			return npyType{}, errLiteral
		}
		all.width += one.width
		all.objects = all.objects || one.objects
		if one.unknown != "" {
			all.unknown = one.unknown
		}
	}
	return all, nil
}

// shapedType is a type of which each element has a shape of its own: a number of tuple of them.
func shapedType(descr, shape any) (npyType, error) {
	t, err := typeOf(descr)
	if err != nil {
		return t, err
	}
	if n, ok := shape.(int64); ok {
		shape = tuple{n}
	}
	s, ok := shape.(tuple)
	if !ok {
		return t, errLiteral
	}
	counts, huge, err := lengths(s)
	n, fits := elements(counts)
	width, fitsToo := times(n, t.width)
	if err != nil || huge || !fits || !fitsToo {
		return t, errLiteral
	}
	t.width = width
	if len(s) > 0 {
		t.parts = 0
	}
	return t, nil
}

// scalarType understands a type string: byte order, kind, width.
func scalarType(s string) (npyType, error) {
	unknown := npyType{unknown: s}
	rest := strings.TrimLeft(s, "<>|=")
	if len(s)-len(rest) > 1 || rest == "" {
		return unknown, nil
	}
	kind := rest[0]
	digits, unit, _ := strings.Cut(rest[1:], "[")
	if kind == 'O' {
		return npyType{objects: true}, nil
	}
	n, err := strconv.ParseInt(digits, 10, 32)
	if err != nil || n < 0 || unit != "" && kind != 'M' && kind != 'm' {
		return unknown, nil
	}
	t := npyType{width: n, number: float{width: n, big: s[0] == '>'}}
	switch {
	case kind == 'U':
		t.width = 4 * n
	case kind == 'f' && (n == 2 || n == 4 || n == 8):
		t.parts = 1
	case kind == 'c' && (n == 8 || n == 16):
		t.number.width, t.parts = n/2, 2
	case !strings.ContainsRune("biufcmMSaV", rune(kind)):
		return unknown, nil
	}
	return t, nil
}
