package plugin

import (
	"strings"
	"testing"

	"github.com/docker/cli/cli/command/formatter"
	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/compose"
)

// longRows are a source with a long path and many services, and a short one.
func longRows() []*sourceRow {
	var mounts []compose.Mount
	for _, name := range []string{"assistant", "memory-system", "worker"} {
		mounts = append(mounts, compose.Mount{Service: name})
	}
	return []*sourceRow{
		{source: compose.Source{Name: "data", Kind: "bind", Path: "/srv/a-long-folder/" + strings.Repeat("x", 60) + "/data", Mounts: mounts}, size: 10},
		{source: compose.Source{Name: "v", Kind: "bind", Path: "/srv/v", Mounts: mounts[:1]}, size: 10},
	}
}

func TestTheTableOfSourcesFitsOnTheTerminal(t *testing.T) {
	for _, width := range []int{80, 120, 400} {
		rows := longRows()
		fitSources(rows, width)
		var out strings.Builder
		c := formatter.Context{Output: &out, Format: sourcesTable}
		assert.NilError(t, c.Write(newSourceRow(), func(write func(formatter.SubContext) error) error {
			for _, row := range rows {
				if err := write(row); err != nil {
					return err
				}
			}
			return nil
		}))
		for line := range strings.Lines(out.String()) {
			assert.Check(t, len([]rune(strings.TrimSuffix(line, "\n"))) <= width, "%d columns: %s", width, line)
		}
		assert.Check(t, strings.Contains(out.String(), "x/data"), "the end of a path is what tells it apart:\n%s", out.String())
		assert.Equal(t, width == 400, strings.Contains(out.String(), "/srv/a-long-folder/"))
	}
}

func TestANarrowTerminalLeavesNamesReadable(t *testing.T) {
	rows := longRows()
	fitSources(rows, 20)
	assert.Equal(t, rows[0].Name(), "data")
	assert.Equal(t, rows[0].Services(), "assistant, …")
	assert.Equal(t, len([]rune(rows[0].Where())), narrowWhere)
	assert.Equal(t, rows[1].Where(), "/srv/v")
}
