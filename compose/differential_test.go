//go:build e2e

package compose

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/compose-spec/compose-go/v2/types"
	"gotest.tools/v3/assert"
)

// resolved is the part of docker compose's own view of a project that memsys relies on.
type resolved struct {
	Name     string               `json:"name"`
	Services map[string]container `json:"services"`
	Jobs     map[string]container `json:"jobs"`
	Volumes  map[string]volume    `json:"volumes"`
	Configs  map[string]file      `json:"configs"`
	Secrets  map[string]file      `json:"secrets"`
}

type container struct {
	Image       string                      `json:"image"`
	Volumes     []types.ServiceVolumeConfig `json:"volumes"`
	VolumesFrom []string                    `json:"volumes_from"`
	Tmpfs       []string                    `json:"tmpfs"`
	Ports       []types.ServicePortConfig   `json:"ports"`
	PreStart    []container                 `json:"pre_start"`
	DependsOn   map[string]any              `json:"depends_on"`
	HealthCheck *types.HealthCheckConfig    `json:"healthcheck"`
	Environment map[string]*string          `json:"environment"`
}

type volume struct {
	Name       string            `json:"name"`
	Driver     string            `json:"driver"`
	DriverOpts map[string]string `json:"driver_opts"`
	External   bool              `json:"external"`
	Labels     map[string]string `json:"labels"`
}

type file struct {
	Name string `json:"name"`
	File string `json:"file"`
}

// TestProjectsAreWhatDockerComposeSees loads every project of testdata and compares with docker compose config, with the active profiles and with all.
func TestProjectsAreWhatDockerComposeSees(t *testing.T) {
	docker, err := exec.LookPath("docker")
	assert.NilError(t, err)
	for _, c := range testCases(t) {
		t.Run(c.name, func(t *testing.T) {
			t.Run("active", func(t *testing.T) { c.compare(t, docker) })
			c.Profiles = []string{"*"}
			t.Run("all profiles", func(t *testing.T) { c.compare(t, docker) })
		})
	}
}

func (c testCase) compare(t *testing.T, docker string) {
	p, err := Load(t.Context(), c.options(t))
	assert.NilError(t, err)
	model, err := p.model.WithServicesEnvironmentResolved(true)
	assert.NilError(t, err)
	if !c.AllResources {
		model = model.WithoutUnnecessaryResources()
	}
	ours, err := model.MarshalJSON()
	assert.NilError(t, err)
	assert.DeepEqual(t, parse(t, ours), parse(t, c.askCompose(t, docker)))
}

func (c testCase) askCompose(t *testing.T, docker string) []byte {
	t.Helper()
	o := c.options(t)
	run := Runner{Docker: docker, Dir: o.WorkingDir, Environ: append(os.Environ(), append([]string{"PWD=" + o.WorkingDir}, c.Environ...)...)}
	var out, problems bytes.Buffer
	o.Compatibility = false // config would skip what every other command does: names, dependencies
	run.Stdin, run.Stdout, run.Stderr = o.Stdin, &out, &problems
	err := run.Run(t.Context(), append(o.Args(), "config", "--format", "json")...)
	assert.NilError(t, err, problems.String())
	return out.Bytes()
}

func parse(t *testing.T, b []byte) resolved {
	t.Helper()
	var r resolved
	assert.NilError(t, json.Unmarshal(b, &r))
	return r
}

// TestEveryServiceIsNamedAsDockerComposeNamesIt holds Services to docker compose config --services, with the active profiles and with all.
func TestEveryServiceIsNamedAsDockerComposeNamesIt(t *testing.T) {
	docker, err := exec.LookPath("docker")
	assert.NilError(t, err)
	for _, c := range testCases(t) {
		t.Run(c.name, func(t *testing.T) {
			p, err := Load(t.Context(), c.options(t))
			assert.NilError(t, err)
			var active, all []string
			for _, s := range p.Services() {
				if s.Enabled && !s.Job {
					active = append(active, s.Name)
				}
				if !s.Job {
					all = append(all, s.Name)
				}
			}
			assert.DeepEqual(t, active, slices.Sorted(maps.Keys(parse(t, c.askCompose(t, docker)).Services)))
			c.Profiles = []string{"*"}
			assert.DeepEqual(t, all, slices.Sorted(maps.Keys(parse(t, c.askCompose(t, docker)).Services)))
			for _, f := range p.ConfigFiles {
				assert.Assert(t, f == "-" || filepath.IsAbs(f))
			}
		})
	}
}
