package plugin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Docker's configuration is edited in its text: what other programs have written into it stays, whatever it is.

// member is one of an object, by its places in the text.
type member struct {
	key               string
	start, value, end int // of the key, of the value, behind it
}

// object is an object in a text.
type object struct {
	start, end int // of its braces
	members    []member
}

// objectAt reads the object that begins at an offset, white space aside.
func objectAt(text []byte, at int) (o object, err error) {
	at += len(text[at:]) - len(bytes.TrimLeft(text[at:], " \t\r\n"))
	dec := json.NewDecoder(bytes.NewReader(text[at:]))
	if token, err := dec.Token(); err != nil || token != json.Delim('{') {
		return o, errors.Join(errors.New("it is no object"), err)
	}
	o.start = at
	for last := at + 1; dec.More(); {
		token, err := dec.Token()
		if err != nil {
			return o, err
		}
		m := member{start: last + bytes.IndexByte(text[last:], '"')}
		m.key, _ = token.(string)
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return o, err
		}
		m.end = at + int(dec.InputOffset())
		m.value, last = m.end-len(value), m.end
		o.members = append(o.members, m)
	}
	_, err = dec.Token()
	o.end = at + int(dec.InputOffset()) - 1
	return o, err
}

func (o object) find(key string) int {
	return slices.IndexFunc(o.members, func(m member) bool { return m.key == key })
}

// setJSON sets a text at a path of keys, and leaves everything else as it is written.
func setJSON(text []byte, path []string, value string) ([]byte, error) {
	quoted, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	at := 0
	for n, key := range path {
		o, err := objectAt(text, at)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", strings.Join(path[:n], "."), err)
		}
		i := o.find(key)
		if i < 0 {
			return o.add(text, path[n:], quoted), nil
		}
		if n == len(path)-1 {
			return slices.Concat(text[:o.members[i].value], quoted, text[o.members[i].end:]), nil
		}
		at = o.members[i].value
	}
	return text, nil
}

// add puts a new member behind the last one, with the white space that is before that.
func (o object) add(text []byte, path []string, value []byte) []byte {
	for _, key := range slices.Backward(path[1:]) {
		name, _ := json.Marshal(key)
		value = slices.Concat([]byte("{"), name, []byte(": "), value, []byte("}"))
	}
	name, _ := json.Marshal(path[0])
	value = slices.Concat(name, []byte(": "), value)
	if len(o.members) == 0 {
		return slices.Concat(text[:o.start+1], value, text[o.end:])
	}
	last := o.members[len(o.members)-1]
	before := o.start + 1
	if len(o.members) > 1 {
		before = o.members[len(o.members)-2].end + bytes.IndexByte(text[o.members[len(o.members)-2].end:], ',') + 1
	}
	return slices.Concat(text[:last.end], []byte(","), text[before:last.start], value, text[last.end:])
}

// removeJSON removes what is at a path of keys, if it is there.
func removeJSON(text []byte, path []string) ([]byte, error) {
	at := 0
	for n, key := range path {
		o, err := objectAt(text, at)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", strings.Join(path[:n], "."), err)
		}
		i := o.find(key)
		switch {
		case i < 0:
			return text, nil
		case n < len(path)-1:
			at = o.members[i].value
		case i > 0:
			return slices.Concat(text[:o.members[i-1].end], text[o.members[i].end:]), nil
		case len(o.members) > 1:
			return slices.Concat(text[:o.members[0].start], text[o.members[1].start:]), nil
		default:
			return slices.Concat(text[:o.start+1], text[o.end:]), nil
		}
	}
	return text, nil
}
