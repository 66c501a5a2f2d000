package inventory

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/tree"
)

// memoryChecks are the checks of memory files.
func memoryChecks() Options { return Options{Checks: []string{"memories"}} }

// lined are the findings with their places, one a line.
func lined(r *Report) []string {
	out := []string{}
	for _, res := range r.Results {
		for _, f := range res.Findings {
			out = append(out, fmt.Sprintf("%s %s:%d:%d: %s", f.Status, f.Path, f.Line, f.Column, f.Text))
		}
	}
	return out
}

func inspectFiles(t *testing.T, o Options, calls Calls, files map[string]string) *Report {
	t.Helper()
	r, err := Inspect(t.Context(), "s", LiveTree(plant(t, files), nil), o, calls)
	assert.NilError(t, err)
	return r
}

func TestDamageOfMemoryFilesIsNamed(t *testing.T) {
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for _, c := range []struct{ name, text, want string }{
		{"empty.json", "", "damaged empty.json:0:0: is empty"},
		{"empty.jsonl", "", "warning empty.jsonl:1:1: is empty"},
		{"bom.json", "\xef\xbb\xbf", "damaged bom.json:0:0: holds nothing but white space"},
		{"space.json", " \n\n", "damaged space.json:0:0: holds nothing but white space"},
		{"blank.jsonl", "\n", ""},
		{"object.json", "{", "damaged object.json:1:2: ends in the middle of an object"},
		{"member.json", "{\n \"a\": 1,\n", "damaged member.json:3:1: ends in the middle of an object"},
		{"key.json", `{"a`, "damaged key.json:1:4: ends in the middle of a string"},
		{"colon.json", `{"a"`, "damaged colon.json:1:5: ends in the middle of an object"},
		{"array.json", `[1, 2`, "damaged array.json:1:6: ends in the middle of an array"},
		{"string.json", `{"a": "bc`, "damaged string.json:1:10: ends in the middle of a string"},
		{"escape.json", `["\`, "damaged escape.json:1:3: ends in the middle of a string"},
		{"unit.json", `["\u00`, "damaged unit.json:1:7: ends in the middle of a string"},
		{"char.json", "[\"\xc3", "damaged char.json:1:3: ends in the middle of a character"},
		{"word.json", `[tru`, "damaged word.json:1:5: ends in the middle of a word"},
		{"number.json", `[1.`, "damaged number.json:1:4: ends in the middle of a number"},
		{"minus.json", `[-`, "damaged minus.json:1:3: ends in the middle of a number"},
		{"zero-number.json", `[01]`, "damaged zero-number.json:1:3: has '1' where ',' or ']' should be"},
		{"comma.json", `{"a": 1,}`, "damaged comma.json:1:9: has '}' where a key should be"},
		{"element.json", `[1,]`, "damaged element.json:1:4: has ']' where a value should be"},
		{"closed.json", `{"a": 1]`, "damaged closed.json:1:8: has ']' where ',' or '}' should be"},
		{"behind.json", "{\"a\": 1}\n\"longer before\"}\n", "damaged behind.json:2:1: goes on behind its end: 16 bytes"},
		{"twice.json", `{"id": 1, "t": "x"}{"id": 2, "t": "y"}`, "damaged twice.json:1:20: a new document begins behind the end of the first"},
		{"torn.json", `{"id": 1, "t": "ab{"id": 2, "t": "y"}`, "damaged torn.json:1:21: a new document begins inside another one"},
		{"torn-value.json", `{"id": 1, "t": {"id" 2}`, "damaged torn-value.json:1:22: has '2' where ':' should be"},
		{"torn-key.json", `{"id": 1, {"id": 2}`, "damaged torn-key.json:1:11: a new document begins inside another one"},
		{"nul.json", "\x00\x00\x00\x00", "damaged nul.json:1:1: holds nothing but zero bytes"},
		{"tail.json", "{\"a\": 1}\x00\x00", "damaged tail.json:1:9: is filled with zero bytes from here on"},
		{"hole.json", "{\"a\": \"b\x00\x00\"}", "damaged hole.json:1:9: has zero bytes where text should be"},
		{"cut-by-zeros.json", "{\"a\": \"b\x00\x00\x00", "damaged cut-by-zeros.json:1:9: is filled with zero bytes from here on"},
		{"latin.json", "{\"a\": \"\xe4\xf6 \"}", "damaged latin.json:1:8: is not UTF-8"},
		{"utf16.json", "\xff\xfe{\x00", "damaged utf16.json:1:1: is UTF-16, not UTF-8"},
		{"control.json", "[\"a\tb\"]", `damaged control.json:1:4: a string has the control character '\t'`},
		{"text.json", "hello", "damaged text.json:1:1: has 'h' where a value should be"},
		{"deep.json", deep(maxJSONDepth + 1), "damaged deep.json:1:10001: is nested deeper than 10000"},
		{"very-deep.json", deep(1_000_000), "damaged very-deep.json:1:10001: is nested deeper than 10000"},
		{"just-deep.json", deep(maxJSONDepth), ""},
		{"last.jsonl", "{\"id\": 1}\n{\"id\": 2, \"t\": \"cu", "damaged last.jsonl:2:19: ends in the middle of a string"},
		{"first.jsonl", "{\"id\": 1, \"t\n{\"id\": 2}\n{\"id\": 3}\n", "damaged first.jsonl:1:13: ends in the middle of a string"},
		{"middle.jsonl", "{\"id\": 1}\nrubbish\n{\"id\": 3}\n", "damaged middle.jsonl:2:1: has 'r' where a value should be"},
		{"lines.json", "{\"id\": 1}\n{\"id\": 2\n{\"id\": 3}\n", "damaged lines.json:2:9: ends in the middle of an object"},
		{"one-line.jsonl", "{\"id\": 1}\n{\"id\": 2}{\"id\": 3}\n", "damaged one-line.jsonl:2:10: a new document begins behind the end of the one before, on the same line"},
		{"zeros.jsonl", "{\"id\": 1}\n\x00\x00\x00", "damaged zeros.jsonl:2:1: is filled with zero bytes from here on"},
		{"nan.json", `{"a": NaN, "b": -Infinity}`, "warning nan.json:1:7: holds NaN, which JSON does not know\nwarning nan.json:1:18: holds Infinity, which JSON does not know"},
		{"half.json", `["\ud800"]`, "warning half.json:1:9: a string has one half of a surrogate pair"},
		{"keys.json", "{\"b\": 1, \"a\": 2,\n\"b\": 3}", "warning keys.json:2:1: the key \"b\" occurs twice in an object"},
		{"good.json", "\xef\xbb\xbf{\"a\": [1, -0.5e+7, true, false, null, \"\\u00e4\\ud83d\\ude00 \u00e4\"], \"b\": {}}\n", ""},
		{"scalar.json", "12", ""},
		{"notes", `{not json`, ""},
		{"notes.txt", `{"a": cut`, ""},
		{"bare", `{"a": cut`, "damaged bare:1:7: has 'c' where a value should be"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := lined(inspectFiles(t, memoryChecks(), Calls{}, map[string]string{c.name: c.text}))
			assert.Equal(t, strings.Join(got, "\n"), c.want)
		})
	}
}

func TestRecordsAreFoundWhateverTheShape(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"array.json", `[{"id": 1}, {"uuid": "b", "_id": "c"}, {"x": 1}]`, "1 c m/array.json#3"},
		{"numbers.json", `[1, 2]`, "m/numbers.json"},
		{"none.json", `[]`, ""},
		{"nothing.json", `{}`, ""},
		{"no-members.json", `{"memories": []}`, ""},
		{"one.json", `{"t": "x", "parts": [{"id": 7}], "memory_id": "m\u0031"}`, "m1"},
		{"single.json", `{"t": "x", "tags": ["a"]}`, "m/single.json"},
		{"members.json", `{"meta": {"id": 9}, "memories": [{"id": 1}, {"id": 2}], "more": [{"key": "k"}], "n": 1}`, "1 2 k"},
		{"keyed.json", `{"a": {"id": 1}, "b": {}}`, "a b"},
		{"one-key.json", `{"a": {"id": 1}}`, "m/one-key.json"},
		{"lines.jsonl", "{\"id\": 1}\n\n{\"x\": [{\"id\": 5}]}\n[3]\n", "1 m/lines.jsonl#2 m/lines.jsonl#3"},
		{"by-content.json", "{\"id\": 1}\n{\"id\": 2}\n", "1 2"},
		{"pretty.jsonl", "[\n {\"id\": 1},\n {\"id\": 2}\n]\n", "1 2"},
		{"cut.json", `{"memories": [{"id": 1}, {"id": 2}, {"id`, "1 2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var ids []string
			r := inspectFiles(t, Options{Workers: 1}, Calls{Record: func(r Record) { ids = append(ids, r.ID) }}, map[string]string{"m/" + c.name: c.text})
			assert.Equal(t, strings.Join(ids, " "), c.want)
			assert.Equal(t, len(r.Inventory.Collections), 1)
			assert.Equal(t, r.Inventory.Collections[0].Name, "m")
			assert.Equal(t, r.Inventory.Collections[0].Records, int64(len(ids)))
		})
	}
}

