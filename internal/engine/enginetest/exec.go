package enginetest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strconv"

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
		program = sleeper
	}
	return program(ctx, c, command, out)
}

// sleeper does what testdata/sleeper does. Any other program is missing.
func sleeper(ctx context.Context, _ engine.Container, command []string, out io.Writer) (int, error) {
	switch {
	case command[0] != "/sleeper":
		return 127, nil
	case len(command) == 4 && command[1] == "say":
		code, err := strconv.Atoi(command[3])
		if err == nil {
			_, err = fmt.Fprintln(out, command[2])
		}
		return code, err
	}
	fmt.Fprintln(out, "hanging")
	<-ctx.Done()
	return 0, context.Cause(ctx)
}

// heard is a writer that tells when something was written.
type heard struct {
	bytes.Buffer
	once func()
}

func (h *heard) Write(p []byte) (int, error) {
	n, err := h.Buffer.Write(p)
	h.once()
	return n, err
}
