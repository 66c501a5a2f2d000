package validate

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/inventory"
	"github.com/memsys/docker-memsys/internal/tree"
)

// moments is a copier whose copies have the contents of one file, one after the other.
type moments struct {
	t        *testing.T
	contents []string
	hold     []string
	doubt    string
	asked    []tree.RawPath
	taken    int
}

// Prepare implements Copier.
func (m *moments) Prepare(_ context.Context, paths map[string][]tree.RawPath) (*CopyPlan, error) {
	m.asked = paths["data"]
	return &CopyPlan{Mode: "pause", Hold: m.hold, Doubt: m.doubt, Take: func(context.Context) (Copy, error) {
		m.taken++
		root := m.t.TempDir()
		if text := m.contents[m.taken-1]; text != "" {
			assert.NilError(m.t, os.WriteFile(filepath.Join(root, "busy.json"), []byte(text), 0o644))
		}
		return moment{root, m.contents[m.taken-1]}, nil
	}}, nil
}

type moment struct{ root, content string }

func (m moment) Tree(string) inventory.Tree { return inventory.LiveTree(m.root, nil) }
func (m moment) Doubt() string              { return "" }
func (m moment) Quiesce() archive.Quiesce   { return archive.Quiesce{} }
func (m moment) Close() error               { return nil }

func (m moment) Print(context.Context, string, []tree.RawPath) (string, error) { return m.content, nil }

// busy is a source in which a file never kept still.
func busy() *inventory.Report {
	syntax := inventory.Check{ID: "memories.json"}
	return &inventory.Report{
		Source: "data", Restless: []tree.RawPath{"busy.json"},
		Inventory: inventory.Inventory{Collections: []inventory.Collection{{Kind: inventory.KindJSON, Name: ".", Files: 1, Records: 2}}},
		Results: []inventory.Result{{
			Check: syntax, Source: "data", Status: inventory.Unchecked, Checked: 1,
			Findings: []inventory.Finding{{Check: syntax.ID, Source: "data", Path: "busy.json", Status: inventory.Unchecked, Text: "changes all the time"}},
		}},
	}
}

// TestAFileThatNeverKeepsStillIsJudgedInACopy: whole there it is sound; torn it is damaged if two copies show the same.
func TestAFileThatNeverKeepsStillIsJudgedInACopy(t *testing.T) {
	const torn = `{"id": 1, "te`
	held := []string{"service writer"}
	for name, c := range map[string]struct {
		from   moments
		checks []string
		want   inventory.Status
		taken  int
	}{
		"whole":                           {moments{contents: []string{`{"id": 1}`}, hold: held}, nil, inventory.OK, 1},
		"torn in one copy":                {moments{contents: []string{torn, `{"id": 1}`}, hold: held}, nil, inventory.OK, 2},
		"damaged":                         {moments{contents: []string{torn, torn}, hold: held}, nil, inventory.Damaged, 2},
		"torn in two copies, differently": {moments{contents: []string{torn, torn + "xt"}, hold: held}, nil, inventory.Unchecked, 2},
		"damaged, and it grows":           {moments{contents: []string{"{\"a\": 1}\n{\n{}\n", "{\"a\": 1}\n{\n{}\n{}\n"}, hold: held}, nil, inventory.Damaged, 2},
		"it is gone":                      {moments{contents: []string{""}, hold: held}, nil, inventory.OK, 1},
		"nobody is held":                  {moments{}, nil, inventory.Unchecked, 0},
		"somebody else writes":            {moments{hold: held, doubt: "x may write"}, nil, inventory.Unchecked, 0},
		"nobody may be held for it":       {moments{hold: held}, []string{"memories"}, inventory.Unchecked, 0},
	} {
		t.Run(name, func(t *testing.T) {
			c.from.t = t
			o := inventory.Options{Checks: c.checks, Scratch: t.TempDir()}
			if c.checks == nil {
				o.Skip = []string{"structure", "backups"}
			}
			p, err := Prepare(t.Context(), Request{Sources: []Source{{Name: "data"}}, Side: fixed{"data": busy()}, Copier: &c.from, Options: o})
			assert.NilError(t, err)
			r, err := runner(t).Run(t.Context(), p)
			assert.NilError(t, err)
			assert.Equal(t, r.Status, c.want, "%+v", r.Results)
			assert.Equal(t, c.from.taken, c.taken)
			assert.Equal(t, len(r.Copies), c.taken)
			if c.taken > 0 {
				assert.DeepEqual(t, c.from.asked, []tree.RawPath{"busy.json"})
			}
		})
	}
}

// TestWhatWasJudgedInACopyCountsAsOneCollection: with the files beside it.
func TestWhatWasJudgedInACopyCountsAsOneCollection(t *testing.T) {
	one, other := strings.Repeat("00", 31)+"ff", strings.Repeat("00", 31)+"02"
	into, from := busy(), busy()
	into.Inventory.Collections[0].IDs, into.Inventory.Collections[0].Content = one, one
	from.Inventory.Collections[0].IDs, from.Inventory.Collections[0].Content = other, ""
	join(into, from)
	assert.Equal(t, fmt.Sprintf("%+v", into.Inventory.Collections), fmt.Sprintf("%+v", []inventory.Collection{
		{Kind: inventory.KindJSON, Name: ".", Files: 2, Records: 4, IDs: strings.Repeat("00", 30) + "0101", Content: one},
	}))
}