func TestContentIsTheSameWhateverSpaceOrderAndEscapes(t *testing.T) {
	content := func(text string) string {
		return inspectFiles(t, memoryChecks(), Calls{}, map[string]string{"a.json": text}).Inventory.Collections[0].Content
	}
	long := strings.Repeat("x", maxCanonical/2)
	for _, c := range []struct{ a, b string }{
		{`{"id": 1, "b": {"y": [1, 2], "x": 2}, "t": "ä\n"}`, "{\"t\":\"\\u00e4\\u000a\",\n\"b\":{\"x\":2,\"y\":[1,2]},\"id\":1}"},
		{`[{"id": 1, "b": 2}, {"id": 2}]`, `[{"id":2},{"b":2,"id":1}]`},
		{`{"m": [{"id": 1, "b": "` + long + `"}, {"id": 2, "b": "` + long + `"}, {"id": 3}]}`, `[{"id":3},{"b":"` + long + `","id":1},{"b":"` + long + `","id":2}]`},
	} {
		assert.Equal(t, content(c.a), content(c.b))
	}
	for _, text := range []string{`{"id": 1, "b": 3}`, `{"id": 1, "b": "2"}`, `{"id": 1, "b": [2]}`, `{"id": 1}`} {
		assert.Assert(t, content(text) != content(`{"id": 1, "b": 2}`), text)
	}
}

