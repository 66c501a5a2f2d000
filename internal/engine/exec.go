package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/client"
)

// How long to wait for what the engine tells a moment later: the exit code after the last output, the end of a process after a signal.
const (
	exitWait  = 5 * time.Second
	exitEvery = 20 * time.Millisecond
	endWait   = 2 * time.Second
)

// Command is a command for a container. Empty fields are the container's own.
type Command struct {
	Args       []string
	User       string
	Dir        string
	Env        []string // NAME=value, on top of the container's
	Privileged bool
	Stdin      []byte // what it reads; nil: nothing is connected
}

// StrayError says that a command was given up and may go on in its container: the engine has no request that ends it.
type StrayError struct{ Err error }

// Error says why the command was given up.
func (e *StrayError) Error() string {
	return fmt.Sprintf("%v; it may go on in its container", e.Err)
}

// Unwrap returns the cause.
func (e *StrayError) Unwrap() error { return e.Err }

// Exec runs a command in a running container, without a shell and as the container's user, and returns its exit code. What it prints goes
// to out while it runs. ErrConflict: the container does not run, or is paused. When ctx ends Exec returns at once with the cause of ctx;
// where the engine runs on this machine and this process may, the command is ended, else the error is a *StrayError.
func (c *Client) Exec(ctx context.Context, id string, command []string, out io.Writer) (int, error) {
	return c.ExecAs(ctx, id, Command{Args: command}, out)
}

// ExecAs is Exec of a command with a user, a folder and an environment of its own.
func (c *Client) ExecAs(ctx context.Context, id string, command Command, out io.Writer) (int, error) {
	made, err := c.api.ExecCreate(ctx, id, client.ExecCreateOptions{
		Cmd: command.Args, User: command.User, WorkingDir: command.Dir, Env: command.Env, Privileged: command.Privileged,
		AttachStdin: command.Stdin != nil, AttachStdout: true, AttachStderr: true,
	})
	if err != nil {
		return 0, c.wrap(err, "run a command in container", id)
	}
	line, err := c.api.ExecAttach(ctx, made.ID, client.ExecAttachOptions{})
	if err != nil {
		return 0, c.wrap(c.givenUp(ctx, made.ID, err), "run a command in container", id)
	}
	defer line.Close()
	stop := context.AfterFunc(ctx, line.Close)
	if command.Stdin != nil {
		go feed(line.HijackedResponse, command.Stdin)
	}
	_, err = stdcopy.StdCopy(out, out, line.Reader)
	if !stop() || ctx.Err() != nil {
		return 0, c.wrap(c.givenUp(ctx, made.ID, context.Cause(ctx)), "run a command in container", id)
	}
	if err != nil {
		return 0, c.wrap(err, "read from a command in container", id)
	}
	code, err := c.exitCode(ctx, made.ID)
	return code, c.wrap(err, "ask how a command ended in container", id)
}

// feed gives a command what it reads. One that does not read it ends all the same.
func feed(line client.HijackedResponse, text []byte) {
	_, _ = line.Conn.Write(text)
	_ = line.CloseWrite()
}

// exitCode asks for the exit code of a command whose output has ended.
func (c *Client) exitCode(ctx context.Context, exec string) (int, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, exitWait, errors.New("it has closed its output and does not end"))
	defer cancel()
	if err := c.untilOver(ctx, exec); err != nil {
		return 0, c.givenUp(ctx, exec, err)
	}
	state, err := c.api.ExecInspect(ctx, exec, client.ExecInspectOptions{})
	return state.ExitCode, err
}

// givenUp ends a command that nobody waits for any more, where that can be done. It returns err, as a *StrayError where it could not.
func (c *Client) givenUp(ctx context.Context, exec string, err error) error {
	if ctx.Err() == nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*endWait)
	defer cancel()
	if !c.endExec(ctx, exec) {
		return &StrayError{err}
	}
	return err
}

// endExec ends a command's process by its number on this machine, and tells whether it is over. The number is believed only where the
// kernel says that the process belongs to the container.
func (c *Client) endExec(ctx context.Context, exec string) bool {
	state, err := c.api.ExecInspect(ctx, exec, client.ExecInspectOptions{})
	if err != nil || !state.Running {
		return err == nil
	}
	for _, force := range []bool{false, true} {
		if !signalContained(state.PID, state.ContainerID, force) {
			return false
		}
		soon, cancel := context.WithTimeout(ctx, endWait)
		err := c.untilOver(soon, exec)
		cancel()
		if err == nil {
			return true
		}
	}
	return false
}

// untilOver waits until a command does not run any more.
func (c *Client) untilOver(ctx context.Context, exec string) error {
	for {
		state, err := c.api.ExecInspect(ctx, exec, client.ExecInspectOptions{})
		if err != nil || !state.Running {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(exitEvery):
		}
	}
}
