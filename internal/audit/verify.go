package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
)

// Finding is something about the log that a reader must know.
type Finding struct {
	File string `json:"file"`
	Line int    `json:"line,omitempty"` // from 1; 0: of no line
	What string `json:"what"`
}

// Report is what a check of the whole log came to.
type Report struct {
	Files   []string `json:"files"`
	Records int      `json:"records"`
	// Head is that of the last sound record.
	Head Head `json:"head"`
	// Damage is what must not be, in the order of the log.
	Damage []Finding `json:"damage"`
	// Notes are remains of crashes that the log accounts for.
	Notes []Finding `json:"notes"`
}

// Anchor is a head that was noted outside of the log, and where.
type Anchor struct {
	Head
	Source string
}

// Verify checks every line of all files of the log: its hash, that it follows the one before, and that the heads noted elsewhere
// (in the state folder, and the anchors) are in the log. An error means that it could not be read.
func (l *Log) Verify(ctx context.Context, anchors []Anchor) (*Report, error) {
	names, err := l.names()
	if err != nil {
		return nil, err
	}
	c := checker{report: &Report{Files: names, Damage: []Finding{}, Notes: []Finding{}}, prev: zero, chained: true, hashes: map[int64]string{}}
	c.numbers(names)
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		data, err := l.read(name)
		if err != nil {
			return nil, err
		}
		c.file(name, data)
	}
	h, err := l.known()
	if err != nil {
		c.report.Damage = append(c.report.Damage, Finding{File: l.HeadsFile(), What: err.Error()})
	}
	c.end(h)
	c.heads(h, volumeOf(l.Dir), l.HeadsFile(), anchors)
	return c.report, nil
}

// checker goes through the log line by line.
type checker struct {
	report *Report
	// prev and next are what the next record must say; chained is false behind a line that does not tell them.
	prev    string
	next    int64
	chained bool
	hashes  map[int64]string // of the records, by their number
	// strange are lines that are no sound records, since the last that is; raw their bytes.
	strange []Finding
	raw     []byte
	name    string // of the file in work, and its last line
	line    int
}

// numbers finds full files that are missing between others, or before them.
func (c *checker) numbers(names []string) {
	want := 1
	for _, name := range names {
		if name == FileName {
			continue
		}
		for ; nameOf(want) != name && want < 1_000_000; want++ {
			c.damage(Finding{File: nameOf(want), What: "is missing"})
		}
		want++
	}
}

func (c *checker) damage(f Finding) { c.report.Damage = append(c.report.Damage, f) }

func (c *checker) file(name string, data []byte) {
	c.name, c.line = name, 0
	for line := range bytes.Lines(data) {
		c.line++
		at := Finding{File: name, Line: c.line}
		r, err := decode(bytes.TrimSuffix(line, []byte("\n")))
		if err != nil {
			at.What = err.Error()
			c.strange = append(c.strange, at)
			c.raw = append(c.raw, line...)
			continue
		}
		c.record(at, r)
	}
}

// record checks a sound line against the one before.
func (c *checker) record(at Finding, r Record) {
	c.accountFor(at, r)
	switch {
	case c.report.Head.Log != "" && r.Log != c.report.Head.Log:
		at.What = "is of another log"
		c.damage(at)
	case c.report.Records == 0 && r.Sequence != 1:
		at.What = fmt.Sprintf("is record %d: those before it are missing", r.Sequence)
		c.damage(at)
	case r.Sequence != c.next+1 && c.report.Records > 0:
		at.What = gap(c.next, r.Sequence)
		c.damage(at)
	case r.Prev != c.prev && c.chained:
		at.What = fmt.Sprintf("does not follow record %d: that one was changed", c.next)
		c.damage(at)
	}
	c.report.Records++
	c.report.Head = r.head()
	c.prev, c.next, c.chained = r.Hash, r.Sequence, true
	c.hashes[r.Sequence] = r.Hash
}

