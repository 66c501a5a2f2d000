package validate

import (
	"cmp"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/engine"
)

// target is where an endpoint is asked.
type target struct {
	URL string
	// container is what answers there; nil where that is not known.
	container *engine.Container
	// far tells that the address was concluded from where an engine of another machine, or of a virtual one, is: that it does not answer from here says
	// little, and so does who answers.
	far bool
	// why says why nobody can be asked; URL is empty then.
	why string
}

// locate finds the address of an endpoint as this machine reaches it.
func (w *World) locate(e compose.Endpoint) target {
	if e.URL != "" {
		return target{URL: e.URL, container: w.publisher(e.URL)}
	}
	if w.Engine == nil {
		if host, far := w.engineHost(); host == "" || far || e.Published == "" {
			return target{why: "no engine answers that could tell where it is: " + w.NoEngine}
		}
		return target{URL: e.Published}
	}
	if e.EngineHost {
		return w.onEngineHost(e, strconv.Itoa(e.Port), "")
	}
	c, why := w.running(e.Service)
	if why != "" {
		return target{why: why}
	}
	t := w.reach(e, c)
	t.container = &c
	return t
}

// publisher is the container of the project that publishes the port of an address on the engine's host; nil where none is known to.
func (w *World) publisher(address string) *engine.Container {
	u, err := url.Parse(address)
	host, far := w.engineHost()
	if err != nil || host == "" || u.Hostname() != host && (far || !isLoopback(u.Hostname())) {
		return nil
	}
	port := cmp.Or(u.Port(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
	published := func(p engine.Port) bool {
		return p.HostPort == port && (isAny(p.HostIP) || !far && isLoopback(p.HostIP) || p.HostIP == u.Hostname())
	}
	for _, c := range w.mine() {
		if c.State == engine.Running && slices.ContainsFunc(c.Ports, published) {
			return &c
		}
	}
	return nil
}

// running is the container of a service that can answer, or why there is none.
func (w *World) running(service string) (engine.Container, string) {
	var found []engine.Container
	for _, c := range w.mine() {
		if c.Service == service {
			found = append(found, c)
		}
	}
	if len(found) == 0 {
		return engine.Container{}, fmt.Sprintf("service %s has no container", service)
	}
	slices.SortStableFunc(found, func(a, b engine.Container) int {
		x, _ := strconv.Atoi(a.Number)
		y, _ := strconv.Atoi(b.Number)
		return cmp.Compare(x, y)
	})
	for _, c := range found {
		if c.State == engine.Running {
			return c, ""
		}
	}
	return found[0], fmt.Sprintf("service %s does not run: container %s is %s", service, found[0].Name, found[0].State)
}

// reach is the address of an endpoint's port in a container: published, else the container's own where this machine has a way to it.
func (w *World) reach(e compose.Endpoint, c engine.Container) target {
	net := w.networkOf(c)
	if net.Network == "host" {
		t := w.onEngineHost(e, strconv.Itoa(e.Port), "")
		t.far = t.far || !w.Info.Local // the network of the engine's host is not this machine's: its port here may be another program's
		return t
	}
	for _, any := range []bool{true, false} { // what answers on every address first
		for _, p := range net.Ports {
			if p.Inside != e.Port || (isAny(p.HostIP) != any) {
				continue
			}
			if t := w.onEngineHost(e, p.HostPort, p.HostIP); t.URL != "" {
				return t
			}
		}
	}
	if w.Info.Local && len(net.Addresses) > 0 {
		return target{URL: address(e, net.Addresses[0], strconv.Itoa(e.Port))}
	}
	if slices.ContainsFunc(net.Ports, func(p engine.Port) bool { return p.Inside == e.Port }) {
		return target{why: fmt.Sprintf("port %d of service %s is published on the engine's host only for itself, and the engine is not of this machine", e.Port, e.Service)}
	}
	return target{why: fmt.Sprintf("port %d of service %s is not published, and this machine has no way into the engine's networks", e.Port, e.Service)}
}

// networkOf is the container whose network a container uses: another one's with network_mode service:NAME.
func (w *World) networkOf(c engine.Container) engine.Container {
	id, shared := strings.CutPrefix(c.Network, "container:")
	if !shared {
		return c
	}
	for _, other := range w.Containers {
		if other.ID == id || other.Name == id {
			return other
		}
	}
	return engine.Container{}
}

// onEngineHost is a port of the engine's host; ip is the address that it is published at, empty for all.
func (w *World) onEngineHost(e compose.Endpoint, port, ip string) target {
	host, far := w.engineHost()
	switch {
	case host == "":
		return target{why: fmt.Sprintf("it answers on the host of the engine %s, which is not known to be this machine", w.EngineAddress)}
	case !isAny(ip) && isLoopback(ip) && far:
		return target{why: "it is published for the engine's host alone"}
	case !isAny(ip):
		host = ip
	case host == "localhost": // the same port of the other family may be somebody else's
		host = map[string]string{"0.0.0.0": "127.0.0.1", "::": "::1", "": host}[ip]
	}
	return target{URL: address(e, host, port), far: far}
}

// engineHost is the name of the engine's host as this machine reaches it: localhost where that is the same, empty where it is not known. far: it is another machine.
func (w *World) engineHost() (host string, far bool) {
	if w.Info.Local || w.Info.SharesFiles {
		return "localhost", false
	}
	u, err := url.Parse(w.EngineAddress)
	if err != nil {
		return "", false
	}
	switch u.Scheme {
	case "tcp", "ssh", "http", "https":
		if host := u.Hostname(); host != "" && host != "localhost" && !isLoopback(host) {
			return host, true
		}
	case "unix", "npipe":
		if w.Engine == nil { // it does not run, but there it would
			return "localhost", false
		}
	}
	return "", false // a port of this machine that leads to an engine somewhere
}

func address(e compose.Endpoint, host, port string) string {
	return e.Scheme + "://" + net.JoinHostPort(host, port) + e.Path
}

func isAny(ip string) bool { return ip == "" || ip == "0.0.0.0" || ip == "::" }

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
