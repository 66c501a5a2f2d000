package quiesce

import (
	"context"
	"os"
)

// Resume is what a guardian does after its parent's death; others tells whether another run is at work.
func Resume(e Engine, items []Item, others func(context.Context) bool) int {
	return resume(e, items, others)
}

// Process is the guardian's process.
func Process(w Watch) *os.Process { return w.(*watching).cmd.Process }
