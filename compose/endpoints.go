package compose

import (
	"cmp"
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
)

// Endpoint is a server of the project, or one that it uses.
type Endpoint struct {
	// URL is its address where that needs no engine: from a setting, or of a server outside of the project. Else it is empty, and
	// Service answers at Port inside its container.
	URL     string
	Service string
	Port    int
	Scheme  string
	Path    string
	// Published is where the compose file alone says that the service answers on the engine's host; empty where it does not.
	Published string
	// EngineHost: no service answers but the engine's host itself, at Port.
	EngineHost bool
	// Guess tells that nothing but a well-known port speaks for it.
	Guess bool
	// NamedBy are the services whose environment names it.
	NamedBy []string
	// From says where it was found: "health.url of compose.yaml:12", "healthcheck of service web".
	From string
}

// healthPort is where memory systems answer at /health unless told otherwise.
const healthPort = 3000

// HealthEndpoints are where to ask for health: the setting, else what the healthchecks of the services ask, else /health at a well-known port.
func (p *Project) HealthEndpoints(c Config) []Endpoint {
	if origin := c.Origins["health.url"]; origin != "default" && c.Health.URL != "" {
		return []Endpoint{{URL: c.Health.URL, From: "health.url of " + origin}}
	}
	var found, guessed []Endpoint
	for _, name := range slices.Sorted(maps.Keys(p.model.Services)) {
		s := p.model.Services[name]
		if isChroma(s.Image) {
			continue // asked as what it is
		}
		if e, ok := healthcheckOf(s); ok {
			found = append(found, e)
		} else if hasPort(s, healthPort) {
			guessed = append(guessed, inside(s, "http", healthPort, "/health", Endpoint{Guess: true, From: "published port 3000 of service " + name}))
		}
	}
	if len(found) > 0 {
		return found
	}
	return guessed
}

// healthcheckOf is the address in the command of a service's healthcheck that means the container itself.
func healthcheckOf(s types.ServiceConfig) (Endpoint, bool) {
	if s.HealthCheck == nil || s.HealthCheck.Disable {
		return Endpoint{}, false
	}
	for _, text := range s.HealthCheck.Test {
		for _, found := range testURL.FindAllString(text, -1) {
			u, err := url.Parse(found)
			if err != nil || !isItself(s, u.Hostname()) {
				continue
			}
			port, err := strconv.Atoi(cmp.Or(u.Port(), map[string]string{"http": "80", "https": "443"}[u.Scheme]))
			if err == nil {
				return inside(s, u.Scheme, port, u.RequestURI(), Endpoint{From: "healthcheck of service " + s.Name}), true
			}
		}
	}
	return Endpoint{}, false
}

// inside fills in where a service answers.
func inside(s types.ServiceConfig, scheme string, port int, path string, e Endpoint) Endpoint {
	e.Service, e.Scheme, e.Port, e.Path = s.Name, scheme, port, path
	e.Published = outside(s, port, scheme, path)
	return e
}

func hasPort(s types.ServiceConfig, port int) bool {
	return slices.ContainsFunc(s.Ports, func(p types.ServicePortConfig) bool { return int(p.Target) == port })
}

// ChromaEndpoints are the project's Chroma servers: the setting, else the services whose image is Chroma's and what CHROMA_URL or
// CHROMA_HOST and CHROMA_PORT of services name, else what publishes Chroma's port.
func (p *Project) ChromaEndpoints(c Config) []Endpoint {
	if origin := c.Origins["chroma.url"]; origin != "default" && c.Chroma != "" {
		return []Endpoint{{URL: c.Chroma, From: "chroma.url of " + origin}}
	}
	names := slices.Sorted(maps.Keys(p.model.Services))
	var found []Endpoint
	for _, name := range names {
		if s := p.model.Services[name]; isChroma(s.Image) {
			found = append(found, inside(s, "http", chromaPortOf(s), "", Endpoint{From: "image of service " + name}))
		}
	}
	resolved := p.resolved()
	for _, name := range names {
		e, ok := p.chromaNamedBy(name, resolved[name].Environment)
		if !ok {
			continue
		}
		i := slices.IndexFunc(found, e.same)
		if i < 0 {
			i, found = len(found), append(found, e)
		}
		found[i].NamedBy = append(found[i].NamedBy, name)
	}
	if len(found) > 0 {
		return found
	}
	for _, name := range names {
		if s := p.model.Services[name]; hasPort(s, chromaPort) {
			found = append(found, inside(s, "http", chromaPort, "", Endpoint{Guess: true, From: "published port 8000 of service " + name}))
		}
	}
	return found
}

