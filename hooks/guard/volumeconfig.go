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
		if v.Mark == "" || v.Mark == v.Wanted {
			continue
		}
		in := v.Look.see()
		if in.empty() {
			all = append(all, notes("volume %s was made otherwise than the compose file says (%s) and is empty: docker compose makes it anew", v.Name, v.difference()))
			continue
		}
		would := "would offer to delete it"
		if f.Command.Yes {
			would = "would delete it"
		}
		all = append(all, loses(
			"put the compose file back, or carry the data over: docker memsys backup, then up --force volume-config --yes, then docker memsys restore",
			"volume %s was made otherwise than the compose file says now (%s): docker compose up %s with %s and make it anew, empty", v.Name, v.difference(), would, in))
	}
	return all
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
