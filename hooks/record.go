package hooks

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/journal"
)

// The names of the steps in the journal.
const (
	stepBegin = "hooks.begin" // what is owed afterwards
	stepRun   = "hooks.run"
	stepDone  = "hooks.done"
)

// record is the data of the steps.
type record struct {
	Owed []ref `json:"owed,omitempty"`
	Run  *ref  `json:"run,omitempty"`
}

// ref names a hook.
type ref struct {
	Service string `json:"service"`
	When    string `json:"when"`
	Project bool   `json:"project,omitempty"`
}

func refOf(h compose.Hook) *ref { return &ref{h.Service, h.When, h.Project} }

func owed(after []compose.Hook) []ref {
	var out []ref
	for _, h := range after {
		out = append(out, *refOf(h))
	}
	return out
}

// Began tells whether a hook of an interrupted run has begun: it may have locked something.
func Began(steps []journal.Step) bool {
	return slices.ContainsFunc(steps, func(s journal.Step) bool { return s.Name == stepRun })
}

// Owed returns the hooks that an interrupted run would have run afterwards and has not seen through, as service and point. One that was
// under way may have done its work: it is run again.
func Owed(steps []journal.Step) ([]compose.Hook, error) {
	var out []ref
	for _, s := range steps {
		if s.Name != stepBegin && s.Name != stepDone {
			continue
		}
		var r record
		if err := json.Unmarshal(s.Data, &r); err != nil {
			return nil, fmt.Errorf("read step %s of the journal: %w", s.Name, err)
		}
		out = append(out, r.Owed...)
		if r.Run != nil {
			out = slices.DeleteFunc(out, func(o ref) bool { return o == *r.Run })
		}
	}
	var hooks []compose.Hook
	for _, o := range out {
		hooks = append(hooks, compose.Hook{Service: o.Service, When: o.When, Project: o.Project})
	}
	return hooks, nil
}
