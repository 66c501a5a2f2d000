package quiesce

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/memsys/docker-memsys/internal/journal"
)

// The names of the steps in the journal.
const (
	holdStep     = "quiesce.hold"
	releasedStep = "quiesce.released"
	handedStep   = "quiesce.handed"
)

// holdRecord is the data of the steps of holding and letting go: what is paused is one record for a hold, what is stopped one for each level.
type holdRecord struct {
	Hold string `json:"hold"`
	// Set names the items; a later record of the same ones has only the name: many tries must not fill the journal.
	Set   string `json:"set,omitempty"`
	Items []Item `json:"items,omitempty"`
}

func (q *Quiescer) record(id string, items []Item) error {
	if len(items) == 0 {
		return nil
	}
	what, err := json.Marshal(items)
	if err != nil {
		return fmt.Errorf("record what will be held still: %w", err)
	}
	sum := sha256.Sum256(what)
	r := holdRecord{Hold: id, Set: hex.EncodeToString(sum[:8]), Items: items}
	if q.recorded[r.Set] {
		r.Items = nil
	}
	if err := q.Journal.Step(holdStep, r); err != nil {
		return fmt.Errorf("record what will be held still: %w", err)
	}
	if q.recorded == nil {
		q.recorded = map[string]bool{}
	}
	q.recorded[r.Set] = true
	return nil
}

func (q *Quiescer) released(id string) error {
	if err := q.Journal.Step(releasedStep, holdRecord{Hold: id}); err != nil {
		return fmt.Errorf("record that services were let go: %w", err)
	}
	return nil
}

// Pending returns what the steps of an interrupted run say was held and neither let go nor handed over.
func Pending(steps []journal.Step) ([]Item, error) {
	held, sets := map[string][]Item{}, map[string][]Item{}
	var order []string
	for _, s := range steps {
		if s.Name != holdStep && s.Name != releasedStep && s.Name != handedStep {
			continue
		}
		var r holdRecord
		if err := json.Unmarshal(s.Data, &r); err != nil {
			return nil, fmt.Errorf("read step %s of the journal: %w", s.Name, err)
		}
		if s.Name != holdStep {
			delete(held, r.Hold)
			continue
		}
		if _, ok := held[r.Hold]; !ok {
			order = append(order, r.Hold)
		}
		if len(r.Items) > 0 {
			sets[r.Set] = r.Items
		} else if r.Items = sets[r.Set]; len(r.Items) == 0 {
			return nil, fmt.Errorf("read step %s of the journal: it names nothing", s.Name)
		}
		held[r.Hold] = append(held[r.Hold], r.Items...)
	}
	var out []Item
	for _, id := range order {
		out = append(out, held[id]...)
	}
	return out, nil
}

// Recover lets go what an interrupted run left paused or stopped: only that, and only where it is still in that state. It returns what
// it resumed; the error names what it could not. It tries for at most 30 s.
func Recover(ctx context.Context, e Engine, steps []journal.Step) ([]Resumed, error) {
	items, err := Pending(steps)
	if err != nil || len(items) == 0 {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, releaseTimeout)
	defer cancel()
	done, _, err := letGoAll(ctx, e, items)
	var out []Resumed
	for _, r := range done {
		if r.How != Untouched {
			out = append(out, r)
		}
	}
	return out, err
}
