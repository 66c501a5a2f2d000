// Package foreign takes over archives that others made: it identifies them by their content, reads them with every suspicion, maps their
// folders to the sources of a project, and writes what they hold as an archive of ours. Nothing of a foreign archive is ever unpacked under a
// name that it chose: contents go to one spool file, names and attributes to memory, and only checked names to our archive.
//
// It is the only package that imports the archiver library.
package foreign

import (
	"errors"
	"fmt"

	"github.com/memsys/docker-memsys/internal/progress"
)

// UnsafeError is an entry that must not be taken over. The whole archive is refused: nobody knows what else in it is not as it seems.
type UnsafeError struct {
	Name string // as it stands in the archive
	Why  string
}

func (e *UnsafeError) Error() string { return fmt.Sprintf("unsafe entry %q: %s", e.Name, e.Why) }

// LimitError says that an archive unpacks to more than its size makes likely.
type LimitError struct {
	What  string // bytes, entries or memory
	Limit int64
}

func (e *LimitError) Error() string {
	if e.What == limitBytes {
		return fmt.Sprintf("unpacks to more than %s, which is far more than its size makes likely", progress.Size(e.Limit))
	}
	if e.What == limitMemory {
		return fmt.Sprintf("takes more than %s of memory to unpack", progress.Size(e.Limit))
	}
	return fmt.Sprintf("holds more than %d entries", e.Limit)
}

const (
	limitBytes   = "bytes"
	limitEntries = "entries"
	limitMemory  = "memory"
)

// DamagedError says that an archive is not whole, or not what it claims to be.
type DamagedError struct{ Err error }

func (e *DamagedError) Error() string { return "damaged: " + e.Err.Error() }

// Unwrap returns what reading failed with.
func (e *DamagedError) Unwrap() error { return e.Err }

// ErrUnknown says that a file is no archive of a kind that can be taken over.
var ErrUnknown = errors.New("no archive of a known kind: tar (plain, or packed with gzip, bzip2, xz, zstd, lz4 or lzip), zip and 7z are read")

// Limits bound what an archive may unpack to.
type Limits struct {
	Bytes   int64 // of all contents together, padding included
	Entries int64
	Memory  int64 // of the window of a decoder of 7z
}

// The default limits: an archive of size bytes may unpack to leastBytes, and to mostRatio times its size.
const (
	leastBytes  = 1 << 30
	mostRatio   = 200
	mostEntries = 2_000_000
	mostMemory  = 256 << 20 // what 7-Zip's strongest level takes
)

// DefaultLimits are those for an archive of so many bytes.
func DefaultLimits(size int64) Limits {
	return Limits{Bytes: max(leastBytes, mostRatio*size), Entries: mostEntries, Memory: mostMemory}
}

// NoLimits are those of somebody who trusts the archive; memory and disk are bounds enough.
func NoLimits() Limits { return Limits{Bytes: 1 << 62, Entries: 1 << 31, Memory: 1 << 62} }
