package quiesce

import "os"

// Resume is what a guardian does after its parent's death.
func Resume(e Engine, items []Item) int { return resume(e, items) }

// Process is the guardian's process.
func Process(w Watch) *os.Process { return w.(*watching).cmd.Process }
