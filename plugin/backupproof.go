package plugin

import (
	"fmt"
	"strings"

	"github.com/memsys/docker-memsys/internal/backup"
	"github.com/memsys/docker-memsys/internal/inventory"
)

// proofNone is the word for a backup whose data nobody looks at.
const proofNone = "none"

// proofDepths are the values of --validate.
func proofDepths() []string {
	return []string{string(inventory.Quick), string(inventory.Full), proofNone}
}

// proof says how the data in a backup, or what was restored, is looked at; nil: not at all. Only contents are: that a certificate has run
// out makes no backup a bad one.
func (s *session) proof() (*inventory.Options, error) {
	if s.Config.Validate == proofNone {
		return nil, nil
	}
	o := &inventory.Options{
		Depth: inventory.Depth(s.Config.Validate), Checks: []string{string(inventory.Memories), string(inventory.Databases), string(inventory.Vectors)},
		Now: s.app.world.Now(),
	}
	return o, inspectionOf(&s.Config, o)
}

// damagedData is how a backup ends whose data is damaged.
func damagedData(r *backup.Result) error {
	message := "the backup is made, but the data in it is damaged, so it is never latest: " + damageText(r.Validation)
	if k := r.Known; k != nil {
		message += fmt.Sprintf("; %s in %s already", plural(int64(k.Findings), "of these was", "of these were"), k.Backup)
	}
	if !r.Complete {
		message += "; and it is incomplete: " + strings.Join(incomplete(r), "; ")
	}
	return &outcome{code: exitDamaged, message: message, hint: "docker memsys validate, or docker memsys restore --last-good for what is damaged"}
}

// damageText names damage, the first few by name.
func damageText(v *inventory.Validation) string {
	const most = 3
	var out []string
	total := 0
	for _, f := range v.Findings {
		if f.Status != inventory.Damaged {
			continue
		}
		if total++; total <= most {
			out = append(out, findingText(f))
		}
	}
	if total > most {
		out = append(out, fmt.Sprintf("and %d more", total-most))
	}
	return strings.Join(out, "; ")
}
