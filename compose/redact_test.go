package compose

import (
	"testing"

	"gotest.tools/v3/assert"
)

// TestSettingsAreShownWithoutSecrets: what config prints is read over shoulders and pasted into issues.
func TestSettingsAreShownWithoutSecrets(t *testing.T) {
	c := Config{Chroma: "http://token@chroma:8000/"}
	c.Health.URL = "https://user:hidden@localhost:3000/health?key=hidden"
	values := c.Values()
	assert.Equal(t, values["chroma.url"], "http://xxxxx@chroma:8000/")
	assert.Equal(t, values["health.url"], "https://user:xxxxx@localhost:3000/health?…")
	assert.Equal(t, (Config{}).Values()["chroma.url"], "")
}
