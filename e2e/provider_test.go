//go:build e2e && unix

package e2e

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/icmd"
)

// providedSample has the sample guarded by a provider.
const providedSample = sampleOverride + `    labels: {provided: "yes"}
    depends_on: [memsys]
  memsys:
    provider:
      type: memsys
`

// provided is a project of two services of which only app waits for the provider.
func provided(t *testing.T, options, rest string) *Project {
	t.Helper()
	p := Box(t, `["./data:/data", "named:/named", "/anonymous"]`, "    depends_on: [memsys]\n  memsys:\n    provider: {type: memsys, options: {"+options+"}}\nvolumes: {named: {}}\n"+rest)
	p.Write("data/memory.json", `{"id": "1"}`)
	return p
}

// containers are the ids of all containers of the project, and when each was made.
func (p *Project) containers() string {
	p.t.Helper()
	return p.Output("ps", "--all", "--no-trunc", "--format", "{{.ID}} {{.CreatedAt}}", "--filter", "label=com.docker.compose.project="+p.Name)
}

// listed are the backups as list has them.
func (p *Project) listed() []listedBackup {
	p.t.Helper()
	return lines[listedBackup](p.t, p.Memsys("list", "--format", "json"))
}

type listedBackup struct {
	Name    string    `json:"name"`
	Reason  string    `json:"reason"`
	Created time.Time `json:"created"`
}

// TestComposeUpBacksUpThroughItsProvider: the sample's backup comes before its services are made, and a second up makes nothing anew.
func TestComposeUpBacksUpThroughItsProvider(t *testing.T) {
	t.Parallel()
	p := Sample(t, 20)
	p.Write("compose.override.yaml", providedSample)
	p.Compose("up", "--detach").Assert(t, icmd.Success)
	made := p.listed()
	assert.Equal(t, len(made), 1)
	assert.Equal(t, made[0].Reason, "before-up")
	var began time.Time
	assert.NilError(t, json.Unmarshal([]byte(p.Output("inspect", "--format", "{{json .State.StartedAt}}", p.Container("memory-system"))), &began))
	assert.Assert(t, made[0].Created.Before(began), "the backup of %s came after the start at %s", made[0].Created, began)

	before := p.containers()
	for range 2 {
		p.Compose("up", "--detach").Assert(t, icmd.Success)
		assert.Equal(t, p.containers(), before)
	}
	p.Compose("down").Assert(t, icmd.Success)
	Code(t, p.Memsys("verify", "--all"), 0)
}

// TestAProviderThatFailsStopsComposeUpBeforeAnythingStarts, and says why in Compose's own output.
func TestAProviderThatFailsStopsComposeUpBeforeAnythingStarts(t *testing.T) {
	t.Parallel()
	p := provided(t, "", "x-memsys: {backups: ./file/backups}\n")
	p.Write("file", "in the way")
	Code(t, p.Compose("up", "--detach"), 1, "not a directory")
	assert.Equal(t, p.containers(), "")
	p.Write("compose.yaml", strings.Replace(p.Read("compose.yaml"), "./file/backups", "./backups", 1))
	Code(t, p.Compose("up", "--detach"), 0)
	assert.Equal(t, p.State("app"), "running")
	assert.Equal(t, len(p.listed()), 1)
}

// TestAGuardOfTheProviderStopsComposeUpBeforeAnythingStarts: the folder that was mounted is gone, and Compose would make an empty one.
func TestAGuardOfTheProviderStopsComposeUpBeforeAnythingStarts(t *testing.T) {
	t.Parallel()
	p := provided(t, "", "")
	Code(t, p.Compose("up", "--detach"), 0)
	Code(t, p.Compose("down"), 0)
	assert.NilError(t, os.Rename(p.Path("data"), p.Path("away")))
	Code(t, p.Compose("up", "--detach"), 1, "refused by missing-bind", "the option force: missing-bind of the provider")
	assert.Equal(t, p.containers(), "")
	gone(t, p.Path("data"))
	assert.NilError(t, os.Rename(p.Path("away"), p.Path("data")))
	Code(t, p.Compose("up", "--detach"), 0)
	assert.Equal(t, p.State("app"), "running")
}

