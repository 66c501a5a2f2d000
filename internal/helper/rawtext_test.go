package helper

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"gotest.tools/v3/assert"
)

// base is embedded where nobody outside sees its name, as calls embed each other.
type base struct {
	Places []string `json:"places"`
}

type written struct{ text string }

func (w written) MarshalText() ([]byte, error) { return []byte(w.text), nil }

func (w *written) UnmarshalText(text []byte) error {
	w.text = string(text)
	return nil
}

type everything struct {
	base
	Name   string              `json:"name"`
	Next   *everything         `json:"next,omitempty"`
	By     map[string][]string `json:"by,omitempty"`
	Any    any                 `json:"any,omitempty"`
	Two    [2]string           `json:"two"`
	When   time.Time           `json:"when"`
	Own    written             `json:"own"`
	Raw    json.RawMessage     `json:"raw,omitempty"`
	Sum    [4]byte             `json:"sum"`
	Secret string              `json:"-"`
}

func strange() everything {
	return everything{
		base: base{[]string{"plain", "\xff.json"}}, Name: "a\xfe/b", Next: &everything{Name: "\xff\x00"},
		By: map[string][]string{"k\xff": {"v\xff"}, "k\xfe": nil}, Any: map[string]any{"x": "\xff"}, Two: [2]string{"\xc3", "ü\ufffd"},
		When: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), Own: written{"own"}, Raw: json.RawMessage(`{"a":1}`), Sum: [4]byte{255, 1}, Secret: "\xff",
	}
}

func TestNamesOfAnyBytesCrossUnharmed(t *testing.T) {
	sent := strange()
	text, err := Marshal(sent)
	assert.NilError(t, err)
	assert.Assert(t, json.Valid(text))
	var got everything
	assert.NilError(t, Unmarshal(text, &got))
	want := strange()
	assert.Equal(t, got.Secret, "")
	got.Secret = want.Secret
	same := func(a, b everything) {
		t.Helper()
		assert.DeepEqual(t, a.Places, b.Places)
		assert.Equal(t, a.Name, b.Name)
		assert.Equal(t, a.Next.Name, b.Next.Name)
		assert.DeepEqual(t, a.By, b.By)
		assert.DeepEqual(t, a.Any, b.Any)
		assert.Equal(t, a.Two, b.Two)
		assert.Equal(t, a.Own, b.Own)
		assert.Equal(t, string(a.Raw), string(b.Raw))
		assert.Equal(t, a.Sum, b.Sum)
		assert.Assert(t, a.When.Equal(b.When))
	}
	same(got, want)
	same(sent, want) // who sends keeps what is theirs
}

// TestTextCrossesAsItIs: what is UTF-8 looks as any JSON does, but for what could be taken for a mark.
func TestTextCrossesAsItIs(t *testing.T) {
	for _, v := range []any{nil, 7, "ü", []string{"a"}, everything{Name: "x"}, map[string]int{"n": 1}} {
		want, err := json.Marshal(v)
		assert.NilError(t, err)
		got, err := Marshal(v)
		assert.NilError(t, err)
		assert.Equal(t, string(got), string(want))
	}
	for _, s := range []string{rawMark, rawMark + "!", rawMark + "\xff"} {
		text, err := Marshal(s)
		assert.NilError(t, err)
		var got string
		assert.NilError(t, Unmarshal(text, &got))
		assert.Equal(t, got, s)
	}
	var got string
	assert.ErrorContains(t, Unmarshal([]byte(`"\u0000base64:!"`), &got), "no UTF-8")
}

func TestALineCarriesNamesOfAnyBytesBothWays(t *testing.T) {
	heard := make(chan string, 1)
	a, _ := ends(t, nil, map[string]Handler{
		"echo": func(_ context.Context, p json.RawMessage) (any, error) {
			var e everything
			return &e, Unmarshal(p, &e)
		},
		"fail": func(context.Context, json.RawMessage) (any, error) { return nil, errors.New("open \xff.json") },
		"hear": func(_ context.Context, p json.RawMessage) (any, error) {
			var e everything
			err := Unmarshal(p, &e)
			heard <- e.Name
			return nil, err
		},
	})
	var got everything
	assert.NilError(t, a.Call(t.Context(), "echo", strange(), &got))
	assert.Equal(t, got.Name, strange().Name)
	assert.DeepEqual(t, got.Places, strange().Places)
	assert.Error(t, a.Call(t.Context(), "fail", nil, nil), "open \xff.json")
	assert.NilError(t, a.Notify("hear", strange()))
	assert.Equal(t, <-heard, strange().Name)
}

// BenchmarkMarshal is what the look for such names costs beside json.Marshal.
func BenchmarkMarshal(b *testing.B) {
	all := make([]everything, 1000)
	for i := range all {
		all[i] = everything{Name: "memories/a.json", Own: written{"x"}}
	}
	for name, f := range map[string]func(any) (json.RawMessage, error){"line": Marshal, "json": func(v any) (json.RawMessage, error) { return json.Marshal(v) }} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				_, err := f(all)
				assert.NilError(b, err)
			}
		})
	}
}
