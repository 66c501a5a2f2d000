package inventory

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/tree"
)

// fuzzedJSON reads data as a file called name, in one go or in small pieces.
func fuzzedJSON(t *testing.T, name string, data []byte, pieces bool) (results map[string]Result, c []Collection) {
	t.Helper()
	v := newJSONFiles(Options{})
	r := NewRecorder("s", Options{}, Calls{})
	tools := v.tools.Get().(*jsonTools)
	reader := newJSONReader(nil, data)
	if pieces {
		reader = newJSONReader(iotest.OneByteReader(bytes.NewReader(data)), make([]byte, 0, jsonHistory+64))
		for len(reader.buf) < cap(reader.buf) && reader.more() {
		}
	}
	f := v.file(&Subject{Entry: &tree.Entry{Path: name}}, r, tools, reader)
	f.all()
	assert.NilError(t, reader.failed)
	f.close()
	results = map[string]Result{}
	for _, one := range r.Results() {
		results[one.Check.ID] = one
	}
	return results, r.Collections()
}

// FuzzJSON holds the reader to encoding/json: both must agree on what is a document, and where each begins and ends in JSONL.
func FuzzJSON(f *testing.F) {
	for _, seed := range []string{
		``, `{}`, `[1,2.5e-3,"a\u00e4\ud83d\ude00"]`, `{"id":"x","b":{"c":[null,true,false]}}`, "{\"id\":1}\n{\"id\":2}\n", `{"a":{"x":1},"b":{"x":2}}`,
		`{"memories":[{"id":1},{"id":2}]}`, `{"a":1`, `{"id":1,"t":"ab{"id":2}`, "\xef\xbb\xbf{}", `[NaN]`, "\x00\x00", `{"a":1}x`, `{"b":1,"a":2,"b":3}`,
		strings.Repeat("[", 20), `"\ud800\u0041"`, "[1\n,2]", "{\"a\":\n1}\n{\"b\":2}", "[\"\xc3\x28\"]", `-`, `01`, `1.`, `1e`, `[-Infinity]`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > jsonHistory { // what does not fit in the window is told by its name
			return
		}
		for _, name := range []string{"a.json", "a.jsonl"} {
			results, collections := fuzzedJSON(t, name, data, false)
			again, others := fuzzedJSON(t, name, data, true)
			assert.DeepEqual(t, again, results)
			assert.DeepEqual(t, others, collections)
			bad := results[jsonSyntax.ID].Status == Damaged
			valid := wantValid(data)
			if bytes.Contains(data, []byte("NaN")) || bytes.Contains(data, []byte("Infinity")) {
				continue // we let through what Python writes
			}
			if valid && bad {
				t.Fatalf("%s is valid, but: %v", name, results[jsonSyntax.ID].Findings)
			}
			lines := validLines(data) && (name == "a.jsonl" || len(bytes.TrimSpace(data)) > 0)
			if !valid && !bad && !lines {
				t.Fatalf("%s is damaged, but nothing was found", name)
			}
		}
	})
}

// wantValid tells whether encoding/json takes data as one document.
func wantValid(data []byte) bool {
	data = bytes.TrimPrefix(data, utf8BOM)
	return utf8.Valid(data) && json.Valid(data)
}

// validLines tells whether each line is empty or a document; there may be none.
func validLines(data []byte) bool {
	data = bytes.TrimPrefix(data, utf8BOM)
	if !utf8.Valid(data) {
		return false
	}
	for line := range bytes.SplitSeq(data, []byte("\n")) {
		if line = bytes.Trim(line, " \t\r"); len(line) > 0 && !json.Valid(line) {
			return false
		}
	}
	return true
}

// FuzzCanonical holds the canonical form to encoding/json: it is a document of the same content, and is its own canonical form.
func FuzzCanonical(f *testing.F) {
	for _, seed := range []string{`{"b":[1,{"d":1,"c":"\u0007\\\""}],"a":"ä\ud83d\ude00"}`, `"x"`, `[[],{},""]`, `{"":0,"\u0000":1}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 64<<10 || !utf8.Valid(data) || !json.Valid(data) || bytes.Contains(data, []byte(`\u`)) {
			return
		}
		first, duplicates := canonicalForm(t, data)
		assert.Assert(t, json.Valid(first))
		second, _ := canonicalForm(t, first)
		assert.Equal(t, string(first), string(second))
		if duplicates {
			return
		}
		assert.DeepEqual(t, decoded(t, first), decoded(t, data))
	})
}

func canonicalForm(t *testing.T, data []byte) (form []byte, duplicates bool) {
	t.Helper()
	tools := newJSONFiles(Options{}).tools.Get().(*jsonTools)
	p := &tools.parser
	p.r = newJSONReader(nil, data)
	p.warn, p.duplicate = func(string, string) {}, func(jsonMember, []byte) { duplicates = true }
	tools.records.whole = true
	tools.records.record = func(jsonRecord) {}
	tools.records.reset()
	_, _ = p.r.peek()
	if fault := p.document(); fault != nil {
		t.Fatal(fault.text)
	}
	return bytes.Clone(p.buf), duplicates
}

func decoded(t *testing.T, data []byte) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var v any
	assert.NilError(t, d.Decode(&v))
	_, err := d.Token()
	assert.ErrorIs(t, err, io.EOF)
	return v
}