func TestALongRecordIsReadInPieces(t *testing.T) {
	long := strings.Repeat("ä\\n", maxCanonical)
	for _, text := range []string{
		`{"z": 1, "t": "` + long + `", "id": "x"}`,
		`[{"z": 1, "t": "` + long + `", "id": "x"}, {"id": "y"}]`,
		`{"m": [{"z": 1, "t": "` + long + `", "a": {"c": "` + long + `", "b": 1}, "id": "x"}, {"id": "y"}], "t": "` + long + `"}`,
	} {
		r := inspectFiles(t, memoryChecks(), Calls{}, map[string]string{"a.json": text})
		assert.DeepEqual(t, lined(r), []string{})
		other := inspectFiles(t, memoryChecks(), Calls{}, map[string]string{"a.json": strings.ReplaceAll(text, ", ", " ,\n\t ")})
		assert.Equal(t, r.Inventory.Collections[0].Content, other.Inventory.Collections[0].Content)
		other = inspectFiles(t, memoryChecks(), Calls{}, map[string]string{"a.json": strings.Replace(text, "ä", "ö", 1)})
		assert.Assert(t, r.Inventory.Collections[0].Content != other.Inventory.Collections[0].Content)
	}
	cut := inspectFiles(t, memoryChecks(), Calls{}, map[string]string{"a.json": `{"t": "` + long})
	assert.Equal(t, len(lined(cut)), 1)
	assert.Assert(t, strings.Contains(lined(cut)[0], "ends in the middle of a string"))
}

