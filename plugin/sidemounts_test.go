package plugin

import (
	"testing"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/helper"
)

// TestAPlaceThatIsAlsoWrittenIsMountedForWriting: a service that mounts the backups directory makes it a source that is only read.
func TestAPlaceThatIsAlsoWrittenIsMountedForWriting(t *testing.T) {
	read := tidy([]helper.Mount{{Path: "/p/backups", Target: "/p/backups"}, {Path: "/p/data", Target: "/p/data"}}, true)
	for _, all := range [][]helper.Mount{
		append(read, helper.Mount{Path: "/p/backups", Target: "/p/backups"}), append([]helper.Mount{{Path: "/p/backups", Target: "/p/backups"}}, read...),
	} {
		assert.DeepEqual(t, tidy(all, false), []helper.Mount{
			{Path: "/p/backups", Target: "/p/backups"}, {Path: "/p/data", Target: "/p/data", ReadOnly: true},
		})
	}
}
