package compose

import (
	"cmp"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
)

// Drift says where live containers have other places mounted than the compose file says: it was edited, or the project renamed, and nobody ran up since.
// What is mounted only there is a source too, as long as the containers use it.
func (p *Project) Drift(live []Live) []string {
	var found []string
	for _, l := range live {
		for _, m := range l.Mounts {
			if text := p.drift(l.Service, m); text != "" && !slices.Contains(found, text) {
				found = append(found, text)
			}
		}
	}
	slices.Sort(found)
	return found
}

func (p *Project) drift(service string, m LiveMount) string {
	switch m.Type {
	case types.VolumeTypeVolume:
		if isAnonymous(m.Name) || p.fromForeign(service) {
			return ""
		}
		if want, ok := p.mountAt(service, m.Destination); !ok || p.model.Volumes[want.Source].Name != m.Name {
			return fmt.Sprintf("service %s: its container has volume %s at %s, the compose file %s", service, m.Name, m.Destination, p.instead(want, ok))
		}
	case types.VolumeTypeBind:
		if want, ok := p.mountAt(service, m.Destination); p.unknownBind(service, m) && !p.fromForeign(service) {
			return fmt.Sprintf("service %s: its container has %s at %s, the compose file %s", service, m.Source, m.Destination, p.instead(want, ok))
		}
	}
	return ""
}

func (p *Project) instead(want types.ServiceVolumeConfig, ok bool) string {
	if !ok {
		return "has nothing there"
	}
	if v, named := p.model.Volumes[want.Source]; named && want.Type == types.VolumeTypeVolume {
		return "has volume " + v.Name
	}
	return "has " + cmp.Or(want.Source, "a volume without a name")
}

// mountAt is what the model mounts into a service at a place.
func (p *Project) mountAt(service, target string) (types.ServiceVolumeConfig, bool) {
	for _, u := range p.uses() {
		if u.service == service && path.Clean(u.mount.Target) == path.Clean(target) {
			return u.mount, true
		}
	}
	return types.ServiceVolumeConfig{}, false
}

// unknownBind tells a live bind mount that the model does not have: nothing or something else stands there, and it is no secret, configuration or part of the system.
func (p *Project) unknownBind(service string, m LiveMount) bool {
	want, ok := p.mountAt(service, m.Destination)
	if ok && want.Type == types.VolumeTypeBind && sameHostPath(m.Source, want.Source) {
		return false
	}
	return !p.isProjectFile(service, m.Destination) && systemPath(m.Source) == ""
}

// sameHostPath compares with what an engine in a virtual machine makes of a path: a prefix of its own before it.
func sameHostPath(live, model string) bool {
	if identity(live) == identity(model) {
		return true
	}
	tail := strings.TrimPrefix(filepath.ToSlash(model), filepath.VolumeName(model))
	for _, prefix := range []string{"/host_mnt", "/run/desktop/mnt/host"} {
		if strings.HasPrefix(live, prefix+"/") && strings.HasSuffix(live, strings.TrimSuffix(tail, "/")) {
			return true
		}
	}
	return false
}

// isProjectFile tells the places of secrets and configurations.
func (p *Project) isProjectFile(service, target string) bool {
	for _, spec := range p.containers()[service] {
		for _, s := range spec.Secrets {
			if target == s.Target || target == "/run/secrets/"+cmp.Or(s.Target, s.Source) {
				return true
			}
		}
		for _, f := range spec.Configs {
			if target == cmp.Or(f.Target, "/"+f.Source) {
				return true
			}
		}
	}
	return strings.HasPrefix(target, "/run/secrets/")
}

// fromForeign tells that the service takes mounts of a container outside of the project, which only the engine knows.
func (p *Project) fromForeign(service string) bool {
	for _, spec := range p.containers()[service] {
		for _, from := range spec.VolumesFrom {
			if strings.HasPrefix(from, "container:") {
				return true
			}
		}
	}
	return false
}

// keyOf is the key of a volume of the compose file by its name on the engine.
func (p *Project) keyOf(name string) string {
	for key, v := range p.model.Volumes {
		if v.Name == name {
			return key
		}
	}
	return ""
}

func isThere(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
