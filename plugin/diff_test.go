package plugin

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"gotest.tools/v3/assert"
)

// TestADiffOfNothingIsAListOfNothing: what docs/json-output.md calls a list is never null.
func TestADiffOfNothingIsAListOfNothing(t *testing.T) {
	text, err := json.Marshal(newApp(&world{Now: time.Now}).comparison(diffOptions{}).result())
	assert.NilError(t, err)
	assert.Assert(t, strings.Contains(string(text), `"collections":[]`), string(text))
}
