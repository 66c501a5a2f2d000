// Package inventory reads what is in the data of a source: memory files, databases, vectors, certificates. It counts what is there and tells
// what makes no sense. It reads through Tree, so that a live source and one inside an archive are looked at by the same code, and it
// changes nothing: where a parser would write (SQLite rolls a journal back), it does so on a private copy.
package inventory

import (
	"encoding/hex"
	"slices"
	"strings"

	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/tree"
)

// Depth is how closely the data is looked at.
type Depth = archive.Depth

// The depths. Their words are those of --depth and of the setting validate.
const (
	// Quick reads what a backup reads anyway: every memory file in full, of databases the ordinary tables, of Chroma all but the vectors
	// and the graph.
	Quick Depth = "quick"
	// Full reads everything.
	Full Depth = "full"
)

// Status is what a check came to.
type Status = archive.Status

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
type Finding = archive.Finding

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

// Inventory is the counted content of one source. It stands in the manifest of each backup (docs/archive-format.md), so the format declares it.
type Inventory = archive.Inventory

// The kinds of collections.
const (
	KindJSON   = "json"   // memory files of one folder at the top of the source, "." for those at the root
	KindSQLite = "sqlite" // a table of a database: PATH#TABLE
	KindChroma = "chroma" // a collection of a Chroma folder: PATH#NAME
	KindVector = "vector" // a file of vectors
)

// Collection is a set of records that belong together.
type Collection = archive.Collection

// Report is what an inspection of one source came to.
type Report struct {
	Source    string    `json:"source"`
	Inventory Inventory `json:"inventory"`
	Results   []Result  `json:"results"`
	// Restless are the files of a live source that looked torn and never kept still: what is in them could not be judged, and was not counted.
	Restless []tree.RawPath `json:"restless,omitempty"`
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
