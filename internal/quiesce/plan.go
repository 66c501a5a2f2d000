// Package quiesce holds the services that write still while their data is read, and lets exactly those go again.
//
// A hold goes on record in the journal first, then a guardian process starts, and only then the first container is paused or stopped.
// Whatever happens to this process, the guardian resumes the containers within two seconds of its death; if the guardian dies too,
// Recover does it from the journal at the next command.
package quiesce

import (
	"fmt"

	"github.com/memsys/docker-memsys/internal/engine"
)

// Mode is how services are held still.
type Mode string

// The modes. Auto is Pause until a source asks for more.
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
}

// Unheld is a container that may write and is not held, and why.
type Unheld struct {
	Name, Service string
	Why           string
}

// NewPlan decides which containers are held: those that run and that writes tells write into what is read. Paused, stopped and created
// ones stay as they are, so they are not in the plan.
func NewPlan(mode Mode, containers []engine.Container, writes func(engine.Container) bool) Plan {
	p := Plan{Mode: mode}
	action := p.Action()
	for _, c := range containers {
		if !runs(c.State) || !writes(c) {
			continue
		}
		if why := unheld(action, c.State); why != "" {
			p.Unheld = append(p.Unheld, Unheld{Name: c.Name, Service: c.Service, Why: why})
			continue
		}
		p.Items = append(p.Items, Item{
			ID: c.ID, Name: c.Name, Project: c.Project, Service: c.Service, Number: c.Number, Action: action,
		})
	}
	return p
}

// Action is how the plan holds services: what Auto comes to.
func (p Plan) Action() Mode {
	if p.Mode == Auto {
		return Pause
	}
	return p.Mode
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
