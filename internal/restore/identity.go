package restore

import (
	"fmt"

	"github.com/memsys/docker-memsys/internal/archive"
)

// Difference is one part of the identity in which the backup's project and the present one are not the same.
type Difference struct {
	What   string `json:"what"` // project name, working directory, engine
	Backup string `json:"backup"`
	Here   string `json:"here"`
}

// String says the difference in a few words.
func (d Difference) String() string {
	return fmt.Sprintf("%s: the backup is of %q, here it is %q", d.What, d.Backup, d.Here)
}

// differences compares two identities; what a side does not know is no difference.
func differences(backup, here archive.Project) []Difference {
	var out []Difference
	add := func(what, b, h string) {
		if b != "" && h != "" && b != h {
			out = append(out, Difference{What: what, Backup: b, Here: h})
		}
	}
	add("project name", backup.Name, here.Name)
	add("working directory", backup.WorkingDir, here.WorkingDir)
	add("engine", backup.EngineID, here.EngineID)
	return out
}
