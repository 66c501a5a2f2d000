package enginetest

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/memsys/docker-memsys/internal/engine"
)

// Program stands for the programs in the containers of the fake.
type Program func(ctx context.Context, c engine.Container, command []string, out io.Writer) (code int, err error)

// SetProgram sets what Exec runs; nil for the sleeper of the tests' own image.
func (e *Engine) SetProgram(p Program) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.program = p
}

// Exec runs a command in a running container.
func (e *Engine) Exec(ctx context.Context, id string, command []string, out io.Writer) (code int, err error) {
	return e.ExecAs(ctx, id, engine.Command{Args: command}, out)
}

// ExecAs runs a command with a user, a folder and an environment of its own, of which a Program hears nothing.
func (e *Engine) ExecAs(ctx context.Context, id string, command engine.Command, out io.Writer) (code int, err error) {
	var c engine.Container
	var program Program
	err = e.do(ctx, Call{"Exec", id}, func() error {
		program = e.program
		var ok bool
		if c, ok = e.containers[id]; !ok {
			return engine.ErrNotFound
		}
		if c.State != engine.Running {
			return fmt.Errorf("%w: it is %s", engine.ErrConflict, c.State)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	if program == nil {
		return sleeper(ctx, command, out)
	}
	return program(ctx, c, command.Args, out)
}

// sleeper does what testdata/sleeper does. Any other program is missing.
func sleeper(ctx context.Context, command engine.Command, out io.Writer) (int, error) {
	args := command.Args
	switch {
	case args[0] != "/sleeper":
		return 127, nil
	case len(args) == 4 && args[1] == "say":
		code, err := strconv.Atoi(args[3])
		if err == nil {
			_, err = fmt.Fprintln(out, args[2])
		}
		return code, err
	case len(args) == 3 && args[1] == "tell":
		_, err := fmt.Fprintln(out, cmp.Or(command.User, "0:0"), cmp.Or(command.Dir, "/"), environment(command.Env, args[2]))
		return 0, err
	case len(args) == 2 && args[1] == "echo":
		_, err := fmt.Fprintf(out, "%sended\n", command.Stdin)
		return 3, err
	}
	fmt.Fprintln(out, "hanging")
	<-ctx.Done()
	return 0, context.Cause(ctx)
}

// environment is what a variable has.
func environment(env []string, name string) string {
	for _, setting := range env {
		if value, ok := strings.CutPrefix(setting, name+"="); ok {
			return value
		}
	}
	return ""
}
