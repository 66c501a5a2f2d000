package inventory

import (
	"encoding/json"
	"testing"

	"gotest.tools/v3/assert"
)

// TestACollectionWhoseNameIsNoUTF8IsTheSameInAManifest: inventories are kept as JSON, which has no room for other bytes.
func TestACollectionWhoseNameIsNoUTF8IsTheSameInAManifest(t *testing.T) {
	r := NewRecorder("data", Options{}, Calls{})
	for _, name := range []string{"x\xff", "x\xfe", `x\xfe`, "plain"} {
		b := r.Batch(KindJSON, name)
		b.Add("1", [32]byte{})
		b.Done(1)
	}
	now := r.Collections()
	assert.Equal(t, len(now), 4)
	text, err := json.Marshal(now)
	assert.NilError(t, err)
	var kept []Collection
	assert.NilError(t, json.Unmarshal(text, &kept))
	assert.DeepEqual(t, kept, now)
	assert.Equal(t, now[0].Name, "plain")
}
