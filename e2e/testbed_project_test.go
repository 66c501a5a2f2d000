//go:build e2e && unix

package e2e

import (
	"crypto/rand"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/icmd"
)

// commandLimit bounds every command of a test that does not choose its own time limit.
const commandLimit = 3 * time.Minute

// Project is a Compose project in a temporary folder, with a name and a state folder of its own. All that it made in the
// engine is removed when its test ends.
type Project struct {
	// Dir holds the compose file; commands run there.
	Dir string
	// Name is the project's name, handed over as COMPOSE_PROJECT_NAME.
	Name string

	t    testing.TB
	env  []string
	user *User // nil: whoever runs the tests
	// network is the process whose network commands run in; 0: the tests'.
	network int
}

// NewProject makes a project of a compose file's text.
func NewProject(t testing.TB, composeFile string) *Project {
	t.Helper()
	p := BareProject(t, t.TempDir())
	p.Write("compose.yaml", composeFile)
	return p
}

// BareProject makes a project of a folder that is there already.
func BareProject(t testing.TB, dir string) *Project {
	t.Helper()
	suffix := make([]byte, 4)
	_, err := rand.Read(suffix)
	assert.NilError(t, err)
	p := &Project{t: t, Dir: dir, Name: "memsystest" + hex.EncodeToString(suffix)}
	p.Setenv("COMPOSE_PROJECT_NAME", p.Name)
	p.Setenv("MEMSYS_STATE_DIR", filepath.Join(t.TempDir(), "state"))
	p.Setenv("MEMSYS_HEALTH_STABLE", "100ms") // whoever tests the window says how long it is
	t.Cleanup(p.remove)
	return p
}

// Setenv sets a variable for every later command of the project.
func (p *Project) Setenv(name, value string) { p.env = append(p.env, name+"="+value) }

// Path is the path of a file of the project.
func (p *Project) Path(elem ...string) string {
	return filepath.Join(append([]string{p.Dir}, elem...)...)
}

// Write writes a file of the project, and the folders above it.
func (p *Project) Write(name, content string) {
	p.t.Helper()
	assert.NilError(p.t, os.MkdirAll(filepath.Dir(p.Path(name)), 0o755))
	assert.NilError(p.t, os.WriteFile(p.Path(name), []byte(content), 0o644))
}

// Read reads a file of the project.
func (p *Project) Read(name string) string {
	p.t.Helper()
	content, err := os.ReadFile(p.Path(name))
	assert.NilError(p.t, err)
	return string(content)
}

// Run runs a command in the project's folder; the caller asserts its result.
func (p *Project) Run(name string, args ...string) *icmd.Result {
	p.t.Helper()
	name, args = p.command(name, args)
	return run(p.t, p.Dir, p.env, name, args...)
}

// Docker runs docker.
func (p *Project) Docker(args ...string) *icmd.Result { return p.Run("docker", args...) }

// Memsys runs docker memsys, by way of the real docker.
func (p *Project) Memsys(args ...string) *icmd.Result {
	return p.Run("docker", append([]string{"memsys"}, args...)...)
}

// Standalone runs docker-memsys without docker.
func (p *Project) Standalone(args ...string) *icmd.Result { return p.Run(PluginPath(), args...) }

// Compose runs docker compose.
func (p *Project) Compose(args ...string) *icmd.Result {
	return p.Run("docker", append([]string{"compose"}, args...)...)
}

// Up brings services up and waits until they are healthy, or fails the test.
func (p *Project) Up(services ...string) {
	p.t.Helper()
	p.Compose(append([]string{"up", "--detach", "--wait"}, services...)...).Assert(p.t, icmd.Success)
}

// Output is what a docker command that must succeed prints, without the space around it.
func (p *Project) Output(args ...string) string {
	p.t.Helper()
	return strings.TrimSpace(p.Docker(args...).Assert(p.t, icmd.Success).Stdout())
}

// Container is the id of the container of a service.
func (p *Project) Container(service string) string {
	p.t.Helper()
	id := p.Output("ps", "--all", "--quiet", "--no-trunc",
		"--filter", "label=com.docker.compose.project="+p.Name, "--filter", "label=com.docker.compose.service="+service)
	assert.Assert(p.t, id != "" && !strings.Contains(id, "\n"), "service %s has not one container but: %q", service, id)
	return id
}

// State is the state of the container of a service: running, paused, exited and so on.
func (p *Project) State(service string) string {
	p.t.Helper()
	return p.Output("inspect", "--format", "{{.State.Status}}", p.Container(service))
}

// Exec runs a command in the container of a service that must succeed, and returns what it prints.
func (p *Project) Exec(service string, args ...string) string {
	p.t.Helper()
	return p.Output(append([]string{"exec", p.Container(service)}, args...)...)
}

// Address is the host's address of a published port of a service, such as 127.0.0.1:32768.
func (p *Project) Address(service, port string) string {
	p.t.Helper()
	return p.Output("compose", "port", service, port)
}

// remove removes all containers, volumes and networks of the project, whatever state they are in.
func (p *Project) remove() {
	label := "label=com.docker.compose.project=" + p.Name
	p.removeAll([]string{"ps", "--all", "--quiet", "--filter", label}, "rm", "--force", "--volumes")
	p.removeAll([]string{"volume", "ls", "--quiet", "--filter", label}, "volume", "rm", "--force")
	p.removeAll([]string{"network", "ls", "--quiet", "--filter", label}, "network", "rm")
}

func (p *Project) removeAll(list []string, remove ...string) {
	ids := strings.Fields(p.Docker(list...).Stdout())
	if len(ids) == 0 {
		return
	}
	if result := p.Docker(append(remove, ids...)...); result.ExitCode != 0 {
		p.t.Errorf("clean up %s: %s", p.Name, result.Combined())
	}
}

// run runs a command with a time limit. The environment is the test's own; env comes on top.
func run(t testing.TB, dir string, env []string, name string, args ...string) *icmd.Result {
	t.Helper()
	command := icmd.Command(name, args...)
	command.Dir, command.Env, command.Timeout = dir, append(os.Environ(), env...), commandLimit
	return icmd.RunCmd(command)
}
