package inventory

import (
	"bytes"
	"fmt"
	"hash/maphash"
	"path"
	"strings"
	"unicode/utf8"
)

// manyDuplicates is how many keys of one file that occur twice are listed.
const manyDuplicates = 20

// jsonFile is a memory file that is being read.
type jsonFile struct {
	v     *jsonFiles
	path  string
	r     *Recorder
	read  *jsonReader
	t     *jsonTools
	batch *Batch

	start      []byte // how the first document begins: a second one is told by it
	count      int64  // records
	ids        readIDs
	seen       int // ids
	warned     map[string]bool
	duplicates int
}

func (v *jsonFiles) file(s *Subject, r *Recorder, t *jsonTools, read *jsonReader) *jsonFile {
	f := &jsonFile{v: v, path: s.Entry.Path, r: r, read: read, t: t}
	f.batch = r.Batch(KindJSON, collectionOf(f.path))
	f.batch.In(f.path)
	t.parser.r, t.parser.warn, t.parser.duplicate = read, f.warn, f.duplicate
	t.records.record, t.records.keep, t.records.whole = f.record, v.schema != nil && r.Wants(jsonSchema.ID), false
	return f
}

// all reads the whole file.
func (f *jsonFile) all() {
	f.r.Checked(jsonSyntax, 1)
	f.r.Checked(jsonKeys, 1)
	f.r.Checked(jsonIDs, 1)
	if bytes.HasPrefix(f.read.ahead(len(utf8BOM)), utf8BOM) {
		f.read.pos += len(utf8BOM)
	}
	if b := f.read.ahead(2); len(b) == 2 && (b[0] == 0xff && b[1] == 0xfe || b[0] == 0xfe && b[1] == 0xff) {
		f.damage(f.read.fault("is UTF-16, not UTF-8"))
		return
	}
	lines := f.areLines()
	if _, ok := f.read.peek(); !ok {
		f.empty()
		return
	}
	f.start = beginning(f.read.ahead(HeadSize))
	if lines {
		f.lines()
		return
	}
	f.document()
}

// empty is about a file without a document.
func (f *jsonFile) empty() {
	switch {
	case f.read.failed != nil:
	case f.read.offset() == 0 && f.named(".jsonl", ".ndjson"):
		f.warn("empty", emptyLines) // a log may have no line yet
	case f.read.offset() == 0:
		f.damage(&jsonFault{text: "is empty"})
	case f.named(".jsonl", ".ndjson"):
		// No line, no record.
	default:
		f.damage(&jsonFault{text: "holds nothing but white space"})
	}
}

func (f *jsonFile) named(endings ...string) bool {
	ext := strings.ToLower(path.Ext(f.path))
	for _, e := range endings {
		if ext == e {
			return true
		}
	}
	return false
}

// document reads a file that is one document, unless it shows that it has lines.
func (f *jsonFile) document() {
	t := f.t
	line := f.read.line
	t.records.reset()
	if fault := t.parser.document(); fault != nil {
		t.records.broke()
		f.cutOrDamage(fault, f.named(".jsonl", ".ndjson"))
		return
	}
	one := f.read.line == line
	c, more := f.read.peek()
	if !more {
		return
	}
	if one && f.read.line > line && (c == '{' || c == '[') {
		f.lines()
		return
	}
	f.damage(f.behind())
}

// behind is the fault of what comes behind the end of a document.
func (f *jsonFile) behind() *jsonFault {
	fault := f.read.fault("")
	b := f.read.ahead(max(1, len(f.start)))
	switch {
	case b[0] == 0:
		return f.zero(fault)
	case len(f.start) > 0 && bytes.HasPrefix(b, f.start):
		fault.text = "a new document begins behind the end of the first"
	default:
		fault.text = fmt.Sprintf("goes on behind its end: %d bytes", f.read.rest())
	}
	return fault
}

// lines reads a document a line, from here on.
func (f *jsonFile) lines() {
	t := f.t
	t.records.whole = true
	for {
		f.read.lines = true
		if _, ok := f.read.peek(); ok {
			f.line()
		}
		f.read.lines = false
		if f.read.failed != nil || !f.read.nextLine() {
			return
		}
	}
}

