//go:build e2e && unix

package e2e

import (
	"strings"
	"testing"
	"time"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/icmd"
)

// newRestless is a project of which one file is never whole, so that a backup in the mode auto tries again and again, and stops the
// service that writes it in the end.
func newRestless(t testing.TB) *victim {
	t.Helper()
	return newVictim(t, strings.ReplaceAll(writersProject, "date >/data/.$$HOSTNAME; mv /data/.$$HOSTNAME /data/$$HOSTNAME; usleep 20000",
		"echo {half >/data/.$$HOSTNAME; mv /data/.$$HOSTNAME /data/$$HOSTNAME.json; usleep 20000"), func(p *Project) { p.Write("data/memory.json", "{}") })
}

// TestBackupKilledWhileItTriesAgain: in a hold, between two holds, and as one ends.
func TestBackupKilledWhileItTriesAgain(t *testing.T) {
	v := newRestless(t)
	rounds, random := Campaign(t, 60, 4)
	hits := map[string]int{}
	for round := range rounds {
		p := v.Start(PluginPath(), "backup", "--progress", "plain")
		event, after := []string{"pause writer: done", "settle data/", "resume writer: done"}[round%3], 1+random.IntN(12)
		killed := killWhen(t, p, func() bool { return strings.Count(p.Output(), event) > after })
		at := time.Now()
		assert.Assert(t, killed, p.Output())
		v.asBefore(resumeLimit - time.Since(at))
		noProcess(t, "__guardian")
		v.asBefore(0)
		was := v.pending()
		assert.Assert(t, was != nil, p.Output())
		hits[lastStep(was)]++
		result := v.Standalone("recover")
		result.Assert(t, icmd.Success)
		assert.Assert(t, tellsInterrupted(result), result.Combined())
		v.nothingIsLeft()
		v.asBefore(0)
		assert.Equal(t, len(v.archives()), 0)
	}
	enough(t, rounds, hits)
}

// TestAWriterThatNeverRestsIsStoppedInTheEnd: and runs again after it, as if nothing had been.
func TestAWriterThatNeverRestsIsStoppedInTheEnd(t *testing.T) {
	v := newRestless(t)
	// The file makes no sense when nobody writes it either, which is told.
	Code(t, v.Standalone("backup", "--progress", "plain"), 4, "its writers are stopped")
	v.asBefore(0)
	v.nothingIsLeft()
	v.backupsAreWhole()
}
