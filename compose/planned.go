package compose

import (
	"cmp"
	"maps"
	"path"
	"slices"

	"github.com/compose-spec/compose-go/v2/types"
)

// Planned is one mount that the compose file gives a service.
type Planned struct {
	Service string
	Type    string // bind, volume, tmpfs …
	// Path is the host's path of a bind mount.
	Path string
	// System tells that Path belongs to the machine, not to the project; Strict that the container does not start where Path is missing.
	System, Strict bool
	// Volume describes a volume; its name is empty for an anonymous one.
	Volume   *VolumeInfo
	Target   string
	Subpath  string
	ReadOnly bool
}

// ServicePlan is what the containers of an enabled service have mounted if they are as the compose file says.
type ServicePlan struct {
	Service string
	// Replicas is how many containers it should have.
	Replicas int
	Mounts   []Planned
	// Image is what they are made of; empty where the file does not say. Built tells that docker compose builds it, Pull when it looks for another
	// one (pull_policy).
	Image string
	Built bool
	Pull  string
	// Foreign tells that it takes mounts of a container outside of the project, which are not known here.
	Foreign bool
}

// Plans are those of the enabled services that have containers of their own, sorted by name; jobs and services of other programs are none.
func (p *Project) Plans() []ServicePlan {
	return p.PlansOf(slices.Collect(maps.Keys(p.model.Services)))
}

// PlansOf are the plans of the services with these names, enabled or not.
func (p *Project) PlansOf(names []string) []ServicePlan {
	specs := map[string][]types.ContainerSpec{}
	for name, s := range p.model.AllServices() {
		specs[name] = []types.ContainerSpec{s.ContainerSpec}
	}
	var all []ServicePlan
	for _, name := range slices.Sorted(slices.Values(names)) {
		s, ok := p.model.AllServices()[name]
		if !ok || s.Provider != nil {
			continue
		}
		plan := ServicePlan{Service: name, Replicas: s.GetScale(), Image: s.Image, Built: s.Build != nil, Pull: s.PullPolicy, Foreign: p.fromForeign(name)}
		for _, u := range mounts(specs, name, name, s.ContainerSpec, map[string]bool{name: true}) {
			plan.Mounts = append(plan.Mounts, p.planned(u))
		}
		slices.SortStableFunc(plan.Mounts, func(a, b Planned) int { return cmp.Compare(a.Target, b.Target) })
		all = append(all, plan)
	}
	return all
}

func (p *Project) planned(u use) Planned {
	m := u.mount
	out := Planned{Service: u.service, Type: m.Type, Target: path.Clean(m.Target), ReadOnly: m.ReadOnly}
	switch m.Type {
	case types.VolumeTypeBind:
		out.Path, out.System = m.Source, systemPath(m.Source) != ""
		out.Strict = m.Bind != nil && !bool(m.Bind.CreateHostPath)
	case types.VolumeTypeVolume:
		out.Volume = &VolumeInfo{Anonymous: m.Source == ""}
		if v, ok := p.model.Volumes[m.Source]; ok {
			out.Volume = &VolumeInfo{Key: m.Source, Name: v.Name, Driver: v.Driver, Options: v.DriverOpts, Labels: v.Labels, External: bool(v.External)}
		}
		if m.Volume != nil {
			out.Subpath = m.Volume.Subpath
		}
	}
	return out
}

// SameHostPath tells that a path of a live mount is the compose file's, also where the engine runs in a virtual machine.
func SameHostPath(live, model string) bool { return sameHostPath(live, model) }

// IsOwnMount tells live mounts that stand in no list of mounts and yet belong there: secrets, configurations, places of the system.
func (p *Project) IsOwnMount(service string, m LiveMount) bool {
	return p.isProjectFile(service, m.Destination) || (m.Type == types.VolumeTypeBind && systemPath(m.Source) != "")
}

// IsAnonymous tells the names that the engine gives volumes by itself.
func IsAnonymous(name string) bool { return isAnonymous(name) }
