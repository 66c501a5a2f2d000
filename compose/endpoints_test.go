package compose

import (
	"strings"
	"testing"

	"gotest.tools/v3/assert"
)

func TestHealthIsAskedWhereTheProjectSays(t *testing.T) {
	for _, c := range []struct {
		name, yaml string
		want       []Endpoint
	}{
		{
			"healthchecks of every service, not Chroma's",
			`services:
  web: {image: web, ports: ["3001:3000"], healthcheck: {test: ["CMD-SHELL", "curl -f http://localhost:3000/health || exit 1"]}}
  api: {image: api, healthcheck: {test: [CMD, wget, -q, "http://127.0.0.1/ready?deep=1"]}}
  db: {image: chromadb/chroma, ports: ["8001:8000"], healthcheck: {test: [CMD, curl, "http://localhost:8000/api/v2/heartbeat"]}}
  other: {image: x, healthcheck: {test: [CMD, curl, "http://elsewhere:80/"]}}
`,
			[]Endpoint{
				{Service: "api", Scheme: "http", Port: 80, Path: "/ready?deep=1", From: "healthcheck of service api"},
				{Service: "web", Scheme: "http", Port: 3000, Path: "/health", Published: "http://localhost:3001/health", From: "healthcheck of service web"},
			},
		},
		{
			"the well-known port",
			`services: {web: {image: web, ports: ["127.0.0.1:3001:3000"]}, off: {image: web, ports: ["3000:3000"], profiles: [never]}}`,
			[]Endpoint{{Service: "web", Scheme: "http", Port: 3000, Path: "/health", Published: "http://127.0.0.1:3001/health", Guess: true, From: "published port 3000 of service web"}},
		},
		{
			"the setting before all else",
			"services: {web: {image: web, ports: [\"3000:3000\"]}}\nx-memsys: {health: {url: http://box/h}}",
			[]Endpoint{{URL: "http://box/h", From: "health.url of compose.yaml:2"}},
		},
		{"none", "services: {web: {image: web}}", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := project(t, map[string]string{"compose.yaml": c.yaml})
			assert.DeepEqual(t, p.HealthEndpoints(config(t, p)), c.want)
		})
	}
}

func TestChromaIsFound(t *testing.T) {
	for _, c := range []struct {
		name, yaml string
		want       []Endpoint
	}{
		{
			"by image and by the address that a service is given: one server",
			`services: {chroma: {image: "chromadb/chroma:1.5.9", ports: ["8001:8000"]}, app: {image: app, environment: {CHROMA_HOST: chroma, CHROMA_PORT: 8000}}}`,
			[]Endpoint{{Service: "chroma", Scheme: "http", Port: 8000, Published: "http://localhost:8001", From: "image of service chroma", NamedBy: []string{"app"}}},
		},
		{
			"an address that names a service by an alias",
			`services: {vectors: {image: own/vectors, networks: {default: {aliases: [vec]}}}, app: {image: app, environment: {CHROMA_URL: "http://vec:9000/"}}}`,
			[]Endpoint{{Service: "vectors", Scheme: "http", Port: 9000, From: "CHROMA_URL of service app", NamedBy: []string{"app"}}},
		},
		{
			"a server elsewhere",
			`services: {app: {image: app, environment: {CHROMA_HOST: 192.0.2.10, CHROMA_PORT: 8001, CHROMA_SSL: "True"}}}`,
			[]Endpoint{{URL: "https://192.0.2.10:8001", From: "CHROMA_HOST of service app", NamedBy: []string{"app"}}},
		},
		{
			"an IPv6 address",
			`services: {app: {image: app, environment: {CHROMA_HOST: "2001:db8::1"}}}`,
			[]Endpoint{{URL: "http://[2001:db8::1]:8000", From: "CHROMA_HOST of service app", NamedBy: []string{"app"}}},
		},
		{
			"on the engine's host",
			`services: {app: {image: app, environment: {CHROMA_HOST: host.docker.internal}}}`,
			[]Endpoint{{EngineHost: true, Scheme: "http", Port: 8000, Published: "http://localhost:8000", From: "CHROMA_HOST of service app", NamedBy: []string{"app"}}},
		},
		{
			"guessed by its port",
			`services: {vectors: {image: own, ports: ["8000:8000"]}}`,
			[]Endpoint{{Service: "vectors", Scheme: "http", Port: 8000, Published: "http://localhost:8000", Guess: true, From: "published port 8000 of service vectors"}},
		},
		{"not in the container itself", `services: {app: {image: app, environment: {CHROMA_HOST: localhost}}}`, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := project(t, map[string]string{"compose.yaml": c.yaml})
			assert.DeepEqual(t, p.ChromaEndpoints(config(t, p)), c.want)
		})
	}
}

func TestVariablesComeFromEnvironmentAndEnvFiles(t *testing.T) {
	p := project(t, map[string]string{
		"compose.yaml": "services: {a: {image: x, env_file: a.env, environment: {CHROMA_TOKEN: t, OTHER: o}}, b: {image: x}}",
		"a.env":        "CHROMA_TENANT=mine\n",
	})
	assert.DeepEqual(t, p.Variables(func(n string) bool { return strings.HasPrefix(n, "CHROMA_") }),
		map[string]map[string]string{"a": {"CHROMA_TOKEN": "t", "CHROMA_TENANT": "mine"}})
}

func TestPlansAreWhatContainersShouldHaveMounted(t *testing.T) {
	p := project(t, map[string]string{"compose.yaml": `
name: p
services:
  a:
    image: x
    scale: 2
    volumes: ["vol:/data/", "/srv/m:/m:ro", "/anonymous", "/var/run/docker.sock:/s"]
    tmpfs: [/tmp]
  b: {image: x, volumes_from: ["a:ro", "container:other"]}
  off: {image: x, profiles: [off], volumes: ["vol:/v"]}
volumes: {vol: {driver_opts: {type: none, o: bind, device: /srv/v}}}
`})
	plans := p.Plans()
	assert.Equal(t, len(plans), 2)
	assert.Equal(t, plans[0].Replicas, 2)
	v := &VolumeInfo{Key: "vol", Name: "p_vol", Options: map[string]string{"type": "none", "o": "bind", "device": "/srv/v"}}
	assert.DeepEqual(t, plans[0].Mounts, []Planned{
		{Service: "a", Type: "volume", Volume: &VolumeInfo{Anonymous: true}, Target: "/anonymous"},
		{Service: "a", Type: "volume", Volume: v, Target: "/data"},
		{Service: "a", Type: "bind", Path: "/srv/m", Target: "/m", ReadOnly: true},
		{Service: "a", Type: "bind", Path: "/var/run/docker.sock", System: true, Target: "/s"},
		{Service: "a", Type: "tmpfs", Target: "/tmp"},
	})
	assert.Assert(t, plans[1].Foreign)
	assert.Equal(t, len(plans[1].Mounts), 4)
	assert.Assert(t, plans[1].Mounts[0].ReadOnly && plans[1].Mounts[0].Service == "b")
}
