//go:build e2e && unix

package e2e

import (
	"os"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
)

// memory is what the projects of these tests must not lose.
const memory = `{"id": "1", "text": "the door code is in the blue book"}`

// remember writes a memory in the container of a service.
func (p *Project) remember(service, file string) {
	p.t.Helper()
	p.Exec(service, "sh", "-c", "printf %s '"+memory+"' >"+file)
}

// knows tells whether the service still has its memory.
func (p *Project) knows(service, file string) bool {
	p.t.Helper()
	return p.Exec(service, "sh", "-c", "cat "+file+" 2>/dev/null || true") == memory
}

// there tells whether the file of the host has the memory.
func there(t testing.TB, file string) bool {
	t.Helper()
	content, err := os.ReadFile(file)
	return err == nil && string(content) == memory
}

// refused asserts that a guard refuses a command of memsys, under --dry-run says so, and that nothing of the project has changed.
func (p *Project) refused(guard string, args ...string) {
	p.t.Helper()
	before := p.objects()
	plan := p.Memsys(append([]string{"--progress", "plain", "--dry-run"}, args...)...)
	assert.Assert(p.t, contains(plan.Stderr(), guard) && contains(plan.Stderr(), "would be refused"), plan.Combined())
	Code(p.t, p.Memsys(args...), 1, "refused by "+guard, "nothing was changed", "--force "+guard)
	assert.Equal(p.t, p.objects(), before)
}

// objects are the containers with their state, and the volumes, that the engine has of the project.
func (p *Project) objects() string {
	p.t.Helper()
	filter := "label=com.docker.compose.project=" + p.Name
	var all []string
	for _, id := range strings.Fields(p.Output("ps", "--all", "--quiet", "--no-trunc", "--filter", filter)) {
		all = append(all, p.Output("inspect", "--format", "{{.Id}} {{.State.Status}} {{.State.StartedAt}}", id))
	}
	return strings.Join(all, "\n") + "\n" + p.Output("volume", "ls", "--quiet", "--filter", filter)
}