func (f *jsonFile) line() {
	t := f.t
	t.records.reset()
	fault := t.parser.document()
	if fault != nil {
		f.cutOrDamage(fault, true)
		return
	}
	if _, more := f.read.peek(); more {
		f.damage(f.behindLine())
	}
}

func (f *jsonFile) behindLine() *jsonFault {
	fault := f.read.fault("goes on behind its end")
	b := f.read.ahead(max(1, len(f.start)))
	if b[0] == 0 {
		return f.zero(fault)
	}
	if len(f.start) > 0 && bytes.HasPrefix(b, f.start) {
		fault.text = "a new document begins behind the end of the one before, on the same line"
	}
	return fault
}

// record counts a record.
func (f *jsonFile) record(one jsonRecord) {
	f.count++
	id := one.id
	switch {
	case id != "":
		f.see(id, one)
	case one.whole && !f.t.records.whole:
		id = f.path
	default:
		id = fmt.Sprintf("%s#%d", f.path, f.count)
	}
	f.batch.Add(id, one.sum)
	if f.t.records.keep {
		f.v.schema.check(f, one)
	}
}

// see notes an id, to be compared with those of all files.
func (f *jsonFile) see(id string, one jsonRecord) {
	if !f.r.Wants(jsonIDs.ID) {
		return
	}
	var h maphash.Hash
	h.SetSeed(f.v.seed)
	_, _ = h.WriteString(f.batch.t.Name)
	_ = h.WriteByte(0)
	_, _ = h.WriteString(id)
	f.seen++
	f.ids.all = append(f.ids.all, readID{h.Sum64(), one.line})
	if !f.r.fork || f.seen <= maxTexts {
		f.ids.texts = append(f.ids.texts, id)
	}
	if len(f.ids.all) == manyIDs {
		f.compare()
	}
}

// compare hands the ids on to be compared, once what was read counts.
func (f *jsonFile) compare() {
	if len(f.ids.all) == 0 {
		return
	}
	ids, path, table := f.ids, f.path, f.v.ids
	f.ids = readIDs{}
	if !table.reserve(len(ids.all)) {
		return
	}
	f.r.Then(func(r *Recorder) { table.add(path, ids, r) })
}

// close ends the file.
func (f *jsonFile) close() {
	f.compare()
	f.batch.Done(1)
}

// damage records a fault.
func (f *jsonFile) damage(fault *jsonFault) {
	if f.read.failed != nil {
		return // it was cut by an error of reading
	}
	f.r.Find(jsonSyntax, f.finding(fault))
}

func (f *jsonFile) finding(fault *jsonFault) Finding {
	return Finding{Status: Damaged, Path: f.path, Line: fault.line, Column: fault.column, Text: fault.text}
}

// cutOrDamage records a fault, of a file of lines perhaps of one that is still being written.
func (f *jsonFile) cutOrDamage(fault *jsonFault, lines bool) {
	rest := f.read.ahead(utf8.UTFMax)
	if !lines || !fault.cut || len(rest) == utf8.UTFMax || bytes.IndexByte(rest, '\n') >= 0 {
		f.damage(f.explain(fault))
		return
	}
	if f.read.failed == nil {
		f.r.FindUnended(jsonSyntax, f.finding(fault))
	}
}

// warn records what is no damage, once for each kind.
func (f *jsonFile) warn(what, text string) {
	if f.warned[what] {
		return
	}
	if f.warned == nil {
		f.warned = map[string]bool{}
	}
	f.warned[what] = true
	at := f.read.fault(text)
	f.r.Find(jsonSyntax, Finding{Status: Warning, Path: f.path, Line: at.line, Column: at.column, Text: text})
}

// duplicate records a key that occurs twice in an object.
func (f *jsonFile) duplicate(m jsonMember, key []byte) {
	if f.duplicates++; f.duplicates > manyDuplicates {
		return
	}
	f.r.Find(jsonKeys, Finding{
		Status: Warning, Path: f.path, Line: m.line, Column: m.column,
		Text: fmt.Sprintf("the key \"%s\" occurs twice in an object", shortened(string(key))),
	})
}

// shortened is a name that fits in a message.
func shortened(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
