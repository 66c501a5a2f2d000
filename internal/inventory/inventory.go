// Package inventory reads what is in the data of a source: memory files, databases, vectors, certificates. It counts what is there and tells
// what makes no sense. It reads through Tree, so that a live source and one inside an archive are looked at by the same code, and it
// changes nothing: where a parser would write (SQLite rolls a journal back), it does so on a private copy.
package inventory

import (
	"encoding/hex"
	"slices"
	"strings"
)

// Depth is how closely the data is looked at.
type Depth string

// The depths. Their words are those of --depth and of the setting validate.
const (
	// Quick reads what a backup reads anyway: every memory file in full, of databases the ordinary tables, of Chroma all but the vectors
	// and the graph.
	Quick Depth = "quick"
	// Full reads everything.
	Full Depth = "full"
)

// Status is what a check came to.
type Status string

// The results of a check, in the words of the output.
const (
	OK      Status = "ok"
	Warning Status = "warning"
	Damaged Status = "damaged"
	// Unchecked is what could not, or was not to be, looked at; Why says why.
	Unchecked Status = "not checked"
)

// Group is a family of checks.
type Group string

// The groups, in the order of the output.
const (
	Structure   Group = "structure"
	Memories    Group = "memories"
	Databases   Group = "databases"
	Vectors     Group = "vectors"
	Connections Group = "connections"
	Mounts      Group = "mounts"
	Backups     Group = "backups"
)

// Groups are all groups in the order of the output.
func Groups() []Group {
	return []Group{Structure, Memories, Databases, Vectors, Connections, Mounts, Backups}
}

// Check is one thing that is looked at. Its ID is GROUP.NAME: databases.integrity. IDs are stable: they stand in the JSON output, and
// --checks and --skip take them.
type Check struct {
	ID    string `json:"id"`
	Title string `json:"title"` // a short noun phrase: "JSON memory files"
}

// Group is the part of the ID before the dot.
func (c Check) Group() Group {
	group, _, _ := strings.Cut(c.ID, ".")
	return Group(group)
}

// Finding is one thing that a check has found.
type Finding struct {
	Check  string `json:"check"`
	Status Status `json:"status"` // Warning, Damaged or Unchecked
	Source string `json:"source,omitempty"`
	// Path is relative to the source, separated by slashes; empty for the source as a whole or where no file is meant.
	Path string `json:"path,omitempty"`
	// Object is what inside the file, or beside files: a collection, table, container, URL.
	Object string `json:"object,omitempty"`
	// Line and Column count from 1; 0 where there are none. Offset is the byte, counted from 0, where Line is 0 and At is set.
	Line   int   `json:"line,omitempty"`
	Column int   `json:"column,omitempty"`
	At     bool  `json:"at,omitempty"`
	Offset int64 `json:"offset,omitempty"`
	// Text says what is wrong, without the path: "ends in the middle of a string".
	Text string `json:"text"`
}

// Result is what one check came to in one source, or in the project where Source is empty.
type Result struct {
	Check  Check  `json:"check"`
	Source string `json:"source,omitempty"`
	Status Status `json:"status"`
	// Checked is how many things were looked at: files, databases, collections, containers.
	Checked int64 `json:"checked"`
	// Why says why it is Unchecked, or adds what there is to know: "health answered 200 in 12 ms".
	Why      string    `json:"why,omitempty"`
	Findings []Finding `json:"findings,omitempty"`
	// More is how many further findings are not listed.
	More int64 `json:"more,omitempty"`
}

// Inventory is the counted content of one source. It stands in the manifest of each backup (docs/archive-format.md).
type Inventory struct {
	Files int64 `json:"files"` // regular files
	Bytes int64 `json:"bytes"`
	// Collections are sorted by kind, then by name.
	Collections []Collection `json:"collections,omitempty"`
}

// The kinds of collections.
const (
	KindJSON   = "json"   // memory files of one folder at the top of the source, "." for those at the root
	KindSQLite = "sqlite" // a table of a database: PATH#TABLE
	KindChroma = "chroma" // a collection of a Chroma folder: PATH#NAME
	KindVector = "vector" // a file of vectors
)

// Collection is a set of records that belong together.
type Collection struct {
	Kind    string `json:"kind"`
	Name    string `json:"name"`
	Files   int64  `json:"files,omitempty"`
	Records int64  `json:"records"`
	// Dimension is the length of its vectors; 0 where it has none.
	Dimension int `json:"dimension,omitempty"`
	// IDs is a digest of the ids of all records, in any order, and Content one of ids and contents; empty where records have no ids.
	// They are the sums of the SHA-256 of each, modulo 2^256, as 64 hex digits.
	IDs     string `json:"ids,omitempty"`
	Content string `json:"content,omitempty"`
}

// Report is what an inspection of one source came to.
type Report struct {
	Source    string    `json:"source"`
	Inventory Inventory `json:"inventory"`
	Results   []Result  `json:"results"`
}

// Worst is the worst status of all results: Damaged, then Warning, then Unchecked, then OK.
func Worst(results []Result) Status {
	for _, s := range []Status{Damaged, Warning, Unchecked} {
		if slices.ContainsFunc(results, func(r Result) bool { return r.Status == s }) {
			return s
		}
	}
	return OK
}

// Digest is a sum of SHA-256 modulo 2^256: the same whatever the order.
type Digest [32]byte

// Add adds one SHA-256.
func (d *Digest) Add(sum [32]byte) {
	carry := 0
	for i := len(d) - 1; i >= 0; i-- {
		carry += int(d[i]) + int(sum[i])
		d[i] = byte(carry)
		carry >>= 8
	}
}

// String is the digest in hex.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }
