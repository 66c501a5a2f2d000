package compose

import (
	"strings"
	"testing"

	"gotest.tools/v3/assert"
)

// TestVolumesAreMarkedAsDockerComposeMarksThem: the first mark is one of Compose's own tests; an end-to-end test compares with the real one.
func TestVolumesAreMarkedAsDockerComposeMarksThem(t *testing.T) {
	p := project(t, map[string]string{"compose.yaml": `
name: proj
services:
  app: {image: app, volumes: ["data:/data", "labelled:/labelled", "driven:/driven"]}
volumes:
  data: {x-memsys-note: extensions do not count}
  labelled: {labels: {a: b}}
  driven: {driver: local}
`})
	data, err := p.VolumeHash("data")
	assert.NilError(t, err)
	assert.Equal(t, data, "dd3953f0ff20e0f9044086b0483690f2cc2b4653e57aaaa5fa8ea2735da61000")
	labelled, err := p.VolumeHash("labelled")
	assert.NilError(t, err)
	assert.Assert(t, labelled != "" && labelled != data)
	none, err := p.VolumeHash("nosuch")
	assert.NilError(t, err)
	assert.Equal(t, none, "")
}

func TestWhatUpStarts(t *testing.T) {
	p := project(t, map[string]string{"compose.yaml": `
name: proj
services:
  app: {image: app, depends_on: [store], volumes: ["logs:/logs"]}
  store: {image: store, volumes: ["data:/data"]}
  other: {image: other, volumes_from: [store]}
  tool: {image: tool, profiles: [tools], volumes: ["tools:/tools"]}
volumes: {data: {}, logs: {}, tools: {}, unused: {}}
`})
	for _, c := range []struct {
		names         string
		alone, all    bool
		want, volumes string
	}{
		{names: "", want: "app other store", volumes: "data logs"},
		{names: "app", want: "app store", volumes: "data logs"},
		{names: "app", alone: true, want: "app", volumes: "logs"},
		{names: "tool", want: "tool", volumes: "tools"},
		{names: "other nosuch", want: "other store", volumes: "data"},
		{names: "tool", all: true, want: "tool", volumes: "data logs tools unused"},
	} {
		started := p.Started(strings.Fields(c.names), c.alone)
		assert.Equal(t, strings.Join(started, " "), c.want, c.names)
		var keys []string
		for _, v := range p.Volumes(started, c.all) {
			assert.Equal(t, v.Name, "proj_"+v.Key)
			keys = append(keys, v.Key)
		}
		assert.Equal(t, strings.Join(keys, " "), c.volumes, c.names)
	}
}
