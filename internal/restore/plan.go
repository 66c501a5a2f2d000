// Package restore brings a backup back: Prepare looks at the world once and decides, Run does the plan, Recover ends
// what was interrupted. A restore in place never deletes first: the new content is staged inside the source, swapped in by moves
// that are on record, compared with the archive, and only then the services start.
package restore

import (
	"context"
	"time"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/inventory"
	"github.com/memsys/docker-memsys/internal/progress"
	"github.com/memsys/docker-memsys/internal/quiesce"
	"github.com/memsys/docker-memsys/internal/tree"
)

// Request is what a restore is asked to do, with the world as the command has found it. All but its functions is plain data that can
// cross a line between processes.
type Request struct {
	Backup Backup
	// Project is the identity of the present project.
	Project archive.Project
	// Sources are those of the present project; a source of the backup is found among them by name and kind.
	Sources []compose.Source
	// Containers are all containers of the engine; Volumes knows its volumes, nil where no engine answers.
	Containers []engine.Container
	Volumes    Volumes `json:"-"`
	// Local tells that the engine's paths are those of this machine.
	Local bool
	// Locate tells where on this machine a source lies, and fails where this process cannot reach it.
	Locate func(ctx context.Context, s compose.Source) (string, error) `json:"-"`
	// Backups is the backups directory: whatever lies there stays, wherever it is. Empty where it is on another machine than the sources.
	Backups string
	// Scratch is where the safety backup lies until the restore ends, where it is not written to the backups directory.
	Scratch string
	// Exclude are the patterns that are in force now: what they cover is in no safety backup, so it stays in place.
	Exclude []string

	// Undo is the record of the restore that is undone; Backup is then its safety backup, empty where there is none.
	Undo *Record

	// To is the folder for PrepareTo.
	To string

	Only     []string // sources by name; empty for all
	Services []string // sources that these services mount; empty for all
	Paths    []string // patterns of paths inside the sources; empty for everything
	// Exact are the paths that are restored of each source of the backup, with all that is below them; nil for no limit.
	Exact map[string][]tree.RawPath

	// Maps say which sources are others here, Owners which users and groups.
	Maps   []SourceMap
	Owners []OwnerMap
	// Present are the services of the present project, Declared the embedding dimensions that they declare: for the comparison.
	Present  []archive.Service
	Declared []Declared

	// Damage is what a validation found in the data of the backup; nil where it found no damage. AcceptDamage tells that it is restored all the same.
	Damage       *archive.Validation
	AcceptDamage bool
	// Inspect says how the restored data is looked at, but for the depth and the checks, which are those of the backup; nil: not at all.
	Inspect *inventory.Options

	AllowOtherProject bool
	StopForeign       bool
	Devices           bool // device nodes of the backup are made
	// Safety tells that the present state is kept; NoSafety says why that cannot be a safety backup, empty where it can.
	Safety   bool
	NoSafety string
	// SafetySize is how large the safety backup is expected to become.
	SafetySize int64
	// Progress is told how far the look at the live data is; nil: nobody.
	Progress progress.Sink `json:"-"`
	// Free is what is free on the file system of a path.
	Free func(path string) (int64, error) `json:"-"`
	// ID names the staging folders: unique, of letters and digits.
	ID       string
	Warnings []string
}

// Backup is the archive that is restored.
type Backup struct {
	Name string `json:"name"`
	Path string `json:"path"`
	// SHA256 is what the commit mark beside it says, empty where there is none.
	SHA256  string    `json:"sha256,omitempty"`
	Created time.Time `json:"created"`
	Reason  string    `json:"reason"`
	ID      string    `json:"id"`
}

// Volumes is what a restore asks of the engine's volumes.
type Volumes interface {
	// Volume fails with engine.ErrNotFound where there is none of the name.
	Volume(ctx context.Context, name string) (engine.Volume, error)
	CreateVolume(ctx context.Context, v engine.Volume) (engine.Volume, error)
	RemoveVolume(ctx context.Context, name string) error
}

// Plan is what a restore will do. A plan with refusals is only shown.
type Plan struct {
	ID      string          `json:"id"`
	Backup  Backup          `json:"backup"`
	Project archive.Project `json:"project"` // of the backup
	Targets []*Target       `json:"targets"`
	Skipped []Skipped       `json:"skipped,omitempty"`
	Stop    []Container     `json:"stop,omitempty"`
	Safety  Safety          `json:"safety"`
	Space   []Space         `json:"space,omitempty"`
	// Undoes is the restore that is undone, ChangedSince what was changed after it.
	Undoes       *Undone `json:"undoes,omitempty"`
	ChangedSince []Since `json:"changedSince,omitempty"`
	// Differences are those between the backup's project and the present one.
	Differences []Difference `json:"differences,omitempty"`
	Refusals    []Refusal    `json:"refusals,omitempty"`
	Warnings    []string     `json:"warnings,omitempty"`
	// Through says where the files are read and written: direct, or helper; Why says why.
	Through string `json:"through,omitempty"`
	Why     string `json:"why,omitempty"`

	manifest *archive.Manifest
	reader   *archive.Reader
	quiesce  quiesce.Plan
	volumes  map[string]engine.Volume
	surveys  map[*Target]*survey
	owners   owners
	req      Request
}

