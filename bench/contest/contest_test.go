package contest

import (
	"os"
	"path/filepath"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/bench/gen"
)

func TestToolsBackUpAndRestoreTheSameFiles(t *testing.T) {
	c := contest(t)
	c.Only = []string{TarGzip, "tar cf"}
	runs, err := c.Run(t.Context())
	assert.NilError(t, err)
	assert.Equal(t, len(runs), 2*2*c.Rounds)
	assert.Equal(t, runs[0].Tool, TarGzip)
	assert.Equal(t, runs[4].Tool, "tar cf", "the second round begins with another tool")
	for _, r := range runs {
		assert.Assert(t, r.Seconds > 0 && r.Bytes > 100_000, "%+v", r)
	}
	left, err := filepath.Glob(filepath.Join(c.Place.Work, "*", "*"))
	assert.NilError(t, err)
	for _, path := range left {
		assert.Equal(t, filepath.Dir(path), c.Place.Store, "left over: %s", path)
	}
	left, err = filepath.Glob(filepath.Join(c.Place.Store, "used", "*"))
	assert.NilError(t, err)
	assert.Equal(t, len(left), 2*c.Rounds, "restored files are set aside until the end")
	size, err := treeSize(filepath.Join(c.Place.Store, "used"))
	assert.NilError(t, err)
	assert.Equal(t, size, int64(0))
}

func TestRestoreThatLosesFilesIsRefused(t *testing.T) {
	c := contest(t)
	c.Only = []string{TarGzip}
	c.Expected++
	_, err := c.Run(t.Context())
	assert.ErrorContains(t, err, "restored")
}

func TestToolThatIsNotInstalledIsMissing(t *testing.T) {
	c := contest(t)
	c.Only = []string{Memsys}
	missing := c.Missing()
	assert.Equal(t, len(missing), 1)
	runs, err := c.Run(t.Context())
	assert.NilError(t, err)
	assert.Equal(t, len(runs), 0)
}

func TestPhasesAreFoundInTheJSONOfABackup(t *testing.T) {
	got := phases([]byte(`{"event":"x"}` + "\n" + `{"backup":{"name":"b","seconds":{"write":1.5,"verify":0.5}}}`))
	assert.DeepEqual(t, got, map[string]float64{"write": 1.5, "verify": 0.5})
	assert.Assert(t, phases([]byte("not JSON")) == nil)
	assert.Assert(t, phases(nil) == nil)
}

// contest has a store of 2 MB and no docker-memsys.
func contest(t *testing.T) Contest {
	t.Helper()
	work := t.TempDir()
	store := filepath.Join(work, "store")
	parts, err := gen.Make(t.Context(), gen.Options{Dir: store, Size: 2_000_000, Seed: 1, Workers: 2})
	assert.NilError(t, err)
	var expected int64
	for _, p := range parts {
		if !p.Skipped {
			expected += p.Bytes
		}
	}
	_, err = os.Stat(filepath.Join(store, "compose.yaml"))
	assert.NilError(t, err)
	place := Place{Store: store, Work: work, Plugin: filepath.Join(work, "no-docker-memsys")}
	return Contest{Place: place, Rounds: 2, Expected: expected}
}
