package hooks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"time"
)

// hostPatience is how long a program that was asked to end has for it, and how long one that has ended may leave others behind that hold its output.
const hostPatience = 5 * time.Second

// Host runs the project's hooks on this machine.
type Host struct {
	Dir     string   // the project's folder: a program's relative name starts there
	Environ []string // on top of which a hook is told what it is about
}

// Run runs a program without a shell and returns its exit code. What it prints goes to out while it runs. When ctx ends, the program and
// what it has started are asked to end, then ended, and the cause of ctx is returned.
func (h Host) Run(ctx context.Context, command, env []string, stdin io.Reader, out io.Writer) (int, error) {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Dir, cmd.Env = h.Dir, slices.Concat(h.Environ, env)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, out, out
	cmd.WaitDelay = hostPatience
	apart(cmd)
	err := cmd.Run()
	if ctx.Err() != nil {
		endGroup(cmd)
		return 0, context.Cause(ctx)
	}
	exit := (*exec.ExitError)(nil)
	switch {
	case errors.As(err, &exit) && !exit.Exited():
		return 0, fmt.Errorf("%s: %s", command[0], exit)
	case errors.As(err, &exit):
		return exit.ExitCode(), nil
	case err != nil && cmd.ProcessState == nil:
		return 0, fmt.Errorf("start %s: %w", command[0], err)
	}
	// What is left is about its input, which it need not read, and its output, which others may still hold.
	return 0, nil
}
