// Package archive writes, reads and verifies archives: plain tar.gz files that are at the same time eStargz files.
// docs/archive-format.md is the format's document.
package archive

import "time"

// FormatVersion is the version of the manifest and of the layout that this package writes.
const FormatVersion = 1

// Manifest is the archive's description of itself: the entry memsys.json, last before the contents table.
type Manifest struct {
	Format   int       `json:"format"`
	Tool     string    `json:"tool"`     // version of docker memsys that wrote it
	ID       string    `json:"id"`       // 128 random bits in hex: the same backup under any name
	Sequence int64     `json:"sequence"` // order among the backups of one backups directory, whatever the clock says
	Created  time.Time `json:"created"`
	Reason   string    `json:"reason"` // manual, scheduled, before-restore, ...
	Note     string    `json:"note,omitempty"`
	// Complete is false where something that belongs into the backup could not be read or changed while it was read.
	Complete   bool        `json:"complete"`
	Project    Project     `json:"project"`
	Services   []Service   `json:"services"`
	Sources    []Source    `json:"sources"`
	Quiesce    Quiesce     `json:"quiesce"`
	Exclusions []Exclusion `json:"exclusions,omitempty"`
	Problems   []Problem   `json:"problems,omitempty"`
	Warnings   []string    `json:"warnings,omitempty"`
	// Validation is what the proof of the copied data came to; nil where none was made.
	Validation *Validation `json:"validation,omitempty"`
	// Origin is the archive of others that this one was made from; nil for a backup.
	Origin *Origin `json:"origin,omitempty"`
}

// Origin is an archive that another program made.
type Origin struct {
	File     string    `json:"file"`
	Format   string    `json:"format"`
	Size     int64     `json:"size"`
	SHA256   string    `json:"sha256,omitempty"`
	Modified time.Time `json:"modified"`
}

// Project is the identity of the Compose project: name, working directory and engine together.
type Project struct {
	Name        string   `json:"name"`
	WorkingDir  string   `json:"workingDir"`
	ConfigFiles []string `json:"configFiles"`
	EngineID    string   `json:"engineId,omitempty"`
	Host        string   `json:"host,omitempty"`
	// OS and Architecture are the engine's, in the words of Go: linux, amd64.
	OS           string `json:"os,omitempty"`
	Architecture string `json:"architecture,omitempty"`
	// Files are the project's own files that the archive holds.
	Files []ProjectFile `json:"files,omitempty"`
	// Selected are the services that the backup was limited to; empty for a backup of the whole project.
	Selected []string `json:"selected,omitempty"`
}

// ProjectFile is a compose file, environment file, configuration or secret of the project.
type ProjectFile struct {
	Name   string `json:"name"` // in the archive: project/...
	Path   string `json:"path"` // where it was
	Secret bool   `json:"secret,omitempty"`
}

// Service is a service of the project as the engine had it when the backup was made.
type Service struct {
	Name        string   `json:"name"`
	Image       string   `json:"image,omitempty"`   // reference in the compose file
	ImageID     string   `json:"imageId,omitempty"` // of its first container
	RepoDigests []string `json:"repoDigests,omitempty"`
	State       string   `json:"state,omitempty"` // running, paused, exited, created, none
}

// Source is one folder, file or volume of the backup.
type Source struct {
	Name   string  `json:"name"`
	Prefix string  `json:"prefix"` // its root in the archive: data/NAME
	Kind   string  `json:"kind"`   // bind or volume
	Path   string  `json:"path,omitempty"`
	Volume *Volume `json:"volume,omitempty"`
	Mounts []Mount `json:"mounts,omitempty"`
	// SingleFile tells that the source is one file, not a folder.
	SingleFile bool   `json:"singleFile,omitempty"`
	Mode       uint32 `json:"mode"`
	UID        int    `json:"uid"`
	GID        int    `json:"gid"`
	Files      int64  `json:"files"`
	Entries    int64  `json:"entries"`
	Bytes      int64  `json:"bytes"`
	// Within is the path of its root inside the file system that held it, empty where that was not known: when the disk is not mounted, it is another one.
	Within string `json:"within,omitempty"`
	// Missing says why the source is not in the archive although it belongs there; empty where it is.
	Missing string `json:"missing,omitempty"`
	// Inventory is the counted content of what was copied; nil where nobody has looked.
	Inventory *Inventory `json:"inventory,omitempty"`
}

// Volume is what is needed to make a named volume again.
type Volume struct {
	Key      string            `json:"key,omitempty"` // its name in the compose file
	Name     string            `json:"name"`
	Driver   string            `json:"driver,omitempty"`
	Options  map[string]string `json:"options,omitempty"`
	Labels   map[string]string `json:"labels,omitempty"`
	External bool              `json:"external,omitempty"`
}

// Mount is one use of a source by a service.
type Mount struct {
	Service  string `json:"service"`
	Target   string `json:"target"`
	Subpath  string `json:"subpath,omitempty"`
	ReadOnly bool   `json:"readOnly,omitempty"`
}

// Quiesce is how the writers were held still.
type Quiesce struct {
	Mode     string   `json:"mode"` // pause, stop, none, or mixed: see Held
	Services []string `json:"services,omitempty"`
	Seconds  float64  `json:"seconds"` // while the data was read
	// Held is how each service was held still, all tries together; archives of older versions have none.
	Held  []Held `json:"held,omitempty"`
	Tries int    `json:"tries,omitempty"` // until nothing was in the middle of a change
	// Longest is the longest time in seconds that a service was held still in one go.
	Longest float64 `json:"longest,omitempty"`
}

// Held is how one service was held still.
type Held struct {
	Service string  `json:"service"`
	Mode    string  `json:"mode"`    // pause or stop, at the last try
	Seconds float64 `json:"seconds"` // all tries together
	Longest float64 `json:"longest"` // in one go
}

// Exclusion is a rule that left something out: restore leaves what it covers untouched in place.
type Exclusion struct {
	Source string `json:"source"`
	// Rule is a pattern, or one of the built-in rules: see docs/archive-format.md.
	Rule  string `json:"rule"`
	Why   string `json:"why"`
	Count int64  `json:"count"`
	Bytes int64  `json:"bytes"`
	// Paths are the excluded roots, relative to the source, for rules that no pattern says (nested mounts, the backups directory).
	Paths []string `json:"paths,omitempty"`
}

// Problem is something that could not be read, or changed while it was read.
type Problem struct {
	Source string `json:"source"`
	Path   string `json:"path"`
	Kind   string `json:"kind"` // unreadable, changed, vanished, hold, between, shrunk, hook
	Error  string `json:"error,omitempty"`
}
