package compose

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
)

// addLive adds the volumes that only the engine knows: anonymous ones (of the compose file and of images) and those of foreign containers.
func (c *collector) addLive(live []Live) {
	live = slices.Clone(live)
	slices.SortStableFunc(live, func(a, b Live) int {
		return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.Number, b.Number))
	})
	for _, l := range live {
		for _, m := range l.Mounts {
			c.addLiveMount(l.Service, m)
		}
	}
	for _, u := range c.anonymous {
		if s := c.liveOf(u); s != nil {
			c.use(s, u)
		} else {
			c.use(c.nameless(u), u)
		}
	}
}

func (c *collector) addLiveMount(service string, m LiveMount) {
	u := use{service: service, mount: types.ServiceVolumeConfig{Type: m.Type, Target: m.Destination, ReadOnly: m.ReadOnly}}
	switch m.Type {
	case types.VolumeTypeVolume:
		if c.project.keyOf(m.Name) != "" {
			return // add has taken it
		}
		s := c.source("volume:"+m.Name, Source{Kind: Volume, Volume: &VolumeInfo{Name: m.Name, Driver: m.Driver, Anonymous: isAnonymous(m.Name)}})
		c.use(s, u)
	case types.VolumeTypeBind:
		if c.project.unknownBind(service, m) && (c.project.fromForeign(service) || isThere(m.Source)) {
			c.use(c.bind(m.Source), u)
		}
	}
}

// isAnonymous tells the names that the engine gives by itself: 64 hex digits.
func isAnonymous(name string) bool {
	return len(name) == 64 && strings.Trim(name, "0123456789abcdef") == ""
}

// liveOf is the volume that a live container of the service, or of the one that it takes the mount from, has for the model's anonymous volume.
func (c *collector) liveOf(u use) *Source {
	for _, service := range []string{u.service, u.owner} {
		for _, id := range c.order {
			s := c.byID[id]
			if s.Volume == nil || s.Volume.Key != "" {
				continue
			}
			for _, m := range s.Mounts {
				if m.Service == service && path.Clean(m.Target) == path.Clean(u.mount.Target) {
					return s
				}
			}
		}
	}
	return nil
}

// nameless is an anonymous volume whose name nobody told: unknown where no engine was asked, not there where no container has it.
func (c *collector) nameless(u use) *Source {
	s := c.source("anonymous:"+u.owner+":"+u.mount.Target, Source{Kind: Volume, Volume: &VolumeInfo{Anonymous: true}})
	if c.asked {
		s.Excluded = "anonymous volume: no container of the project has one yet"
	}
	return s
}