// TestWhiteSpaceChangesNoLongRecord: in which pieces a record is digested depends on what it says, not on how it lies in the file.
func TestWhiteSpaceChangesNoLongRecord(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 8 {
		var text strings.Builder
		for range 8 {
			fmt.Fprintf(&text, `{"t": "%s", "o": {"z": %d, "l": "%s", "a": {"y": 1, "b": [2, {"n": 3, "m": 4}]}}, "more": `,
				strings.Repeat("x", random.IntN(700_000)), random.IntN(1000), strings.Repeat("y", random.IntN(1<<random.IntN(22))))
		}
		text.WriteString("0" + strings.Repeat("}", 8))
		var contents []string
		for _, between := range []string{" ", "  ", "\n" + strings.Repeat(" ", random.IntN(100_000))} {
			r := inspectFiles(t, memoryChecks(), Calls{}, map[string]string{"a.json": strings.ReplaceAll(text.String(), " ", between)})
			assert.DeepEqual(t, lined(r), []string{})
			contents = append(contents, r.Inventory.Collections[0].Content)
		}
		assert.Equal(t, contents[0], contents[1])
		assert.Equal(t, contents[0], contents[2])
	}
}

// TestIDsOfLongDocumentsAreThoseOfShortOnes: how much came before an id, or before a member whose key is one, is all the same.
func TestIDsOfLongDocumentsAreThoseOfShortOnes(t *testing.T) {
	var keyed strings.Builder
	for i := range 30_000 {
		fmt.Fprintf(&keyed, `, "k%d": {"text": "some text of this memory, which is number %d"}`, i, i)
	}
	files := map[string]string{"m/keyed.json": "{" + keyed.String()[1:] + "}"}
	want := map[string]bool{}
	for i := range 30_000 {
		want[fmt.Sprintf("k%d", i)] = true
	}
	for i := range 24 { // around the place where a record is too long to be kept
		long := strings.Repeat("x", maxCanonical-24+i)
		files[fmt.Sprintf("m/late%d.json", i)] = fmt.Sprintf(`{"t": "%s", "id": "late%d"}`, long, i)
		files[fmt.Sprintf("m/list%d.json", i)] = fmt.Sprintf(`[{"t": "%s", "id": "list%d"}, {"id": %d}]`, long, i, i)
		files[fmt.Sprintf("m/number%d.json", i)] = fmt.Sprintf(`{"t": "%s", "id": %d}`, long, 1_000_000+i)
		want[fmt.Sprintf("late%d", i)], want[fmt.Sprintf("list%d", i)], want[fmt.Sprint(i)], want[fmt.Sprint(1_000_000+i)] = true, true, true, true
	}
	got := map[string]bool{}
	inspectFiles(t, Options{Workers: 1, Checks: []string{"memories"}}, Calls{Record: func(r Record) { got[r.ID] = true }}, files)
	for id := range want {
		assert.Assert(t, got[id], id)
	}
	assert.Equal(t, len(got), len(want))
}

func TestIDsThatOccurTwiceAreNamedWithBothFiles(t *testing.T) {
	r := inspectFiles(t, memoryChecks(), Calls{}, map[string]string{
		"m/a.json": `{"id": "x"}`, "m/b.jsonl": "{\"id\": \"y\"}\n{\"id\": \"x\"}\n{\"id\": \"y\"}\n", "other/a.json": `{"id": "x"}`,
		"n/1.json": `{"t": 1}`, "n/2.json": `{"t": 1}`,
	})
	assert.DeepEqual(t, slices.DeleteFunc(lined(r), func(s string) bool { return strings.Contains(s, `"y"`) })[0][:len("warning m/b.jsonl")], "warning m/b.jsonl")
	text := strings.Join(lined(r), "\n")
	assert.Assert(t, strings.Contains(text, `the id "x" stands in m/a.json too`), text)
	assert.Assert(t, strings.Contains(text, `warning m/b.jsonl:3:0: the id "y" stands in this file twice`), text)
	assert.Equal(t, strings.Count(text, "\n"), 1, text)
}

