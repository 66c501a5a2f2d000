package backup

import (
	"encoding/json"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/journal"
)

func journalSteps(t *testing.T, name string, data any) []journal.Step {
	t.Helper()
	raw, err := json.Marshal(data)
	assert.NilError(t, err)
	return []journal.Step{{Name: name, Data: raw}}
}