// Target is a source of the backup and the place that it is restored to.
type Target struct {
	Name   string `json:"name"`
	Kind   string `json:"kind"`
	Prefix string `json:"prefix"` // its root in the archive
	// Was is its name in the backup, where that is another one.
	Was    string `json:"was,omitempty"`
	Root   string `json:"root"` // on this machine; empty for a volume that is made first
	Single bool   `json:"singleFile,omitempty"`
	// Missing tells that the root does not exist yet, Volume that the volume does not.
	Missing bool            `json:"missing,omitempty"`
	Volume  *archive.Volume `json:"volume,omitempty"`
	Entries int64           `json:"entries"`
	Bytes   int64           `json:"bytes"`
	Changes Changes         `json:"changes"`
	// Owners counts the entries of the backup by the owner that they get, UID:GID.
	Owners map[string]int64 `json:"owners,omitempty"`

	// Aside says why the entries that are replaced stay in the staging folder afterwards; empty where a safety backup has them.
	Aside string `json:"aside,omitempty"`

	// From tells what has the content, of an undo.
	From Origin `json:"from,omitempty"`

	source  archive.Source
	view    *view
	staging string // id of the staging folder
	whole   bool   // of an undo: all of the source
	paths   []tree.RawPath
	kept    []tree.RawPath // stayed in place in the restore that is undone
	former  string         // folder of the entries set aside that are put back
	self    *tree.Attributes
}

// Changes tells what a restore changes in a source. Each list of paths is complete.
type Changes struct {
	Added   []string `json:"added,omitempty"`   // in the backup only
	Changed []string `json:"changed,omitempty"` // different content
	// Attributes have the same content, and another time, mode, owner or extended attribute.
	Attributes []string `json:"attributes,omitempty"`
	Removed    []string `json:"removed,omitempty"` // in the source only: set aside
	Kept       []string `json:"kept,omitempty"`    // excluded from backups: stays untouched
	Same       int64    `json:"same"`
}

// None tells that the source is as the backup has it.
func (c Changes) None() bool {
	return len(c.Added)+len(c.Changed)+len(c.Attributes)+len(c.Removed) == 0
}

// Skipped is a source of the backup that is not restored.
type Skipped struct {
	Name string `json:"name"`
	Why  string `json:"why"`
	// Wanted tells that the restore is incomplete without it.
	Wanted bool `json:"wanted,omitempty"`
}

// Container is a container that is stopped for the restore and started again.
type Container struct {
	ID      string   `json:"id"`
	Name    string   `json:"name"`
	Project string   `json:"project,omitempty"`
	Service string   `json:"service,omitempty"`
	Foreign bool     `json:"foreign,omitempty"` // of another project, or of none
	Sources []string `json:"sources"`
}

// SafetyMode is what keeps the present state.
type SafetyMode string

// The ways of keeping the present state.
const (
	// SafetyBackup is a backup of reason before-restore.
	SafetyBackup SafetyMode = "backup"
	// SafetyAside keeps the entries that the restore replaces in the staging folder of each source.
	SafetyAside SafetyMode = "set-aside"
	// SafetyNone keeps nothing, as it was asked for.
	SafetyNone SafetyMode = "none"
)

// Safety says how the present state is kept.
type Safety struct {
	Mode SafetyMode `json:"mode"`
	Why  string     `json:"why,omitempty"`
}

// Space is what the restore needs on one file system.
type Space struct {
	Path string `json:"path"`
	Need int64  `json:"need"`
	Free int64  `json:"free"`

	device uint64
}

// Reason is why a restore is refused. The values are shown in JSON.
type Reason string

// The reasons to refuse.
const (
	OtherProject Reason = "other-project"
	ForeignUse   Reason = "foreign-container"
	PausedUse    Reason = "paused-container"
	NoSpace      Reason = "no-space"
	ReadOnly     Reason = "read-only"
	DeviceNodes  Reason = "devices"
	Unreachable  Reason = "unreachable"
	Conflict     Reason = "conflict"
	NothingToDo  Reason = "nothing"
	DamagedData  Reason = "damaged-data"
)

// Refusal is why a plan is not carried out.
type Refusal struct {
	Reason Reason `json:"reason"`
	Object string `json:"object"`
	Text   string `json:"text"`
}

// RefusedError carries the refusals of a plan.
type RefusedError struct{ Refusals []Refusal }

// Error says every reason.
func (e *RefusedError) Error() string {
	text := "restore refused"
	for i, r := range e.Refusals {
		sep := "; "
		if i == 0 {
			sep = ": "
		}
		text += sep + r.Text
	}
	return text
}
