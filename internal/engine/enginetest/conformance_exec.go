package enginetest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/engine"
)

func (b Bench) exec(t *testing.T) {
	ctx := t.Context()
	id := b.container(t, "exec")
	_, err := b.Exec(ctx, id, []string{"/sleeper", "say", "hello", "0"}, io.Discard)
	assert.ErrorIs(t, err, engine.ErrConflict)
	assert.NilError(t, b.Start(ctx, id))
	var out bytes.Buffer
	code, err := b.Exec(ctx, id, []string{"/sleeper", "say", "two words; $HOME", "0"}, &out)
	assert.NilError(t, err)
	assert.Equal(t, code, 0)
	assert.Equal(t, out.String(), "two words; $HOME\n")
	code, err = b.Exec(ctx, id, []string{"/sleeper", "say", "no", "7"}, io.Discard)
	assert.NilError(t, err)
	assert.Equal(t, code, 7)
	code, err = b.Exec(ctx, id, []string{"/nothing"}, io.Discard)
	assert.Assert(t, err != nil || code != 0, "a program that is missing ended well")
	assert.NilError(t, b.Pause(ctx, id))
	_, err = b.Exec(ctx, id, []string{"/sleeper", "say", "hello", "0"}, io.Discard)
	assert.ErrorIs(t, err, engine.ErrConflict)
	assert.NilError(t, b.Unpause(ctx, id))
	assert.Equal(t, b.state(t, id), engine.Running)
}

func (b Bench) execAs(t *testing.T) {
	id := b.container(t, "as")
	assert.NilError(t, b.Start(t.Context(), id))
	for _, c := range []struct {
		command engine.Command
		want    string
	}{
		{engine.Command{}, "0:0 / \n"},
		{engine.Command{User: "1234:5678", Dir: "/dev", Env: []string{"OTHER=x", "WORD=two words; $HOME"}}, "1234:5678 /dev two words; $HOME\n"},
	} {
		c.command.Args = []string{"/sleeper", "tell", "WORD"}
		var out bytes.Buffer
		code, err := b.ExecAs(t.Context(), id, c.command, &out)
		assert.NilError(t, err)
		assert.Equal(t, code, 0)
		assert.Equal(t, out.String(), c.want)
	}
	var out bytes.Buffer
	code, err := b.ExecAs(t.Context(), id, engine.Command{Args: []string{"/sleeper", "echo"}, Stdin: []byte("what it reads\n")}, &out)
	assert.NilError(t, err)
	assert.Equal(t, code, 3)
	lines := strings.SplitAfter(out.String(), "\n") // of two streams, whose order the engine does not keep
	slices.Sort(lines)
	assert.DeepEqual(t, lines, []string{"", "ended\n", "what it reads\n"})
}

func (b Bench) hang(t *testing.T) {
	id := b.container(t, "hang")
	assert.NilError(t, b.Start(t.Context(), id))
	late := errors.New("too late")
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	out := &heard{once: func() { cancel(late) }}
	_, err := b.Exec(ctx, id, []string{"/sleeper", "hang"}, out)
	assert.ErrorIs(t, err, late)
	assert.Equal(t, out.String(), "hanging\n")
	assert.Equal(t, b.state(t, id), engine.Running, "its container goes on")
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
