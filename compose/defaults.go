package compose

import (
	"maps"
	"net"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
)

// testURL finds an address in a healthcheck's command.
var testURL = regexp.MustCompile("https?://[^\\s\"'`|&;)<>,\\]]+")

// defaultHealth is the address that a healthcheck asks inside its container, seen from this machine through the published port. Empty if there is none.
func (p *Project) defaultHealth() string {
	names := slices.Sorted(maps.Keys(p.model.Services))
	// The memory system's own health says more than its database's.
	slices.SortStableFunc(names, func(a, b string) int { return rank(p.model.Services[a]) - rank(p.model.Services[b]) })
	for _, name := range names {
		s := p.model.Services[name]
		if s.HealthCheck == nil || s.HealthCheck.Disable {
			continue
		}
		for _, text := range s.HealthCheck.Test {
			for _, found := range testURL.FindAllString(text, -1) {
				if address := published(s, found); address != "" {
					return address
				}
			}
		}
	}
	return ""
}

func rank(s types.ServiceConfig) int {
	if isChroma(s.Image) {
		return 1
	}
	return 0
}

// published is an address inside of a service's container as this machine reaches it.
func published(s types.ServiceConfig, inside string) string {
	u, err := url.Parse(inside)
	if err != nil || !isItself(s, u.Hostname()) {
		return ""
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	target, err := strconv.Atoi(port)
	if err != nil {
		return ""
	}
	return outside(s, target, u.Scheme, u.RequestURI())
}

// isItself tells host names by which a container means itself.
func isItself(s types.ServiceConfig, host string) bool {
	if ip := net.ParseIP(host); ip != nil {
		return ip.IsLoopback() || ip.IsUnspecified()
	}
	return host == "localhost" || host == s.Name || (host != "" && host == s.Hostname) || (host != "" && host == s.ContainerName)
}

// outside is the address of a port of a service on this machine; target 0 takes the only port there is.
func outside(s types.ServiceConfig, target int, scheme, path string) string {
	for _, port := range workload(s.Name, s.ContainerSpec, s.WorkloadSpec).Ports {
		if port.Target == target || (target == 0 && len(s.Ports) == 1) {
			if address := port.url(scheme, path); address != "" {
				return address
			}
		}
	}
	return ""
}

// chromaPort is where a Chroma server listens unless told otherwise.
const chromaPort = 8000

// defaultChroma is the project's own Chroma server, else the one that a service is told to use. Empty if there is none.
func (p *Project) defaultChroma() string {
	names := slices.Sorted(maps.Keys(p.model.Services))
	for _, name := range names {
		if s := p.model.Services[name]; isChroma(s.Image) {
			if address := chromaOf(s); address != "" {
				return address
			}
		}
	}
	resolved := p.resolved()
	for _, name := range names {
		if address := p.chromaFromEnv(resolved[name].Environment); address != "" {
			return address
		}
	}
	return ""
}

func isChroma(image string) bool {
	name, _, _ := strings.Cut(path.Base(image), "@")
	name, _, _ = strings.Cut(name, ":")
	return name == "chroma" || name == "chromadb"
}

func chromaOf(s types.ServiceConfig) string {
	if address := outside(s, chromaPort, "http", ""); address != "" {
		return address
	}
	return outside(s, 0, "http", "")
}

// resolved are the services with their env files read. A missing env file leaves them as they are written.
func (p *Project) resolved() types.Services {
	model, err := p.model.WithServicesEnvironmentResolved(false)
	if err != nil {
		return p.model.Services
	}
	return model.Services
}

// chromaFromEnv is the server that CHROMA_HOST and CHROMA_PORT name, as this machine reaches it.
func (p *Project) chromaFromEnv(env types.MappingWithEquals) string {
	host, port := value(env, "CHROMA_HOST"), value(env, "CHROMA_PORT")
	if host == "" {
		return ""
	}
	if u, err := url.Parse(host); err == nil && u.Host != "" {
		host = u.Hostname()
		if port == "" {
			port = u.Port()
		}
	}
	if port == "" {
		port = strconv.Itoa(chromaPort)
	}
	target, err := strconv.Atoi(port)
	if err != nil || target < 1 || target > 65535 {
		return ""
	}
	if s, ok := p.model.Services[host]; ok {
		return outside(s, target, "http", "")
	}
	switch host {
	case "localhost", "127.0.0.1", "0.0.0.0", "::1":
		return "" // the container itself, which runs no Chroma of its own
	case "host.docker.internal":
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port)
}

func value(env types.MappingWithEquals, key string) string {
	if v := env[key]; v != nil {
		return *v
	}
	return ""
}
