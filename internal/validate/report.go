// Package validate tells whether the data of a project makes sense, live or in a backup: it decides what is looked at, gathers what
// internal/inventory finds in the sources, asks the services, and compares the compose file with what the engine has mounted.
package validate

import (
	"time"

	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/inventory"
)

// Report is what a validation came to.
type Report struct {
	// Backup is the name of the backup that was looked at; empty for the live data.
	Backup  string          `json:"backup,omitempty"`
	Project string          `json:"project,omitempty"`
	Began   time.Time       `json:"began"`
	Seconds float64         `json:"seconds"`
	Depth   inventory.Depth `json:"depth"`
	// Status is the worst of all results.
	Status inventory.Status `json:"status"`
	// Results are those of all sources and of the project, in the order of the groups.
	Results []inventory.Result `json:"results"`
	// Copies say how services were held still for each private copy of live stores.
	Copies []archive.Quiesce `json:"copies,omitempty"`
	// Inventories are the counted contents of the sources that could be read, by the sources' names.
	Inventories map[string]inventory.Inventory `json:"inventories,omitempty"`
}

// Unread counts what was to be looked at and could not be.
func (r *Report) Unread() int64 {
	var n int64
	for _, res := range r.Results {
		for _, f := range res.Findings {
			if f.Status == inventory.Unchecked {
				n++
			}
		}
	}
	return n
}
