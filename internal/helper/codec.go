package helper

import (
	"context"
	"encoding/json"
	"io/fs"

	"github.com/sourcegraph/jsonrpc2"
)

// Codec carries errors that callers tell apart across the line. What the standard library's callers test for (fs.ErrNotExist, a full
// disk, the end of a context) crosses without one.
type Codec struct {
	// Encode tells what names an error and what is in it; not ok: it is none of this codec's. It is asked for each error of a
	// chain by itself, so it must not unwrap.
	Encode func(err error) (kind string, data any, ok bool)
	// Decode makes the error of that kind again; nil: it is none of this codec's.
	Decode func(kind string, data json.RawMessage) error
}

// carried is one error of a chain on its way.
type carried struct {
	Kind string          `json:"kind"`
	Data json.RawMessage `json:"data,omitempty"`
}

// remoteError is an error of the other end: its text, and those of its chain that crossed.
type remoteError struct {
	text  string
	chain []error
}

func (e *remoteError) Error() string   { return e.text }
func (e *remoteError) Unwrap() []error { return e.chain }

func encodeError(err error, codecs []Codec) *jsonrpc2.Error {
	text, _ := marked(err.Error()) // never fails
	out := &jsonrpc2.Error{Code: jsonrpc2.CodeInternalError, Message: text}
	if all := carry(err, codecs, nil); len(all) > 0 {
		out.SetError(all)
	}
	return out
}

// carry walks the chain of an error, outermost first.
func carry(err error, codecs []Codec, out []carried) []carried {
	for _, c := range codecs {
		kind, data, ok := c.Encode(err)
		if !ok {
			continue
		}
		if raw, failed := Marshal(data); failed == nil {
			out = append(out, carried{kind, raw})
		}
		break
	}
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		if inner := e.Unwrap(); inner != nil {
			out = carry(inner, codecs, out)
		}
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			out = carry(inner, codecs, out)
		}
	}
	return out
}

func decodeError(answer *jsonrpc2.Error, codecs []Codec) error {
	out := &remoteError{text: answer.Message}
	if text, err := unmarked(answer.Message); err == nil {
		out.text = text
	}
	var all []carried
	if answer.Data != nil && json.Unmarshal(*answer.Data, &all) != nil {
		return out
	}
	for _, one := range all {
		for _, c := range codecs {
			if err := c.Decode(one.Kind, one.Data); err != nil {
				out.chain = append(out.chain, err)
				break
			}
		}
	}
	return out
}

// sentinels are the errors of the standard library that cross by their name.
func sentinels() map[string]error {
	return map[string]error{
		"canceled": context.Canceled, "deadline": context.DeadlineExceeded, "gone": ErrGone,
		"exist": fs.ErrExist, "not exist": fs.ErrNotExist, "permission": fs.ErrPermission,
	}
}

// standard carries what needs no codec of the caller's. A system's error number crosses by its name, as numbers differ between systems.
func standard() Codec {
	named := Sentinel(sentinels())
	return Codec{
		Encode: func(err error) (string, any, bool) {
			if name := errnoName(err); name != "" {
				return "errno", name, true
			}
			return named.Encode(err)
		},
		Decode: func(kind string, data json.RawMessage) error {
			var name string
			if kind == "errno" && json.Unmarshal(data, &name) == nil {
				return errnoOf(name)
			}
			return named.Decode(kind, data)
		},
	}
}

// Sentinel carries errors that are compared with errors.Is, under a name each.
func Sentinel(names map[string]error) Codec {
	return Codec{
		Encode: func(err error) (string, any, bool) {
			for name, sentinel := range names {
				if err == sentinel { //nolint:errorlint // this one alone: the walk unwraps
					return name, nil, true
				}
			}
			return "", nil, false
		},
		Decode: func(kind string, _ json.RawMessage) error { return names[kind] },
	}
}

// Typed carries errors of the type E under a name; what crosses is what their exported fields hold.
func Typed[E error](name string) Codec {
	return Codec{
		Encode: func(err error) (string, any, bool) {
			e, ok := err.(E) //nolint:errorlint // this one alone: the walk unwraps
			return name, e, ok
		},
		Decode: func(kind string, data json.RawMessage) error {
			var e E
			if kind != name || Unmarshal(data, &e) != nil {
				return nil
			}
			return e
		},
	}
}
