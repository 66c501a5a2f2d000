// Package compose is the Compose project: it loads it as docker compose does, finds its sources and settings,
// and runs docker compose. It is the only package that imports compose-go and, but for the guardian, the only one that starts programs.
package compose

import "time"

// Kind is what a source is. The values are written to disk.
type Kind string

// The kinds of sources. Mounts of other kinds (tmpfs, npipe, cluster, image) are listed by Compose's name for them, always excluded.
const (
	Bind   Kind = "bind"
	Volume Kind = "volume"
)

// Source is a folder, file or volume that holds data, whatever number of services mount it.
type Source struct {
	// Name is unique in the project and stable from run to run: data/NAME in the archive.
	Name string
	Kind Kind
	// Path is the absolute path on the engine's host, empty for a volume whose place only the engine knows.
	Path string
	// Volume describes a volume; nil for a bind, and for mounts of other kinds, which have no Path either.
	Volume *VolumeInfo
	// Mounts are its uses, sorted by service and target.
	Mounts []Mount
	// Excluded says why the source is not in the backup; empty where it is.
	Excluded string
}

// System tells whether the source is a place of the machine's own, such as /etc or the engine's socket: data of the project is elsewhere.
func (s Source) System() bool { return s.Path != "" && systemPath(s.Path) != "" }

// VolumeInfo is a volume of the compose file, or an anonymous one seen in a live container.
type VolumeInfo struct {
	Key       string // in the compose file; empty for an anonymous volume
	Name      string // on the engine
	Driver    string
	Options   map[string]string
	Labels    map[string]string
	External  bool
	Anonymous bool
}

// Mount is one use of a source by a service.
type Mount struct {
	Service  string
	Target   string
	Subpath  string
	ReadOnly bool
}

// Live is what the engine has mounted into one container of the project; Sources takes it to find anonymous volumes.
type Live struct {
	Service string
	Number  int // the container's number in its service, 0 where unknown
	Mounts  []LiveMount
}

// LiveMount is one mount of a live container.
type LiveMount struct {
	Type        string
	Name        string
	Source      string
	Destination string
	Driver      string
	ReadOnly    bool
}

// Config is the effective settings of x-memsys, environment and flags (DESIGN: flags over environment over file over default).
type Config struct {
	Backups   string        // absolute path of the backups directory
	Retention Retention     // what to keep
	Exclude   []string      // patterns
	Quiesce   string        // auto, pause, stop or none
	HoldLimit time.Duration // quiesce-limit: how long services may be held still
	Helper    string        // auto, always or never: whether files are reached through a helper container
	Health    Health
	Chroma    string // URL, empty where the project has none
	Validate  string // quick, full or none: how closely data is looked at around other commands
	Schema    string // memories.schema: path of a JSON Schema, empty for none
	Vectors   Vectors
	TimeZone  string // "local" or "utc": of archive names
	// MaxAge is how old the last good backup may be for a command that makes none; 0: of any age. Force are the guards that refuse nothing.
	MaxAge time.Duration
	Force  []string
	// IncludeLogs brings sources that hold logs into the backup; only a flag sets it.
	IncludeLogs bool
	// Origins says where each setting came from, by its name in the configuration: "default", "compose.yaml:12", "MEMSYS_BACKUPS", "--backups".
	Origins map[string]string
}

// Retention counts what to keep; 0 keeps none by that rule.
type Retention struct {
	Daily   int `json:"daily"`
	Weekly  int `json:"weekly"`
	Monthly int `json:"monthly"`
	Last    int `json:"last"`
}

// Vectors say which files hold raw 32-bit numbers, and of which dimension; 0: none.
type Vectors struct {
	Dimension int
	Raw       []string
}

// Health is where and how long to ask for health.
type Health struct {
	URL     string
	Timeout time.Duration
	Stable  time.Duration // how long a service must run without a restart to count as up
}
