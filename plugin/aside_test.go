package plugin

import (
	"testing"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/restore"
)

// While a person thinks about "remove all", another run may set more aside, or put something back.
func TestNothingIsRemovedThatNobodyWasAskedAbout(t *testing.T) {
	asked := []restore.Aside{{Path: "/a/.memsys-1"}, {Path: "/a/.memsys-2"}}
	now := []restore.Aside{{Path: "/a/.memsys-3"}, {Path: "/a/.memsys-2"}}
	assert.DeepEqual(t, still(asked, now), []restore.Aside{{Path: "/a/.memsys-2"}})
}