func TestManyIDsAreCompared(t *testing.T) {
	var b strings.Builder
	for i := range 3 * manyIDs {
		fmt.Fprintf(&b, "{\"id\": %d}\n", i)
	}
	r := inspectFiles(t, memoryChecks(), Calls{}, map[string]string{"a.jsonl": b.String() + "{\"id\": 5}\n"})
	assert.DeepEqual(t, lined(r), []string{`warning a.jsonl:12289:0: the id "5" stands in this file twice`})
	assert.Equal(t, r.Inventory.Collections[0].Records, int64(3*manyIDs+1))

	for i := range maxTexts {
		fmt.Fprintf(&b, "{\"id\": \"x%d\"}\n", i)
	}
	o := memoryChecks()
	o.Live = true
	r = inspectFiles(t, o, Calls{}, map[string]string{"a.jsonl": b.String() + "{\"id\": 5}\n"})
	assert.DeepEqual(t, lined(r), []string{`warning a.jsonl:77825:0: the id of this record stands in this file twice`})
}

func TestRecordsAreHeldToTheSchema(t *testing.T) {
	o := memoryChecks()
	o.Schema = []byte(`{"type": "object", "required": ["id", "text"], "properties": {"text": {"type": "string"}}}`)
	r := inspectFiles(t, o, Calls{}, map[string]string{
		"a.jsonl": "{\"id\": 1, \"text\": \"x\"}\n{\"id\": 2}\n", "b.json": `{"memories": [{"id": 3, "text": 4}]}`,
	})
	assert.DeepEqual(t, lined(r), []string{
		"damaged a.jsonl:2:1: does not fulfil the schema: missing property 'text'",
		"damaged b.json:1:15: does not fulfil the schema: /text: got number, want string",
	})
	for _, wrong := range []string{`{"type": "objekt"}`, `{`, `{"$ref": "file:///etc/hostname"}`, `{"$ref": "http://localhost/x"}`} {
		assert.ErrorContains(t, CheckSchema([]byte(wrong)), "JSON Schema")
		_, err := Inspect(t.Context(), "s", LiveTree(t.TempDir(), nil), Options{Schema: []byte(wrong)}, Calls{})
		assert.ErrorContains(t, err, "JSON Schema")
	}
}

func TestALineThatIsBeingWrittenIsNoDamage(t *testing.T) {
	root := plant(t, map[string]string{"a.jsonl": "{\"id\": 1}\n{\"id\": 2, \"t"})
	o := memoryChecks()
	o.Live = true
	var told []string
	r, err := Inspect(t.Context(), "s", LiveTree(root, nil), o, Calls{
		Wait: func(context.Context, int) error {
			return os.WriteFile(filepath.Join(root, "a.jsonl"), []byte("{\"id\": 1}\n{\"id\": 2, \"t\": 3}\n"), 0o644)
		},
		Record: func(r Record) { told = append(told, r.ID) },
	})
	assert.NilError(t, err)
	assert.DeepEqual(t, lined(r), []string{})
	assert.DeepEqual(t, told, []string{"1", "2"})
}

func TestMoreIDsThanCanBeComparedAreTold(t *testing.T) {
	v := newJSONFiles(Options{})
	v.ids.count.Store(maxIDs - 1)
	r := NewRecorder("s", Options{}, Calls{})
	for _, name := range []string{"a.json", "b.json", "c.json"} {
		f := v.file(&Subject{Entry: &tree.Entry{Path: name}}, r, v.tools.Get().(*jsonTools), newJSONReader(nil, []byte(`{"id": 1}`)))
		f.all()
		f.close()
	}
	v.After(r)
	results := r.Results()
	assert.Equal(t, results[0].Check, jsonIDs)
	assert.Equal(t, results[0].Status, OK)
	assert.Assert(t, strings.Contains(results[0].Why, "were not compared"))
	assert.Equal(t, len(lined(&Report{Results: results})), 0)
}
