//go:build !windows

package compose

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"syscall"
)

// gateFile is the descriptor that a gate waits at: the first behind the standard ones.
const gateFile = 3

// GateMain is the gate: it waits for a byte of the process that has started it, and turns into the program that args name: its path, then its
// arguments from the zeroth on. Where that process is gone first, it ends with nothing done. It returns only if it cannot go on.
func GateMain(args []string) int {
	gate := os.NewFile(gateFile, "gate")
	n, _ := gate.Read(make([]byte, 1))
	_ = gate.Close()
	if n == 0 || len(args) < 2 {
		return 1
	}
	err := syscall.Exec(args[0], args[1:], os.Environ())
	fmt.Fprintf(os.Stderr, "start %s: %v\n", args[0], err)
	return 126
}

// runGated runs cmd behind a gate, and notes how it ended. It fails where cmd never ran.
func (r *Runner) runGated(cmd *exec.Cmd, ended *error) error {
	if _, err := exec.LookPath(cmd.Path); err != nil {
		return fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	self, err := r.self()
	if err != nil {
		return err
	}
	gate, open, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("make a gate for docker compose: %w", err)
	}
	defer open.Close()
	cmd.Args = slices.Concat([]string{self, GateArg, cmd.Path}, cmd.Args)
	cmd.Path, cmd.ExtraFiles = self, []*os.File{gate}
	err = cmd.Start()
	_ = gate.Close()
	if err != nil {
		return fmt.Errorf("start %s: %w", self, err)
	}
	opened := false
	refused := r.Gate(cmd.Process.Pid, func() error {
		opened = true
		_, _ = open.Write([]byte{1}) // one that was ended meanwhile says so by its exit code
		return open.Close()
	})
	_ = open.Close()
	if *ended = cmd.Wait(); opened {
		return nil
	}
	return refused
}

// self is the running program.
func (r *Runner) self() (string, error) {
	if r.Executable != "" {
		return r.Executable, nil
	}
	if _, err := os.Stat("/proc/self/exe"); err == nil {
		return "/proc/self/exe", nil // stays right when an update replaces the file meanwhile
	}
	return os.Executable()
}
