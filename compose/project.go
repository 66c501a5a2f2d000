package compose

import (
	"cmp"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
)

// Project is a loaded Compose project.
type Project struct {
	Name       string
	WorkingDir string
	// ConfigFiles are the compose files that were named or found, in order; "-" is standard input. Files adds what these include and extend.
	ConfigFiles []string
	// EnvFiles are the project's own (.env or --env-file).
	EnvFiles []string
	// Warnings are what reading the files had to say, for example unset variables.
	Warnings []string

	// environment is what the compose files were interpolated with: the caller's, then the env files'. It holds secrets.
	environment map[string]string

	model   *types.Project
	options LoadOptions
	files   *fileSet
}

// Service is a service or a job of the project.
type Service struct {
	Name  string
	Image string
	// User is whom it runs as, as the file has it: NAME or NUMBER, with or without :GROUP; empty is the image's.
	User string `json:",omitempty"`
	// Enabled is false where none of the service's profiles is active.
	Enabled  bool
	Job      bool
	Profiles []string
	// DependsOn are the services it waits for, links and shared namespaces included, sorted.
	DependsOn   []string
	HealthCheck bool
	// Once tells that another enabled service waits until this one has ended well.
	Once    bool `json:",omitempty"`
	Restart string
	Ports   []Port
	Hooks   []Hook
	// Provider is the program that provides it, with its options as the file has them: such a service has no container.
	Provider *Provider `json:",omitempty"`
	// PreStop and PostStart run in its container before it is stopped and after it was started, one after the other.
	PreStop, PostStart []Command `json:",omitempty"`
}

// Provider is what docker compose calls in place of starting a container.
type Provider struct {
	Type    string
	Options map[string][]string
}

// Port is a published port of a service.
type Port struct {
	HostIP    string
	Published string // a port or a range; empty where the engine chooses
	Target    int
	Protocol  string
}

func newProject(model *types.Project, o LoadOptions, envFiles []string, details *types.ConfigDetails) (*Project, error) {
	p := &Project{
		Name:        model.Name,
		WorkingDir:  model.WorkingDir,
		EnvFiles:    slices.Clone(envFiles),
		environment: maps.Clone(model.Environment),
		model:       model,
		options:     o,
	}
	for _, f := range details.ConfigFiles {
		p.ConfigFiles = append(p.ConfigFiles, f.Filename)
	}
	if err := p.checkVolumes(); err != nil {
		return nil, err
	}
	p.files = readFileSet(details)
	return p, p.checkSettings()
}

// checkVolumes refuses external volumes without a name, which compose-go lets pass: an unset variable leads there.
func (p *Project) checkVolumes() error {
	for _, key := range slices.Sorted(maps.Keys(p.model.Volumes)) {
		if v := p.model.Volumes[key]; v.Name == "" {
			return fmt.Errorf("volume %s: its name is empty, is a variable unset?", key)
		}
	}
	return nil
}

// Services are all services, those of disabled profiles too, then all jobs; each group sorted by name.
func (p *Project) Services() []Service {
	var all []Service
	for _, s := range p.model.AllServices() {
		all = append(all, p.service(s))
	}
	for _, j := range p.model.AllJobs() {
		all = append(all, p.job(j))
	}
	slices.SortFunc(all, func(a, b Service) int {
		if a.Job != b.Job {
			if a.Job {
				return 1
			}
			return -1
		}
		return cmp.Compare(a.Name, b.Name)
	})
	return all
}

func (p *Project) service(s types.ServiceConfig) Service {
	_, enabled := p.model.Services[s.Name]
	out := workload(s.Name, s.ContainerSpec, s.WorkloadSpec)
	out.Enabled, out.Profiles, out.Restart, out.Once = enabled, s.Profiles, s.Restart, p.once(s.Name)
	out.DependsOn = s.GetDependencies()
	out.PreStop, out.PostStart = commands(s.PreStop), commands(s.PostStart)
	slices.Sort(out.DependsOn)
	out.Hooks, _ = p.hooks(s.Name, s.Extensions)
	if s.Provider != nil {
		out.Provider = &Provider{Type: s.Provider.Type, Options: map[string][]string{}}
		for name, values := range s.Provider.Options {
			out.Provider.Options[name] = values
		}
	}
	return out
}

// once tells whether an enabled service waits until another has completed successfully.
func (p *Project) once(service string) bool {
	for _, s := range p.model.Services {
		if s.DependsOn[service].Condition == types.ServiceConditionCompletedSuccessfully {
			return true
		}
	}
	return false
}

func (p *Project) job(j types.JobConfig) Service {
	_, enabled := p.model.Jobs[j.Name]
	out := workload(j.Name, j.ContainerSpec, j.WorkloadSpec)
	out.Job, out.Enabled, out.Profiles = true, enabled, j.Profiles
	out.DependsOn = slices.Sorted(maps.Keys(j.DependsOn))
	return out
}

func workload(name string, c types.ContainerSpec, w types.WorkloadSpec) Service {
	s := Service{Name: name, Image: c.Image, User: c.User}
	s.HealthCheck = w.HealthCheck != nil && !w.HealthCheck.Disable && len(w.HealthCheck.Test) > 0 && w.HealthCheck.Test[0] != "NONE"
	for _, p := range w.Ports {
		s.Ports = append(s.Ports, Port{HostIP: p.HostIP, Published: p.Published, Target: int(p.Target), Protocol: p.Protocol})
	}
	return s
}

// url is the address of the port on this machine, empty where it is not known before the container runs.
func (p Port) url(scheme, path string) string {
	if p.Published == "" || strings.Contains(p.Published, "-") || (p.Protocol != "" && p.Protocol != "tcp") {
		return ""
	}
	host := p.HostIP
	switch host {
	case "", "0.0.0.0", "::":
		host = "localhost"
	}
	return scheme + "://" + net.JoinHostPort(host, p.Published) + path
}
