package guard

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// Volume is a volume of the compose file that the engine has.
type Volume struct {
	Key, Name string
	// Mark is the hash of the configuration that docker compose made it with, empty where it bears none; Wanted is that of the compose file.
	Mark, Wanted string
	// Made and Planned are its driver, options and labels as it was made and as the compose file has them.
	Made, Planned VolumeSpec
	Look          Look
	// Device is the place outside of the volume in which its files lie, empty where they lie in it. Same tells that the compose file has this place
	// too; LookNow looks into the one that it has.
	Device  string
	Same    bool
	LookNow Look
}

// VolumeSpec is how a volume is made.
type VolumeSpec struct {
	Driver          string
	Options, Labels map[string]string
}

// volumeConfig finds the volumes that up would delete and make anew, since the compose file describes them otherwise than they were made.
func volumeConfig(f Facts) []Finding {
	if f.Command.Verb != "up" {
		return nil
	}
	var all []Finding
	for _, v := range f.Volumes {
		if !v.Remade() {
			continue
		}
		if v.Device != "" {
			all = append(all, v.elsewhere(f.Command))
			continue
		}
		in := v.Look.see()
		if in.empty() {
			all = append(all, notes("volume %s was made otherwise than the compose file says (%s) and is empty: docker compose makes it anew", v.Name, v.difference()))
			continue
		}
		all = append(all, loses(
			"put the compose file back, or carry the data over: docker memsys backup, then up --force volume-config --yes, then docker memsys restore",
			"volume %s was made otherwise than the compose file says now (%s): docker compose up %s with %s and make it anew, empty", v.Name, v.difference(), f.Command.deletes(), in))
	}
	return all
}

// Remade tells that up makes the volume anew, and all containers that have it mounted.
func (v Volume) Remade() bool { return v.Mark != "" && v.Mark != v.Wanted }

// elsewhere judges a volume whose files lie outside of it: they stay where they are.
func (v Volume) elsewhere(c Command) Finding {
	was := moved(v.Look, v.LookNow)
	if v.Same || was == "" {
		return notes("volume %s was made otherwise than the compose file says (%s): docker compose makes it anew, and the files in %s stay", v.Name, v.difference(), v.Device)
	}
	return loses("put the compose file back, or move the files to the new place",
		"volume %s was made otherwise than the compose file says now (%s): docker compose up %s and make it anew at an empty place; %s stays behind in %s",
		v.Name, v.difference(), c.deletes(), was, v.Device)
}

// deletes says how up goes about a volume that it makes anew.
func (c Command) deletes() string {
	if c.Yes {
		return "would delete it"
	}
	return "would offer to delete it"
}

// difference is in what the volume was made otherwise.
func (v Volume) difference() string {
	var all []string
	if was, is := cmp.Or(v.Made.Driver, "local"), cmp.Or(v.Planned.Driver, "local"); was != is {
		all = append(all, fmt.Sprintf("driver %s, now %s", was, is))
	}
	all = append(all, differences("option", v.Made.Options, v.Planned.Options)...)
	all = append(all, differences("label", v.Made.Labels, v.Planned.Labels)...)
	if len(all) == 0 {
		return "its configuration has another hash"
	}
	return list(all)
}

// differences names the keys that differ; the values may hold passwords.
func differences(what string, was, is map[string]string) []string {
	var all []string
	for _, key := range slices.Sorted(maps.Keys(was)) {
		switch now, ok := is[key]; {
		case !ok:
			all = append(all, fmt.Sprintf("%s %s is no longer there", what, key))
		case now != was[key]:
			all = append(all, fmt.Sprintf("%s %s is another", what, key))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(is)) {
		if _, ok := was[key]; !ok {
			all = append(all, fmt.Sprintf("%s %s is new", what, key))
		}
	}
	return all
}
