package compose

import (
	"testing"

	"gotest.tools/v3/assert"
)

// TestAServiceThatOthersWaitForToEndRunsOnce: as long as one of those is enabled.
func TestAServiceThatOthersWaitForToEndRunsOnce(t *testing.T) {
	p, err := tryProject(t, t.TempDir(), map[string]string{"compose.yaml": `
services:
  fill: {image: x}
  tidy: {image: x}
  store: {image: x}
  web:
    image: x
    depends_on: {fill: {condition: service_completed_successfully}, store: {condition: service_started}}
  tool:
    image: x
    profiles: [tools]
    depends_on: {tidy: {condition: service_completed_successfully}}
`})
	assert.NilError(t, err)
	once := map[string]bool{}
	for _, s := range p.Services() {
		once[s.Name] = s.Once
	}
	assert.DeepEqual(t, once, map[string]bool{"fill": true, "tidy": false, "store": false, "web": false, "tool": false})
}
