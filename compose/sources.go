package compose

import (
	"cmp"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
)

// Sources are all places where the project's data lies: from every service, job and init container, of disabled profiles too, each place once
// whatever number of services mount it. What is not in the backup says why in Excluded. Sorted by name.
//
// live is what the engine has mounted (nil where no engine was asked): it tells the names of anonymous volumes and what volumes_from brings.
// config gives the backups directory and whether logs count.
func (p *Project) Sources(live []Live, config Config) []Source {
	c := &collector{project: p, byID: map[string]*Source{}, asked: live != nil}
	for _, u := range p.uses() {
		c.add(u)
	}
	c.addLive(live)
	if p.options.AllResources {
		for _, key := range slices.Sorted(maps.Keys(p.model.Volumes)) {
			c.volume(key)
		}
	}
	sources := c.sources()
	rules := p.exclusions(config)
	for i := range sources {
		if sources[i].Excluded == "" {
			sources[i].Excluded = rules.reason(sources[i])
		}
	}
	name(sources, p.WorkingDir)
	return sources
}

// use is one mount of one service, as the model has it.
type use struct {
	service string
	owner   string // the service that the mount is written in: another one with volumes_from
	mount   types.ServiceVolumeConfig
}

// uses are the mounts of all services, jobs and init containers, volumes_from followed, in a fixed order.
func (p *Project) uses() []use {
	specs := p.containers()
	var all []use
	for _, service := range slices.Sorted(maps.Keys(specs)) {
		for _, spec := range specs[service] {
			all = append(all, mounts(specs, service, service, spec, map[string]bool{service: true})...)
		}
	}
	return all
}

// containers are the container specifications of each service (its own and its init containers') and job.
func (p *Project) containers() map[string][]types.ContainerSpec {
	specs := map[string][]types.ContainerSpec{}
	for name, s := range p.model.AllServices() {
		specs[name] = append(specs[name], s.ContainerSpec)
		for _, h := range s.PreStart {
			specs[name] = append(specs[name], h.ContainerSpec)
		}
	}
	for name, j := range p.model.AllJobs() {
		specs[name] = append(specs[name], j.ContainerSpec)
	}
	return specs
}

// mounts are the uses of a service by one container specification of its owner, and of what that takes from other services; seen ends circles.
func mounts(specs map[string][]types.ContainerSpec, service, owner string, spec types.ContainerSpec, seen map[string]bool) []use {
	var all []use
	for _, m := range spec.Volumes {
		all = append(all, use{service: service, owner: owner, mount: m})
	}
	if service == owner {
		all = append(all, tmpfs(service, spec)...)
	}
	for _, from := range spec.VolumesFrom {
		name, mode, _ := strings.Cut(from, ":")
		if name == "container" || seen[name] || len(specs[name]) == 0 {
			continue
		}
		seen := maps.Clone(seen)
		seen[name] = true
		for _, u := range mounts(specs, service, name, specs[name][0], seen) {
			u.mount.ReadOnly = u.mount.ReadOnly || mode == "ro"
			all = append(all, u)
		}
	}
	return all
}

// tmpfs are the mounts of the service's tmpfs list, whose items are TARGET[:OPTIONS].
func tmpfs(service string, spec types.ContainerSpec) []use {
	var all []use
	for _, t := range spec.Tmpfs {
		target, _, _ := strings.Cut(t, ":")
		all = append(all, use{service: service, owner: service, mount: types.ServiceVolumeConfig{Type: types.VolumeTypeTmpfs, Target: target}})
	}
	return all
}

// collector gathers sources by their identity.
type collector struct {
	project *Project
	byID    map[string]*Source
	order   []string
	// anonymous are the model's anonymous volumes, by service and target, until a live container gives them a name.
	anonymous []use
	asked     bool
}

func (c *collector) add(u use) {
	m := u.mount
	switch {
	case m.Type == types.VolumeTypeBind:
		c.use(c.bind(m.Source), u)
	case m.Type == types.VolumeTypeVolume && m.Source == "":
		c.anonymous = append(c.anonymous, u)
	case m.Type == types.VolumeTypeVolume:
		c.use(c.volume(m.Source), u)
	default:
		c.use(c.ignored(u), u)
	}
}

// use notes a mount of the source, once.
func (c *collector) use(s *Source, u use) {
	m := Mount{Service: u.service, Target: u.mount.Target, ReadOnly: u.mount.ReadOnly}
	if u.mount.Volume != nil {
		m.Subpath = u.mount.Volume.Subpath
	}
	if !slices.Contains(s.Mounts, m) {
		s.Mounts = append(s.Mounts, m)
	}
}

func (c *collector) bind(host string) *Source {
	return c.source("path:"+identity(host), Source{Kind: Bind, Path: clean(host)})
}

// volume is the source of a volume of the compose file. Where driver_opts bind a folder, the data is there, and a bind mount of the same folder is the same source.
func (c *collector) volume(key string) *Source {
	v, ok := c.project.model.Volumes[key]
	if !ok {
		v = types.VolumeConfig{Name: key}
	}
	info := &VolumeInfo{Key: key, Name: v.Name, Driver: v.Driver, Options: v.DriverOpts, Labels: v.Labels, External: bool(v.External)}
	device := boundFolder(v)
	if device == "" {
		return c.source("volume:"+v.Name, Source{Kind: Volume, Volume: info})
	}
	s := c.source("path:"+identity(device), Source{Kind: Volume, Path: clean(device), Volume: info})
	if s.Volume == nil {
		s.Kind, s.Volume = Volume, info
	}
	return s
}

// boundFolder is the host folder that a volume of the local driver binds, empty if it binds none.
func boundFolder(v types.VolumeConfig) string {
	if v.Driver != "" && v.Driver != "local" {
		return ""
	}
	for _, o := range strings.Split(v.DriverOpts["o"], ",") {
		if device := v.DriverOpts["device"]; (o == "bind" || o == "rbind") && isAbsolute(device) {
			return device
		}
	}
	return ""
}

// ignored is a mount that holds no data of its own: it is listed with the reason.
func (c *collector) ignored(u use) *Source {
	m := u.mount
	id := m.Type + ":" + u.owner + ":" + m.Target
	why := map[string]string{
		types.VolumeTypeTmpfs:     "tmpfs: lives in memory only",
		types.VolumeTypeNamedPipe: "named pipe: holds no data",
		types.VolumeTypeCluster:   "cluster volume: its storage system backs it up",
		types.VolumeTypeImage:     "image mount: its data is the image's",
	}[m.Type]
	if why == "" {
		why = m.Type + " mount: unknown kind"
	}
	return c.source(id, Source{Kind: Kind(m.Type), Excluded: why})
}

func (c *collector) source(id string, s Source) *Source {
	if known, ok := c.byID[id]; ok {
		return known
	}
	c.byID[id] = &s
	c.order = append(c.order, id)
	return &s
}

func (c *collector) sources() []Source {
	var all []Source
	for _, id := range c.order {
		s := *c.byID[id]
		slices.SortFunc(s.Mounts, func(a, b Mount) int {
			return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.Target, b.Target), cmp.Compare(a.Subpath, b.Subpath))
		})
		all = append(all, s)
	}
	return all
}

// base is the last name of a path inside a container, whatever system this process runs on.
func base(target string) string { return path.Base(path.Clean("/" + target)) }
