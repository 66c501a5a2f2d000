package inventory

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/memsys/docker-memsys/internal/tree"
)

// mostOwners is how many owners are told apart.
const mostOwners = 16

// ownership finds entries that belong to somebody else than the root of the source. A root that belongs to the superuser, with all that is in it
// belonging to one other, is how engines make folders and no finding.
type ownership struct {
	root int // -1: not seen
	all  int64
	by   map[int]*examples
	rest int64 // entries of owners beyond mostOwners
}

func newOwners() *ownership { return &ownership{root: -1, by: map[int]*examples{}} }

func (*ownership) check() Check { return Check{ID: "structure.owners", Title: "owners"} }

// Checks tells what it looks at.
func (o *ownership) Checks() []Check { return []Check{o.check()} }

// Observe counts an entry for its owner.
func (o *ownership) Observe(e *tree.Entry) {
	o.all++
	if e.Path == "." {
		o.root = e.UID
		return
	}
	if o.by[e.UID] == nil {
		if len(o.by) == mostOwners {
			o.rest++
			return
		}
		o.by[e.UID] = &examples{}
	}
	o.by[e.UID].add(e.Path)
}

// After names the other owners in one finding.
func (o *ownership) After(r *Recorder) {
	if o.root < 0 {
		return
	}
	r.Checked(o.check(), o.all)
	if len(o.by) == 0 || len(o.by) == 1 && (o.by[o.root] != nil || o.root == 0) {
		return
	}
	uids := slices.SortedFunc(maps.Keys(o.by), func(a, b int) int {
		return cmp.Or(cmp.Compare(o.by[b].n, o.by[a].n), cmp.Compare(a, b))
	})
	var parts []string
	for _, uid := range uids {
		if uid != o.root {
			parts = append(parts, fmt.Sprintf("user %d owns %s", uid, o.by[uid].text("entry", "entries")))
		}
	}
	if o.rest > 0 {
		parts = append(parts, fmt.Sprintf("further users own %d", o.rest))
	}
	r.Find(o.check(), Finding{Status: Warning, Text: fmt.Sprintf("the root belongs to user %d, but %s", o.root, strings.Join(parts, "; "))})
}
