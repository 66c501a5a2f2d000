package archive

import "errors"

// ErrNotOurs says that a file is no archive of docker memsys: it has no footer of the format, as a plain tar.gz has none.
var ErrNotOurs = errors.New("not an archive of docker memsys")

// Report is what a verification found.
type Report struct {
	SHA256  string // of the whole file, in hex
	MD5     string // of the whole file, in hex
	Size    int64  // of the file
	Entries int64
	Bytes   int64 // of the files' contents
	Damage  []Damage
}

// Damage is one place where an archive is not what it must be.
type Damage struct {
	Path   string // of the entry, empty where none can be named
	Offset int64  // in the archive's file
	Reason string
}
