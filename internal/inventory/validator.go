package inventory

import (
	"context"
	"io"
	"path"
	"time"

	"github.com/memsys/docker-memsys/internal/tree"
)

// Tree is the files of one source, live or inside an archive.
type Tree interface {
	// Walk calls visit with each entry in the order of tree.ComparePaths, from one goroutine. open is nil but for regular files; it may be
	// used from any goroutine, more than once, also after Walk has returned, until the tree's owner closes what is behind it.
	// An entry that cannot be read is told to problem, and the walk goes on.
	// Entries may lack extended attributes, holes, and the targets of symbolic links. A second name of a regular file stays of kind Hardlink; its open is that of the first name.
	Walk(ctx context.Context, visit func(e *tree.Entry, open Open) error, problem func(path string, err error)) error
}

// Finder is a Tree that can be asked for a file by its path, as it is now.
type Finder interface {
	Tree
	// Find gives nil where there is no regular file of that path.
	Find(ctx context.Context, path string) (*tree.Entry, Open)
}

// Open opens a file for reading. It fails with fs.ErrNotExist where the file has vanished.
type Open func(ctx context.Context) (File, error)

// File is an open file. Reading in order is quick everywhere; ReadAt in an archive unpacks a chunk of up to 4 MiB for each call outside of
// the last one.
type File interface {
	io.Reader
	io.ReaderAt
	io.Closer
	Size() int64
	// Changed tells whether the file was written to since it was opened: never in an archive. What was read until then may be torn.
	Changed() (bool, error)
}

// Subject is one file that a validator looks at.
type Subject struct {
	Entry *tree.Entry
	Open  Open
	// Head is the beginning of the file, up to HeadSize bytes; nil in the files of a Store.
	Head []byte
	// Sibling is the file of that name in the same folder; nil where there is none. In a live source it looks anew each time. It is set
	// when a Companioned validator or a store validates, not when they are asked what they claim.
	Sibling func(name string) *Subject
}

// Name is the last part of the path; empty where the source is a single file, whose name is not known.
func (s *Subject) Name() string {
	if s.Entry.Path == "." {
		return ""
	}
	return path.Base(s.Entry.Path)
}

// HeadSize is how much of a file a validator sees before it claims it.
const HeadSize = 512

// Validator knows one format whose files stand for themselves. Each has one file of this package, and a place in validators().
// Its methods may be called from several goroutines. Memory must stay within a few MiB whatever the file claims about itself.
type Validator interface {
	// Checks are what it looks at.
	Checks() []Check
	// Claims tells by name, size and beginning whether a file is of its format. The first validator that claims a file gets it.
	Claims(s *Subject) bool
	// Validate reads the file and records what it holds and what is wrong with it. Its error is one of reading (or of the context), not
	// one of the format.
	Validate(ctx context.Context, s *Subject, r *Recorder) error
}

// Companioned is a Validator some of whose files make sense only with others beside them: a database with its journal. What it claims is
// validated when the whole folder is known, and so is a file that Companion names, which no other validator is asked about.
type Companioned interface {
	Validator
	// Companion tells by its name whether a file may belong to another one: "memory.db-wal".
	Companion(name string) bool
}

// Store is a folder of files that make sense only together: Chroma, later Qdrant, LanceDB, PostgreSQL.
type Store interface {
	// Checks are what it looks at.
	Checks() []Check
	// Belongs tells by its path alone whether a file is one of such a store, and of which: dir is the store's folder, "." for the source
	// itself. A file that belongs to a store is looked at by nobody else; what else lies in the folder goes to the validators as ever.
	// It is called once for each file, before Validate.
	Belongs(path string) (dir string, ok bool)
	// Validate looks at the store. files are those that belong to it, by their path relative to dir; none is open. Files that belong
	// need not make a store: a store without its marker may be damaged, or none at all.
	Validate(ctx context.Context, dir string, files map[string]*Subject, r *Recorder) error
}

// Options of Inspect: plain data that may cross a line between processes.
type Options struct {
	Depth Depth `json:"depth"`
	// Checks and Skip are IDs or groups; empty Checks: all.
	Checks []string `json:"checks,omitempty"`
	Skip   []string `json:"skip,omitempty"`
	// Live tells that the files may be written meanwhile: what looks damaged is looked at again before it counts.
	Live bool `json:"live,omitempty"`
	// Scratch is the folder for private copies, which are removed again.
	Scratch string `json:"scratch"`
	// Schema is the JSON Schema that each record of the memory files must fulfil; empty: none.
	Schema []byte `json:"schema,omitempty"`
	// Dimension is the declared length of the vectors in raw float32 files that Raw (patterns as in tree.RuleOptions) matches; 0: none.
	Dimension int      `json:"dimension,omitempty"`
	Raw       []string `json:"raw,omitempty"`
	// Layout are the folders that the source must have, by their path.
	Layout []string `json:"layout,omitempty"`
	// Private tells that a folder around the source lets others not in, as those around a volume: modes within then shut and open
	// nothing.
	Private bool `json:"private,omitempty"`
	// Now is the time at which certificates must be valid; zero: their times are not looked at.
	Now time.Time `json:"now,omitzero"`
	// NoStores leaves out stores, and files whose validator has no checks but those of the group databases: those of a live source are
	// looked at on a private copy.
	NoStores bool `json:"noStores,omitempty"`
	// Workers is how many files are read at once; 0: one for each core.
	Workers int `json:"workers,omitempty"`
}

// Calls are what an inspection calls while it works; each may be nil, and is called from several goroutines.
type Calls struct {
	// Bytes is told how many bytes were read since it was last told.
	Bytes func(n int64)
	// Record is told each record that has an id. For diff and for the memory-loss gate.
	// What is looked at again is told once, when it counts.
	Record func(Record)
	// Wait waits before files that looked damaged, or changed meanwhile, are looked at again; attempt counts from 1, and Pause tells how long.
	// Only with Options.Live.
	Wait func(ctx context.Context, attempt int) error
	// Now is the clock of the machine whose files they are: damage in a file that was not changed lately needs no long wait to count.
	// Only with Options.Live.
	Now func() time.Time
}

// Record is one record that has an id.
type Record struct {
	Source     string `json:"source"`
	Kind       string `json:"kind"`
	Collection string `json:"collection"`
	// File is where it was found, relative to the source; empty where that is not told.
	File string `json:"file,omitempty"`
	ID   string `json:"id"`
	// Content is a digest of what it says.
	Content [32]byte `json:"content"`
}
