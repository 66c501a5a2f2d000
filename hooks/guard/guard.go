// Package guard tells which data a docker compose command would lose before it runs. Guards are pure functions: facts in, findings out. What is
// costly to know they ask for only where it matters.
package guard

import (
	"fmt"
	"slices"
	"strings"
)

// Name is the name of a guard, as --force takes it.
type Name string

// The guards, in the order in which they speak.
const (
	VolumeConfig Name = "volume-config"
	Drift        Name = "drift"
	MissingBind  Name = "missing-bind"
	Anonymous    Name = "anonymous"
	Layer        Name = "layer"
	Shared       Name = "shared"
	Space        Name = "space"
	MaxAge       Name = "max-age"
)

// Names are those of all guards.
func Names() []string {
	var all []string
	for _, g := range guards() {
		all = append(all, string(g.name))
	}
	return all
}

// Finding is what one guard has to say about one thing.
type Finding struct {
	Guard Name
	// Text is what would happen, Next what to do instead.
	Text, Next string
	// Loses tells that data would be lost, or out of sight: the command must not run. Else it is worth knowing.
	Loses bool
}

// Command is the docker compose command that is to run.
type Command struct {
	// Verb is up, down, pull, stop or restart.
	Verb string
	// Yes: all questions are answered with yes. Volumes: they are removed (down). Renew: anonymous volumes are made anew (up).
	Yes, Volumes, Renew bool
}

// Starts tells that containers of the project are made or started.
func (c Command) Starts() bool { return c.Verb == "up" || c.Verb == "restart" }

// Facts are what guards judge by.
type Facts struct {
	Project string
	Command Command
	// Volumes are those of the compose file that up makes, Mounts what the containers have mounted elsewhere than the compose file says, Former the volumes that
	// the project had under another name, Binds the folders of the host that services mount.
	Volumes []Volume
	Mounts  []Mount
	Former  []Former
	Binds   []Bind
	// Nameless are the anonymous volumes of the containers, Layers the containers whose own layer the command may throw away, Sources what
	// several may write, Disks the file systems that hold the project's data, or what is pulled.
	Nameless []Nameless
	Layers   []Container
	Sources  []Source
	Disks    []Disk
	Backup   Backup
}

// Content is what is known of the data in a place.
type Content struct {
	// Known is false where it could not be looked at.
	Known bool
	// Files and Bytes are how much there is; More tells that counting was given up.
	Files, Bytes int64
	More         bool
	// Text is the same in words.
	Text string
}

// Look looks at a place; nil where that cannot be.
type Look func() Content

// see is what a look shows.
func (l Look) see() Content {
	if l == nil {
		return Content{}
	}
	return l()
}

// empty tells that nothing is there, for sure.
func (c Content) empty() bool { return c.Known && c.Files == 0 }

// String is the content in words.
func (c Content) String() string {
	switch {
	case !c.Known:
		return "whatever is in it"
	case c.Files == 0:
		return "nothing"
	}
	return c.Text
}

// Check asks every guard.
func Check(f Facts) []Finding {
	var all []Finding
	for _, g := range guards() {
		for _, found := range g.check(f) {
			found.Guard = g.name
			if !slices.Contains(all, found) {
				all = append(all, found)
			}
		}
	}
	return all
}

// guards are all of them.
func guards() []struct {
	name  Name
	check func(Facts) []Finding
} {
	return []struct {
		name  Name
		check func(Facts) []Finding
	}{
		{VolumeConfig, volumeConfig},
		{Drift, drift},
		{MissingBind, missingBind},
		{Anonymous, anonymous},
		{Layer, layer},
		{Shared, shared},
		{Space, space},
		{MaxAge, maxAge},
	}
}

func loses(next, format string, args ...any) Finding {
	return Finding{Text: fmt.Sprintf(format, args...), Next: next, Loses: true}
}

func notes(format string, args ...any) Finding {
	return Finding{Text: fmt.Sprintf(format, args...)}
}

// list is up to five things in words.
func list(all []string) string {
	const most = 5
	if len(all) > most {
		all = append(slices.Clone(all[:most]), fmt.Sprintf("and %d more", len(all)-most))
	}
	return strings.Join(all, ", ")
}
