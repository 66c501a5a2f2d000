package helper

import (
	"bytes"
	"encoding"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"
)

// rawMark begins a string that crosses as base64. No name of a file can begin so.
const rawMark = "\x00base64:"

// rawMarkJSON is rawMark as JSON has it.
const rawMarkJSON = `"\u0000base64:`

// Marshal is json.Marshal for the line: JSON takes text alone, and puts a sign of its own in the place of any other byte, but names of files are
// bytes. Strings that are no UTF-8 become base64 behind a mark, wherever they are: in structs, lists, maps and what is behind pointers and
// interfaces. Types that write their JSON themselves do so.
func Marshal(v any) (json.RawMessage, error) {
	if v == nil {
		return json.RawMessage("null"), nil
	}
	w := walk{clone: true, f: marked}
	if val := reflect.ValueOf(v); w.hasRaw(val) {
		val = copied(val)
		if err := w.change(val); err != nil {
			return nil, err
		}
		v = val.Interface()
	}
	return json.Marshal(v)
}

// Unmarshal is json.Unmarshal for what Marshal has made.
func Unmarshal(data []byte, v any) error {
	if err := json.Unmarshal(data, v); err != nil || !bytes.Contains(data, []byte(rawMarkJSON)) {
		return err
	}
	w := walk{f: unmarked}
	return w.change(reflect.ValueOf(v))
}

// isRaw tells whether a string cannot cross as it is.
func isRaw(s string) bool { return !utf8.ValidString(s) || strings.HasPrefix(s, rawMark) }

// walk goes through the values that JSON shows of a value. What it has learnt of their types it keeps: there may be very many.
type walk struct {
	f     func(string) (string, error) // what becomes of a string
	clone bool                         // what is shared with others is copied before it is changed
	kinds map[reflect.Type]*kind
}

// kind is what is to be known of a type.
type kind struct {
	plain  bool  // no string is in its values, or they write their JSON themselves
	fields []int // those that JSON shows of a struct
}

func (w *walk) kind(t reflect.Type) *kind {
	k := w.kinds[t]
	if k != nil {
		return k
	}
	if w.kinds == nil {
		w.kinds = map[reflect.Type]*kind{}
	}
	k = &kind{}
	w.kinds[t] = k
	switch t.Kind() {
	case reflect.String, reflect.Pointer, reflect.Interface, reflect.Map:
		k.plain = own(t)
	case reflect.Slice, reflect.Array:
		k.plain = own(t) || w.kind(t.Elem()).plain
	case reflect.Struct:
		k.plain = own(t)
		for i := range t.NumField() {
			if f := t.Field(i); (f.IsExported() || f.Anonymous) && f.Tag.Get("json") != "-" && !w.kind(f.Type).plain {
				k.fields = append(k.fields, i)
			}
		}
	default:
		k.plain = true
	}
	return k
}

// own are the types that write their JSON themselves.
func own(t reflect.Type) bool {
	for _, i := range []reflect.Type{reflect.TypeFor[json.Marshaler](), reflect.TypeFor[encoding.TextMarshaler]()} {
		if t.Implements(i) || reflect.PointerTo(t).Implements(i) {
			return true
		}
	}
	return false
}

// parts calls f with each value that JSON shows of v, until it says no.
func (w *walk) parts(v reflect.Value, f func(reflect.Value) bool) bool {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		return v.IsNil() || f(v.Elem())
	case reflect.Struct:
		for _, i := range w.kind(v.Type()).fields {
			if !f(v.Field(i)) {
				return false
			}
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if !f(v.Index(i)) {
				return false
			}
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			if !f(it.Key()) || !f(it.Value()) {
				return false
			}
		}
	}
	return true
}

// hasRaw tells whether some string in v cannot cross as it is.
func (w *walk) hasRaw(v reflect.Value) bool {
	switch {
	case v.Kind() == reflect.String:
		return isRaw(v.String()) && !w.kind(v.Type()).plain
	case w.kind(v.Type()).plain:
		return false
	}
	return !w.parts(v, func(part reflect.Value) bool { return !w.hasRaw(part) })
}

// change replaces the strings in v, in place.
func (w *walk) change(v reflect.Value) error {
	if w.kind(v.Type()).plain {
		return nil
	}
	switch v.Kind() {
	case reflect.String:
		text, err := w.f(v.String())
		if err == nil && v.CanSet() && text != v.String() {
			v.SetString(text)
		}
		return err
	case reflect.Interface:
		return w.changeHeld(v)
	case reflect.Map:
		return w.changeMap(v)
	case reflect.Pointer:
		if w.clone && !v.IsNil() && v.CanSet() {
			v.Set(copied(v.Elem()).Addr())
		}
	case reflect.Slice:
		if w.clone && v.CanSet() {
			v.Set(reflect.AppendSlice(reflect.Zero(v.Type()), v))
		}
	}
	var failed error
	w.parts(v, func(part reflect.Value) bool {
		failed = w.change(part)
		return failed == nil
	})
	return failed
}

// copied is a copy that can be changed.
func copied(v reflect.Value) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	out.Set(v)
	return out
}

// changeHeld changes what an interface holds.
func (w *walk) changeHeld(v reflect.Value) error {
	if v.IsNil() || !v.CanSet() {
		return nil
	}
	held := copied(v.Elem())
	err := w.change(held)
	v.Set(held)
	return err
}

// changeMap changes keys and values, which cannot be changed where they are.
func (w *walk) changeMap(v reflect.Value) error {
	if v.IsNil() || !v.CanSet() {
		return nil
	}
	out := reflect.MakeMapWithSize(v.Type(), v.Len())
	for it := v.MapRange(); it.Next(); {
		key, value := copied(it.Key()), copied(it.Value())
		if err := errors.Join(w.change(key), w.change(value)); err != nil {
			return err
		}
		out.SetMapIndex(key, value)
	}
	v.Set(out)
	return nil
}

func marked(s string) (string, error) {
	if isRaw(s) {
		return rawMark + base64.StdEncoding.EncodeToString([]byte(s)), nil
	}
	return s, nil
}

func unmarked(s string) (string, error) {
	coded, ok := strings.CutPrefix(s, rawMark)
	if !ok {
		return s, nil
	}
	text, err := base64.StdEncoding.DecodeString(coded)
	if err != nil {
		return "", fmt.Errorf("read a text that is no UTF-8: %w", err)
	}
	return string(text), nil
}