// gap says what is wrong with a record's number.
func gap(last, number int64) string {
	switch {
	case number == last+2:
		return fmt.Sprintf("is record %d: record %d is missing before it", number, last+1)
	case number > last:
		return fmt.Sprintf("is record %d: records %d to %d are missing before it", number, last+1, number-1)
	}
	return fmt.Sprintf("is record %d, behind record %d", number, last)
}

// accountFor settles the strange lines before a sound record: it says itself what a crash has torn, all else is damage.
func (c *checker) accountFor(at Finding, r Record) {
	raw := bytes.TrimSuffix(c.raw, []byte("\n"))
	torn := r.Torn
	switch {
	case torn != nil && len(raw) > 0 && torn.Bytes == int64(len(raw)) && torn.SHA256 == hashOf(raw) && r.Prev == c.prev:
		for _, s := range c.strange {
			s.What = "was cut short by a crash; the record behind it says so"
			c.report.Notes = append(c.report.Notes, s)
		}
	case torn != nil:
		at.What = fmt.Sprintf("says that %d bytes before it were cut short by a crash: they are not there", torn.Bytes)
		c.report.Damage = append(append(c.report.Damage, c.strange...), at)
	default:
		c.report.Damage = append(c.report.Damage, c.strange...)
		if lines := int64(len(c.strange)); lines > 0 && r.Sequence == c.next+1+lines {
			c.next, c.chained = r.Sequence-1, false // the strange lines are the records between
		}
	}
	c.strange, c.raw = nil, nil
}

// end settles strange lines at the end of the log: a crash leaves them, if nothing says that a record stood there.
func (c *checker) end(h heads) {
	known := h.of(c.report.Head.Log)
	// The head is kept after its record: a crash between the two leaves it one behind.
	honest := known.Sequence > 0 && c.hashes[known.Sequence] == known.Hash && c.report.Head.Sequence-known.Sequence <= 1
	for _, s := range c.strange {
		if honest {
			s.What = "was cut short by a crash; the next record will say so"
			c.report.Notes = append(c.report.Notes, s)
			continue
		}
		c.damage(s)
	}
}

// heads checks the heads that were noted elsewhere.
func (c *checker) heads(h heads, volume, file string, anchors []Anchor) {
	log := c.report.Head.Log
	if k := h.of(log); k.Log != "" {
		c.anchor(Anchor{Head: k, Source: file})
	}
	for _, m := range h.missing(volume, log) {
		c.damage(Finding{File: FileName, What: fmt.Sprintf("the log %s of %s is missing: it was here, says %s", m.Log, counted(m.Sequence), file)})
	}
	if len(c.report.Files) == 0 && log == "" && len(anchors) > 0 && len(h.Logs) == 0 {
		c.damage(Finding{File: FileName, What: fmt.Sprintf("is missing: %s notes its record %d", anchors[0].Source, anchors[0].Sequence)})
	}
	for _, a := range anchors {
		if a.Log == log {
			c.anchor(a)
		}
	}
}

// anchor checks one head.
func (c *checker) anchor(a Anchor) {
	at := Finding{File: c.name, Line: c.line}
	hash, ok := c.hashes[a.Sequence]
	switch {
	case ok && hash == a.Hash:
		return
	case ok:
		at.What = fmt.Sprintf("record %d is another than %s notes", a.Sequence, a.Source)
	case a.Sequence > c.report.Head.Sequence:
		at.What = fmt.Sprintf("the log ends with record %d: its tail up to record %d is cut off, says %s", c.report.Head.Sequence, a.Sequence, a.Source)
	default:
		at.What = fmt.Sprintf("record %d, which %s notes, is missing", a.Sequence, a.Source)
	}
	if !slices.Contains(c.report.Damage, at) {
		c.damage(at)
	}
}

// Err is the damage as an error; nil for a sound log.
func (r *Report) Err() error {
	if len(r.Damage) == 0 {
		return nil
	}
	return errors.New(r.Damage[0].String())
}

// String is the finding with its place.
func (f Finding) String() string {
	if f.Line > 0 {
		return fmt.Sprintf("%s:%d: %s", f.File, f.Line, f.What)
	}
	return f.File + ": " + f.What
}
