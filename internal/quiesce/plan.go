// Package quiesce holds the services that write still while their data is read, and lets exactly those go again.
//
// A hold goes on record in the journal first, then a guardian process starts, and only then the first container is paused or stopped.
// Whatever happens to this process, the guardian resumes the containers within two seconds of its death; if the guardian dies too,
// Recover does it from the journal at the next command.
package quiesce

import (
	"fmt"
	"slices"
	"strings"

	"github.com/memsys/docker-memsys/internal/engine"
)

// Mode is how services are held still.
type Mode string

// The modes. Auto is Pause where that can give a consistent copy, else Stop.
const (
	Auto  Mode = "auto"
	Pause Mode = "pause"
	Stop  Mode = "stop"
	None  Mode = "none"
)

// ParseMode returns the mode that s names.
func ParseMode(s string) (Mode, error) {
	switch m := Mode(s); m {
	case Auto, Pause, Stop, None:
		return m, nil
	}
	return "", fmt.Errorf("unknown quiesce mode %q: use %s, %s, %s or %s", s, Auto, Pause, Stop, None)
}

// Item is one container to hold, as the journal and the guardian are told.
type Item struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Project string `json:"project,omitempty"`
	Service string `json:"service,omitempty"`
	Number  string `json:"number,omitempty"`
	Action  Mode   `json:"action"` // Pause or Stop
	// Level orders a hold: level 0 is held first and let go last. Items of one level are held at once.
	Level int `json:"level,omitempty"`
	// Why says why Auto stops it.
	Why string `json:"-"`
}

// Label is how messages call the container: by its service where it has one.
func (it Item) Label() string {
	if it.Service == "" {
		return it.Name
	}
	if it.Number != "" && it.Number != "1" {
		return it.Service + " (" + it.Number + ")"
	}
	return it.Service
}

// Plan is which containers will be held, in this order.
type Plan struct {
	Mode  Mode
	Items []Item
	// Unheld are containers that may write while the data is read.
	Unheld []Unheld

	sharers map[string][]Item // containers that run in the network of another, by its id
}

// Unheld is a container that may write and is not held, and why.
type Unheld struct {
	Name, Service string
	Why           string
}

// Request is what a plan is made of.
type Request struct {
	Mode Mode
	// Containers are all of the engine: what depends on what is told by their labels.
	Containers []engine.Container
	// Writes tells which containers write into what is read: only these are held.
	Writes func(engine.Container) bool
	// NoPause says why the engine cannot pause; empty where it can.
	NoPause string
	// MustStop says why a pause of a container cannot give a consistent copy; empty where it can. nil: it always can.
	MustStop func(engine.Container) string
	// Last tells what is held after all others, since these write into it: Chroma servers. nil: nothing.
	Last func(engine.Container) bool
}

// NewPlan decides which containers are held: those that run and that writes tells write into what is read. Paused, stopped and created
// ones stay as they are, so they are not in the plan.
func NewPlan(mode Mode, containers []engine.Container, writes func(engine.Container) bool) Plan {
	return Arrange(Request{Mode: mode, Containers: containers, Writes: writes})
}

// Arrange decides which containers are held, how, and in which order: what depends on others first, what they depend on later.
func Arrange(r Request) Plan {
	p := Plan{Mode: r.Mode, sharers: map[string][]Item{}}
	levels := levelsOf(r.Containers)
	for _, c := range r.Containers {
		if owner, ok := strings.CutPrefix(c.Network, "container:"); ok && runs(c.State) {
			it := Item{ID: c.ID, Name: c.Name, Project: c.Project, Service: c.Service, Number: c.Number, Level: levels[keyOf(c)]}
			p.sharers[owner] = append(p.sharers[owner], it)
		}
		if !runs(c.State) || !r.Writes(c) {
			continue
		}
		action, why := r.action(c)
		if why := unheld(action, c.State); why != "" {
			p.Unheld = append(p.Unheld, Unheld{Name: c.Name, Service: c.Service, Why: why})
			continue
		}
		it := Item{ID: c.ID, Name: c.Name, Project: c.Project, Service: c.Service, Number: c.Number, Action: action, Why: why, Level: levels[keyOf(c)]}
		if r.Last != nil && r.Last(c) {
			it.Level += len(levels)
		}
		p.Items = append(p.Items, it)
	}
	p.stopSharers()
	p.order()
	return p
}

// stopSharers stops what runs in the network of a container that is stopped, before it, so that it starts again after it: that network
// goes with its owner, and what was left running would have none for good.
func (p *Plan) stopSharers() {
	for _, owner := range slices.Clone(p.Items) {
		if owner.Action != Stop || len(p.sharers[owner.ID]) == 0 {
			continue
		}
		for i := range p.Items { // room for a level of their own
			p.Items[i].Level *= 2
		}
		before := p.Items[slices.IndexFunc(p.Items, func(it Item) bool { return it.ID == owner.ID })].Level - 1
		for _, it := range p.sharers[owner.ID] {
			i := slices.IndexFunc(p.Items, func(other Item) bool { return other.ID == it.ID })
			if i < 0 {
				p.Items = append(p.Items, it)
				i = len(p.Items) - 1
			}
			held := &p.Items[i]
			held.Level = min(held.Level, before)
			if held.Action != Stop {
				held.Action, held.Why = Stop, "it runs in the network of "+owner.Label()+", which is stopped"
			}
		}
	}
}

// action is how a container is held, and why Auto stops it.
func (r Request) action(c engine.Container) (Mode, string) {
	switch {
	case r.Mode != Auto:
		return r.Mode, ""
	case c.State == engine.Restarting:
		return Stop, "it restarts again and again and cannot be paused"
	case r.NoPause != "":
		return Stop, r.NoPause
	case r.MustStop != nil && r.MustStop(c) != "":
		return Stop, r.MustStop(c)
	}
	return Pause, ""
}

// Action is how the plan holds services; Auto where some are paused and some stopped.
func (p Plan) Action() Mode {
	switch {
	case len(p.Items) == 0 && p.Mode == Auto:
		return Pause
	case len(p.Items) == 0:
		return p.Mode
	case slices.ContainsFunc(p.Items, func(it Item) bool { return it.Action != p.Items[0].Action }):
		return Auto
	}
	return p.Items[0].Action
}

// Stopping is the plan in which the items that stop tells are stopped, and with them what runs in their network.
func (p Plan) Stopping(stop func(Item) bool, why string) Plan {
	p.Items = slices.Clone(p.Items)
	for i := range p.Items {
		if it := &p.Items[i]; it.Action == Pause && stop(*it) {
			it.Action, it.Why = Stop, why
		}
	}
	p.stopSharers()
	p.order()
	return p
}

func runs(s engine.State) bool { return s == engine.Running || s == engine.Restarting }

func unheld(action Mode, s engine.State) string {
	switch {
	case action == None:
		return "services are not held still (quiesce none)"
	case action == Pause && s == engine.Restarting:
		return "it restarts again and again and cannot be paused"
	}
	return ""
}
