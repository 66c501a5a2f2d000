package inventory

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"path"
	"strings"
	"sync"
)

// The checks of memory files.
var (
	jsonSyntax = Check{ID: "memories.json", Title: "JSON memory files"}
	jsonKeys   = Check{ID: "memories.keys", Title: "keys in JSON memory files"}
	jsonIDs    = Check{ID: "memories.ids", Title: "ids of JSON memories"}
	jsonSchema = Check{ID: "memories.schema", Title: "JSON Schema of the memories"}
)

// jsonFiles validates memory files: JSON and JSONL, told apart by what is in them.
type jsonFiles struct {
	ids    *idTable
	seed   maphash.Seed
	schema *recordSchema // nil: none
	tools  sync.Pool     // of *jsonTools
}

// jsonTools are what one goroutine needs to read files, kept from one file to the next.
type jsonTools struct {
	window  []byte
	parser  jsonParser
	records jsonRecords
}

// newJSONFiles are for one inspection.
func newJSONFiles(o Options) *jsonFiles {
	v := &jsonFiles{ids: newIDTable(), seed: maphash.MakeSeed()}
	if len(o.Schema) > 0 {
		v.schema = newRecordSchema(o.Schema)
	}
	v.tools.New = func() any {
		t := &jsonTools{}
		t.parser.hash = sha256.New()
		t.records.hash = sha256.New()
		t.records.p = &t.parser
		t.parser.begin, t.parser.end, t.parser.spilled = t.records.begin, t.records.end, t.records.spilled
		return t
	}
	return v
}

// Checks implements Validator.
func (v *jsonFiles) Checks() []Check {
	return []Check{jsonSyntax, jsonKeys, jsonIDs, jsonSchema}
}

// Claims implements Validator: by name, or for a name without an ending where the content is JSON beyond doubt.
func (v *jsonFiles) Claims(s *Subject) bool {
	name := s.Name()
	switch strings.ToLower(path.Ext(name)) {
	case ".json", ".jsonl", ".ndjson":
		return true
	case "":
		return beginsAsJSON(s.Head)
	}
	return false
}

// beginsAsJSON tells whether an object with a key begins here, at the top or as the first element of an array.
func beginsAsJSON(head []byte) bool {
	const space = " \t\r\n"
	b := bytes.TrimLeft(bytes.TrimPrefix(head, utf8BOM), space)
	if rest, ok := bytes.CutPrefix(b, []byte("[")); ok {
		b = bytes.TrimLeft(rest, space)
	}
	b, ok := bytes.CutPrefix(b, []byte("{"))
	if !ok {
		return false
	}
	if b, ok = bytes.CutPrefix(bytes.TrimLeft(b, space), []byte(`"`)); !ok {
		return false
	}
	end := plainRun(b)
	rest, ok := bytes.CutPrefix(b[end:], []byte(`"`))
	return ok && bytes.HasPrefix(bytes.TrimLeft(rest, space), []byte(":"))
}

var utf8BOM = []byte("\xef\xbb\xbf")

// collectionOf is the name of the collection of a file: the first folder of its path, "." at the root.
func collectionOf(path string) string {
	dir, _, below := strings.Cut(path, "/")
	if !below {
		return "."
	}
	return dir
}

// Validate implements Validator.
func (v *jsonFiles) Validate(ctx context.Context, s *Subject, r *Recorder) (err error) {
	f, err := s.Open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	t := v.tools.Get().(*jsonTools)
	defer v.tools.Put(t)
	reader := t.read(ctx, f)
	file := v.file(s, r, t, reader)
	file.all()
	if reader.failed != nil {
		return reader.failed
	}
	file.close()
	return nil
}

// read is a reader of a file, with its beginning at hand.
func (t *jsonTools) read(ctx context.Context, f File) *jsonReader {
	if whole, ok := wholeOf(f); ok {
		return newJSONReader(nil, whole)
	}
	if t.window == nil {
		t.window = make([]byte, 0, jsonWindow)
	}
	r := newJSONReader(&contextReader{ctx, f}, t.window[:0])
	for len(r.buf) < cap(r.buf) && r.more() {
	}
	return r
}

// contextReader ends with its context: a file may have gigabytes.
type contextReader struct {
	ctx context.Context //nolint:containedctx // of the file that is read
	r   io.Reader
}

// Read implements io.Reader.
func (c *contextReader) Read(p []byte) (int, error) {
	if c.ctx.Err() != nil {
		return 0, context.Cause(c.ctx)
	}
	return c.r.Read(p)
}

// After implements Finisher.
func (v *jsonFiles) After(r *Recorder) {
	if v.ids.full.Load() {
		r.Note(jsonIDs, fmt.Sprintf("there are more than %d ids: further ones were not compared", maxIDs))
	}
}
