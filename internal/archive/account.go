package archive

// Depth is how closely the data was looked at: quick or full (internal/inventory).
type Depth string

// Status is what a look at the data came to: ok, warning, damaged or not checked (internal/inventory).
type Status string

// Inventory is the counted content of one source.
type Inventory struct {
	Files int64 `json:"files"` // regular files
	Bytes int64 `json:"bytes"`
	// Collections are sorted by kind, then by name.
	Collections []Collection `json:"collections,omitempty"`
	// More is how many further collections are not listed; the records in them are counted in MoreRecords.
	More        int64 `json:"more,omitempty"`
	MoreRecords int64 `json:"moreRecords,omitempty"`
}

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

// Finding is one thing that a check of the data has found.
type Finding struct {
	Check  string `json:"check"`
	Status Status `json:"status"` // warning, damaged or not checked
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

// Place is where a finding is, whatever its words.
type Place struct{ Check, Source, Path, Object string }

// Place tells where a finding is.
func (f Finding) Place() Place { return Place{f.Check, f.Source, f.Path, f.Object} }

// Validation is what a look at the data of a backup came to: in the manifest that of the backup itself, in the record beside the archive the
// last one.
type Validation struct {
	Depth Depth `json:"depth"`
	// Checks and Skip say which checks were made, as IDs or groups; both empty: all.
	Checks []string `json:"checks,omitempty"`
	Skip   []string `json:"skip,omitempty"`
	// Status is the worst that was found.
	Status Status `json:"status"`
	// Counts is how many checks came to which status, those of each source for themselves.
	Counts map[Status]int64 `json:"counts,omitempty"`
	// Findings are the first ones, the damaged before the others, and of each place one before a second; More is how many there are beyond them.
	Findings []Finding `json:"findings,omitempty"`
	More     int64     `json:"more,omitempty"`
}
