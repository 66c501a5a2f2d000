//go:build e2e && unix

package e2e

import (
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/icmd"
)

const webProject = `
services:
  web:
    image: memsystest/busybox:latest
    command: [httpd, -f, -p, "80", -h, /www]
    volumes: ["./www:/www", "data:/data"]
    ports: ["127.0.0.1::80"]
    stop_signal: SIGKILL
    healthcheck: {test: [CMD, wget, -qO-, "http://127.0.0.1/page"], interval: 1s}
volumes:
  data: {}
`

func TestBedRunsTheEngineThatItSays(t *testing.T) {
	p := NewProject(t, webProject)
	version := p.Output("version", "--format", "{{.Server.Version}}")
	assert.Assert(t, strings.HasPrefix(version, EngineVersion()+".") || version == EngineVersion(), version)
}

func TestBedRunsAProjectWithNetworkVolumesAndPublishedPort(t *testing.T) {
	NeedImage(t, Busybox)
	p := NewProject(t, webProject)
	p.Write("www/page", "hello")
	p.Up()
	assert.Equal(t, p.State("web"), "running")
	assert.Equal(t, p.Exec("web", "cat", "/www/page"), "hello")
	assert.Equal(t, get(t, "http://"+p.Address("web", "80")+"/page"), "hello")
}

func TestBedDeploysTheSample(t *testing.T) {
	p := Sample(t, 25)
	health := get(t, "http://"+p.Address("memory-system", "3000")+"/health")
	assert.Assert(t, strings.Contains(health, "25"), health)
	files, err := filepath.Glob(p.Path("home", "data", "memories", "*.json"))
	assert.NilError(t, err)
	assert.Equal(t, len(files), 25)
}

// get is the body of a page that must be there.
func get(t testing.TB, url string) string {
	t.Helper()
	client := http.Client{Timeout: 10 * time.Second}
	response, err := client.Get(url)
	assert.NilError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	assert.NilError(t, err)
	assert.Equal(t, response.StatusCode, http.StatusOK, string(body))
	return string(body)
}

func TestBedRunsAContainerOnTheDefaultBridge(t *testing.T) {
	NeedImage(t, Busybox)
	p := NewProject(t, webProject)
	address := p.Output("run", "--rm", "--label", "com.docker.compose.project="+p.Name, Busybox, "ip", "-4", "addr", "show", "eth0")
	assert.Assert(t, strings.Contains(address, "inet "), address)
}

func TestBedRemovesAPausedProject(t *testing.T) {
	NeedImage(t, Busybox)
	var label string
	t.Run("project", func(t *testing.T) {
		p := NewProject(t, webProject)
		p.Write("www/page", "hello")
		p.Up()
		p.Compose("pause").Assert(t, icmd.Success)
		label = "label=com.docker.compose.project=" + p.Name
	})
	for _, list := range [][]string{{"ps", "--all", "--quiet"}, {"volume", "ls", "--quiet"}, {"network", "ls", "--quiet"}} {
		result := run(t, "", nil, "docker", append(list, "--filter", label)...)
		assert.Equal(t, result.Assert(t, icmd.Success).Stdout(), "")
	}
}

func TestBedTypesIntoATerminal(t *testing.T) {
	p := NewProject(t, "services: {}")
	process := p.RunTTY("sh", "-c", `trap 'echo interrupted; exit 7' INT; read line; echo "got $line"; read line`)
	process.Type("word\n")
	process.WaitFor("got word")
	process.Interrupt()
	assert.Equal(t, process.Wait(), 7)
	assert.Assert(t, strings.Contains(process.Output(), "interrupted"), process.Output())
}

func TestBedKillsAProcess(t *testing.T) {
	p := NewProject(t, "services: {}")
	process := p.Start("sh", "-c", "echo begun; exec tail -f /dev/null")
	process.WaitFor("begun")
	assert.Assert(t, process.KillAfter(time.Millisecond))
	assert.Equal(t, process.Wait(), -1)
	assert.Assert(t, !p.Start("true").KillAfter(time.Minute))
}

func TestMemsysRunsThroughDockerAndStandalone(t *testing.T) {
	p := NewProject(t, webProject)
	viaDocker := p.Memsys("version").Assert(t, icmd.Success).Stdout()
	assert.Assert(t, viaDocker != "")
	assert.Equal(t, p.Standalone("version").Assert(t, icmd.Success).Stdout(), viaDocker)
}
