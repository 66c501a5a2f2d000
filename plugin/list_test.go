package plugin

import (
	"strings"
	"testing"
	"time"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/store"
)

// An archive that cannot be read has no number of files: 0 would be a backup of nothing.
func TestAnArchiveOfWhichNothingIsKnownIsListedWithTheReason(t *testing.T) {
	var out strings.Builder
	a := &app{world: &world{Now: time.Now}, out: &result{to: &out}}
	a.out.app = a
	known := store.Backup{Name: "known", ID: "1", State: store.Verified}
	assert.NilError(t, a.printBackups([]store.Backup{known}, listOptions{}))
	assert.Assert(t, !strings.Contains(out.String(), "WHY"), out.String())
	out.Reset()
	unknown := store.Backup{Name: "unknown", State: store.Unverified, Why: "this user may not read unknown"}
	assert.NilError(t, a.printBackups([]store.Backup{known, unknown}, listOptions{}))
	lines := strings.Split(out.String(), "\n")
	assert.Assert(t, strings.HasSuffix(lines[0], "WHY"), out.String())
	row := strings.Join(strings.Fields(lines[2]), " ")
	assert.Assert(t, strings.HasSuffix(row, " 0B - - unverified this user may not read unknown"), out.String())
}
