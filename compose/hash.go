package compose

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"github.com/compose-spec/compose-go/v2/loader"
)

// The labels by which docker compose marks the volumes that it makes.
const (
	VolumeLabel     = "com.docker.compose.volume"
	ConfigHashLabel = "com.docker.compose.config-hash"
)

// VolumeHash is the mark that docker compose leaves on a volume of the compose file when it makes it: where a volume has another one, up
// offers to delete it and to make it anew, and does so with --yes. It is empty for a key that the file does not have.
func (p *Project) VolumeHash(key string) (string, error) {
	v, ok := p.model.Volumes[key]
	if !ok {
		return "", nil
	}
	v.Driver = cmp.Or(v.Driver, "local")
	raw, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("volume %s: %w", key, err)
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:]), nil
}

// Volumes are the volumes of the compose file that docker compose makes for services, sorted by key; with all, those that no service mounts too.
func (p *Project) Volumes(services []string, all bool) []VolumeInfo {
	used := map[string]bool{}
	for _, plan := range p.PlansOf(services) {
		for _, m := range plan.Mounts {
			if m.Volume != nil {
				used[m.Volume.Key] = true
			}
		}
	}
	var out []VolumeInfo
	for _, key := range slices.Sorted(maps.Keys(p.model.Volumes)) {
		v := p.model.Volumes[key]
		if all || used[key] {
			out = append(out, VolumeInfo{Key: key, Name: v.Name, Driver: v.Driver, Options: v.DriverOpts, Labels: v.Labels, External: bool(v.External)})
		}
	}
	return out
}

// Started are the services that docker compose up starts: the named ones with all that they depend on, or alone; without names all enabled
// ones. Sorted.
func (p *Project) Started(names []string, alone bool) []string {
	if len(names) == 0 {
		return slices.Sorted(maps.Keys(p.model.Services))
	}
	all, found := p.model.AllServices(), map[string]bool{}
	var follow func(name string)
	follow = func(name string) {
		s, ok := all[name]
		if !ok || found[name] {
			return
		}
		found[name] = true
		if alone {
			return
		}
		for _, on := range s.GetDependencies() {
			follow(on)
		}
	}
	for _, name := range names {
		follow(name)
	}
	return slices.Sorted(maps.Keys(found))
}

// DefaultName is the name of a project that says nothing of its name: made of its folder's.
func DefaultName(dir string) string { return loader.NormalizeProjectName(filepath.Base(dir)) }