// TestComposeDownWithAFailingProviderKeepsTheVolumes: and with one that does its work, what the volume had is in the backup.
func TestComposeDownWithAFailingProviderKeepsTheVolumes(t *testing.T) {
	t.Parallel()
	p := provided(t, "", "")
	p.Up("app")
	p.Exec("app", "sh", "-c", "echo 'the last' >/named/note")
	backups := p.Path("backups")
	assert.NilError(t, os.Rename(backups, backups+".away"))
	p.Write("backups", "in the way")
	Code(t, p.Compose("down", "--volumes"), 1, "backups")
	assert.Equal(t, p.Output("volume", "ls", "--quiet", "--filter", "label=com.docker.compose.project="+p.Name), p.Name+"_named")

	assert.NilError(t, os.Remove(backups))
	assert.NilError(t, os.Rename(backups+".away", backups))
	Code(t, p.Compose("down", "--volumes"), 0)
	assert.Equal(t, p.Output("volume", "ls", "--quiet", "--filter", "label=com.docker.compose.project="+p.Name), "")
	newest := p.listed()[0]
	assert.Equal(t, newest.Reason, "before-down")
	p.Memsys("restore", newest.Name, "--yes").Assert(t, icmd.Success)
	p.Up("app")
	assert.Equal(t, p.Exec("app", "cat", "/named/note"), "the last")
}

// TestAProviderSeesFromItsCallerWhatComposeDoesNotTell: a dry run, the file, and the engine.
func TestAProviderSeesFromItsCallerWhatComposeDoesNotTell(t *testing.T) {
	t.Parallel()
	p := provided(t, "", "")
	Code(t, p.Compose("--dry-run", "up", "--detach"), 0)
	Code(t, p.Compose("up", "--dry-run", "--detach"), 0)
	_, err := os.Stat(p.Path("backups"))
	assert.Assert(t, os.IsNotExist(err), "a dry run has made a backups directory")

	assert.NilError(t, os.MkdirAll(p.Path("elsewhere"), 0o755))
	elsewhere := *p
	elsewhere.Dir = p.Path("elsewhere")
	host := os.Getenv("DOCKER_HOST")
	elsewhere.Setenv("DOCKER_HOST", "")
	if host == "" {
		host = "unix:///var/run/docker.sock"
	}
	Code(t, elsewhere.Docker("--host", host, "compose", "-f", "../compose.yaml", "up", "--detach"), 0)
	assert.Equal(t, len(p.listed()), 1)
	assert.Equal(t, p.State("app"), "running")
}

// TestAProviderWithinARunOfMemsysLeavesTheWorkToIt: one backup, and no wait for a lock that the outer run has.
func TestAProviderWithinARunOfMemsysLeavesTheWorkToIt(t *testing.T) {
	t.Parallel()
	p := provided(t, "backup: always", "")
	Code(t, p.Memsys("up", "--detach"), 0)
	assert.Equal(t, len(p.listed()), 1)
	Code(t, p.Memsys("up", "--detach", "--backup", "never"), 0)
	assert.Equal(t, len(p.listed()), 1)
	Code(t, p.Compose("up", "--detach"), 0)
	assert.Equal(t, len(p.listed()), 2) // always
	Code(t, p.Compose("stop"), 0)
	assert.Equal(t, p.listed()[0].Reason, "before-stop")
	Code(t, p.Memsys("down"), 0)
	assert.Equal(t, len(p.listed()), 3) // nothing has changed since
}

// TestAnOptionThatTheProviderDoesNotHaveIsNamed: Compose would drop it without a word.
func TestAnOptionThatTheProviderDoesNotHaveIsNamed(t *testing.T) {
	t.Parallel()
	p := provided(t, "backups: always", "")
	Code(t, p.Compose("--progress", "plain", "up", "--detach"), 0, "no option backups, did you mean backup?")
}
