package contest

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/memsys/docker-memsys/bench/measure"
)

// Validation is what it costs to look at many memory files, pair by pair, against reading them.
type Validation struct {
	Files   int   `json:"files"`
	Records int64 `json:"records"`
	Bytes   int64 `json:"bytes"`
	// Read is what `cat` of all files took, in seconds; Validate what docker memsys did.
	Read     []float64 `json:"read"`
	Validate []float64 `json:"validate"`
	// Peak is the most memory that docker memsys held, in bytes.
	Peak int64 `json:"peak"`
}

// MeasureValidation reads the files of the place's store, whose records are counted, and validates them, in turn. The files are in the cache.
func MeasureValidation(ctx context.Context, p Place, v Validation, pairs int) (Validation, error) {
	read := measure.Step{
		Pipeline: [][]string{{"find", filepath.Join(p.Store, "data"), "-type", "f", "-print0"}, {"xargs", "-0", "cat"}}, Out: os.DevNull,
	}
	look := measure.Step{
		Pipeline: [][]string{{p.Plugin, "-f", filepath.Join(p.Store, "compose.yaml"), "validate", "--checks", "memories", "--format", "json"}},
		Env:      p.alone(),
	}
	// The first pair only fills the cache.
	for i := range pairs + 1 {
		steps := []measure.Step{read, look}
		if i%2 == 1 {
			slices.Reverse(steps)
		}
		for _, s := range steps {
			cost, err := measure.Run(ctx, s)
			if err != nil {
				return v, err
			}
			if s.Out == "" {
				if err := v.counted(cost.Output); err != nil {
					return v, err
				}
			}
			switch {
			case i == 0:
			case s.Out == "":
				v.Validate, v.Peak = append(v.Validate, cost.Seconds), max(v.Peak, cost.Peak)
			default:
				v.Read = append(v.Read, cost.Seconds)
			}
		}
	}
	return v, nil
}

// counted holds what docker memsys tells to what was made: a look that left files out would be quick.
func (v Validation) counted(output []byte) error {
	var told struct {
		Status      string `json:"status"`
		Inventories map[string]struct {
			Collections []struct {
				Records int64 `json:"records"`
			} `json:"collections"`
		} `json:"inventories"`
	}
	if err := json.Unmarshal(output, &told); err != nil {
		return fmt.Errorf("read what validate tells: %w", err)
	}
	records := int64(0)
	for _, one := range told.Inventories {
		for _, c := range one.Collections {
			records += c.Records
		}
	}
	if records != v.Records || told.Status != "ok" {
		return fmt.Errorf("validate tells %q of %d records, not of %d", told.Status, records, v.Records)
	}
	return nil
}
