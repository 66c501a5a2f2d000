package compose

import (
	"testing"

	"gotest.tools/v3/assert"
)

func TestAMistypedVariableIsSaid(t *testing.T) {
	p := project(t, map[string]string{
		"compose.yaml": "services: {a: {image: x}}", ".env": "MEMSYS_RETENTION_DALY=3\nMEMSYS_IMAGE_TAG=1\nBACKUPS=x\n",
	})
	got := p.MistypedVariables([]string{"MEMSYS_BACKUP=x", "MEMSYS_BACKUPS=x", "MEMSYS_STATE_DIR=x", "MEMSYS_PORT=1", "PATH=x"}, "MEMSYS_STATE_DIR")
	assert.DeepEqual(t, got, []string{
		`the variable MEMSYS_BACKUP is no setting, did you mean "MEMSYS_BACKUPS"?`,
		`the variable MEMSYS_RETENTION_DALY is no setting, did you mean "MEMSYS_RETENTION_DAILY"?`,
	})
}
