//go:build e2e && unix

package e2e

import (
	"fmt"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/icmd"
)

// pullable is a project whose image comes from a registry, and is made into a container once.
func pullable(t *testing.T) (*Project, *Registry, string) {
	t.Helper()
	r := NewRegistry(t)
	ref := r.Host + "/app:latest"
	r.Publish(t, "app:latest", "one")
	p := NewProject(t, fmt.Sprintf("services:\n  app:\n    image: %s\n    volumes: [\"./data:/data\"]\n", ref))
	t.Cleanup(func() {
		p.removeAll([]string{"ps", "--all", "--quiet", "--filter", "label=com.docker.compose.project=" + p.Name}, "rm", "--force")
		for _, name := range append(p.kept(), ref) {
			p.Docker("image", "rm", "--force", name)
		}
	})
	Code(t, p.Memsys("pull"), 0, ref+" is new: ")
	p.Write("data/memory.json", "{}")
	Code(t, p.Memsys("up", "--no-start"), 0)
	return p, r, ref
}

// kept are the names that keep the project's images.
func (p *Project) kept() []string {
	p.t.Helper()
	return strings.Fields(p.Output("image", "ls", "--format", "{{.Repository}}:{{.Tag}}", "--filter", "reference=memsys/keep:"+p.Name+"-*"))
}

func (p *Project) imageID(ref string) string {
	p.t.Helper()
	return p.Output("image", "inspect", "--format", "{{.Id}}", ref)
}

// TestAPullKeepsTheFormerImageFromPruning, and one can go back to it.
func TestAPullKeepsTheFormerImageFromPruning(t *testing.T) {
	p, r, ref := pullable(t)
	former := p.imageID(ref)
	assert.Equal(t, len(p.kept()), 0)
	short := func(id string) string { return strings.TrimPrefix(id, "sha256:")[:12] }

	r.Publish(t, "app:latest", "two")
	got := Code(t, p.Memsys("pull"), 0, ref+" was "+short(former), "digest ", "the former is kept as memsys/keep:"+p.Name+"-app-", "docker memsys up -d")
	assert.Equal(t, got.Stdout(), "")
	assert.Assert(t, strings.Contains(got.Combined(), "is "+short(p.imageID(ref))), got.Combined())
	Code(t, p.Memsys("up", "--no-start"), 0) // no container has the former any more
	Code(t, p.Docker("image", "prune", "--force", "--filter", "label=memsystest=pull"), 0)
	kept := p.kept()
	assert.Equal(t, len(kept), 1)
	assert.Equal(t, p.imageID(kept[0]), former)

	Code(t, p.Memsys("pull"), 0, "no image has changed")
	assert.DeepEqual(t, p.kept(), kept)

	p.Docker("tag", kept[0], ref).Assert(t, icmd.Success)
	Code(t, p.Memsys("up", "--no-start", "--pull", "never"), 0)
	assert.Equal(t, p.imageID(p.Output("inspect", "--format", "{{.Image}}", p.Container("app"))), former)
}

// TestAPullThatFailsEndsAsComposesDoes, and keeps no names.
func TestAPullThatFailsEndsAsComposesDoes(t *testing.T) {
	p, r, ref := pullable(t)
	former := p.imageID(ref)
	r.Close()
	want := p.Compose("pull")
	assert.Assert(t, want.ExitCode != 0)
	Code(t, p.Memsys("pull"), want.ExitCode)
	assert.Equal(t, p.imageID(ref), former)
	assert.Equal(t, len(p.kept()), 0)
	Code(t, p.Memsys("pull", "--policy", "missing"), p.Compose("pull", "--policy", "missing").ExitCode)
	Code(t, p.Memsys("pull", "--dry-run"), p.Compose("pull", "--dry-run").ExitCode)
	assert.Equal(t, len(p.kept()), 0)
}
