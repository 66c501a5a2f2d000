package compose

import (
	"fmt"
	"os/exec"
)

// GateMain does nothing: on this system no process turns into another.
func GateMain([]string) int { return 1 }

// runGated starts cmd and calls the gate then: what it notes comes a moment after the start.
func (r *Runner) runGated(cmd *exec.Cmd, ended *error) error {
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	opened := false
	refused := r.Gate(cmd.Process.Pid, func() error { opened = true; return nil })
	if !opened {
		_ = cmd.Process.Kill()
	}
	if *ended = cmd.Wait(); opened {
		return nil
	}
	return refused
}
