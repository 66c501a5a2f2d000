package backup

import (
	"context"
	"time"

	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/inventory"
	"github.com/memsys/docker-memsys/internal/progress"
	"github.com/memsys/docker-memsys/internal/quiet"
	"github.com/memsys/docker-memsys/internal/tree"
)

// Side is where the sources' files are read: this process (Local), or one that runs where the data is. What goes in and out of its
// methods is plain data that can cross a line between processes. It changes nothing but the archive.
type Side interface {
	// Look reaches every source, and measures it if that is asked for.
	Look(ctx context.Context, req LookRequest) (*Looked, error)
	// Restless tells, while services are held still, what in the sources is not fit to be copied as it is.
	Restless(ctx context.Context, req RestlessRequest) ([]archive.Problem, error)
	// Read copies every source into an archive. On an error nothing is left to abort.
	Read(ctx context.Context, req ReadRequest, sink progress.Sink) (Reading, error)
}

// Reading is an archive that holds the sources and lacks the rest. Complete or Abort ends it.
type Reading interface {
	// Copied is what the copy has found.
	Copied() Copied
	// Inspect looks at the copied data, as it is in the archive: a report for each source that was copied. It chooses the folder for private copies.
	Inspect(ctx context.Context, o inventory.Options) ([]inventory.Report, error)
	// Complete adds the project's files and the manifest and brings the archive to the disk. It returns the manifest with its counts.
	Complete(ctx context.Context, c Completion) (*archive.Manifest, error)
	Abort() error
}

// Place is where a source lies.
type Place struct {
	Name string `json:"name"`
	Path string `json:"path"`
	// Missing says why nothing can be read there; empty where it can.
	Missing string `json:"missing,omitempty"`
}

// Exclusions say what is left out of the sources.
type Exclusions struct {
	Patterns    []string `json:"patterns,omitempty"`
	IncludeLogs bool     `json:"includeLogs,omitempty"`
	// Elsewhere are the places of sources that are not in the backup, Backups is the backups directory: told by identity.
	Elsewhere []string `json:"elsewhere,omitempty"`
	Backups   string   `json:"backups,omitempty"`
	// Only limits the sources that it names to some paths with all below them; nil: to none, everything is taken.
	Only map[string][]tree.RawPath `json:"only,omitempty"`
}

// LookRequest asks for a look at the sources.
type LookRequest struct {
	Places     []Place    `json:"places"`
	Exclusions Exclusions `json:"exclusions"`
	// Scratch is the folder where the archive is written before it comes to the backups directory; empty where it is written there.
	Scratch string `json:"scratch,omitempty"`
	// Sizes asks for the size of the work, which every source is walked for.
	Sizes bool `json:"sizes,omitempty"`
}

// Looked is what a look has found.
type Looked struct {
	// Sources stand in the order of the places.
	Sources []LookedSource `json:"sources"`
	// Room is what is free in the scratch folder; nil where there is none.
	Room *int64 `json:"room,omitempty"`
}

// LookedSource is one source as it was found.
type LookedSource struct {
	// Root is the place with its links followed, Missing says why nothing can be read there.
	Root    string `json:"root"`
	Missing string `json:"missing,omitempty"`
	// Within is the path of the root in its file system, as tree.Within.
	Within  string `json:"within,omitempty"`
	Entries int64  `json:"entries"`
	Bytes   int64  `json:"bytes"`
	// Unreadable are the entries and folders that could not be looked at: with any, the counts say little.
	Unreadable int64 `json:"unreadable,omitempty"`
	// Allocated are the bytes without holes.
	Allocated int64 `json:"allocated"`
	// Traits are what matters for holding the writers still; found with the size.
	Traits quiet.Traits `json:"traits"`
}

// RestlessRequest asks whether the sources are fit to be copied.
type RestlessRequest struct {
	Places     []Place    `json:"places"`
	Exclusions Exclusions `json:"exclusions"`
	// Now is the time where the files are, Recent how far back a change can still be under way.
	Now    time.Time     `json:"now"`
	Recent time.Duration `json:"recent"`
}

// ReadRequest asks for an archive of the sources.
type ReadRequest struct {
	// Archive is the file to write: it exists and is empty.
	Archive    string     `json:"archive"`
	Places     []Place    `json:"places"`
	Exclusions Exclusions `json:"exclusions"`
	Bytes      int64      `json:"bytes"` // size of the work
}

// Copied is what a copy of the sources has found.
type Copied struct {
	// Roots stand in the order of the places.
	Roots      []Root              `json:"roots"`
	Exclusions []archive.Exclusion `json:"exclusions,omitempty"`
	Problems   []archive.Problem   `json:"problems,omitempty"`
}

// Root is the root of a source as it was copied.
type Root struct {
	Mode       uint32 `json:"mode"`
	UID        int    `json:"uid"`
	GID        int    `json:"gid"`
	SingleFile bool   `json:"singleFile,omitempty"`
}

// Completion is what an archive holds beside the sources.
type Completion struct {
	Files    []File            `json:"files,omitempty"`
	Manifest *archive.Manifest `json:"manifest"`
}

// File is one of the project's own files.
type File struct {
	Name     string    `json:"name"` // in the archive
	Modified time.Time `json:"modified"`
	Data     []byte    `json:"data"`
}

// prefix is the root of a source in the archive.
func prefix(name string) string { return "data/" + name }