// same tells that two endpoints are one server.
func (e Endpoint) same(o Endpoint) bool {
	return e.URL == o.URL && e.Service == o.Service && e.Port == o.Port && e.EngineHost == o.EngineHost
}

// chromaPortOf is the port inside of a Chroma container: the usual one, unless another one is the only one that is published.
func chromaPortOf(s types.ServiceConfig) int {
	if len(s.Ports) == 1 && !hasPort(s, chromaPort) {
		return int(s.Ports[0].Target)
	}
	return chromaPort
}

// chromaNamedBy is the server that a service's environment names.
func (p *Project) chromaNamedBy(service string, env types.MappingWithEquals) (Endpoint, bool) {
	text, name := value(env, "CHROMA_URL"), "CHROMA_URL"
	if text == "" {
		text, name = value(env, "CHROMA_HOST"), "CHROMA_HOST"
	}
	if text == "" {
		return Endpoint{}, false
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		scheme := "http"
		if ssl, _ := strconv.ParseBool(strings.ToLower(value(env, "CHROMA_SSL"))); ssl {
			scheme = "https"
		}
		u = &url.URL{Scheme: scheme, Host: text}
		if net.ParseIP(text) != nil && strings.Contains(text, ":") {
			u.Host = "[" + text + "]"
		}
	}
	port, err := strconv.Atoi(cmp.Or(u.Port(), value(env, "CHROMA_PORT"), strconv.Itoa(chromaPort)))
	if err != nil || port < 1 || port > 65535 {
		return Endpoint{}, false
	}
	e := Endpoint{From: fmt.Sprintf("%s of service %s", name, service)}
	host := u.Hostname()
	if s, ok := p.answersTo(host); ok {
		return inside(s, u.Scheme, port, "", e), true
	}
	switch host {
	case "localhost", "127.0.0.1", "0.0.0.0", "::1":
		return e, false // the container itself, which runs no Chroma of its own
	case "host.docker.internal":
		e.EngineHost, e.Scheme, e.Port = true, u.Scheme, port
		e.Published = u.Scheme + "://localhost:" + strconv.Itoa(port)
		return e, true
	}
	e.URL = (&url.URL{Scheme: u.Scheme, User: u.User, Host: net.JoinHostPort(host, strconv.Itoa(port)), Path: strings.TrimSuffix(u.Path, "/")}).String()
	return e, true
}

// answersTo is the service that containers of the project know by a name.
func (p *Project) answersTo(host string) (types.ServiceConfig, bool) {
	if s, ok := p.model.Services[host]; ok {
		return s, true
	}
	for _, name := range slices.Sorted(maps.Keys(p.model.Services)) {
		s := p.model.Services[name]
		known := host != "" && (s.ContainerName == host || s.Hostname == host)
		for _, n := range s.Networks {
			known = known || n != nil && slices.Contains(n.Aliases, host)
		}
		if known {
			return s, true
		}
	}
	return types.ServiceConfig{}, false
}

// Variables are the environment variables of the enabled services whose names match, from environment and env_file: by service, then by name.
// They may be secrets.
func (p *Project) Variables(match func(name string) bool) map[string]map[string]string {
	all := map[string]map[string]string{}
	for service, s := range p.resolved() {
		for name := range s.Environment {
			if !match(name) {
				continue
			}
			if all[service] == nil {
				all[service] = map[string]string{}
			}
			all[service][name] = value(s.Environment, name)
		}
	}
	return all
}
