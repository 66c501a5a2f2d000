package measure

import (
	"os"
	"path/filepath"
	"testing"

	"gotest.tools/v3/assert"
)

func TestPipelineWritesItsOutput(t *testing.T) {
	dir := t.TempDir()
	assert.NilError(t, os.WriteFile(filepath.Join(dir, "in"), []byte("b\na\n"), 0o600))
	out := filepath.Join(dir, "out")
	cost, err := Run(t.Context(), Step{Pipeline: [][]string{{"cat", "in"}, {"sort"}, {"tr", "a-z", "A-Z"}}, Dir: dir, Out: out})
	assert.NilError(t, err)
	data, err := os.ReadFile(out)
	assert.NilError(t, err)
	assert.Equal(t, string(data), "A\nB\n")
	assert.Assert(t, cost.Seconds > 0 && cost.Peak > 0, "%+v", cost)
}

func TestOutputIsKept(t *testing.T) {
	cost, err := Run(t.Context(), Step{Pipeline: [][]string{{"echo", "a"}}}, Step{Pipeline: [][]string{{"sh", "-c", "echo $B"}}, Env: []string{"B=b"}})
	assert.NilError(t, err)
	assert.Equal(t, string(cost.Output), "a\nb\n")
}

func TestFailureIsAnErrorWithWhatTheProgramSaid(t *testing.T) {
	_, err := Run(t.Context(), Step{Pipeline: [][]string{{"sh", "-c", "echo no room >&2; exit 3"}}})
	assert.ErrorContains(t, err, "no room")
	_, err = Run(t.Context(), Step{Pipeline: [][]string{{"false"}, {"cat"}}})
	assert.ErrorContains(t, err, "exit status 1")
	_, err = Run(t.Context(), Step{Pipeline: [][]string{{"no-such-program"}}})
	assert.ErrorContains(t, err, "no-such-program")
}

func TestMemoryOfTheProgramIsCounted(t *testing.T) {
	small, err := Run(t.Context(), Step{Pipeline: [][]string{{"true"}}})
	assert.NilError(t, err)
	large, err := Run(t.Context(), Step{Pipeline: [][]string{{"dd", "if=/dev/zero", "of=/dev/null", "bs=128M", "count=1"}}})
	assert.NilError(t, err)
	assert.Assert(t, large.Peak > 128<<20 && large.Peak < 200<<20, "%d", large.Peak)
	assert.Assert(t, small.Peak < 100<<20, "%d", small.Peak)
}

func TestShareOfOthers(t *testing.T) {
	before := parseLoad("cpu  100 0 50 800 50 0 0 0 0 0\ncpu0 1\n")
	after := parseLoad("cpu  200 0 100 850 50 0 0 0 0 0\n")
	assert.Equal(t, before.otherUntil(after, 1), 0.25)
	assert.Equal(t, before.otherUntil(after, 9), 0.0)
	assert.Equal(t, load{}.otherUntil(after, 1), -1.0)
	assert.Equal(t, parseLoad("nonsense").known, false)
}
