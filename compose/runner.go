package compose

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"time"
)

// Runner runs docker compose as a child: its arguments as a list, its signals and its exit code passed on.
type Runner struct {
	// Docker is the docker command line's program; empty is "docker" from PATH.
	Docker string
	// Globals are Docker's own flags before "compose", such as --context NAME.
	Globals []string
	// Standalone is run instead of "docker compose"; its Globals are those that it takes itself.
	Standalone *Standalone
	Stdin      io.Reader
	Stdout     io.Writer
	Stderr     io.Writer
	// Dir is where the child starts; empty is the process's own.
	Dir string
	// Patient waits for the child however long it takes to end: it is asked to, and never killed.
	Patient bool
	// Gate, if it is set, is called with the process id of the child before docker compose runs in it. It lets it run with open; where it returns
	// without, docker compose never runs, and its error is the outcome. What it notes of the child is so on record before the child does
	// anything; not on Windows, where the child runs at once.
	Gate func(pid int, open func() error) error
	// Executable is the program that turns into docker behind a gate; its main hands over to GateMain at GateArg. Empty: the running one.
	Executable string
	// Environ is the child's environment; nil is the process's own.
	Environ []string
}

// ExitError is a docker compose that ended with a code other than 0. It has said why on its standard error.
type ExitError struct{ Code int }

func (e *ExitError) Error() string {
	return fmt.Sprintf("docker compose ended with exit code %d", e.Code)
}

// patience is how long docker compose has to end after the context did, before it is killed.
const patience = 30 * time.Second

// askedToEnd is the exit code of a docker compose that was asked to end.
const askedToEnd = 130

// Run runs docker compose with these arguments and waits for it. When ctx ends, the child is asked to (SIGTERM) and has half a minute.
// A child's failure is an *ExitError; one that ended of being asked to, before it listened, has the code that docker compose gives for it, 130.
func (r *Runner) Run(ctx context.Context, args ...string) error {
	cmd := r.command(ctx, args)
	var err error
	if r.Gate == nil || cmd.Err != nil {
		err = cmd.Run()
	} else if refused := r.runGated(cmd, &err); refused != nil {
		return refused
	}
	if cmd.ProcessState == nil {
		return fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		if ctx.Err() != nil && endedByAsking(exit.ProcessState) {
			return &ExitError{Code: askedToEnd}
		}
		return &ExitError{Code: exitCode(exit.ProcessState)}
	}
	return err
}

func (r *Runner) command(ctx context.Context, args []string) *exec.Cmd {
	docker := r.Docker
	if docker == "" {
		docker = "docker"
	}
	line := slices.Concat(r.Globals, []string{"compose"}, args)
	if r.Standalone != nil {
		docker, line = r.Standalone.Path, slices.Concat(r.Globals, args)
	}
	cmd := exec.CommandContext(ctx, docker, line...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.Dir = r.Stdin, r.Stdout, r.Stderr, r.Dir
	cmd.Env = r.Environ
	if cmd.Env == nil {
		cmd.Env = os.Environ()
	}
	// The hints of docker's command line would appear twice: once for the child, once for us.
	cmd.Env = append(slices.Clone(cmd.Env), "DOCKER_CLI_HOOKS=false")
	cmd.Cancel = func() error { return interrupt(cmd.Process) }
	if !r.Patient {
		cmd.WaitDelay = patience
	}
	return cmd
}
