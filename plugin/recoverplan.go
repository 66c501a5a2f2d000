package plugin

import (
	"fmt"
	"strings"
	"time"

	"github.com/memsys/docker-memsys/internal/backup"
	"github.com/memsys/docker-memsys/internal/journal"
	"github.com/memsys/docker-memsys/internal/quiesce"
	"github.com/memsys/docker-memsys/internal/restore"
)

// recoveryPlan is what an interrupted operation left and what recover does with it.
type recoveryPlan struct {
	Interrupted bool       `json:"interrupted"`
	Operation   string     `json:"operation,omitempty"`
	Began       *time.Time `json:"began,omitempty"`
	Step        string     `json:"step,omitempty"`
	// Data is what becomes of the data of a restore: old or new; empty where none was touched.
	Data       string            `json:"data,omitempty"`
	Roots      []string          `json:"roots,omitempty"`
	Aside      []string          `json:"aside,omitempty"`
	Unfinished []string          `json:"unfinished,omitempty"`
	Services   []recoveryService `json:"services,omitempty"`
	Actions    []string          `json:"actions"`
	// Damaged says why the journal tells only a part.
	Damaged string `json:"damaged,omitempty"`
	// Done tells that it was carried out.
	Done bool `json:"done"`
}

// recoveryService is a service that the interrupted run holds still.
type recoveryService struct {
	Name      string `json:"name"`
	Container string `json:"container"`
	Held      string `json:"held"` // pause, stop
}

// recoveryPlan plans the recovery from an interrupted operation.
func (s *session) recoveryPlan(pending *journal.Interrupted) (*recoveryPlan, error) {
	p, err := plannedRecovery(pending)
	if err != nil {
		return nil, err
	}
	owed, err := s.owedLines(pending)
	if err != nil {
		return nil, err
	}
	p.Actions = append(p.Actions, owed...)
	return p, nil
}

// plannedRecovery reads from the steps what has to be done with data, archives and services.
func plannedRecovery(pending *journal.Interrupted) (*recoveryPlan, error) {
	p := &recoveryPlan{Interrupted: true, Operation: pending.Op, Actions: []string{}}
	if !pending.Began.IsZero() {
		p.Began = &pending.Began
	}
	if len(pending.Steps) > 0 {
		p.Step = pending.Steps[len(pending.Steps)-1].Name
	}
	rec, err := restore.PlanRecovery(pending.Steps)
	if err != nil {
		return nil, err
	}
	if rec != nil {
		p.Roots, p.Aside, p.Data = rec.Roots, rec.Aside, "old"
		if rec.Committed {
			p.Data = "new"
		}
		p.Actions = append(p.Actions, rec.String())
	}
	if p.Unfinished, err = backup.Unfinished(pending.Steps); err != nil {
		return nil, err
	}
	for _, path := range p.Unfinished {
		p.Actions = append(p.Actions, "the unfinished archive "+path+" is removed")
	}
	items, err := quiesce.Pending(pending.Steps)
	for _, it := range items {
		p.Services = append(p.Services, recoveryService{Name: it.Label(), Container: it.Name, Held: string(it.Action)})
		p.Actions = append(p.Actions, "service "+it.Label()+" "+goesOn(it.Action))
	}
	if err != nil {
		return nil, err
	}
	return p, p.handed(pending)
}

// printRecovery prints the plan.
func (a *app) printRecovery(pending *journal.Interrupted, p *recoveryPlan, format string) error {
	if format != "" {
		return a.printFormatted(format, p)
	}
	return writeClean(a.out, strings.Join(append([]string{interruptedText(pending)}, p.Actions...), "\n")+"\n")
}

// printRecovered says that all is in order.
func (a *app) printRecovered(pending *journal.Interrupted, p *recoveryPlan, opts recoverOptions) error {
	if opts.format != "" {
		p.Done = true
		return a.printFormatted(opts.format, p)
	}
	end := "everything is in order again"
	if opts.servicesOnly {
		end = "its services go on"
	}
	return writeClean(a.out, fmt.Sprintf("%s: %s\n", interruptedText(pending), end))
}

// printNothing says that there is nothing to recover.
func (a *app) printNothing(opts recoverOptions) error {
	if opts.format != "" {
		return a.printFormatted(opts.format, &recoveryPlan{Actions: []string{}})
	}
	return a.printf("nothing was interrupted\n")
}

// goesOn is what becomes of a service that was held.
func goesOn(held quiesce.Mode) string {
	if held == quiesce.Stop {
		return "is started again"
	}
	return "is let go again"
}
