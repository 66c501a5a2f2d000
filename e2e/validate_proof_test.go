//go:build e2e && unix

package e2e

import (
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/icmd"
)

// vectors is a file of NumPy with so many rows of four numbers.
func vectors(rows int) string {
	header := "{'descr': '<f4', 'fortran_order': False, 'shape': (" + jsonText(rows) + ", 4), }"
	header += strings.Repeat(" ", 117-len(header)) + "\n"
	out := []byte("\x93NUMPY\x01\x00v\x00" + header)
	for i := range rows * 4 {
		out = binary.LittleEndian.AppendUint32(out, 0x3f800000+uint32(i%1000))
	}
	return string(out)
}

func jsonText(v any) string {
	text, _ := json.Marshal(v)
	return string(text)
}

// Issue 4, "Proof inside each backup": damaged live data makes a backup that is kept, is never latest, and ends with 4; the latest one mends it.
func TestABackupOfDamagedDataIsNeverLatestAndTheLatestMends(t *testing.T) {
	inEach(t, []mode{direct, helped}, func(t *testing.T, _ mode) {
		p := Box(t, `["./data:/data", "./backups:/backups"]`, "")
		p.Write("data/vectors.npy", vectors(1000))
		p.Up()
		good := p.Backup()
		assert.Assert(t, contains(p.Memsys("inspect", "latest").Stdout(), "vectors.npy"))

		assert.NilError(t, os.Truncate(p.Path("data", "vectors.npy"), 9000))
		Code(t, p.Memsys("backup"), 4, "the data in it is damaged", "data/vectors.npy", "docker memsys validate")
		assert.Equal(t, p.latest(), filepath.Base(good))
		assert.Assert(t, contains(p.Memsys("list").Stdout(), "its data is damaged"))
		Code(t, p.Memsys("backup", "--note", "second"), 4, "already")
		assert.Equal(t, p.latest(), filepath.Base(good))
		newest := strings.Fields(p.Memsys("list", "-q").Stdout())[0]
		assert.Assert(t, newest != filepath.Base(good))

		Code(t, p.Memsys("restore", "--yes", newest), 1, "--accept-damage")
		assert.Equal(t, len(p.Read("data/vectors.npy")), 9000)
		res := p.Memsys("restore", "--yes", "--format", "json").Assert(t, icmd.Success)
		assert.Assert(t, contains(res.Stdout(), `"checked":true`), res.Stdout())
		assert.Equal(t, p.Read("data/vectors.npy"), vectors(1000))
		Code(t, p.Memsys("backup"), 0)
		assert.Assert(t, p.latest() != filepath.Base(good))
		Tidy(t, p.Path("backups"), p.Path("data"))
	})
}

// What a kill leaves while the copied data is looked at, the next command removes; the services run already.
func TestBackupKilledWhileTheCopyIsLookedAt(t *testing.T) {
	inEach(t, []mode{direct, helped}, func(t *testing.T, m mode) {
		v := newWriters(t, 8)
		v.Write("data/vectors.npy", vectors(6_000_000))
		rounds, random := Campaign(t, 40, m.some(3))
		took := lookTime(t, v)
		hits := 0
		for range rounds {
			after := time.Duration(random.Float64() / 2 * float64(took)) // what waits for the kill takes its time too
			var since time.Time
			killed := killWhen(t, v.Start(PluginPath(), "backup", "--validate", "full"), func() bool {
				if since.IsZero() && appeared(v.Path("backups"), ".memory_backup_*.scratch", nil) {
					since = time.Now()
				}
				return !since.IsZero() && time.Since(since) >= after
			})
			if killed {
				hits++
			}
			v.asBefore(resumeLimit)
			v.backupsAreWhole()
			Code(t, v.Memsys("backup", "--validate", "full"), 0)
			v.nothingIsLeft()
			v.discard(v.archives()[:max(0, len(v.archives())-2)]...)
		}
		t.Logf("killed %d of %d within %s", hits, rounds, took)
		assert.Assert(t, hits*2 >= rounds, "only %d of %d rounds killed anything", hits, rounds)
	})
}

// lookTime is how long a backup looks at its copy.
func lookTime(t *testing.T, v *victim) time.Duration {
	t.Helper()
	var out struct {
		Seconds struct{ Inspect float64 }
	}
	res := v.Memsys("backup", "--validate", "full", "--format", "json").Assert(t, icmd.Success)
	assert.NilError(t, json.Unmarshal([]byte(res.Stdout()), &out))
	assert.Assert(t, out.Seconds.Inspect > 0)
	return time.Duration(out.Seconds.Inspect * float64(time.Second))
}
